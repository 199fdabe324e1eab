/* What a request may say, and every error that reading one ends in: its code, pointer, byte and
 * words, however the document is cut. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_oracle.h"

/* A document with '@' where the error's byte is, and the error. */
typedef struct refusal {
    const char *document;
    grad_status status;
    const char *code;
    const char *pointer;
    const char *detail; /* a part of it */
} refusal;

#define LAYER(members) "{\"layers\":[{\"activation\":\"relu\"," members "}]}"
#define INPUT(array) LAYER("\"input\":" array)

static const refusal malformed[] = {
    {"@", GRAD_MALFORMED, "malformed_json", "", "ends before its first value"},
    {" \n\t @", GRAD_MALFORMED, "malformed_json", "", "ends before its first value"},
    {"{\"layers\": [@", GRAD_MALFORMED, "malformed_json", "/layers", "ends before it is closed"},
    {"{\"layers\": [@}", GRAD_MALFORMED, "malformed_json", "/layers/0",
     "']' to close the array, found '}'"},
    {"{\"id\": \"a\"@]", GRAD_MALFORMED, "malformed_json", "/id",
     "'}' to close the object, found ']'"},
    {"{\"id@", GRAD_MALFORMED, "malformed_json", "", "ends inside a string"},
    {"{\"id\":[1,@", GRAD_MALFORMED, "malformed_json", "/id/1", "inside an array of numbers"},
    {"{\"id\": @NaN}", GRAD_MALFORMED, "malformed_json", "/id", "JSON has no NaN"},
    {"{\"id\": \"a@\nb\"}", GRAD_MALFORMED, "malformed_json", "/id", "control character"},
    {"{}@]", GRAD_MALFORMED, "malformed_json", "", "found ']'"},
    {"{} @x", GRAD_MALFORMED, "malformed_json", "", "the end of the document, found 'x'"},
    {"{}   @{}", GRAD_MALFORMED, "malformed_json", "", "end of file expected"},
    {"{\"id\"   @1}", GRAD_MALFORMED, "malformed_json", "/id", "':' expected"},
    {"{\"id\":  @01}", GRAD_MALFORMED, "malformed_json", "/id", ""},
    {"{\"id\":\"a\",@}", GRAD_MALFORMED, "malformed_json", "", "string or '}' expected"},
    {"@\xEF\xBB\xBF{}", GRAD_MALFORMED, "malformed_json", "", "0xEF"},
    {INPUT("[1 @2]"), GRAD_MALFORMED, "malformed_json", "/layers/0/input/1", "comma"},
    {INPUT("[1,@]"), GRAD_MALFORMED, "malformed_json", "/layers/0/input/1", "behind the comma"},
    {INPUT("[[1], @}"), GRAD_MALFORMED, "malformed_json", "/layers/0/input/1", "found '}'"},
    {INPUT("[1, @NaN]"), GRAD_MALFORMED, "malformed_json", "/layers/0/input/1", "JSON has no NaN"},
    {INPUT("[1, @\xC3]"), GRAD_MALFORMED, "malformed_json", "/layers/0/input/1", "0xC3"},
    {INPUT("[[1, 0@1]]"), GRAD_MALFORMED, "malformed_number", "/layers/0/input/0/1", "found 01"},
    {INPUT("[1, 5.@]"), GRAD_MALFORMED, "malformed_number", "/layers/0/input/1", "found 5."},
    {INPUT("[-@Infinity]"), GRAD_MALFORMED, "malformed_number", "/layers/0/input/0", "found -"},
};

static const refusal invalid[] = {
    {"@3", GRAD_INVALID, "unexpected_type", "", "expected an object, found a number"},
    {" @[[1]]", GRAD_INVALID, "unexpected_type", "", "expected an object, found an array of num"},
    {"@{}", GRAD_INVALID, "missing_field", "", "expected a field \"layers\""},
    {"{\"layers\": @3}", GRAD_INVALID, "unexpected_type", "/layers", "an array of layers"},
    {"{\"layers\": @[[0]]}", GRAD_INVALID, "unexpected_type", "/layers", "found an array of numb"},
    {"{\"layers\": @[]}", GRAD_INVALID, "empty_batch", "/layers", "at least one layer"},
    {"{\"layers\": [@{}]}", GRAD_INVALID, "missing_field", "/layers/0", "a field \"activation\""},
    {"{\"layers\": [[], {}]}", GRAD_INVALID, "unexpected_type", "/layers/0", "a layer"},
    {LAYER("\"inptu\":@[1]"), GRAD_INVALID, "unknown_field", "/layers/0/inptu", "mean \"input\"?"},
    {LAYER("\"a~b/c\": @1"), GRAD_INVALID, "unknown_field", "/layers/0/a~0b~1c", "expected one of"},
    {"{\"id\":\"a\",   @\"\\u0069d\":\"b\"}", GRAD_INVALID, "duplicate_field", "/id", "once"},
    {"{\"id\":\"\\u0000@\"}", GRAD_INVALID, "unsupported_value", "/id", "u0000"},
    {"{\"id\": @7,\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/id", "expected a string"},
    {"{\"reduction\": @\"none\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/reduction",
     "expected \"sum\" or \"mean\", found \"none\""},
    {"{\"scale\": 1e40@0,\"layers\":[{}]}", GRAD_INVALID, "number_out_of_range", "/scale",
     "double"},
    {"{\"scale\": @\"1\",\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/scale", "a number"},
    {"{\"outputs\": @[],\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/outputs", "one"},
    {"{\"outputs\": @[1],\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/outputs", "names"},
    {"{\"outputs\": [\"bias_delta\", @\"bias_delta\"],\"layers\":[{}]}", GRAD_INVALID,
     "unsupported_value", "/outputs/1", "once"},
    {"{\"outputs\": [@\"bias\"],\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/outputs/0",
     "\"weight_delta\" or \"bias_delta\" or \"grad_input\", found \"bias\""},
    {"{\"encoding\": @\"base64\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/encoding",
     "expected \"json\""},
    {"{\"on_error\": @\"continue\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value",
     "/on_error", "expected \"abort\""},
    {"{\"statistics\": @true,\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/statistics",
     "expected false"},
    {"{\"statistics\": @0,\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/statistics",
     "true or false"},
    {"{\"non_finite\": @\"keep\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value",
     "/non_finite", "\"reject\" or \"allow\""},
};

static const refusal activations[] = {
    {"{\"layers\":[{\"activation\": @\"rleu\"}]}", GRAD_INVALID, "unknown_name",
     "/layers/0/activation", "did you mean \"relu\"?"},
    {"{\"layers\":[{\"activation\": @3}]}", GRAD_INVALID, "unexpected_type", "/layers/0/activation",
     "a name or an object"},
    {"{\"layers\":[{\"activation\": @{}}]}", GRAD_INVALID, "missing_field", "/layers/0/activation",
     "a field \"name\""},
    {"{\"layers\":[{\"activation\": {\"name\": @null}}]}", GRAD_INVALID, "unexpected_type",
     "/layers/0/activation/name", "found null"},
    {"{\"layers\":[{\"activation\": {\"slope\": @1, \"name\": \"leaky_relu\"}}]}", GRAD_INVALID,
     "unknown_field", "/layers/0/activation/slope", "one of name, negative_slope"},
    {"{\"layers\":[{\"activation\": {\"name\": \"leaky_relu\", \"negative_slope\": @\"1\"}}]}",
     GRAD_INVALID, "unexpected_type", "/layers/0/activation/negative_slope", "a number"},
    {"{\"layers\":[{\"activation\": {\"name\": \"leaky_relu\", \"negative_slope\": @1e39}}]}",
     GRAD_INVALID, "number_out_of_range", "/layers/0/activation/negative_slope", "float32"},
};

static const refusal tensors[] = {
    {INPUT("@\"x\""), GRAD_INVALID, "unexpected_type", "/layers/0/input", "found a string"},
    {INPUT("@[]"), GRAD_INVALID, "empty_tensor", "/layers/0/input", "an empty array"},
    {INPUT("@[[], []]"), GRAD_INVALID, "empty_tensor", "/layers/0/input", "an empty array"},
    {INPUT("[@\"a\"]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/0", "found a string"},
    {INPUT("[[@null, 1]]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/0/0",
     "spelled \"NaN\""},
    {INPUT("[@true]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/0",
     "a number, found true"},
    {INPUT("@[[[[1]]]]"), GRAD_INVALID, "unexpected_type", "/layers/0/input", "3 dimensions"},
    {INPUT("[[1,2], [3,4], @[5]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/2",
     "row 2 has 1 elements, the first has 2"},
    {INPUT("[[1], @[]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "row 1 has 0"},
    {INPUT("[[[1],[2]], @[[3]]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "row 1"},
    {INPUT("[[1], @2]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "found a number"},
    {INPUT("[1, @[2]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "found an array"},
    {INPUT("[1, @null]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/1",
     "found null; if it"},
    {INPUT("[[1, @{}]]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/0/1", "an object"},
    {INPUT("[1, @\"Nan\"]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/1", "\"NaN\""},
    {INPUT("[1, @-3.5e38]"), GRAD_INVALID, "number_out_of_range", "/layers/0/input/1", "-3.5e38"},
    {INPUT("@{\"shape\":[2]}"), GRAD_INVALID, "missing_field", "/layers/0/input", "\"data\""},
    {INPUT("@{\"data\":[2]}"), GRAD_INVALID, "missing_field", "/layers/0/input", "\"shape\""},
    {INPUT("@{\"shape\":[2,3],\"data\":[1,2,3]}"), GRAD_INVALID, "shape_mismatch",
     "/layers/0/input", "expected data of shape [2, 3], found [3]"},
    {INPUT("@{\"shape\":[1,4],\"data\":[[1,2],[3,4]]}"), GRAD_INVALID, "shape_mismatch",
     "/layers/0/input", "expected data of shape [1, 4], found [2, 2]"},
    {INPUT("@{\"shape\":[9007199254740992,2048,2],\"data\":[1]}"), GRAD_INVALID, "shape_mismatch",
     "/layers/0/input", "found [1]"},
    {INPUT("{\"shape\":@[],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/shape", "1 to 3 dimensions, found 0"},
    {INPUT("{\"shape\":[@-1],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/shape/0", "found -1"},
    {INPUT("{\"shape\":[1, @1.5],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/shape/1", "found 1.5"},
    {INPUT("{\"shape\":[@[7]],\"data\":[1]}"), GRAD_INVALID, "unexpected_type",
     "/layers/0/input/shape/0", "an integer"},
    {INPUT("{\"sh\\u0061pe\":@[1.5],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/shape", "found 1.5"},
    {INPUT("{\"datatype\":@\"FP64\",\"shape\":[1],\"data\":[1]}"), GRAD_INVALID,
     "unsupported_value", "/layers/0/input/datatype", "expected \"FP32\""},
    {INPUT("{\"base64\":@\"AAAA\",\"shape\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/base64", "expected \"data\""},
};

static void assert_refused(const refusal *expected)
{
    static const size_t cuts[] = {0, 1, 2, 3, 7};
    char text[512];
    const char *mark = strchr(expected->document, '@');
    size_t before = mark != NULL ? (size_t)(mark - expected->document) : 0;

    memcpy(text, expected->document, before);
    strcpy(text + before, expected->document + before + (mark != NULL ? 1 : 0));
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        wire_outcome o = wire_decode(text, strlen(text), cuts[i], NULL);

        if (o.status != expected->status || strcmp(o.error.code, expected->code) != 0 ||
            strcmp(o.error.pointer, expected->pointer) != 0 ||
            strstr(o.error.detail, expected->detail) == NULL ||
            (mark != NULL && o.error.offset != (int64_t)before))
            fail_msg("%s\n  found %d %s at \"%s\", byte %lld: %s", expected->document, o.status,
                     o.error.code, o.error.pointer, (long long)o.error.offset, o.error.detail);
        grad_decoder_destroy(o.decoder);
    }
}

#define REFUSES(table)                                                                             \
    static void test_##table(void **unused)                                                        \
    {                                                                                              \
        (void)unused;                                                                              \
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)                                  \
            assert_refused(&table[i]);                                                             \
    }

REFUSES(malformed)
REFUSES(invalid)
REFUSES(activations)
REFUSES(tensors)

static void test_every_field(void **unused)
{
    static const char text[] =
        "{\"id\": \"s\\u00e9\", \"reduction\": \"mean\", \"scale\": -1e-2, \"encoding\": \"json\","
        "\"outputs\": [\"grad_input\", \"bias_delta\"], \"non_finite\": \"allow\","
        "\"on_error\": \"abort\", \"statistics\": false, \"layers\": [{\"name\": \"\","
        "\"activation\": {\"name\": \"leaky_relu\", \"negative_slope\": 0.25},"
        "\"input\": [[1, -0.0], [\"NaN\", 3e-46]], \"weight\": {\"shape\": [2.0, 1, 2],"
        "\"data\": [1, 2, \"-Infinity\", 16777217.0000000000000000001]},"
        "\"grad_output\": [5]}]}";
    wire_outcome o = wire_decode(text, sizeof text - 1, 0, NULL);
    const grad_layer *layer;

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    layer = &o.batch->layers[0];
    assert_string_equal(o.batch->id, "s\xC3\xA9");
    assert_int_equal(o.batch->reduction, GRAD_MEAN);
    assert_true(o.batch->scale == -0.01);
    assert_int_equal(o.batch->outputs, GRAD_OUTPUT_GRAD_INPUT | GRAD_OUTPUT_BIAS_DELTA);
    assert_int_equal(o.batch->non_finite, GRAD_ALLOW_NON_FINITE);
    assert_true(o.batch->overwrite_grad_output);
    assert_int_equal(o.batch->layer_count, 1);
    assert_string_equal(layer->name, "");
    assert_int_equal(layer->activation.kind, GRAD_LEAKY_RELU);
    assert_true(layer->activation.parameters[0] == 0.25f);
    assert_int_equal(layer->input.rank, 2);
    assert_true(signbit(layer->input.data[1]) != 0 && isnan(layer->input.data[2]));
    assert_true(layer->input.data[3] == 0);
    assert_null(layer->pre_activation.data);
    assert_int_equal(layer->weight.rank, 3);
    assert_int_equal(layer->weight.shape[0], 2);
    assert_int_equal(layer->weight.shape[2], 2);
    assert_true(isinf(layer->weight.data[2]) && layer->weight.data[3] == 16777218.0f);
    assert_int_equal(layer->grad_output.rank, 1);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/grad_output"),
                     strstr(text, "[5]") - text);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/input/1/0"),
                     strstr(text, "[[1, -0.0]") - text);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/pre_activation"),
                     GRAD_OFFSET_UNKNOWN);
    assert_int_equal(grad_decoder_locate(o.decoder, "/id/0"), GRAD_OFFSET_UNKNOWN);
    grad_decoder_destroy(o.decoder);
}

static void test_defaults(void **unused)
{
    static const char text[] = LAYER("\"input\":[1]");
    wire_outcome o = wire_decode(text, sizeof text - 1, 0, NULL);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_null(o.batch->id);
    assert_null(o.batch->layers[0].name);
    assert_true(o.batch->scale == 1.0);
    assert_int_equal(o.batch->reduction, GRAD_SUM);
    assert_int_equal(o.batch->outputs, 0);
    assert_int_equal(o.batch->non_finite, GRAD_REJECT_NON_FINITE);
    grad_decoder_destroy(o.decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),   cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_activations), cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_every_field), cmocka_unit_test(test_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
