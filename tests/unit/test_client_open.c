/* What gradient_client_open accepts: addresses of a service and sane times. Nothing listens. */
#include "gradient_client.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h needs four of the above. */
#include <cmocka.h>

static void test_addresses_of_a_service(void **state)
{
    static const char *const urls[] = {"http://127.0.0.1:8080",
                                       "http://127.0.0.1:8080/",
                                       "http://localhost",
                                       "https://example.org",
                                       "HTTP://h:1",
                                       "http://[::1]:8080",
                                       "http://h/prefix",
                                       "https://h:1/a/b-c_d/~e%20/",
                                       "http://h:1/v1/gradients/of/ours"};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        gradient_client *client = NULL;
        assert_int_equal(gradient_client_open(urls[i], NULL, &client, NULL), GRADIENT_CLIENT_OK);
        assert_non_null(client);
        gradient_client_close(client);
    }
}

static void test_no_addresses(void **state)
{
    static const char *const urls[] = {"",
                                       "127.0.0.1:8080",
                                       "http://",
                                       "http:///",
                                       "ftp://h:1",
                                       "file:///etc/passwd",
                                       "http://h:1/v1/gradients",
                                       "http://h:1/v1",
                                       "http://h:1/prefix/v1/check/",
                                       "http://h:1/a b",
                                       "http://h:1/a?b",
                                       "http://h:1x",
                                       "http://user@h:1",
                                       "http://h:1?x=1",
                                       "http://h:1#x",
                                       "http://h:99999",
                                       "http://h h",
                                       "http://h:1\r\nX: y"};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        gradient_client *client = NULL;
        gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
        assert_int_equal(gradient_client_open(urls[i], NULL, &client, &error),
                         GRADIENT_CLIENT_BAD_INPUT);
        assert_null(client);
        assert_int_equal(error.status, GRADIENT_CLIENT_BAD_INPUT);
        assert_non_null(strstr(error.message, "http://HOST:PORT"));
    }
}

#define SIZE sizeof(gradient_client_options)

static void test_times(void **state)
{
    static const double wrong[] = {-1, NAN, INFINITY, 1e9};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gradient_client_options options[] = {{.size = SIZE, .connect_timeout = wrong[i]},
                                             {.size = SIZE, .attempt_timeout = wrong[i]},
                                             {.size = SIZE, .total_timeout = wrong[i]},
                                             {.size = SIZE, .backoff_base = wrong[i]},
                                             {.size = SIZE, .backoff_max = wrong[i]}};
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            gradient_client *client = NULL;
            assert_int_equal(gradient_client_open("http://h:1", &options[o], &client, NULL),
                             GRADIENT_CLIENT_BAD_INPUT);
            assert_null(client);
        }
    }
}

static void test_freeing_nothing(void **state)
{
    gradient_client_reply reply = {0};

    (void)state;
    gradient_client_close(NULL);
    gradient_client_reply_free(NULL);
    gradient_client_reply_free(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_of_a_service),
        cmocka_unit_test(test_no_addresses),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_freeing_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
