/* Reading one number: the grammar, exact rounding by the C library as oracle, what is too long and
 * what is too large. Rows are test_number_row.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gradient_wire.h"
#include "support/number_cases.h"

/* Reads text from memory that ends where it ends, so that a sanitizer sees reads beyond. *at is the
 * distance of the stop. */
static grad_number_status read_text(const char *text, size_t length, float *value, size_t *at)
{
    char *copy = malloc(length ? length : 1);
    const char *stop = NULL;
    grad_number_status status;

    assert_non_null(copy);
    memcpy(copy, text, length);
    status = grad_number_read(copy, copy + length, value, &stop);
    *at = (size_t)(stop - copy);
    free(copy);
    return status;
}

static void expect_number(const char *text, float expected)
{
    float value = NAN;
    size_t at;

    if (read_text(text, strlen(text), &value, &at) != GRAD_NUMBER_OK || at != strlen(text) ||
        bits_of_number(value) != bits_of_number(expected))
        fail_msg("%s read as %a up to %zu, expected %a", text, (double)value, at, (double)expected);
}

/* Whatever the oracle says: a value, or out of range. */
static void expect_as_c(const char *text)
{
    float expected = number_oracle(text), value = 42;
    size_t at;

    if (!isinf(expected)) {
        expect_number(text, expected);
        return;
    }
    if (read_text(text, strlen(text), &value, &at) != GRAD_NUMBER_OUT_OF_RANGE ||
        at != strlen(text) || value != 42)
        fail_msg("%s is out of range, read as %a", text, (double)value);
}

static void known_numbers_are_exact(void **state)
{
    (void)state;
    expect_number("0", 0.0f);
    expect_number("-0", -0.0f);
    expect_number("-0.0e-999999999999", -0.0f);
    expect_number("0e999999999999", 0.0f);
    expect_number("1E+2", 100.0f);
    expect_number("1.00000017881393421514957253748434595763683319091796875", 0x1.000002p+0f);
    expect_number("16777217", 16777216.0f);
    expect_number("16777219", 16777220.0f);
    expect_number("16777217.0000000000000000001", 16777218.0f);
    expect_number("16777216.9999999999999999999", 16777216.0f);
    expect_number("7.0064923216240861e-46", 0x1p-149f);
    expect_number("7.006492321624085e-46", 0.0f);
    expect_number("7.00649232162408535461864791644958065640130970938257885878534141944895"
                  "541342930300743319094181060791015625e-46",
                  0.0f);
    expect_number("1.1754942807573642917e-38", 0x1.fffffcp-127f);
    expect_number("1.1754942807573642918e-38", 0x1p-126f);
    expect_number("3.4028235677973366e38", 0x1.fffffep+127f);
    expect_number("1.01161128282547", number_oracle("1.01161128282547"));
    expect_number("3.4028235677973362e38", 0x1.fffffep+127f);
    expect_number("340282346638528859811704183484516925440", 0x1.fffffep+127f);
    expect_number("1e-1000", 0.0f);
}

static void large_numbers_are_out_of_range(void **state)
{
    static const char *const texts[] = {
        "3.4028235677973367e38",
        "3.40282356779733661637539395458142568448e38",
        "-340282356779733661637539395458142568448",
        "1e39",
        "1e99999999999999999999",
        "-1e400",
        "0.00001e999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t at;
        float value = 42;

        assert_int_equal(read_text(texts[i], strlen(texts[i]), &value, &at),
                         GRAD_NUMBER_OUT_OF_RANGE);
        assert_int_equal(at, strlen(texts[i]));
        assert_true(value == 42);
    }
}

static void what_json_forbids_is_malformed(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        {"", 0},      {"-", 1},        {"+1", 0},
        {".5", 0},    {"-.5", 1},      {"5.", 2},
        {"5.,", 2},   {"5.e1", 2},     {"1e", 2},
        {"1e+", 3},   {"1e-,", 3},     {"1ee5", 2},
        {"01", 1},    {"-01", 2},      {"00", 1},
        {"-00.5", 2}, {"0123.5", 1},   {"1.2.3", 3},
        {"1e5.5", 3}, {"1e5e5", 3},    {"1-2", 1},
        {"--1", 1},   {"1+", 1},       {"0x10", 1},
        {"inf", 0},   {"-inf", 1},     {"nan", 0},
        {"NaN", 0},   {"Infinity", 0}, {" 1", 0},
        {"e5", 0},    {"\xff", 0},     {"12345678901234567890.", 21},
        {"1e5-", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at;
        float value = 42;
        grad_number_status status = read_text(cases[i].text, strlen(cases[i].text), &value, &at);

        /* "0x10" is the number 0 with an x behind it: the caller's to refuse. */
        if (strcmp(cases[i].text, "0x10") == 0 ? status != GRAD_NUMBER_OK
                                               : status != GRAD_NUMBER_MALFORMED || value != 42)
            fail_msg("'%s' has status %d", cases[i].text, (int)status);
        if (at != cases[i].at)
            fail_msg("'%s' stops at %zu, expected %zu", cases[i].text, at, cases[i].at);
    }
}

static void the_end_of_the_text_ends_the_number(void **state)
{
    const char *text = "-1234567.890123456789e-12,";
    size_t length = strlen(text) - 1, at;

    (void)state;
    for (size_t cut = 1; cut <= length; cut++) {
        char part[32] = "";
        float value = NAN;
        bool whole = text[cut - 1] >= '0' && text[cut - 1] <= '9';

        memcpy(part, text, cut);
        if (whole)
            expect_number(part, number_oracle(part));
        else
            assert_int_equal(read_text(text, cut, &value, &at), GRAD_NUMBER_MALFORMED);
    }
    expect_number("1", 1.0f);
}

static void long_numbers_are_read_up_to_the_maximum(void **state)
{
    char text[GRAD_NUMBER_TEXT_MAX + 64];
    float value = 42;
    size_t at;

    (void)state;
    memset(text, '0', sizeof text);
    memcpy(text, "1.", 2);
    assert_int_equal(read_text(text, GRAD_NUMBER_TEXT_MAX, &value, &at), GRAD_NUMBER_OK);
    assert_true(value == 1);
    assert_int_equal(at, GRAD_NUMBER_TEXT_MAX);
    assert_int_equal(read_text(text, GRAD_NUMBER_TEXT_MAX + 1, &value, &at), GRAD_NUMBER_MALFORMED);
    assert_int_equal(at, GRAD_NUMBER_TEXT_MAX);
    /* The last digit of all decides. */
    memcpy(text, "1.000000059604644775390625", 26);
    text[GRAD_NUMBER_TEXT_MAX - 1] = '1';
    assert_int_equal(read_text(text, GRAD_NUMBER_TEXT_MAX, &value, &at), GRAD_NUMBER_OK);
    assert_true(value == 0x1.000002p+0f);
    /* Zeros in front or behind do not count as digits. */
    memset(text, '0', sizeof text);
    memcpy(text, "0.", 2);
    memcpy(text + 1000, "15e998", 7);
    expect_number(text, 0.15f);
}

/* The decimal expansion of the middle between two floats ends within 120 digits. */
static void middles_between_floats_go_to_even(void **state)
{
    random_state random = {7};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 200; i++) {
        float low = fabsf(random_number(&random)), high = nextafterf(low, INFINITY);
        double middle = isinf(high) ? 0x1.ffffffp+127 : ((double)low + (double)high) / 2;
        char text[200];
        int length = snprintf(text, sizeof text, "%.119e", middle);
        char *digit = strchr(text, 'e') - 1;

        assert_true(length > 0 && *digit == '0');
        expect_as_c(text);
        *digit = '1';
        expect_as_c(text);
        for (*digit = '9'; digit[-1] == '0'; digit--)
            digit[-1] = '9';
        if (digit[-1] >= '1' && digit[-1] <= '9') {
            digit[-1]--;
            expect_as_c(text);
        }
    }
}

static void random_decimals_agree_with_the_c_library(void **state)
{
    random_state random = {8};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 20; i++) {
        size_t digits = 1 + random_below(&random, 30), point = random_below(&random, digits + 1);
        char text[80], *p = text;

        if (random_below(&random, 2))
            *p++ = '-';
        if (point == 0)
            *p++ = '0';
        for (size_t d = 0; d < digits; d++) {
            if (d == point)
                *p++ = '.';
            *p++ = (char)((d == 0 && point > 1 ? '1' : '0') +
                          (int)random_below(&random, d == 0 && point > 1 ? 9 : 10));
        }
        *p = '\0';
        if (random_below(&random, 3)) {
            *p++ = random_below(&random, 2) ? 'e' : 'E';
            snprintf(p, 16, "%d", (int)random_below(&random, 121) - 70);
        }
        expect_as_c(text);
    }
}

static void neighbours_in_seventeen_digits_agree(void **state)
{
    random_state random = {9};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 20; i++) {
        double near = random_number(&random);
        double value = near * (1 + 0x1p-25 * random_signed(&random));
        char text[40];

        snprintf(text, sizeof text, "%.17g", value);
        expect_as_c(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_numbers_are_exact),
        cmocka_unit_test(large_numbers_are_out_of_range),
        cmocka_unit_test(what_json_forbids_is_malformed),
        cmocka_unit_test(the_end_of_the_text_ends_the_number),
        cmocka_unit_test(long_numbers_are_read_up_to_the_maximum),
        cmocka_unit_test(middles_between_floats_go_to_even),
        cmocka_unit_test(random_decimals_agree_with_the_c_library),
        cmocka_unit_test(neighbours_in_seventeen_digits_agree),
    };

    printf("middles %d, random decimals %d, 17 digits %d\n", NUMBER_CASES / 200, NUMBER_CASES / 20,
           NUMBER_CASES / 20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
