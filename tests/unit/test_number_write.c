/* Printing float32: known texts, the shape of a text, and that each reads back as the same float,
 * through a double too. GRADIENTD_LONG=1 prints and reads all 2^32 bit
 * patterns, and prints them in rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number/number.h"
#include "support/number_cases.h"
#include "support/slices.h"

static void expect_text(float value, const char *expected)
{
    char text[GRAD_NUMBER_WRITE_MAX + 1];
    char *end = grad_number_write(value, text);

    *end = '\0';
    assert_string_equal(text, expected);
}

static void known_numbers_are_short(void **state)
{
    (void)state;
    expect_text(0.0f, "0");
    expect_text(-0.0f, "-0.0");
    expect_text(1.0f, "1");
    expect_text(-2.0f, "-2");
    expect_text(0.5f, "0.5");
    expect_text(0.1f, "0.1");
    expect_text(0.3f, "0.3");
    expect_text(-0.25f, "-0.25");
    expect_text(123.456f, "123.456");
    expect_text(16777216.0f, "16777216");
    expect_text(33554432.0f, "33554432");
    expect_text(1.17549435e-38f, "1.1754944e-38");
    expect_text(nextafterf(FLT_MAX, 0), "3.4028233e38");
    expect_text(0x1p-149f, "1e-45");
    expect_text(-0x1p-148f, "-3e-45");
    expect_text(0x1.fffffcp-127f, "1.1754942e-38");
    expect_text(3.14159274f, "3.1415927");
    expect_text(0x1.000002p+0f, "1.0000001");
    expect_text(9007199254740992.0f, "9.007199e15");
}

/* As double, 3.4028235e38 is beyond it: Perl's and Ruby's pack make it infinity. */
static void the_largest_number_stays_below_itself(void **state)
{
    (void)state;
    expect_text(FLT_MAX, "3.4028234e38");
    expect_text(-FLT_MAX, "-3.4028234e38");
    assert_true(3.4028234e38 < (double)FLT_MAX && 3.4028235e38 > (double)FLT_MAX);
}

/* 7.038531e-26 would do for a reader of floats, but as a double it is a middle between two. */
static void doubles_in_between_are_avoided(void **state)
{
    (void)state;
    expect_text(number_of_bits(0x15AE43FD), "7.0385307e-26");
    expect_text(number_of_bits(0x95AE43FD), "-7.0385307e-26");
}

/* Of the powers of two that only one digit more than the others' can tell. */
static void powers_of_two_are_not_too_short(void **state)
{
    (void)state;
    expect_text(number_of_bits(0x0C000000), "9.8607613e-32");
    expect_text(number_of_bits(0x1C800000), "8.4703295e-22");
    expect_text(number_of_bits(0x21800000), "8.6736174e-19");
    expect_text(number_of_bits(0x6E000000), "9.9035203e27");
}

/* Its interval is as long below as above, which that of the power of two behind it is not. */
static void the_last_number_before_a_power_of_two_is_short(void **state)
{
    (void)state;
    expect_text(number_of_bits(0x01FFFFFF), "9.403954e-38");
    expect_text(number_of_bits(0x06FFFFFF), "9.629649e-35");
}

static void the_shorter_notation_is_used(void **state)
{
    (void)state;
    expect_text(100.0f, "100");
    expect_text(1000.0f, "1e3");
    expect_text(1200.0f, "1200");
    expect_text(12000.0f, "12000");
    expect_text(120000.0f, "1.2e5");
    expect_text(0.01f, "0.01");
    expect_text(0.001f, "1e-3");
    expect_text(0.0012f, "0.0012");
    expect_text(0.00012f, "1.2e-4");
    expect_text(-0.00123456794f, "-0.001234568");
    expect_text(1e10f, "1e10");
    expect_text(123456e5f, "1.23456e10");
    expect_text(1234567000.0f, "1234567000");
}

static bool all_digits(const char *p, const char *end)
{
    const char *first = p;

    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p == end && p > first;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?(e-?[1-9][0-9]?)?, at most 9 digits that count, 15 bytes. */
static bool is_well_formed(const char *p, const char *end)
{
    const char *mantissa, *point, *exponent;

    if (end - p > GRAD_NUMBER_WRITE_MAX - 1)
        return false;
    mantissa = p + (*p == '-');
    exponent = memchr(mantissa, 'e', (size_t)(end - mantissa));
    if (exponent != NULL) {
        p = exponent + 1 + (exponent[1] == '-');
        if (!all_digits(p, end) || *p == '0' || end - p > 2)
            return false;
        end = exponent;
    }
    if (*mantissa == '0' && end - mantissa > 1 && mantissa[1] != '.')
        return false;
    point = memchr(mantissa, '.', (size_t)(end - mantissa));
    if (point == NULL)
        return all_digits(mantissa, end);
    return all_digits(mantissa, point) && all_digits(point + 1, end);
}

/* What is wrong with the text of value, or NULL. Strictly, the C library must agree. */
static const char *fault_of(float value, bool strictly)
{
    char text[GRAD_NUMBER_WRITE_MAX + 1];
    char *end = grad_number_write(value, text);
    const char *stop = NULL;
    float back = NAN;

    if (!is_well_formed(text, end))
        return "not well formed";
    if (grad_number_read(text, end, &back, &stop) != GRAD_NUMBER_OK || stop != end ||
        bits_of_number(back) != bits_of_number(value))
        return "does not read back";
    *end = '\0';
    if (strictly && bits_of_number((float)strtod(text, NULL)) != bits_of_number(value))
        return "does not read back through a double";
    if (strictly && bits_of_number(number_oracle(text)) != bits_of_number(value))
        return "the C library reads another number";
    return NULL;
}

static void expect_round_trip(float value, bool strictly)
{
    const char *fault = fault_of(value, strictly);

    if (fault != NULL)
        fail_msg("%a: %s", (double)value, fault);
}

static int digits_of(const char *text)
{
    int count = 0, zeros = 0;

    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

static void random_numbers_read_back(void **state)
{
    random_state random = {10};

    (void)state;
    for (int i = 0; i < NUMBER_CASES; i++)
        expect_round_trip(random_number(&random), true);
}

static void every_power_of_two_and_its_neighbours_read_back(void **state)
{
    (void)state;
    for (uint32_t field = 0; field < 255; field++)
        for (uint32_t d = 0; d < 5; d++) {
            uint32_t bits = (field << 23) + d - 2;

            if ((bits & 0x7FFFFFFF) < 0x7F800000)
                expect_round_trip(number_of_bits(bits), true);
        }
}

/* The C library, asked for one digit after another, finds none shorter, and of the short ones none
 * nearer. */
static void no_shorter_text_reads_back(void **state)
{
    random_state random = {11};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 50; i++) {
        float value = random_number(&random);
        char text[GRAD_NUMBER_WRITE_MAX + 1], other[40];
        int precision = 0, digits;

        *grad_number_write(value, text) = '\0';
        digits = digits_of(text);
        do
            snprintf(other, sizeof other, "%.*e", precision++, (double)value);
        while (bits_of_number(number_oracle(other)) != bits_of_number(value));
        if (digits > precision)
            fail_msg("%s has more digits than %s", text, other);
        if (digits == precision && fabs(strtod(text, NULL) - (double)value) >
                                       fabs(strtod(other, NULL) - (double)value) * (1 + 0x1p-20))
            fail_msg("%s is farther from the number than %s", text, other);
    }
}

/* Leaves a pattern whose number does not in *wrong. */
static void read_slice_back(void *wrong, uint64_t begin, uint64_t end)
{
    for (uint64_t bits = begin; bits < end; bits++)
        if ((bits & 0x7FFFFFFF) < 0x7F800000 &&
            fault_of(number_of_bits((uint32_t)bits), false) != NULL)
            atomic_store((atomic_uint *)wrong, (uint32_t)bits);
}

static void all_numbers_read_back(void **state)
{
    atomic_uint wrong = 0;

    (void)state;
    if (getenv("GRADIENTD_LONG") == NULL)
        skip();
    for_every_slice(read_slice_back, &wrong);
    expect_round_trip(number_of_bits(wrong), false);
}

/* ---- Rows: the same text as one by one, with commas ------------------------------------------ */

enum { ROW_MAX = 200 };

/* Where a row's text first differs from that of its numbers one by one; count where it does not. */
static size_t difference_of_row(const float *values, size_t count, char *row)
{
    char one[GRAD_NUMBER_WRITE_MAX];
    const char *end = grad_number_row_write(values, count, row), *p = row;

    for (size_t i = 0; i < count; i++) {
        size_t length = (size_t)(grad_number_write(values[i], one) - one);

        if ((size_t)(end - p) < length || memcmp(p, one, length) != 0)
            return i;
        p += length;
        if (i + 1 < count && (p == end || *p++ != ','))
            return i;
    }
    return p == end ? count : count - 1;
}

/* In memory of the promised size, so that a sanitizer sees writes beyond. */
static void expect_row(const float *values, size_t count)
{
    char *row = malloc(count * GRAD_NUMBER_WRITE_MAX + (count == 0));
    size_t difference;

    assert_non_null(row);
    difference = difference_of_row(values, count, row);
    free(row);
    if (difference < count)
        fail_msg("%a, at %zu of %zu in a row, is written otherwise", (double)values[difference],
                 difference, count);
}

static void rows_of_every_length_are_written(void **state)
{
    float values[ROW_MAX] = {0};
    random_state random = {12};

    (void)state;
    for (size_t count = 0; count <= ROW_MAX; count++) {
        for (size_t i = 0; i < count; i++)
            values[i] = -number_of_bits(0x15AE43FD + (uint32_t)i); /* the longest texts */
        expect_row(values, count);
        for (size_t i = 0; i < count; i++)
            values[i] = random_number(&random);
        expect_row(values, count);
    }
}

static void rows_of_all_sorts_are_written(void **state)
{
    static const float sorts[] = {0,       -0.0f,  1,       -0.5f,   FLT_MAX, -FLT_MAX,
                                  FLT_MIN, 1e-45f, -1e-40f, 8388608, 0x1p-96f};
    float values[ROW_MAX] = {0};
    random_state random = {13};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / ROW_MAX / 5; i++) {
        for (size_t j = 0; j < ROW_MAX; j++) {
            size_t sort = random_below(&random, 2 * sizeof sorts / sizeof *sorts);
            uint32_t power = (uint32_t)random_below(&random, 255) << 23;

            values[j] = sort < sizeof sorts / sizeof *sorts ? sorts[sort]
                        : sort % 3 == 0                     ? number_of_bits(power)
                        : sort % 3 == 1 ? (float)((int)random_below(&random, 20001) - 10000) / 1000
                                        : random_number(&random);
        }
        expect_row(values, ROW_MAX);
    }
}

/* Every pattern from begin to end, step by step. Leaves one that goes wrong in *wrong. */
static void write_in_rows(atomic_uint *wrong, uint64_t begin, uint64_t end, uint64_t step)
{
    float values[ROW_MAX] = {0};
    char row[ROW_MAX * GRAD_NUMBER_WRITE_MAX];

    for (uint64_t bits = begin; bits < end; bits += ROW_MAX * step) {
        size_t count = 0, difference;

        for (uint64_t i = 0; i < ROW_MAX && bits + i * step < end; i++)
            if (((bits + i * step) & 0x7FFFFFFF) < 0x7F800000)
                values[count++] = number_of_bits((uint32_t)(bits + i * step));
        difference = difference_of_row(values, count, row);
        if (difference < count)
            atomic_store(wrong, bits_of_number(values[difference]));
    }
}

static void write_slice_in_rows(void *wrong, uint64_t begin, uint64_t end)
{
    write_in_rows(wrong, begin, end, 1);
}

static void rows_of_all_numbers_are_written(void **state)
{
    atomic_uint wrong = 0;

    (void)state;
    if (getenv("GRADIENTD_LONG") == NULL)
        write_in_rows(&wrong, 0, PATTERNS, PATTERNS / NUMBER_CASES | 1);
    else
        for_every_slice(write_slice_in_rows, &wrong);
    if (wrong != 0)
        fail_msg("%a is written otherwise in a row", (double)number_of_bits(wrong));
}

/* So close to an end of its interval, or to a tie, that fractions of 28 bits tell the wrong one. */
static void close_numbers_in_rows_are_written(void **state)
{
    static const uint32_t close[] = {
        0x4D00200C, 0x4D800004, 0x4E009028, 0x4E807020, 0x4F0050E0, 0x4F8030A6, 0x5000106C,
        0x5080A2E8, 0x510080BA, 0x5180636E, 0x52004B04, 0x5280DD80, 0x530001C6, 0x53861C46,
        0x5401D1A4, 0x54852822, 0x55087EA0, 0x5596CCBC, 0x56015792, 0x568FA5AE, 0x571DF3CA,
        0x58120808, 0x59061C46, 0x15AE43FD, 0x4A000001, 0x4A000003, 0x4A000005, 0x4A000007};
    float values[ROW_MAX] = {0};

    (void)state;
    for (size_t i = 0; i < ROW_MAX; i++)
        values[i] = number_of_bits(close[i % (sizeof close / sizeof *close)]);
    expect_row(values, ROW_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_numbers_are_short),
        cmocka_unit_test(the_largest_number_stays_below_itself),
        cmocka_unit_test(doubles_in_between_are_avoided),
        cmocka_unit_test(powers_of_two_are_not_too_short),
        cmocka_unit_test(the_last_number_before_a_power_of_two_is_short),
        cmocka_unit_test(the_shorter_notation_is_used),
        cmocka_unit_test(random_numbers_read_back),
        cmocka_unit_test(every_power_of_two_and_its_neighbours_read_back),
        cmocka_unit_test(no_shorter_text_reads_back),
        cmocka_unit_test(all_numbers_read_back),
        cmocka_unit_test(rows_of_every_length_are_written),
        cmocka_unit_test(rows_of_all_sorts_are_written),
        cmocka_unit_test(rows_of_all_numbers_are_written),
        cmocka_unit_test(close_numbers_in_rows_are_written),
    };

    printf("random numbers written and read %d, compared with shorter texts %d\n", NUMBER_CASES,
           NUMBER_CASES / 50);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
