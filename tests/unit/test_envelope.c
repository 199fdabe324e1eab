/* The places that the scanner records of values, the bytes of the document where they were, and the
 * way from places to pointers and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json/scanner.h"

/* The scanner has read the text, in one piece and without an error. */
static grad_scanner scan(const char *text, size_t length)
{
    static const grad_wire_limits limits = {
        .max_numbers = 1000, .max_envelope = 10000, .max_depth = GRAD_DEPTH_MAX};
    grad_error error = GRAD_ERROR_INIT;
    grad_scanner scanner;

    assert_int_equal(grad_scanner_init(&scanner, &limits, GRAD_FP32, 0, &error), GRAD_OK);
    assert_int_equal(grad_scanner_push(&scanner, text, length), GRAD_OK);
    return scanner;
}

/* Where in the envelope the value at a pointer begins. */
static size_t find(const grad_envelope *envelope, const char *pointer)
{
    size_t place = grad_envelope_find(envelope, pointer);

    return place == GRAD_NO_PLACE ? SIZE_MAX : envelope->places[place].begin;
}

static void pointer_at(const grad_envelope *envelope, size_t position, char *pointer)
{
    grad_envelope_pointer(envelope, grad_envelope_place_at(envelope, position), NULL, 0, pointer);
}

static void assert_pointer_at(const grad_envelope *envelope, const char *text, const char *pointer)
{
    char found[GRAD_POINTER_SIZE];
    const char *place = strstr(envelope->text.data, text);

    assert_non_null(place);
    pointer_at(envelope, (size_t)(place - envelope->text.data), found);
    assert_string_equal(found, pointer);
}

static void test_offsets(void **unused)
{
    static const char text[] = "{         \"a\":[1, 2, 3                       ],\n\n \"b\":5}";
    grad_scanner scanner = scan(text, strlen(text));
    grad_envelope *envelope = &scanner.envelope;

    (void)unused;
    assert_string_equal(envelope->text.data, "{ \"a\":" GRAD_ARRAY_WORD ", \"b\":5}");
    assert_int_equal(grad_envelope_offset(envelope, 1), 1);
    assert_int_equal(grad_envelope_offset(envelope, 2), 10);
    assert_int_equal(grad_envelope_offset(envelope, 5), 13);
    assert_int_equal(grad_envelope_offset(envelope, 6), 14);
    assert_int_equal(grad_envelope_offset(envelope, 10), strchr(text, ']') + 1 - text);
    assert_int_equal(grad_envelope_offset(envelope, 16), strchr(text, '5') - text);
    assert_int_equal(grad_envelope_memory(envelope), 18 + 3 * sizeof(grad_envelope_mark) +
                                                         sizeof(grad_number_array) +
                                                         3 * sizeof(grad_place));
    grad_scanner_free(&scanner);
}

static void test_pointers(void **unused)
{
    static const char text[] =
        "{\"a\":1, \"b/~\":[[], {\"\\u00e9\\n\":\"x,]\\\"}\", \"shape\":[0,22]}], "
        "\"\\ud83d\\ude00\":null, \"\": {}, \"array\":[[0]]}";
    grad_scanner scanner = scan(text, strlen(text));
    const grad_envelope *envelope = &scanner.envelope;
    const char *data = envelope->text.data;

    (void)unused;
    assert_pointer_at(envelope, "1,", "/a");
    assert_pointer_at(envelope, "\"b/~", "");
    assert_pointer_at(envelope, "\"shape", "/b~1~0");
    assert_int_equal(find(envelope, ""), 0);
    assert_int_equal(find(envelope, "/a"), strstr(data, "1") - data);
    assert_int_equal(find(envelope, "/array/5/6"), strstr(data, GRAD_ARRAY_WORD "}") - data);
    assert_int_equal(find(envelope, "/"), strstr(data, "{}") - data);
    assert_int_equal(find(envelope, "/b~1~0/2"), strstr(data, "[" GRAD_ARRAY_WORD) - data);
    assert_int_equal(find(envelope, "/a/0"), SIZE_MAX);
    assert_int_equal(find(envelope, "/c"), SIZE_MAX);
    grad_scanner_free(&scanner);
    assert_int_equal(find(envelope, "/a"), SIZE_MAX);
}

/* A list, which the scanner does not take for an array of numbers, and what is in it. */
static void test_pointers_into_lists(void **unused)
{
    static const char text[] =
        "{\"layers\": [{}, {\"\\u00e9\\n\":\"x,]\\\"}\", \"sh\\u0061pe\":[0,22]}, [ ], 7 ],"
        "\"\\ud83d\\ude00\":null, \"outputs\":[ ]}";
    grad_scanner scanner = scan(text, strlen(text));
    const grad_envelope *envelope = &scanner.envelope;
    const char *data = envelope->text.data;

    (void)unused;
    assert_pointer_at(envelope, "{}", "/layers/0");
    assert_pointer_at(envelope, "{\"\\u00e9", "/layers/1");
    assert_pointer_at(envelope, "\"x,]", "/layers/1/\xC3\xA9\n");
    assert_pointer_at(envelope, "22", "/layers/1/shape/1");
    assert_pointer_at(envelope, "[]", "/layers/2");
    assert_pointer_at(envelope, ", []", "/layers/1");
    assert_pointer_at(envelope, "7", "/layers/3");
    assert_pointer_at(envelope, "null", "/\xF0\x9F\x98\x80");
    assert_int_equal(find(envelope, "/layers/1/\xC3\xA9\n"), strstr(data, "\"x,]") - data);
    assert_int_equal(find(envelope, "/layers/1/shape/1"), strstr(data, "22") - data);
    assert_int_equal(find(envelope, "/layers/3"), strstr(data, "7") - data);
    assert_int_equal(find(envelope, "/layers/0/a"), SIZE_MAX);
    assert_int_equal(find(envelope, "/layers/4"), SIZE_MAX);
    assert_int_equal(find(envelope, "/outputs/0"), SIZE_MAX);
    assert_int_equal(find(envelope, "/layers/01"), SIZE_MAX);
    grad_scanner_free(&scanner);
}

/* A tensor as an object: its rows and columns are no members of it, and lead to it. Any other
 * object has none. */
static void test_elements_of_tensors(void **unused)
{
    static const char *const nowhere[] = {"/b/0", "/c/0", "/d/0", "/a/row", "/a/-1", "/a/", "/0"};
    static const char document[] =
        "{\"a\": {\"size\": [1], \"data\": [1, 2], \"7\": 1}, \"b\": {\"size\": [2]}, "
        "\"c\": {\"data\": 3}, \"d\": {\"data\": []}}";
    grad_scanner scanner = scan(document, strlen(document));
    const grad_envelope *envelope = &scanner.envelope;
    const char *text = envelope->text.data;

    (void)unused;
    assert_int_equal(find(envelope, "/a/0"), strstr(text, "{\"size") - text);
    assert_int_equal(find(envelope, "/a/12/3"), strstr(text, "{\"size") - text);
    assert_int_equal(find(envelope, "/a/data/3"), strstr(text, GRAD_ARRAY_WORD ", \"7") - text);
    assert_int_equal(find(envelope, "/a/7"), strstr(text, "1}, \"b") - text);
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        assert_int_equal(find(envelope, nowhere[i]), SIZE_MAX);
    grad_scanner_free(&scanner);
}

/* true is no array, however it is called, and nothing in the rest of an array with an error has a
 * place. */
static void test_references(void **unused)
{
    static const char text[] =
        "{\"a\": true, \"b\": [true], \"c\": [[1], \"x\", {\"d\": [2, {\"e\": "
        "[4]}]}, [3]], \"f\": [5, 6]}";
    grad_scanner scanner = scan(text, strlen(text));
    const grad_envelope *envelope = &scanner.envelope;

    (void)unused;
    assert_null(grad_envelope_array(envelope, grad_envelope_find(envelope, "/a")));
    assert_int_equal(grad_envelope_array(envelope, grad_envelope_find(envelope, "/b"))->rank, 1);
    assert_int_equal(grad_envelope_array(envelope, grad_envelope_find(envelope, "/c"))->rank, 0);
    assert_int_equal(grad_envelope_array(envelope, grad_envelope_find(envelope, "/f"))->shape[0],
                     2);
    assert_int_equal(envelope->place_count, 5);
    assert_pointer_at(envelope, "\"e\"", "/c");
    grad_scanner_free(&scanner);
}

/* A pointer that does not fit is that of an enclosing value; odd text does no harm. */
static void test_pointers_of_odd_text(void **unused)
{
    char found[GRAD_POINTER_SIZE];
    char text[400] = "{\"layers\":[1,{\"";
    size_t length = strlen(text);
    grad_scanner scanner;

    (void)unused;
    memset(text + length, 'k', 300);
    strcpy(text + length + 300, "\":7");
    scanner = scan(text, strlen(text));
    pointer_at(&scanner.envelope, scanner.envelope.text.length, found);
    assert_string_equal(found, "/layers/1");
    grad_scanner_free(&scanner);

    scanner = scan(",,\"}{\"\"\\u12", 11);
    pointer_at(&scanner.envelope, scanner.envelope.text.length, found);
    assert_string_equal(found, "");
    assert_int_equal(find(&scanner.envelope, "/0/0"), SIZE_MAX);
    grad_scanner_free(&scanner);

    scanner = scan("", 0);
    for (int i = 0; i < GRAD_DEPTH_MAX; i++)
        assert_int_equal(grad_scanner_push(&scanner, "{\"layers\":[", 11),
                         i < 128 ? GRAD_OK : GRAD_TOO_LARGE);
    pointer_at(&scanner.envelope, scanner.envelope.text.length, found);
    assert_true(strlen(found) < GRAD_POINTER_SIZE);
    assert_memory_equal(found, "/layers/0/layers/0/", 19);
    grad_scanner_free(&scanner);
}

static void test_places_in_cut_text(void **unused)
{
    static const char text[] = "{ \"a\" : {\"layers\": [1, {\"a\\\"\": \"x\"}, [[0]]]}, \"c\": 1, "
                               "\"t\": {\"s\": 2, \"data\": [[1]]}}";

    (void)unused;
    for (size_t length = 1; length < sizeof text; length++) {
        static const char *const pointers[] = {
            "/a/layers/1/a\"", "/c", "/a/layers/2/0", "/z/0", "/", "/t/0"};
        grad_scanner scanner = scan(text, length);

        for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
            size_t found = find(&scanner.envelope, pointers[i]);

            assert_true(found == SIZE_MAX || found < length);
        }
        grad_scanner_free(&scanner);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_pointers_into_lists),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_elements_of_tensors),
        cmocka_unit_test(test_pointers_of_odd_text),
        cmocka_unit_test(test_places_in_cut_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
