/* Doubles of FP64 documents, one by one and in rows, against the C library: correctly rounded, the
 * shortest text of 15 to 17 digits, whatever the locale. */
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/number/number.h"
#include "support/number_cases.h"

enum { CASES = 200000, ROW = 24, FRONT = 48 };

static void assert_reads_as(const char *text, double expected)
{
    const char *stop = NULL;
    double value = 0;

    if (grad_number_read_double(text, text + strlen(text), &value, &stop) != GRAD_NUMBER_OK ||
        bits_of_double(value) != bits_of_double(expected) || *stop != '\0')
        fail_msg("%s: read %a, expected %a", text, value, expected);
}

/* The same, and in a row, among bytes that may be read. */
static void assert_reads_in_row(const char *text, double expected)
{
    char row[GRAD_NUMBER_TEXT_MAX];
    size_t length = strlen(text);
    const char *stop;
    double value = 7;
    bool after;

    assert_reads_as(text, expected);
    assert_true(length + 2 * FRONT < sizeof row);
    memset(row, '7', sizeof row);
    memcpy(row + FRONT, text, length);
    row[FRONT + length] = ']';
    assert_int_equal(
        grad_number_row_read_double(row, row + FRONT, row + sizeof row, &value, 1, &stop, &after),
        1);
    if (bits_of_double(value) != bits_of_double(expected) || !after || stop != row + FRONT + length)
        fail_msg("%s in a row: read %a, expected %a", text, value, expected);
}

static void test_values(void **unused)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "-0.0",
                                        "0e999999999",
                                        "-0.000e-5",
                                        "1",
                                        "-1.5",
                                        "1e22",
                                        "1e23",
                                        "123456789e22",
                                        "9007199254740992",
                                        "9007199254740993",
                                        "9007199254740993.00000000000000000000000001",
                                        "9007199254740992e22",
                                        "9007199254740993e22",
                                        "9007199254740992e-22",
                                        "1e-22",
                                        "3e-23",
                                        "0.1",
                                        "0.30000000000000004",
                                        "1.7976931348623157e308",
                                        "1.7976931348623158e308",
                                        "1.797693134862315807e308",
                                        "2.2250738585072014e-308",
                                        "2.2250738585072011e-308",
                                        "4.9406564584124654e-324",
                                        "2.4703282292062327208e-324",
                                        "2.4703282292062328e-324",
                                        "1e-400",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "1234567890123456789",
                                        "0.0000000000000000000000000000012345",
                                        "100000000000000000000000000000000000000000000",
                                        "6.631236846766476e-316",
                                        "1.00000000000000011102230246251565404236316680908203125",
                                        "1.00000000000000011102230246251565404236316680908203124",
                                        "1.00000000000000011102230246251565404236316680908203126"};

    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_reads_in_row(texts[i], strtod(texts[i], NULL));
}

static void test_random_values(void **unused)
{
    random_state random = {1};
    char text[400];

    (void)unused;
    for (int i = 0; i < CASES; i++) {
        bool is_any = random_below(&random, 2);
        double value = is_any ? random_double(&random) : random_signed(&random);
        int power = (int)random_below(&random, 60) - 20;
        int digits = (int)random_below(&random, 22);

        value = is_any ? value : ldexp(value, power);
        snprintf(text, sizeof text, random_below(&random, 3) ? "%.*g" : "%.*e", digits, value);
        if (isfinite(strtod(text, NULL)))
            assert_reads_in_row(text, strtod(text, NULL));
    }
}

/* What lies in the middle between two doubles and next to it: integers of 54 bits, shifted, or with
 * digits behind them. */
static void test_middles(void **unused)
{
    static const char *const tails[] = {"",       ".0",   ".00001", "e1",      "e2",
                                        "e5",     "e23",  "000e-3", "0000e-4", "00000e-5",
                                        ".00e10", "1e-3", "e200",   "e-300"};
    random_state random = {3};

    (void)unused;
    for (int i = 0; i < CASES; i++) {
        uint64_t middle = (random_bits(&random) >> 10) | (uint64_t)1 << 53 | 1;
        const char *tail = tails[random_below(&random, sizeof tails / sizeof *tails)];
        char text[64];

        snprintf(text, sizeof text, "%" PRIu64 "%s", middle + random_below(&random, 3) - 1, tail);
        assert_reads_in_row(text, strtod(text, NULL));
        snprintf(text, sizeof text, "%" PRIu64 "%s",
                 (uint64_t)ldexp((double)(middle >> 1), 1 - (int)random_below(&random, 30)), tail);
        assert_reads_in_row(text, strtod(text, NULL));
    }
}

/* Powers of five times an odd number are the only decimals with an exponent that lie in the middle;
 * numbers below the smallest normal double have fewer bits. */
static void test_hard_values(void **unused)
{
    random_state random = {4};
    char text[64];

    (void)unused;
    for (int exponent = 0; exponent <= 23; exponent++)
        for (uint64_t odd = 1; odd < 4000; odd += 2) {
            snprintf(text, sizeof text, "%" PRIu64 "e%d", odd + ((uint64_t)1 << 53), exponent);
            assert_reads_in_row(text, strtod(text, NULL));
        }
    for (int i = 0; i < CASES; i++) {
        snprintf(text, sizeof text, "%.*e", (int)random_below(&random, 22),
                 random_signed(&random) * ldexp(1, -1020 - (int)random_below(&random, 55)));
        assert_reads_in_row(text, strtod(text, NULL));
    }
}

static void expect_error(const char *text, grad_number_status status, size_t stop)
{
    const char *found = NULL;
    double value = 7;

    assert_int_equal(grad_number_read_double(text, text + strlen(text), &value, &found), status);
    assert_int_equal(found - text, stop);
    assert_true(value == 7);
}

static void test_errors(void **unused)
{
    char text[GRAD_NUMBER_TEXT_MAX + 2];

    (void)unused;
    expect_error("", GRAD_NUMBER_MALFORMED, 0);
    expect_error("-", GRAD_NUMBER_MALFORMED, 1);
    expect_error("01", GRAD_NUMBER_MALFORMED, 1);
    expect_error("1.", GRAD_NUMBER_MALFORMED, 2);
    expect_error("1e+", GRAD_NUMBER_MALFORMED, 3);
    expect_error("1.5.2", GRAD_NUMBER_MALFORMED, 3);
    expect_error("nan", GRAD_NUMBER_MALFORMED, 0);
    expect_error("1.7976931348623159e308", GRAD_NUMBER_OUT_OF_RANGE, 22);
    expect_error("-1e309,", GRAD_NUMBER_OUT_OF_RANGE, 6);
    expect_error("1e99999999999999999999", GRAD_NUMBER_OUT_OF_RANGE, 22);
    memset(text, '1', sizeof text);
    text[sizeof text - 1] = '\0';
    expect_error(text, GRAD_NUMBER_MALFORMED, GRAD_NUMBER_TEXT_MAX);
}

static void expect_text(double value, const char *expected)
{
    char text[GRAD_DOUBLE_WRITE_MAX];
    char *end = grad_number_write_double(value, text);

    if ((size_t)(end - text) != strlen(expected) || memcmp(text, expected, strlen(expected)) != 0)
        fail_msg("%a: wrote %.*s, expected %s", value, (int)(end - text), text, expected);
}

static void test_texts(void **unused)
{
    (void)unused;
    expect_text(0, "0");
    expect_text(-0.0, "-0.0");
    expect_text(0.1, "0.1");
    expect_text(0.1 + 0.2, "0.30000000000000004");
    expect_text(-12, "-12");
    expect_text(1e15, "1e+15");
    expect_text(999999999999999, "999999999999999");
    expect_text(1.0 / 3, "0.3333333333333333");
    expect_text(-DBL_MAX, "-1.7976931348623157e+308");
    expect_text(-DBL_MIN, "-2.2250738585072014e-308");
    expect_text(4.9406564584124654e-324, "4.94065645841247e-324");
}

/* What the C library prints and reads: 15 digits, or as many more as it takes to read back. */
static void expect_oracle_text(double value)
{
    char text[GRAD_DOUBLE_WRITE_MAX + 1];
    int digits = 15;

    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (bits_of_double(strtod(text, NULL)) != bits_of_double(value) && ++digits <= 17);
    expect_text(value, value == 0 && signbit(value) ? "-0.0" : text);
}

static void test_random_texts(void **unused)
{
    random_state random = {2};

    (void)unused;
    for (int i = 0; i < CASES; i++) {
        uint64_t field = random_below(&random, 2047) << 52;

        expect_oracle_text(random_double(&random));
        expect_oracle_text(random_short(&random));
        expect_oracle_text((float)(random_short(&random) * 1e-9));
        expect_oracle_text(
            double_from_bits(random_bits(&random) >> (12 + random_below(&random, 52))));
        expect_oracle_text(
            double_from_bits(field | (((uint64_t)1 << random_below(&random, 20)) - 1)));
    }
}

/* All powers of two, and what stands around them: the interval below is half as long, the largest
 * subnormals, the smallest and the largest double. */
static void test_texts_of_powers_of_two(void **unused)
{
    (void)unused;
    for (uint64_t field = 0; field < 2047; field++)
        for (uint64_t next = 0; next < 8; next++) {
            expect_oracle_text(double_from_bits((field << 52) + next));
            expect_oracle_text(-double_from_bits((field << 52) + (((uint64_t)1 << 52) - 1 - next)));
        }
}

static void test_texts_of_powers_of_ten(void **unused)
{
    char text[16];

    (void)unused;
    for (int exponent = -326; exponent <= 308; exponent++)
        for (int digits = 1; digits < 20; digits++) {
            double value;

            snprintf(text, sizeof text, "%de%d", digits, exponent);
            value = strtod(text, NULL);
            if (isinf(value))
                continue;
            expect_oracle_text(value);
            expect_oracle_text(nextafter(value, 0));
            expect_oracle_text(nextafter(value, DBL_MAX));
        }
}

/* Where a decimal of 16 or 17 digits is as far from one double as from the next, or a double as far
 * from two decimals: that takes whole numbers beyond 2^53, or halves and the like below. */
static void test_texts_of_ties(void **unused)
{
    random_state random = {3};

    (void)unused;
    for (int power = -8; power < 40; power++)
        for (int i = 0; i < 2000; i++) {
            uint64_t fives[] = {1, 5, 25, 125, 3125, 390625, 9765625, 1220703125};
            uint64_t step = fives[random_below(&random, sizeof fives / sizeof *fives)];
            uint64_t mantissa = ((uint64_t)1 << 52) + random_below(&random, (uint64_t)1 << 52);
            uint64_t twice =
                (2 * mantissa / step | 1) * step; /* an end of the next one's interval */

            expect_oracle_text(ldexp((double)mantissa, power));
            expect_oracle_text(ldexp((double)(mantissa / step * step), power));
            expect_oracle_text(ldexp((double)(twice / 2), power));
            expect_oracle_text(ldexp((double)(twice / 2 + 1), power));
        }
}

/* Rows stop where those of floats do, and cut anywhere keep what is whole. */
static void test_rows(void **unused)
{
    static const char text[] = " 0.1,1e5 ,\n-2.5,0.30000000000000004 , 12345678901234567890,-0]";
    static const size_t stops[] = {0, 1, 1, 1, 1, 5};
    double all[ROW], out[ROW];
    const char *stop;
    bool after;

    (void)unused;
    assert_int_equal(
        grad_number_row_read_double(text, text, text + sizeof text - 1, all, ROW, &stop, &after),
        6);
    assert_true(after && *stop == ']');
    for (size_t cut = 0; cut < sizeof text - 1; cut++) {
        size_t head = grad_number_row_read_double(text, text, text + cut, out, ROW, &stop, &after);

        if (cut < sizeof stops / sizeof *stops)
            assert_int_equal(stop - text, stops[cut]);
        assert_memory_equal(out, all, head * sizeof *out);
        if (after)
            continue;
        head += grad_number_row_read_double(stop, stop, text + sizeof text - 1, out + head,
                                            ROW - head, &stop, &after);
        assert_int_equal(head, 6);
        assert_memory_equal(out, all, 6 * sizeof *out);
    }
    for (size_t capacity = 0; capacity <= 6; capacity++)
        assert_int_equal(grad_number_row_read_double(text, text, text + sizeof text - 1, out,
                                                     capacity, &stop, &after),
                         capacity);
}

static void test_bad_numbers_in_rows(void **unused)
{
    static const char *const bad[] = {"01", "1e309", "-", "+1", "1.", "\"NaN\"", "1..2", "--1"};
    double out[ROW];
    const char *stop;
    bool after;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];

        snprintf(text, sizeof text, "1.5, 2,%s,3]", bad[i]);
        assert_int_equal(
            grad_number_row_read_double(text, text, text + strlen(text), out, ROW, &stop, &after),
            2);
        assert_false(after);
        assert_int_equal(stop - text, 7);
    }
}

static void test_row_texts(void **unused)
{
    const double values[] = {1, -0.0, 0.1, 1e300};
    char text[4 * GRAD_DOUBLE_WRITE_MAX];
    char *end = grad_number_row_write_double(values, 4, text);

    (void)unused;
    *end = '\0';
    assert_string_equal(text, "1,-0.0,0.1,1e+300");
    assert_ptr_equal(grad_number_row_write_double(values, 0, text), text);
}

/* A comma as the decimal separator changes nothing, where such a locale is installed. */
static void test_locale(void **unused)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fa_IR", "ps_AF"};

    size_t found = 0;

    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (setlocale(LC_NUMERIC, names[i]) == NULL)
            continue;
        found++;
        assert_reads_as("0.30000000000000004", 0.1 + 0.2);
        expect_text(0.1 + 0.2, "0.30000000000000004");
        setlocale(LC_NUMERIC, "C");
    }
    if (found == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_random_values),
        cmocka_unit_test(test_middles),
        cmocka_unit_test(test_hard_values),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_random_texts),
        cmocka_unit_test(test_texts_of_powers_of_two),
        cmocka_unit_test(test_texts_of_powers_of_ten),
        cmocka_unit_test(test_texts_of_ties),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bad_numbers_in_rows),
        cmocka_unit_test(test_row_texts),
        cmocka_unit_test(test_locale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
