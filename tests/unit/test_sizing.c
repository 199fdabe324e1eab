/* Whether a configuration fits into memory: what is lowered, what is refused, on both sides. */
#include "config/options.h"
#include "sizing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)
#define DEFAULT_CONNECTIONS 4096

static char none[] = "", some[] = "service.pem";

static bool fit_with(char *certificate, size_t budget, size_t connections, size_t available,
                     config *running, char message[512])
{
    const config loaded = {.memory_budget = budget, .max_connections = connections};

    *running = (config){.tls_certificate = certificate,
                        .tls_key = none,
                        .tls_client_ca = none,
                        .tls_client_crl = none,
                        .tls_client_names = none};
    running->memory_budget = budget == 0 ? available / 2 : budget;
    running->max_connections = connections;
    message[0] = '\0';
    return sizing_fit(&loaded, running, available, message, 512);
}

static bool fit(size_t budget, size_t connections, size_t available, config *running,
                char message[512])
{
    return fit_with(none, budget, connections, available, running, message);
}

/* The sum, written down once more: 80 KiB a connection, 48 MiB, an eighth of the budget. */
static void assert_fits(const config *c, size_t available)
{
    size_t budget = c->memory_budget, kept = budget / 8;

    kept = kept < 16 * MIB ? 16 * MIB : kept > 64 * MIB ? 64 * MIB : kept;
    assert_true(budget + kept + 48 * MIB + c->max_connections * (80 << 10) <= available);
}

static void test_much_memory_changes_nothing(void **state)
{
    config c = {.memory_budget = 0};
    char message[512];

    (void)state;
    assert_true(fit(0, DEFAULT_CONNECTIONS, 8192 * MIB, &c, message));
    assert_int_equal(c.memory_budget, 4096 * MIB);
    assert_int_equal(c.max_connections, DEFAULT_CONNECTIONS);
}

static void test_defaults_fit_anywhere(void **state)
{
    config c = {.memory_budget = 0};
    char message[512];

    (void)state;
    for (size_t available = 128 * MIB; available < 4096 * MIB; available += 37 * MIB) {
        assert_true(fit(0, DEFAULT_CONNECTIONS, available, &c, message));
        assert_true(c.memory_budget >= available / 8);
        assert_fits(&c, available);
    }
    assert_true(fit(0, DEFAULT_CONNECTIONS, 512 * MIB, &c, message));
    assert_true(c.max_connections > 1000);
}

static void test_what_was_set_is_kept_or_refused(void **state)
{
    config c = {.memory_budget = 0};
    char message[512];

    (void)state;
    assert_true(fit(300 * MIB, 1000, 512 * MIB, &c, message));
    assert_int_equal(c.memory_budget, 300 * MIB);
    assert_int_equal(c.max_connections, 1000);
    assert_fits(&c, 512 * MIB);
    assert_false(fit(300 * MIB, 2000, 512 * MIB, &c, message));
    assert_non_null(strstr(message, "memory-budget 300 MiB, 2000 connections of 80 KiB and 85 MiB "
                                    "of the process are more than the 512 MiB"));
    assert_false(fit(600 * MIB, DEFAULT_CONNECTIONS, 512 * MIB, &c, message));
    assert_true(fit(300 * MIB, DEFAULT_CONNECTIONS, 512 * MIB, &c, message));
    assert_true(c.max_connections < 2000);
    assert_fits(&c, 512 * MIB);
}

/* A connection of TLS takes 44 KiB more. */
static void test_tls_takes_more(void **state)
{
    config c = {.memory_budget = 0};
    char message[512];

    (void)state;
    assert_true(fit_with(some, 100 * MIB, 2500, 512 * MIB, &c, message));
    assert_false(fit_with(some, 100 * MIB, 3000, 512 * MIB, &c, message));
    assert_non_null(strstr(message, "3000 connections of 124 KiB"));
    assert_true(fit(100 * MIB, 3000, 512 * MIB, &c, message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_much_memory_changes_nothing),
        cmocka_unit_test(test_defaults_fit_anywhere),
        cmocka_unit_test(test_what_was_set_is_kept_or_refused),
        cmocka_unit_test(test_tls_takes_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
