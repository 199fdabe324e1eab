/* Faults of arrays that were to be of numbers: what is told of each and where, however the document
 * is cut; that nothing of an array matters behind the first but that it is JSON; and that one is
 * its layer's own under "on_error": "continue", wherever in the array it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/refusals.h"

#define GOOD "{\"activation\":\"relu\",\"input\":[7]}"
#define LAYER(input) "{\"activation\":\"relu\",\"input\":" input "}"
#define REQUEST(layers) "{\"layers\":[" layers "]}"
#define A_STRING(text) "expected a number, found the string \"" text "\""
#define SOME_STRING "expected a number, found a string"
#define TYPED_ARRAY                                                                                \
    "; a typed array? Array.from(x) makes an array of it (PHP: array_values($x), Lua: indices "    \
    "from 1 on)"
#define NO_BRACKETS "; a single value stands without brackets (R's jsonlite: auto_unbox = TRUE)"
#define NO_FLAG "; it stands for a number in masks and targets only"
#define EMPTY                                                                                      \
    "expected at least one number, found an empty array; no samples of 3 numbers are {\"shape\": " \
    "[0, 3], \"data\": []}"
#define DEAR_NULL "expected a number, found null; if it stands for NaN, that is spelled \"NaN\""

/* ---- Where no numbers belong ----------------------------------------------------------------- */

/* The culprit is what is no layer, wherever it stands: the others may be ever so right. */
static const refusal places[] = {
    {REQUEST("@3," GOOD), GRAD_INVALID, "unexpected_type", "/layers/0",
     "=expected a layer, found a number"},
    {REQUEST(GOOD ",@3"), GRAD_INVALID, "unexpected_type", "/layers/1",
     "=expected a layer, found a number"},
    {"{\"l\\u0061yers\" : [ @-1.5e3, " GOOD "]}", GRAD_INVALID, "unexpected_type", "/layers/0",
     "=expected a layer, found a number"},
    {REQUEST("@\"NaN\"," GOOD), GRAD_INVALID, "unexpected_type", "/layers/0",
     "=expected a layer, found a string"},
    {REQUEST("@[3]," GOOD), GRAD_INVALID, "unexpected_type", "/layers/0",
     "=expected a layer, found an array of numbers"},
    {REQUEST("@[3,{}]," GOOD), GRAD_INVALID, "unexpected_type", "/layers/0",
     "=expected a layer, found an array"},
    {REQUEST("@[[]]," GOOD), GRAD_INVALID, "unexpected_type", "/layers/0",
     "=expected a layer, found an array"},
    {"{\"outputs\":[@3,\"bias_delta\"],\"layers\":[" GOOD "]}", GRAD_INVALID, "unexpected_type",
     "/outputs/0", "=expected a string, found a number"},
    {"{\"outputs\":[\"bias_delta\",@3],\"layers\":[" GOOD "]}", GRAD_INVALID, "unexpected_type",
     "/outputs/1", "=expected a string, found a number"},
    {REQUEST("{\"activation\":@[1,\"relu\"]}"), GRAD_INVALID, "unexpected_type",
     "/layers/0/activation",
     "=expected a name or an object with a name, found an array" NO_BRACKETS},
    {REQUEST("{\"activation\":@[\"relu\"]}"), GRAD_INVALID, "unexpected_type",
     "/layers/0/activation",
     "=expected a name or an object with a name, found an array" NO_BRACKETS},
    {REQUEST("{\"activation\":@[]}"), GRAD_INVALID, "unexpected_type", "/layers/0/activation",
     "=expected a name or an object with a name, found an empty array"},
    {"@[1,{\"layers\":[" GOOD "]}]", GRAD_INVALID, "unexpected_type", "",
     "=expected an object, found an array"},
    {REQUEST(LAYER("{\"shape\":[@[1,{}]],\"data\":[1]}")), GRAD_INVALID, "unexpected_type",
     "/layers/0/input/shape/0", "=expected an integer, found an array" NO_BRACKETS},
    {REQUEST(LAYER("{\"sizes\":[@[1,{}]],\"data\":[1]}")), GRAD_INVALID, "unexpected_type",
     "/layers/0/input/sizes/0", "=expected an integer, found an array" NO_BRACKETS},
};

#define places_in_checks places

REFUSES(places, WIRE_GRADIENTS, GRAD_FP32)
REFUSES(places_in_checks, WIRE_CHECK, GRAD_FP32)

/* A network has a start beside its layers. */
static void test_places_in_networks(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        refusal wrong = places[i];
        size_t length = strlen(wrong.document);
        char document[256];

        if (wrong.document[length - 1] != '}')
            continue;
        snprintf(document, sizeof document, "%.*s,\"grad_output\":[1]}", (int)length - 1,
                 wrong.document);
        wrong.document = document;
        assert_refused((wire_form){WIRE_BACKPROP, GRAD_FP64}, &wrong);
    }
}

/* ---- In tensors ------------------------------------------------------------------------------ */

/* An input with '@' where the fault's byte is, and the fault. */
typedef struct faulty {
    const char *input;
    const char *code;
    const char *indices; /* behind /layers/1/input */
    const char *detail;
} faulty;

/* The first fault counts, whatever comes behind it. */
static const faulty faults[] = {
    {"[@\"a\"]", "unexpected_type", "/0", A_STRING("a")},
    {"[[@\"a\"]]", "unexpected_type", "/0/0", A_STRING("a")},
    {"[[1,@\"a\"]]", "unexpected_type", "/0/1", A_STRING("a")},
    {"[1, @\"\"]", "unexpected_type", "/1", A_STRING("")},
    {"[1, @\"-Infinit\\u0079\", 2]", "unexpected_type", "/1", SOME_STRING},
    {"[1, @\"NaN\xC3\xA9\\\"]\", 2]", "unexpected_type", "/1", SOME_STRING},
    {"[@null]", "unexpected_type", "/0", DEAR_NULL},
    {"[1,@null ]", "unexpected_type", "/1", DEAR_NULL},
    {"[[1,2],[3,@null],[4,null]]", "unexpected_type", "/1/1", DEAR_NULL},
    {"[@true, 1]", "unexpected_type", "/0", "expected a number, found true" NO_FLAG},
    {"[[[0,@false]]]", "unexpected_type", "/0/0/1", "expected a number, found false" NO_FLAG},
    {"[@{}]", "unexpected_type", "/0", "expected a number, found an object" TYPED_ARRAY},
    {"[1, @{\"a\":[1,[2],{\"b\" :[\"c\"]}], \"shape\":[[3],4]}, 5]", "unexpected_type", "/1",
     "expected a number, found an object" TYPED_ARRAY},
    {"[[1,2],@[3]]", "ragged_array", "/1",
     "expected rows of the same length: row 1 has 1 element, the first has 2"},
    {"[[1,2],@[3,4,5],[\"x\"]]", "ragged_array", "/1",
     "expected rows of the same length: row 1 has 3 elements, the first has 2"},
    {"[[1],@[]]", "ragged_array", "/1",
     "expected rows of the same length: row 1 has 0 elements, the first has 1"},
    {"[[[1],[2]],@[[3]]]", "ragged_array", "/1",
     "expected rows of the same length: row 1 has 1 element, the first has 2"},
    {"[1,@[2,[[[3]]]]]", "ragged_array", "/1", "expected a number as before, found an array"},
    {"[[1],@2,[3]]", "ragged_array", "/1", "expected an array as before, found a number"},
    {"[[1],@\"NaN\"]", "ragged_array", "/1", "expected an array as before, found a string"},
    {"[1, @1e39]", "number_out_of_range", "/1",
     "expected a number within float32's range, found 1e39; ?datatype=FP64 holds it"},
    {"[@-1e999, 2e999, null]", "number_out_of_range", "/0",
     "expected a number within float32's range, found -1e999"},
    {"[@9999999999999999999999999999999999999999999]", "number_out_of_range", "/0",
     "expected a number within float32's range, found 9999999999999999999999999999999999999999…; "
     "?datatype=FP64 holds it"},
    {"@[]", "empty_tensor", "", EMPTY},
    {"@[ [ ], [] ]", "empty_tensor", "", EMPTY},
    {"@[[[[[[1]]]]], 2]", "unexpected_type", "",
     "expected numbers in at most 5 dimensions, found more"},
};

static void write_input(grad_text *text, const char *input)
{
    const char *mark = strchr(input, '@');

    assert_non_null(mark);
    grad_text_add(text, input, (size_t)(mark - input));
    grad_text_add(text, mark + 1, strlen(mark + 1));
}

static void assert_fault(const grad_error *error, const faulty *expected, size_t offset)
{
    char pointer[GRAD_POINTER_SIZE];

    snprintf(pointer, sizeof pointer, "/layers/1/input%s", expected->indices);
    assert_int_equal(error->status, GRAD_INVALID);
    assert_string_equal(error->code, expected->code);
    assert_string_equal(error->pointer, pointer);
    assert_string_equal(error->detail, expected->detail);
    assert_int_equal(error->offset, offset);
}

/* The layers on both sides are read, and nothing but the name of the faulty one. */
static void assert_marked(const wire_outcome *o, const faulty *expected, size_t offset)
{
    const grad_layer *layers = o->batch->layers;

    assert_int_equal(o->batch->layer_count, 3);
    assert_string_equal(layers[1].name, "bad");
    assert_null(layers[1].input.data);
    assert_fault(layers[1].error, expected, offset);
    for (size_t i = 0; i < 3; i += 2) {
        assert_null(layers[i].error);
        assert_int_equal(layers[i].input.rank, 1);
        assert_int_equal(layers[i].input.shape[0], 1);
        assert_true(*(float *)layers[i].input.data == 7);
    }
}

static void check_fault(const faulty *expected, bool continues)
{
    size_t offset;
    grad_text t;

    grad_text_init(&t, 1 << 12);
    grad_text_printf(&t, "{\"layers\":[%s,{\"activation\":\"relu\",\"input\":", GOOD);
    offset = t.length + (size_t)(strchr(expected->input, '@') - expected->input);
    write_input(&t, expected->input);
    grad_text_printf(&t, ",\"name\":\"bad\"},%s]%s}", GOOD,
                     continues ? ",\"on_error\":\"continue\"" : "");
    for (size_t cut = 0; cut <= t.length; cut++) {
        wire_outcome o = wire_decode(t.data, t.length, cut, NULL);

        assert_int_equal(o.status, continues ? GRAD_OK : GRAD_INVALID);
        if (continues)
            assert_marked(&o, expected, offset);
        else
            assert_fault(&o.error, expected, offset);
        grad_decoder_destroy(o.decoder);
    }
    grad_text_free(&t);
}

static void test_faults_of_the_request(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        check_fault(&faults[i], false);
}

static void test_faults_of_a_layer(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        check_fault(&faults[i], true);
}

/* Of several faults the first in the order of the document is told; data is as good as an input. */
static const refusal orders[] = {
    {REQUEST(LAYER("[1,@null]") "," LAYER("[[1],2]")), GRAD_INVALID, "unexpected_type",
     "/layers/0/input/1", "=" DEAR_NULL},
    {REQUEST("{\"activation\":@\"rleu\",\"input\":[1,null]}"), GRAD_INVALID, "unknown_name",
     "/layers/0/activation", "did you mean \"relu\"?"},
    {REQUEST(LAYER("{\"shape\":[2],\"data\":[1,@{}]}")), GRAD_INVALID, "unexpected_type",
     "/layers/0/input/data/1", "=expected a number, found an object" TYPED_ARRAY},
    {REQUEST("{\"activation\":{\"name\":\"prelu\",\"slope\":[1,@[2]]}}"), GRAD_INVALID,
     "ragged_array", "/layers/0/activation/slope/1",
     "=expected a number as before, found an array"},
    {REQUEST(GOOD ",{\"inptu\":@[1,null]}"), GRAD_INVALID, "unknown_field", "/layers/1/inptu",
     "did you mean \"input\"?"},
};

REFUSES(orders, WIRE_GRADIENTS, GRAD_FP32)

/* ---- Behind a fault -------------------------------------------------------------------------- */

#define BEHIND(rest) "{\"on_error\":\"continue\",\"layers\":[" GOOD "," LAYER("[null" rest) "]}"

/* It must be JSON. The pointer leads to the array, as its elements were not counted. */
static const refusal rests[] = {
    {BEHIND(",@]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected an element of the array, found ']'"},
    {BEHIND(" @1]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected a comma or a closing bracket, found '1'"},
    {BEHIND(",[1@}]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected a comma or a closing bracket, found '}'"},
    {BEHIND(",[@}]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected an element of the array, found '}'"},
    {BEHIND(",@NaN]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input", "JSON has no NaN"},
    {BEHIND(",@nul]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected an element of the array, found nul"},
    {BEHIND(",@nullify]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected an element of the array, found nullify"},
    {BEHIND(",0@1]"), GRAD_MALFORMED, "malformed_number", "/layers/1/input",
     "=expected an element of the array, found 01; JSON writes 1"},
    {BEHIND(",1.5@.2]"), GRAD_MALFORMED, "malformed_number", "/layers/1/input",
     "=expected an element of the array, found 1.5.2"},
    {BEHIND(",-@]"), GRAD_MALFORMED, "malformed_number", "/layers/1/input", "found -"},
    {BEHIND(",\"a@\n\"]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "no control character in a string"},
    {BEHIND(",\"\\x\"]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected an escape such as \\n, \\\" or \\u00e9, found 'x'"},
    {BEHIND(",\"\xC3\"]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected UTF-8, found byte 0xC3"},
    {BEHIND(",{\"a\":[1,{\"b\":@x}]}]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected a JSON value, found x"},
    {BEHIND(",{\"a\" 1}]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected ':' behind the name of a field, found '1'"},
    {BEHIND(",{}@}]"), GRAD_MALFORMED, "malformed_json", "/layers/1/input",
     "=expected a comma or a closing bracket, found '}'"},
    {"{\"layers\":[{\"input\":[null,\"abc@", GRAD_MALFORMED, "malformed_json", "/layers/0/input",
     "the document ends inside a string"},
    {"{\"layers\":[{\"input\":[null,12@", GRAD_MALFORMED, "malformed_json", "/layers/0/input",
     "the document ends before it is closed"},
    {"{\"layers\":[{\"input\":[null,{\"a\":1}@", GRAD_MALFORMED, "malformed_json",
     "/layers/0/input", "the document ends before it is closed"},
};

REFUSES(rests, WIRE_GRADIENTS, GRAD_FP32)

/* What is dropped may be of any length: it is held against no limit, and takes no memory. */
static void check_long_rest(const char *element)
{
    enum { COUNT = 100000 };
    static const grad_wire_limits limits = {
        .size = sizeof limits, .max_numbers = 2, .max_envelope = 200};
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    size_t before;

    assert_int_equal(grad_decoder_create(&limits, GRAD_FP32, 0, &decoder, NULL), GRAD_OK);
#define PUSH(text) assert_int_equal(grad_decoder_push(decoder, text, strlen(text), NULL), GRAD_OK)
    PUSH("{\"on_error\":\"continue\",\"layers\":[{\"activation\":\"relu\",\"input\":[0.5,null ");
    before = grad_decoder_memory(decoder);
    for (size_t i = 0; i < COUNT; i++)
        PUSH(element);
    assert_int_equal(grad_decoder_memory(decoder), before);
    PUSH("]},{\"activation\":\"relu\",\"input\":[1,2]}]}");
#undef PUSH
    assert_int_equal(grad_decoder_finish_request(decoder, GRAD_REQUEST_GRADIENTS, &batch, NULL),
                     GRAD_OK);
    assert_string_equal(batch->layers[0].error->pointer, "/layers/0/input/1");
    assert_true(((float *)batch->layers[1].input.data)[1] == 2);
    grad_decoder_destroy(decoder);
}

static void test_long_rests(void **unused)
{
    (void)unused;
    check_long_rest(",1.25");
    check_long_rest(", null");
    check_long_rest(",\"0.5\" ");
    check_long_rest(",[1e999,[],\"a\"]");
}

/* Limits hold there, too: one more bracket than there may be, one more byte of the envelope, the
 * longest number. */
static void check_limit(const char *rest, const char *limit, size_t before)
{
    static const char head[] = "{\"layers\":[{\"activation\":\"relu\",\"input\":[null,";
    const grad_wire_limits limits = {.size = sizeof limits, .max_depth = 6, .max_envelope = 80};
    char text[2000];

    snprintf(text, sizeof text, "%s%s]}]}", head, rest);
    for (size_t cut = 0; cut < 9; cut++) {
        wire_outcome o = wire_decode(text, strlen(text), cut, &limits);

        assert_int_equal(o.status, GRAD_TOO_LARGE);
        assert_string_equal(o.error.limit_name, limit);
        assert_int_equal(o.error.offset, sizeof head - 1 + before);
        grad_decoder_destroy(o.decoder);
    }
}

static void test_limits_behind_a_fault(void **unused)
{
    char number[GRAD_NUMBER_TEXT_MAX + 2];

    (void)unused;
    memset(number, '1', sizeof number);
    number[sizeof number - 1] = '\0';
    check_limit("[[[]]]", "max_depth", 2);
    check_limit("{\"a\":{\"b\":{}}}", "max_depth", 10);
    check_limit("{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}", "max_envelope",
                34);
    check_limit(number, "max_number_text", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_places_in_checks),
        cmocka_unit_test(test_places_in_networks),
        cmocka_unit_test(test_faults_of_the_request),
        cmocka_unit_test(test_faults_of_a_layer),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_long_rests),
        cmocka_unit_test(test_limits_behind_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
