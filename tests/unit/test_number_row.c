/* Rows of numbers: the same values as one by one, every cut, where reading stops and in which
 * state. The texts lie in memory of exactly their size, so that a sanitizer sees reads beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number/number.h"
#include "support/number_cases.h"

typedef struct outcome {
    size_t count;
    size_t stop;
    bool after_value;
    float values[64];
} outcome;

/* Memory that may be read in front of the text: whole vectors from its first byte on. */
enum { FRONT = 48 };

static outcome read_behind(const char *text, size_t length, size_t capacity, size_t front)
{
    char *copy = malloc(front + length > 0 ? front + length : 1);
    const char *stop = NULL;
    outcome o = {0};

    assert_non_null(copy);
    assert_true(capacity <= 64);
    memset(copy, '7', front);
    memcpy(copy + front, text, length);
    o.count = grad_number_row_read(copy, copy + front, copy + front + length, o.values, capacity,
                                   &stop, &o.after_value);
    o.stop = (size_t)(stop - copy) - front;
    free(copy);
    return o;
}

/* With memory in front of the text and without. */
static outcome read_row(const char *text, size_t length, size_t capacity)
{
    outcome o = read_behind(text, length, capacity, 0);
    outcome other = read_behind(text, length, capacity, FRONT);

    assert_int_equal(other.count, o.count);
    assert_int_equal(other.stop, o.stop);
    assert_int_equal(other.after_value, o.after_value);
    assert_memory_equal(other.values, o.values, o.count * sizeof(float));
    return o;
}

static void expect_stop(const char *text, size_t count, size_t stop, bool after_value)
{
    outcome o = read_row(text, strlen(text), 64);

    if (o.count != count || o.stop != stop || o.after_value != after_value)
        fail_msg("'%s': %zu numbers, stopped at %zu, after_value %d", text, o.count, o.stop,
                 o.after_value);
}

static void it_stops_where_it_says(void **state)
{
    (void)state;
    expect_stop("", 0, 0, false);
    expect_stop("  ", 0, 2, false);
    expect_stop("]", 0, 0, false);
    expect_stop("1]", 1, 1, true);
    expect_stop("1 ]", 1, 2, true);
    expect_stop("1 \t\r\n", 1, 5, true);
    expect_stop("1,]", 1, 2, false);
    expect_stop("1 , 2\n,\t3 ]", 3, 10, true);
    expect_stop("1,", 1, 2, false);
    expect_stop("1,2", 1, 2, false);
    expect_stop("1,,2", 1, 2, false);
    expect_stop("[1", 0, 0, false);
    expect_stop("1,\"NaN\"", 1, 2, false);
    expect_stop("1,2 3,4", 2, 4, true);
    expect_stop("1,2x,3", 2, 3, true);
    expect_stop("1,02,3", 1, 2, false);
    expect_stop("1,1e39,3", 1, 2, false);
    expect_stop("1,-,3", 1, 2, false);
}

/* The same behind and in front of many good numbers, where whole vectors are read. */
static void it_stops_at_bad_numbers_among_many(void **state)
{
    static const char *const bad[] = {
        "+1",
        ".5",
        "-.5",
        "5.",
        "5.e1",
        "1e",
        "1e+",
        "01",
        "-01",
        "-",
        "1..2",
        "1.2.3",
        "1e5.5",
        "1e5e5",
        "1-2",
        "--1",
        "1/2",
        "1e39",
        "-1e39",
        "",
        "00",
        "0/1",
        "/",
        "-e5",
        "inf",
        "0.1.",
        "1e--5",
        "\"NaN\"",
        "[1",
        "\x80",
        "1234567890123456789012345678901234567890.",
        "123456789012345678.1.2",
        "1\x80",
        "00.123456789012345678",
        ".1234567890123456789",
        "1234567890123456.",
    };
    const char *good = "0.1234567,-23.456789,3.14159265358979,";
    size_t front = 2 * strlen(good);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[512];
        bool half = strcmp(bad[i], "1/2") == 0 || strcmp(bad[i], "0/1") == 0 ||
                    strcmp(bad[i], "1\x80") == 0;

        snprintf(text, sizeof text, "%s%s%s,%s%s", good, good, bad[i], good, good);
        expect_stop(text, half ? 7 : 6, front + half, half);
    }
}

static void it_stops_at_capacity(void **state)
{
    const char *text = "0.1234567,-23.456789,3.14159265358979,4,5,6 , 7,8,9.123456789,10.5,11]";

    (void)state;
    for (size_t capacity = 0; capacity <= 12; capacity++) {
        outcome o = read_row(text, strlen(text), capacity);

        assert_int_equal(o.count, capacity < 11 ? capacity : 11);
        assert_int_equal(o.after_value, capacity > 0);
        assert_true(capacity == 0 ? o.stop == 0 : text[o.stop] == ',' || text[o.stop] == ']');
    }
}

/* Whatever is cut off, the numbers in front are read and the rest is left to be read again. */
static void every_cut_keeps_whole_numbers(void **state)
{
    const char *text = "-0.123456789,1e5,-1.5e-05, 17.000000000000001,0,-0.0,3.4028235e38,"
                       "0.01234567890123456,\n1234567.25 ,0.5,123456789012345678,-2.5E+07,1e-45,"
                       "0.33333334326744079,42,8.25]";
    size_t length = strlen(text);
    outcome all = read_row(text, length, 64);

    (void)state;
    assert_int_equal(all.count, 16);
    for (size_t cut = 0; cut <= length; cut++) {
        outcome head = read_row(text, cut, 64), tail;
        size_t rest = head.stop;

        if (head.after_value && rest < length && text[rest] == ',') {
            assert_int_equal(rest, cut);
            rest++;
        } else if (head.after_value && rest < length && text[rest] == ']') {
            assert_int_equal(head.count, 16);
            continue;
        }
        tail = read_row(text + rest, length - rest, 64);
        assert_int_equal(head.count + tail.count, 16);
        assert_memory_equal(head.values, all.values, head.count * sizeof(float));
        assert_memory_equal(tail.values, all.values + head.count, tail.count * sizeof(float));
    }
}

/* A number in one of the forms that are seen: shortest, %.9g, %.17g, an integer, many digits. */
static int print_some_form(random_state *random, char *text)
{
    bool is_any = random_below(random, 2);
    double value = is_any ? (double)random_number(random) : random_signed(random);

    if (!is_any)
        value = ldexp(value, (int)random_below(random, 24));

    switch (random_below(random, 6)) {
    case 0:
        return snprintf(text, 64, "%.9g", value);
    case 1:
        return snprintf(text, 64, "%.17g", value);
    case 2:
        return snprintf(text, 64, "%d", (int)random_below(random, 200000000) - 100000000);
    case 3:
        return snprintf(text, 64, "%.*e", (int)random_below(random, 30), value);
    case 4:
        return snprintf(text, 64, "%.*f", (int)random_below(random, 25), fmod(value, 1e9));
    default:
        return (int)(grad_number_write((float)value, text) - text);
    }
}

static void rows_agree_with_the_c_library(void **state)
{
    static const char *const separators[] = {",", ", ", ",\n  ", " ,"};
    random_state random = {12};
    char text[64 * 72];
    float expected[64];

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 640; i++) {
        size_t count = 1 + random_below(&random, 64);
        const char *separator = separators[random_below(&random, 4)];
        size_t length = 0;
        outcome o;

        for (size_t j = 0; j < count; j++) {
            char one[72];
            int size;

            do {
                size = print_some_form(&random, one);
                one[size] = '\0';
                expected[j] = number_oracle(one);
            } while (isinf(expected[j]));
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                       j > 0 ? separator : "", one);
        }
        text[length++] = ']';
        o = read_row(text, length, 64);
        assert_int_equal(o.count, count);
        assert_int_equal(o.stop, length - 1);
        assert_true(o.after_value);
        assert_memory_equal(o.values, expected, count * sizeof(float));
    }
}

/* Seventeen digits of what lies in the middle between two floats: as doubles they are just that. */
static void rows_near_middles_agree(void **state)
{
    random_state random = {16};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 640; i++) {
        char text[64 * 32];
        float expected[64];
        size_t length = 0;

        for (size_t j = 0; j < 64; j++) {
            double significand = 1 + fabs(random_signed(&random));
            int power = (int)random_below(&random, 9);
            float low = (float)ldexp(significand, i % 2 == 0 ? power : power - 146);
            char one[32];

            snprintf(one, sizeof one, "%.*g", 15 + (int)random_below(&random, 3),
                     ((double)low + (double)nextafterf(low, INFINITY)) / 2);
            expected[j] = number_oracle(one);
            length += (size_t)snprintf(text + length, sizeof text - length, "%s,", one);
        }
        assert_int_equal(read_row(text, length, 64).count, 64);
        assert_memory_equal(read_row(text, length, 64).values, expected, sizeof expected);
    }
}

static void written_rows_are_the_numbers_written_one_by_one(void **state)
{
    random_state random = {13};

    (void)state;
    for (int i = 0; i < NUMBER_CASES / 640; i++) {
        size_t count = random_below(&random, 65), room = count * GRAD_NUMBER_WRITE_MAX;
        char *row = malloc(room ? room : 1), *end, *p = row;
        float values[64];

        assert_non_null(row);
        for (size_t j = 0; j < count; j++)
            values[j] = random_below(&random, 8) ? random_number(&random) : -0.0f;
        end = grad_number_row_write(values, count, row);
        for (size_t j = 0; j < count; j++) {
            char one[GRAD_NUMBER_WRITE_MAX];
            size_t length = (size_t)(grad_number_write(values[j], one) - one);

            assert_true((size_t)(end - p) >= length);
            assert_memory_equal(p, one, length);
            p += length;
            if (j + 1 < count)
                assert_int_equal(*p++, ',');
        }
        assert_ptr_equal(p, end);
        free(row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stops_where_it_says),
        cmocka_unit_test(it_stops_at_bad_numbers_among_many),
        cmocka_unit_test(it_stops_at_capacity),
        cmocka_unit_test(every_cut_keeps_whole_numbers),
        cmocka_unit_test(rows_agree_with_the_c_library),
        cmocka_unit_test(rows_near_middles_agree),
        cmocka_unit_test(written_rows_are_the_numbers_written_one_by_one),
    };

    printf("random rows %d\n", NUMBER_CASES / 640);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
