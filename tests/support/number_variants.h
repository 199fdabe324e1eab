/* Compares the number codec compiled another way with the one in the library. Included by a test
 * that has compiled the sources under the names variant_*, chosen by macros. */
#ifndef TESTS_SUPPORT_NUMBER_VARIANTS_H
#define TESTS_SUPPORT_NUMBER_VARIANTS_H

#define grad_number_write variant_number_write
#define grad_number_row_write variant_number_row_write
#define grad_number_row_read variant_number_row_read

#define grad_number_rows_read variant_number_rows_read
#define grad_number_read_double variant_number_read_double
#define grad_number_row_read_double variant_number_row_read_double
#define grad_number_write_double variant_number_write_double
#define grad_number_row_write_double variant_number_row_write_double

#include "codec/number/double.c"
#include "codec/number/row_read.c"
#include "codec/number/write.c"
#include "codec/number/write_double.c"

#undef grad_number_write
#undef grad_number_row_write
#undef grad_number_row_read
#undef grad_number_rows_read
#undef grad_number_read_double
#undef grad_number_row_read_double
#undef grad_number_write_double
#undef grad_number_row_write_double

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/number_cases.h"

char *grad_number_write(float value, char *buffer);
char *grad_number_row_write(const float *values, size_t count, char *buffer);
size_t grad_number_row_read(const char *begin, const char *text, const char *end, float *out,
                            size_t capacity, const char **stop, bool *after_value);
size_t grad_number_row_read_double(const char *begin, const char *text, const char *end,
                                   double *out, size_t capacity, const char **stop,
                                   bool *after_value);
char *grad_number_write_double(double value, char *buffer);
char *grad_number_row_write_double(const double *values, size_t count, char *buffer);

enum { VARIANT_ROW = 64 };

static void expect_same_row(random_state *random)
{
    float values[VARIANT_ROW], ours[VARIANT_ROW], theirs[VARIANT_ROW];
    char text[VARIANT_ROW * 32], other[VARIANT_ROW * 32], *end;
    const char *stop, *other_stop;
    bool after, other_after;
    size_t count;

    for (size_t i = 0; i < VARIANT_ROW; i++)
        values[i] =
            random_below(random, 2) ? random_number(random) : (float)random_signed(random) * 2000;
    end = grad_number_row_write(values, VARIANT_ROW, text);
    assert_int_equal(variant_number_row_write(values, VARIANT_ROW, other) - other, end - text);
    assert_memory_equal(text, other, (size_t)(end - text));
    for (size_t i = 0; random_below(random, 2) && i < 4; i++) {
        size_t at = random_below(random, (size_t)(end - text));

        text[at] = "0123456789.-+e, ]x"[random_below(random, 18)];
    }
    count = grad_number_row_read(text, text, end, ours, VARIANT_ROW, &stop, &after);
    assert_int_equal(
        variant_number_row_read(text, text, end, theirs, VARIANT_ROW, &other_stop, &other_after),
        count);
    assert_ptr_equal(other_stop, stop);
    assert_int_equal(other_after, after);
    assert_memory_equal(ours, theirs, count * sizeof(float));
}

/* Doubles of any number of digits, some with a byte changed. */
static void expect_same_row_of_doubles(random_state *random)
{
    double ours[VARIANT_ROW], theirs[VARIANT_ROW];
    char text[VARIANT_ROW * 48];
    const char *stop, *other_stop, *end;
    bool after, other_after;
    size_t count, length = 0;

    for (size_t i = 0; i < VARIANT_ROW; i++)
        length += (size_t)snprintf(
            text + length, sizeof text - length, random_below(random, 2) ? "%.*g," : "%.*e ,",
            (int)random_below(random, 24), (double)random_number(random) * random_signed(random));
    end = text + length;
    for (size_t i = 0; random_below(random, 2) && i < 4; i++)
        text[random_below(random, length)] = "0123456789.-+e, ]x"[random_below(random, 18)];
    count = grad_number_row_read_double(text, text, end, ours, VARIANT_ROW, &stop, &after);
    assert_int_equal(variant_number_row_read_double(text, text, end, theirs, VARIANT_ROW,
                                                    &other_stop, &other_after),
                     count);
    assert_ptr_equal(other_stop, stop);
    assert_int_equal(other_after, after);
    assert_memory_equal(ours, theirs, count * sizeof *ours);
}

static void rows_are_the_same(void **state)
{
    random_state random = {14};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 320; i++) {
        expect_same_row(&random);
        expect_same_row_of_doubles(&random);
    }
}

static void numbers_are_the_same(void **state)
{
    random_state random = {15};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 20; i++) {
        float value = random_number(&random);
        char one[GRAD_NUMBER_WRITE_MAX], other[GRAD_NUMBER_WRITE_MAX];
        char *end = grad_number_write(value, one);

        assert_int_equal(variant_number_write(value, other) - other, end - one);
        assert_memory_equal(one, other, (size_t)(end - one));
    }
}

static void doubles_are_written_the_same(void **state)
{
    random_state random = {16};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / VARIANT_ROW / 20; i++) {
        double values[VARIANT_ROW];
        char text[VARIANT_ROW * GRAD_DOUBLE_WRITE_MAX], other[VARIANT_ROW * GRAD_DOUBLE_WRITE_MAX];
        char *end;

        for (size_t j = 0; j < VARIANT_ROW; j++)
            values[j] = random_below(&random, 2) ? random_double(&random) : random_short(&random);
        end = grad_number_row_write_double(values, VARIANT_ROW, text);
        assert_int_equal(variant_number_row_write_double(values, VARIANT_ROW, other) - other,
                         end - text);
        assert_memory_equal(text, other, (size_t)(end - text));
        end = grad_number_write_double(values[0], text);
        assert_int_equal(variant_number_write_double(values[0], other) - other, end - text);
        assert_memory_equal(text, other, (size_t)(end - text));
    }
}

static int run_variant_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_the_same),
        cmocka_unit_test(numbers_are_the_same),
        cmocka_unit_test(doubles_are_written_the_same),
    };

    printf("random rows %d, random numbers %d\n", NUMBER_CASES / 320, NUMBER_CASES / 20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
