/* The envelope's memory of where its bytes were, and the way from places to pointers and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json/envelope.h"

static void add(grad_envelope *envelope, const char *text, int64_t offset)
{
    grad_error error = GRAD_ERROR_INIT;

    assert_int_equal(grad_envelope_add(envelope, text, strlen(text), offset, &error), GRAD_OK);
}

static void assert_pointer_at(const grad_envelope *envelope, const char *text, const char *pointer)
{
    char found[GRAD_POINTER_SIZE];
    const char *place = strstr(envelope->text.data, text);

    assert_non_null(place);
    grad_envelope_pointer_at(envelope, (size_t)(place - envelope->text.data), found);
    assert_string_equal(found, pointer);
}

static void test_offsets(void **unused)
{
    grad_envelope envelope;
    grad_error error = GRAD_ERROR_INIT;
    grad_number_array array = {.first = 0, .rank = 1, .shape = {3}};

    (void)unused;
    grad_envelope_init(&envelope, 1000);
    add(&envelope, "{ ", 0);
    add(&envelope, "\"a\":", 10);
    assert_int_equal(grad_envelope_add_array(&envelope, &array, 14, &error), GRAD_OK);
    add(&envelope, "}", 90);
    assert_string_equal(envelope.text.data, "{ \"a\":[[0]]}");
    assert_int_equal(grad_envelope_offset(&envelope, 1), 1);
    assert_int_equal(grad_envelope_offset(&envelope, 2), 10);
    assert_int_equal(grad_envelope_offset(&envelope, 5), 13);
    assert_int_equal(grad_envelope_offset(&envelope, 6), 14);
    assert_int_equal(grad_envelope_offset(&envelope, 11), 90);
    assert_int_equal(grad_envelope_memory(&envelope),
                     12 + 2 * sizeof(grad_envelope_mark) + sizeof(grad_number_array));
    grad_envelope_free(&envelope);
}

static void test_pointers(void **unused)
{
    grad_envelope envelope;

    (void)unused;
    grad_envelope_init(&envelope, 1000);
    add(&envelope,
        "{\"a\":1, \"b/~\":[[], {\"\\u00e9\\n\":\"x,]\\\"}\", \"k\":[0,22]}], "
        "\"\\ud83d\\ude00\":null, "
        "\"array\":[[0]]}",
        0);
    assert_pointer_at(&envelope, "1,", "/a");
    assert_pointer_at(&envelope, "[]", "/b~1~0/0");
    assert_pointer_at(&envelope, "{\"\\u00e9", "/b~1~0/1");
    assert_pointer_at(&envelope, "\"x,]", "/b~1~0/1/\xC3\xA9\n");
    assert_pointer_at(&envelope, "22", "/b~1~0/1/k/1");
    assert_pointer_at(&envelope, "null", "/\xF0\x9F\x98\x80");
    assert_int_equal(grad_envelope_find(&envelope, ""), 0);
    assert_int_equal(grad_envelope_find(&envelope, "/a"),
                     strstr(envelope.text.data, "1") - envelope.text.data);
    assert_int_equal(grad_envelope_find(&envelope, "/b~1~0/1/k/1"),
                     strstr(envelope.text.data, "22") - envelope.text.data);
    assert_int_equal(grad_envelope_find(&envelope, "/b~1~0/1/\xC3\xA9\n"),
                     strstr(envelope.text.data, "\"x,]") - envelope.text.data);
    assert_int_equal(grad_envelope_find(&envelope, "/array/5/6"),
                     strstr(envelope.text.data, "[[0]]") - envelope.text.data);
    assert_int_equal(grad_envelope_find(&envelope, "/b~1~0/2"), SIZE_MAX);
    assert_int_equal(grad_envelope_find(&envelope, "/a/0"), SIZE_MAX);
    assert_int_equal(grad_envelope_find(&envelope, "/c"), SIZE_MAX);
    grad_envelope_free(&envelope);
    assert_int_equal(grad_envelope_find(&envelope, "/a"), SIZE_MAX);
}

/* A tensor as an object: its rows and columns are no members of it, and lead to it. Any other
 * object has none. */
static void test_elements_of_tensors(void **unused)
{
    static const char *const nowhere[] = {"/b/0", "/c/0", "/d/0", "/a/row", "/a/-1", "/a/", "/0"};
    grad_envelope envelope;
    const char *text;

    (void)unused;
    grad_envelope_init(&envelope, 1000);
    add(&envelope,
        "{\"a\": {\"shape\": [[0]], \"data\": [[1]], \"7\": 1}, \"b\": {\"shape\": [[2]]}, "
        "\"c\": {\"data\": 3}, \"d\": {\"data\": [3]}}",
        0);
    text = envelope.text.data;
    assert_int_equal(grad_envelope_find(&envelope, "/a/0"), strstr(text, "{\"shape") - text);
    assert_int_equal(grad_envelope_find(&envelope, "/a/12/3"), strstr(text, "{\"shape") - text);
    assert_int_equal(grad_envelope_find(&envelope, "/a/data/3"), strstr(text, "[[1]]") - text);
    assert_int_equal(grad_envelope_find(&envelope, "/a/7"), strstr(text, "1}, \"b") - text);
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        assert_int_equal(grad_envelope_find(&envelope, nowhere[i]), SIZE_MAX);
    grad_envelope_free(&envelope);
}

/* A pointer that does not fit is that of an enclosing value; odd text does no harm. */
static void test_pointers_of_odd_text(void **unused)
{
    grad_envelope envelope;
    char found[GRAD_POINTER_SIZE];
    char key[300];

    (void)unused;
    grad_envelope_init(&envelope, 10000);
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    add(&envelope, "{\"a\":[1,{\"", 0);
    add(&envelope, key, 10);
    add(&envelope, "\":7", 309);
    grad_envelope_pointer_at(&envelope, envelope.text.length, found);
    assert_string_equal(found, "/a/1");
    grad_envelope_free(&envelope);

    grad_envelope_init(&envelope, 10000);
    add(&envelope, "]],\"}{\"\\u12", 0);
    grad_envelope_pointer_at(&envelope, envelope.text.length, found);
    assert_int_equal(grad_envelope_find(&envelope, "/0/0"), SIZE_MAX);
    for (int i = 0; i < 2 * GRAD_DEPTH_MAX; i++)
        add(&envelope, "[", i);
    grad_envelope_pointer_at(&envelope, envelope.text.length, found);
    assert_true(strlen(found) < GRAD_POINTER_SIZE);
    grad_envelope_free(&envelope);
}

static void test_places_in_cut_text(void **unused)
{
    static const char text[] = "{ \"a\" : {\"b\": [1, {\"a\\\"\": \"x\"}, [[0]]]}, \"c\": 1, "
                               "\"t\": {\"s\": 2, \"data\": [[1]]}}";

    (void)unused;
    for (size_t length = 1; length < sizeof text; length++) {
        static const char *const pointers[] = {"/a/b/1/a\"", "/c", "/a/b/2/0", "/z/0", "/", "/t/0"};
        grad_envelope envelope;
        grad_error error = GRAD_ERROR_INIT;

        grad_envelope_init(&envelope, length);
        assert_int_equal(grad_envelope_add(&envelope, text, length, 0, &error), GRAD_OK);
        for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
            size_t found = grad_envelope_find(&envelope, pointers[i]);

            assert_true(found == SIZE_MAX || found < length);
        }
        grad_envelope_free(&envelope);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_elements_of_tensors),
        cmocka_unit_test(test_pointers_of_odd_text),
        cmocka_unit_test(test_places_in_cut_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
