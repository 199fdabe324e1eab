/* Growing text: its maximum, strings with everything that JSON must escape, single numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"

static void assert_string(const char *utf8, const char *json)
{
    grad_text text;

    grad_text_init(&text, 1000);
    grad_text_string(&text, utf8);
    assert_string_equal(text.data, json);
    grad_text_free(&text);
}

static void test_strings(void **unused)
{
    (void)unused;
    assert_string("", "\"\"");
    assert_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    assert_string("\b\f\n\r\t\x01\x1F\x7F", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"");
    assert_string("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
                  "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    assert_string("\xC3", "\"\xEF\xBF\xBD\"");
    assert_string("a\xED\xA0\x80z", "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"");
    assert_string("\xC0\xAF\xF5", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_string("\xF0\x9F\x98", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_string("\xE0\x80\x80\xF4\x90\x80\x80x",
                  "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF"
                  "\xBF\xBDx\"");
}

static void assert_number(double value, const char *json)
{
    grad_text text;

    grad_text_init(&text, 100);
    grad_text_number(&text, value);
    assert_string_equal(text.data, json);
    grad_text_free(&text);
}

static void test_numbers(void **unused)
{
    (void)unused;
    assert_number(0.1, "0.1");
    assert_number(-0.01, "-0.01");
    assert_number(-0.0, "-0.0");
    assert_number(1e300, "1e+300");
    assert_number(12, "12");
    assert_number(0, "0");
    assert_number(999999999999999, "999999999999999");
    assert_number(1e15, "1e+15");
    assert_number(-7, "-7");
    assert_number(2.5, "2.5");
    assert_number(0.1 + 0.2, "0.30000000000000004");
    assert_number((double)NAN, "null");
    assert_number(-(double)INFINITY, "null");
}

static void test_maximum(void **unused)
{
    grad_text text;
    grad_error error = GRAD_ERROR_INIT;

    (void)unused;
    grad_text_init(&text, 5);
    grad_text_add(&text, "abc", 3);
    grad_text_printf(&text, "%d", 42);
    assert_int_equal(grad_text_status(&text, &error), GRAD_OK);
    grad_text_add(&text, "x", 1);
    assert_int_equal(grad_text_status(&text, &error), GRAD_TOO_LARGE);
    assert_int_equal(error.limit, 5);
    grad_text_add(&text, "", 0);
    assert_string_equal(text.data, "abc42");
    assert_int_equal(text.length, 5);
    grad_text_free(&text);
}

static void test_growth(void **unused)
{
    grad_text text;

    (void)unused;
    grad_text_init(&text, SIZE_MAX);
    for (int i = 0; i < 10000; i++)
        grad_text_printf(&text, "%04d", i);
    assert_int_equal(text.length, 40000);
    assert_memory_equal(text.data + 4 * 1234, "1234", 4);
    grad_text_free(&text);
    assert_null(text.data);
    grad_text_free(&text);
}

static void test_words_and_digits(void **unused)
{
    grad_text text;

    (void)unused;
    grad_text_init(&text, 100);
    grad_text_put(&text, "dur=");
    grad_text_unsigned(&text, 0);
    grad_text_thousandths(&text, 7);
    grad_text_put(&text, "");
    grad_text_thousandths(&text, 980);
    grad_text_unsigned(&text, UINT64_MAX);
    grad_text_token(&text, "a/b~c", 5);
    assert_string_equal(text.data, "dur=0.007.98018446744073709551615/a~1b~0c");
    grad_text_free(&text);
}

/* In memory of the caller's: as much as there is, and no byte behind it. */
static void test_borrowed(void **unused)
{
    char buffer[] = "..........";
    grad_text text;

    (void)unused;
    grad_text_init_in(&text, buffer, 8);
    assert_string_equal(buffer, "");
    grad_text_put(&text, "abc");
    grad_text_printf(&text, "%d", 1234);
    assert_int_equal(grad_text_status(&text, NULL), GRAD_OK);
    assert_string_equal(buffer, "abc1234");
    grad_text_unsigned(&text, 5);
    assert_int_equal(grad_text_status(&text, NULL), GRAD_TOO_LARGE);
    assert_string_equal(buffer, "abc1234");
    assert_string_equal(buffer + 8, "..");
}

/* What does not fit leaves no trace. */
static void test_borrowed_printf(void **unused)
{
    char buffer[8];
    grad_text text;

    (void)unused;
    grad_text_init_in(&text, buffer, sizeof buffer);
    grad_text_put(&text, "abc");
    grad_text_printf(&text, "%d", 12345);
    assert_int_equal(grad_text_status(&text, NULL), GRAD_TOO_LARGE);
    assert_string_equal(buffer, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),          cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_maximum),          cmocka_unit_test(test_growth),
        cmocka_unit_test(test_words_and_digits), cmocka_unit_test(test_borrowed),
        cmocka_unit_test(test_borrowed_printf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
