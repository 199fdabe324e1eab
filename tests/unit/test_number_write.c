/* Printing float32: known texts, the shape of a text, and that each reads back as the same float,
 * through a double too. GRADIENTD_LONG=1 prints and reads all 2^32 bit patterns. */
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

#include "gradient_wire.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_numbers_are_short),
        cmocka_unit_test(the_largest_number_stays_below_itself),
        cmocka_unit_test(doubles_in_between_are_avoided),
        cmocka_unit_test(powers_of_two_are_not_too_short),
        cmocka_unit_test(the_shorter_notation_is_used),
        cmocka_unit_test(random_numbers_read_back),
        cmocka_unit_test(every_power_of_two_and_its_neighbours_read_back),
        cmocka_unit_test(no_shorter_text_reads_back),
        cmocka_unit_test(all_numbers_read_back),
    };

    printf("random numbers written and read %d, compared with shorter texts %d\n", NUMBER_CASES,
           NUMBER_CASES / 50);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
