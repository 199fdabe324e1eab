/* Rows of the same length that are read at once: nothing is taken that is not right, and what is
 * taken is what one number after the other gives, in texts of all forms and with wrong bytes. The
 * texts lie in memory of exactly their size. On a machine without AVX2 nothing is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number/number.h"
#include "codec/number/text.h"
#include "support/number_cases.h"

enum { NUMBERS = 400, FRONT = 40, TEXT = NUMBERS * 48 };

static bool reads_blocks(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

static size_t print_number(random_state *random, int form, char *text)
{
    double value = random_signed(random) * (double)(1 + random_below(random, 100));

    switch (form) {
    case 0:
        return (size_t)sprintf(text, "%.9g", value);
    case 1:
        return (size_t)sprintf(text, "%.17g", value);
    case 2:
        return (size_t)sprintf(text, "%d", (int)random_below(random, 2000) - 1000);
    case 3:
        return (size_t)sprintf(text, "%.*f", (int)random_below(random, 30), value);
    case 4:
        return (size_t)sprintf(text, "%.*e", (int)random_below(random, 12), value);
    default:
        return (size_t)sprintf(text, "%.17g",
                               (double)(float)value * (1 + 0x1p-24)); /* near a middle */
    }
}

/* Rows from the first number on; form 6 is a mixture. */
static size_t print_rows(random_state *random, size_t columns, char *text)
{
    static const char *const commas[] = {",", ", ", " ,", ",\n\t", " , "};
    static const char *const breaks[] = {"],[", "], [", "],\n  [", " ] , [ ", "],["};
    size_t style = random_below(random, 5), length = 0;
    int form = (int)random_below(random, 8);

    for (size_t i = 0; i < NUMBERS; i++) {
        if (i > 0)
            length += (size_t)sprintf(text + length, "%s",
                                      i % columns == 0 ? breaks[style] : commas[style]);
        length +=
            print_number(random, form > 5 ? (int)random_below(random, 6) : form, text + length);
    }
    return length + (size_t)sprintf(text + length, "]]");
}

/* Goes over what was taken, number by number. */
static void expect_right(const char *p, const char *end, const grad_number_rows *before,
                         const grad_number_rows *rows, const float *values, size_t count,
                         const char *stop)
{
    size_t filled = before->filled, closed = 0;
    const char *bracket = NULL, *behind;

    for (size_t i = 0; i < count; i++) {
        float value = 0;

        assert_int_equal(grad_number_read(p, end, &value, &behind), GRAD_NUMBER_OK);
        assert_memory_equal(&value, &values[i], sizeof value);
        p = grad_skip_space(behind, end);
        filled++;
        if (*p == ']') {
            assert_int_equal(filled, before->columns);
            filled = 0;
            closed++;
            p = grad_skip_space(p + 1, end);
            assert_int_equal(*p, ',');
            bracket = grad_skip_space(p + 1, end);
            assert_int_equal(*bracket, '[');
            p = grad_skip_space(bracket + 1, end);
        } else {
            assert_int_equal(*p, ',');
            assert_true(filled < before->columns);
            p = grad_skip_space(p + 1, end);
        }
    }
    assert_ptr_equal(stop, p);
    assert_int_equal(rows->filled, filled);
    assert_int_equal(rows->closed, closed);
    assert_ptr_equal(rows->bracket, bracket);
}

/* Returns how many were taken. */
static size_t read_rows(const char *text, size_t length, size_t columns, size_t filled,
                        size_t capacity)
{
    grad_number_rows before = {.columns = columns, .filled = filled}, rows = before;
    char *copy = malloc(FRONT + length);
    float values[NUMBERS + 1];
    const char *stop = NULL;
    size_t count;

    assert_non_null(copy);
    memset(copy, '7', FRONT);
    memcpy(copy + FRONT, text, length);
    count = grad_number_rows_read(copy, copy + FRONT, copy + FRONT + length, values, capacity,
                                  &rows, &stop);
    assert_true(count == 0 || count < capacity);
    expect_right(copy + FRONT, copy + FRONT + length, &before, &rows, values, count, stop);
    free(copy);
    return count;
}

static void right_rows_are_taken(void **state)
{
    random_state random = {31};
    char text[TEXT];

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 2000; i++) {
        size_t columns = 1 + random_below(&random, random_below(&random, 2) ? 9 : 300);
        size_t length = print_rows(&random, columns, text);

        read_rows(text, length, columns, 0, NUMBERS + 1);
        read_rows(text, length, columns, 0, random_below(&random, NUMBERS));
        read_rows(text, random_below(&random, length), columns, 0, NUMBERS + 1);
    }
}

/* None is given up that could be taken but the last few: it would be right, and slow. */
static void plain_rows_are_taken_whole(void **state)
{
    char text[TEXT];
    size_t length = 0;

    (void)state;
    for (size_t i = 0; i < NUMBERS; i++)
        length += (size_t)sprintf(text + length, "%s-%zu.%0*d",
                                  i == 0       ? ""
                                  : i % 4 == 0 ? "], ["
                                               : ", ",
                                  i, (int)(1 + i % 27), 5);
    length += (size_t)sprintf(text + length, "]]");
    assert_int_equal(read_rows(text, length, 4, 0, NUMBERS + 1) > NUMBERS - 40, reads_blocks());
    assert_true(read_rows(text, length, 5, 0, NUMBERS + 1) < 4);
    assert_true(read_rows(text, length, 3, 0, NUMBERS + 1) < 3);
    assert_true(read_rows(text, length, 6, 2, NUMBERS + 1) < 8);
}

static void wrong_bytes_end_them(void **state)
{
    random_state random = {32};
    char text[TEXT];

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 2000; i++) {
        size_t columns = 1 + random_below(&random, 9), wrong = random_below(&random, 8);
        size_t length = print_rows(&random, columns, text);

        for (size_t j = 0; j < wrong; j++)
            text[random_below(&random, length)] =
                "0123456789.-+e, ][x\t\"\x80\f/:"[random_below(&random, 25)];
        read_rows(text, length, columns, random_below(&random, columns), NUMBERS + 1);
    }
}

/* Each byte in turn, at each place of a word and its neighbours. */
static void each_byte_is_judged(void **state)
{
    static const char alphabet[] = "0159.-+eE, \t\n\r\v][{}x\"/:\x80\xAE";
    char text[400], other[400];
    size_t length = 0;

    (void)state;
    for (size_t i = 0; i < 24; i++)
        length += (size_t)sprintf(text + length, "%s%s",
                                  i == 0       ? ""
                                  : i % 3 == 0 ? "],["
                                               : ",",
                                  i % 2 == 0 ? "0.25" : "-10");
    length += (size_t)sprintf(text + length, "%s", "]                                     ");
    for (size_t place = 0; place < length; place++)
        for (size_t i = 0; i < sizeof alphabet; i++) {
            memcpy(other, text, length);
            other[place] = alphabet[i];
            read_rows(other, length, 3, 0, NUMBERS + 1);
            memmove(other + place, text + place + 1, length - place - 1);
            read_rows(other, length - 1, 3, 0, NUMBERS + 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_rows_are_taken),
        cmocka_unit_test(plain_rows_are_taken_whole),
        cmocka_unit_test(wrong_bytes_end_them),
        cmocka_unit_test(each_byte_is_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
