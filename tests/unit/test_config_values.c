/* The spelling of values, addresses and names; the table of options itself. */
#include "config/address.h"
#include "config/options.h"
#include "config/suggest.h"
#include "gradient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const option a_number = {.kind = OPTION_NUMBER, .least = 1, .most = 1e10};
static const option a_size = {.kind = OPTION_SIZE, .least = 0, .most = 1e12};
static const option a_rate = {.kind = OPTION_RATE, .least = 1, .most = 1e9};
static const option a_time = {.kind = OPTION_TIME, .least = 0.001, .most = 3600};
static const option a_switch = {.kind = OPTION_SWITCH};
static const option a_choice = {.kind = OPTION_CHOICE, .choices = "debug info warning error"};
static const option an_address = {.kind = OPTION_ADDRESS, .choices = ""};
static const option no_address = {.kind = OPTION_ADDRESS, .choices = "none"};

static void expect_whole(const option *o, const char *text, size_t number)
{
    option_value value = {.number = 0};
    assert_true(value_parse(o, text, &value));
    assert_int_equal(value.number, number);
}

static void expect_refused(const option *o, const char *const *texts)
{
    for (; *texts; texts++) {
        option_value value = {.number = 77};
        if (value_parse(o, *texts, &value))
            print_error("accepted: \"%s\"\n", *texts);
        assert_false(value_parse(o, *texts, &value));
        assert_int_equal(value.number, 77);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    expect_whole(&a_number, "1", 1);
    expect_whole(&a_number, "0042", 42);
    expect_whole(&a_number, "3k", 3000);
    expect_whole(&a_number, "3Ki", 3072);
    expect_whole(&a_number, "2M", 2000000);
    expect_whole(&a_number, "2Mi", 2 << 20);
    expect_whole(&a_number, "10G", 10000000000);
    expect_whole(&a_number, "9Gi", 9663676416);
    expect_refused(&a_number, (const char *const[]){"",
                                                    "0",
                                                    "-1",
                                                    "+1",
                                                    " 1",
                                                    "1 ",
                                                    "1.5",
                                                    "1e3",
                                                    "0x10",
                                                    "inf",
                                                    "nan",
                                                    "k",
                                                    "1K",
                                                    "1m",
                                                    "1KiB",
                                                    "1kk",
                                                    "11G",
                                                    "10000000001",
                                                    "99999999999999999999999999999999999999999999",
                                                    "1,000",
                                                    NULL});
}

static void test_sizes_and_rates(void **state)
{
    (void)state;
    expect_whole(&a_size, "0", 0);
    expect_whole(&a_size, "4096B", 4096);
    expect_whole(&a_size, "64k", 64000);
    expect_whole(&a_size, "64kB", 64000);
    expect_whole(&a_size, "64KiB", 65536);
    expect_whole(&a_size, "64Ki", 65536);
    expect_whole(&a_size, "5MB", 5000000);
    expect_whole(&a_size, "5MiB", 5 << 20);
    expect_whole(&a_size, "3G", 3000000000);
    expect_whole(&a_size, "3GiB", 3221225472);
    expect_whole(&a_rate, "10k", 10000);
    expect_refused(&a_size, (const char *const[]){"", "1KB", "1kib", "1mib", "1.5GiB", "1 MiB", "B",
                                                  "MiB", "12Q", "2000G", "-1B", NULL});
    expect_refused(&a_rate, (const char *const[]){"0", "2G", "1k/s", NULL});
}

static void test_times(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double seconds;
    } rows[] = {{"1", 1},         {"2.5", 2.5}, {"10s", 10},     {"500ms", 0.5}, {"1ms", 0.001},
                {"0.001", 0.001}, {"1m", 60},   {"60m", 3600.0}, {"1.5m", 90},   {"3600", 3600}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        option_value value;
        assert_true(value_parse(&a_time, rows[i].text, &value));
        assert_true(value.seconds == rows[i].seconds);
    }
    expect_refused(&a_time,
                   (const char *const[]){"", "0", "0.9ms", "61m", "1h", "1e1", "inf", "nan", ".5",
                                         "5.", "-1", "1 s", "0x1p3", "s", NULL});
}

static void test_words(void **state)
{
    (void)state;
    static const char *const yes[] = {"on", "true", "yes", "1"};
    static const char *const no[] = {"off", "false", "no", "0"};
    option_value value;
    for (size_t i = 0; i < 4; i++) {
        assert_true(value_parse(&a_switch, yes[i], &value) && value.on);
        assert_true(value_parse(&a_switch, no[i], &value) && !value.on);
    }
    expect_refused(&a_switch, (const char *const[]){"", "On", "o", "onn", "on true", "2", NULL});
    assert_true(value_parse(&a_choice, "warning", &value));
    assert_int_equal(value.choice, 2);
    expect_refused(&a_choice, (const char *const[]){"", "Info", "inf", "debug info", "warn", NULL});
}

static void expect_address(const char *text, const char *host, const char *port)
{
    address parts;
    option_value value;
    assert_true(address_split(text, &parts));
    assert_string_equal(parts.host, host);
    assert_string_equal(parts.port, port);
    assert_true(value_parse(&an_address, text, &value));
    assert_string_equal(value.text, text);
}

/* What a file is called, as a line of the configuration can say it. */
static void test_paths(void **state)
{
    static const option a_path = {.kind = OPTION_PATH, .choices = ""};
    static const option no_path = {.kind = OPTION_PATH, .choices = "none"};
    static const char *const good[] = {"/etc/a.pem", "a b#c", "none.pem"};
    option_value value;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(value_parse(&a_path, good[i], &value));
        assert_string_equal(value.text, good[i]);
    }
    expect_refused(&a_path, (const char *const[]){"", "none", " a", "a ", "a\nb", "a\tb", "\ra",
                                                  "#a", "a #b", "a\177", NULL});
    assert_true(value_parse(&no_path, "none", &value));
    assert_string_equal(value.text, "");
}

static void test_addresses(void **state)
{
    (void)state;
    option_value value;
    expect_address("127.0.0.1:8080", "127.0.0.1", "8080");
    expect_address("[::1]:8080", "::1", "8080");
    expect_address("[fe80::1%eth0]:1", "fe80::1%eth0", "1");
    expect_address("[::]:65535", "::", "65535");
    expect_address("localhost:0", "localhost", "0");
    expect_address("*:8080", "*", "8080");
    expect_address("my_host-7.example.org:80", "my_host-7.example.org", "80");
    expect_address("7up.example:80", "7up.example", "80");
    expect_refused(&an_address, (const char *const[]){"",
                                                      "none",
                                                      "8080",
                                                      ":8080",
                                                      "localhost",
                                                      "localhost:",
                                                      "localhost:65536",
                                                      "localhost:123456",
                                                      "localhost:-1",
                                                      "localhost:http",
                                                      "localhost: 80",
                                                      "::1",
                                                      "::1:8080",
                                                      "[::1]",
                                                      "[::1]8080",
                                                      "[::1:8080",
                                                      "::1]:8080",
                                                      "[]:80",
                                                      "[1.2.3.4]:80",
                                                      "[fe80::1%]:80",
                                                      "[::1]:80:80",
                                                      "1.2.3:80",
                                                      "256.1.1.1:80",
                                                      "1.2.3.4.5:80",
                                                      "*.a:80",
                                                      "**:80",
                                                      "*",
                                                      "[*]:80",
                                                      "a b:80",
                                                      "-a:80",
                                                      "a-:80",
                                                      "a..b:80",
                                                      ".a:80",
                                                      "a.:80",
                                                      "http://a:80",
                                                      NULL});
    assert_true(value_parse(&no_address, "none", &value));
    assert_string_equal(value.text, "");
    assert_true(value_parse(&no_address, "", &value));
    assert_string_equal(value.text, "");
}

static void test_an_overlong_host(void **state)
{
    (void)state;
    char text[400];
    address parts;
    memset(text, 'a', sizeof text);
    memcpy(text + 255, ":80", sizeof ":80");
    assert_true(address_split(text, &parts));
    assert_int_equal(strlen(parts.host), 255);
    memset(text, 'a', 300);
    memcpy(text + 256, ":80", sizeof ":80");
    assert_false(address_split(text, &parts));
}

static void test_distances(void **state)
{
    (void)state;
    const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"listen", "listen", 0},
        {"lisen", "listen", 1},
        {"litsen", "listen", 1},
        {"LISTEN", "listen", 0},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
        {"flaw", "lawn", 2},
        {"max_body", "max-body", 0},
        {"Max Body", "maxbody", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(grad_name_distance(rows[i].a, rows[i].b), rows[i].distance);
        assert_int_equal(grad_name_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
    char longest[66];
    memset(longest, 'x', sizeof longest);
    longest[63] = '\0';
    assert_int_equal(grad_name_distance(longest, ""), 63);
    longest[63] = 'x';
    longest[64] = '\0';
    assert_int_equal(grad_name_distance(longest, ""), SIZE_MAX);
    suggest_search search = {.given = longest};
    suggest_offer(&search, longest);
    assert_null(search.best);
}

/* What the table says of itself must hold: every default is a good value, every expectation fits,
 * and each option's value is printed as it is read. */
static void test_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_total; i++) {
        const option *o = &config_options[i];
        config values = {.listen = NULL};
        option_value value, again;
        char expected[VALUE_EXPECTED_SIZE], variable[OPTION_NAME_SIZE];
        assert_ptr_equal(option_find(o->name), o);
        assert_true(value_parse(o, o->initial, &value));
        value_expected(o, expected);
        assert_true(strlen(expected) + 1 < sizeof expected);
        option_variable(o->name, variable);
        assert_int_equal(strlen(variable), strlen("GRADIENTD_") + strlen(o->name));
        assert_true(value_store(o, &value, &values));
        char *text;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        value_format(o, &values, out);
        fclose(out);
        assert_true(value_parse(o, text, &again));
        assert_true(again.number == value.number && again.seconds == value.seconds);
        assert_true(again.on == value.on && again.choice == value.choice);
        free(text);
        config_free(&values, NULL);
    }
}

static void test_hosts(void **state)
{
    static const char *const sound[] = {
        "*", "auto", "a.example", "192.0.2.1", "[::1]", "a, b_c-d,[1::2]", " a\t,b "};
    static const char *const wrong[] = {"",     ",",    "a:80", "[::1]:80", "::1", "http://a",
                                        "a, *", "[::1", "a/b",  "a;b",      "[]",  "*.a"};
    static const char list[] = "a.example, [::1],192.0.2.1";

    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        assert_true(hosts_are_sound(sound[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(hosts_are_sound(wrong[i]));
    assert_true(hosts_hold(list, "a.example"));
    assert_true(hosts_hold(list, "A.Example:80"));
    assert_true(hosts_hold(list, "[::1]:"));
    assert_true(hosts_hold(list, "192.0.2.1:65535"));
    assert_false(hosts_hold(list, "example"));
    assert_false(hosts_hold(list, "a.example."));
    assert_false(hosts_hold(list, "a.example:8x"));
    assert_false(hosts_hold(list, "a.example@b"));
    assert_false(hosts_hold(list, "[::1]x"));
    assert_false(hosts_hold(list, ""));
    assert_true(hosts_hold("*", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),           cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sizes_and_rates), cmocka_unit_test(test_times),
        cmocka_unit_test(test_words),           cmocka_unit_test(test_paths),
        cmocka_unit_test(test_addresses),       cmocka_unit_test(test_an_overlong_host),
        cmocka_unit_test(test_distances),       cmocka_unit_test(test_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
