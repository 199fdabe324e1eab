/* What a request may say, and every error that reading one ends in: its code, pointer, byte and
 * words, however the document is cut. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/refusals.h"

#define LAYER(members) "{\"layers\":[{\"activation\":\"relu\"," members "}]}"
#define INPUT(array) LAYER("\"input\":" array)

static const refusal malformed[] = {
    {"@", GRAD_MALFORMED, "malformed_json", "", "=expected a JSON document, found an empty body"},
    {" \n\t @", GRAD_MALFORMED, "malformed_json", "", "ends before its first value"},
    {"{\"layers\": [@", GRAD_MALFORMED, "malformed_json", "/layers/0", "ends before it is closed"},
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
    {"{}   @{}", GRAD_MALFORMED, "malformed_json", "",
     "=expected the end of the document, found '{'"},
    {"{\"id\"   @1}", GRAD_MALFORMED, "malformed_json", "/id",
     "=expected ':' behind the name of a field, found '1'"},
    {"{\"id\":  0@1}", GRAD_MALFORMED, "malformed_number", "/id",
     "=expected a JSON value, found 01; JSON writes 1"},
    {"{\"id\":\"a\",@}", GRAD_MALFORMED, "malformed_json", "",
     "=expected another field behind the comma, its name in double quotes, found '}'"},
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
    {"{\"layers\": @[]}", GRAD_INVALID, "empty_batch", "/layers", "at least one layer"},
    {"{\"layers\": [@{}]}", GRAD_INVALID, "missing_field", "/layers/0", "a field \"activation\""},
    {"{\"layers\": [[], {}]}", GRAD_INVALID, "unexpected_type", "/layers/0", "a layer"},
    {LAYER("\"inptu\":@[1]"), GRAD_INVALID, "unknown_field", "/layers/0/inptu", "mean \"input\"?"},
    {LAYER("\"a~b/c\": @1"), GRAD_INVALID, "unknown_field", "/layers/0/a~0b~1c", "expected one of"},
    {"{\"id\":\"a\",   @\"\\u0069d\":\"b\"}", GRAD_INVALID, "duplicate_field", "/id", "once"},
    {"{\"id\":\"\\u0000@\"}", GRAD_INVALID, "unsupported_value", "/id", "u0000"},
    {"{\"id\": @7,\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/id", "expected a string"},
    {"{\"reduction\": @\"max\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/reduction",
     "expected \"sum\" or \"mean\" or \"none\", found \"max\""},
    {"{\"scale\": 1e40@0,\"layers\":[{}]}", GRAD_INVALID, "number_out_of_range", "/scale",
     "double"},
    {"{\"scale\": @\"1\",\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/scale", "a number"},
    {"{\"outputs\": @[],\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/outputs", "one"},
    {"{\"outputs\": @3,\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/outputs", "names"},
    {"{\"outputs\": [@1],\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/outputs/0",
     "expected a string, found a number"},
    {"{\"outputs\": [\"bias_delta\", @\"bias_delta\"],\"layers\":[{}]}", GRAD_INVALID,
     "unsupported_value", "/outputs/1", "once"},
    {"{\"outputs\": [@\"bias\"],\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/outputs/0",
     "\"gain_delta\" or \"shift_delta\", found \"bias\""},
    {"{\"outputs\": [@\"predictions\"],\"layers\":[{}]}", GRAD_INVALID, "unsupported_value",
     "/outputs/0", "found \"predictions\""},
    {"{\"encoding\": @\"msgpack\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/encoding",
     "expected \"json\" or \"base64\" or \"binary\" or \"safetensors\""},
    {"{\"datatype\": @\"BF16\",\"layers\":[{\"activation\":\"relu\"}]}", GRAD_INVALID,
     "unsupported_value", "/datatype",
     "\"encoding\": \"base64\", \"binary\" or \"safetensors\" beside \"datatype\": \"BF16\""},
    {"{\"datatype\": @\"FP64\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/datatype",
     "?datatype=FP64 computes in it"},
    {"{\"datatype\": @\"FP8\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/datatype",
     "expected \"FP32\" or \"FP16\" or \"BF16\", found \"FP8\""},
    {"{\"on_error\": @\"stop\",\"layers\":[{}]}", GRAD_INVALID, "unsupported_value", "/on_error",
     "expected \"abort\" or \"continue\", found \"stop\""},
    {"{\"clip\": @1,\"layers\":[{}]}", GRAD_INVALID, "unexpected_type", "/clip", "an object"},
    {"{\"clip\": {\"value\": @0},\"layers\":[{}]}", GRAD_INVALID, "bad_parameter", "/clip/value",
     "above 0, found 0"},
    {"{\"clip\": {\"layer_norm\": @-1},\"layers\":[{}]}", GRAD_INVALID, "bad_parameter",
     "/clip/layer_norm", "above 0, found -1"},
    {"{\"clip\": {\"global_norm\": @\"1\"},\"layers\":[{}]}", GRAD_INVALID, "unexpected_type",
     "/clip/global_norm", "a number"},
    {"{\"clip\": {\"norm\": @1},\"layers\":[{}]}", GRAD_INVALID, "unknown_field", "/clip/norm",
     "expected one of value, layer_norm, global_norm"},
    {"{\"weight_decay\": {\"l3\": @1},\"layers\":[{}]}", GRAD_INVALID, "unknown_field",
     "/weight_decay/l3", "expected one of l1, l2"},
    {"{\"weight_decay\": {\"l2\": @true},\"layers\":[{}]}", GRAD_INVALID, "unexpected_type",
     "/weight_decay/l2", "a number, found true"},
    {"{\"loss\": @{},\"layers\":[{}]}", GRAD_INVALID, "unknown_field", "/loss",
     "it belongs to a network (POST /v1/backprop)"},
    {"{\"input\": @[1],\"layers\":[{}]}", GRAD_INVALID, "unknown_field", "/input",
     "it belongs to a network"},
    {"{\"grad_output\": @[1],\"layers\":[{}]}", GRAD_INVALID, "unknown_field", "/grad_output",
     "it belongs to a network"},
    {"{\"check\": @{},\"layers\":[{}]}", GRAD_INVALID, "unknown_field", "/check",
     "it belongs to a check (POST /v1/check)"},
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
    {"{\"layers\":[{\"activation\": @{\"name\": null}}]}", GRAD_INVALID, "missing_field",
     "/layers/0/activation", "=expected a field \"name\", found null, which stands for none"},
    {"{\"layers\":[{\"activation\": {\"slope\": @1, \"name\": \"leaky_relu\"}}]}", GRAD_INVALID,
     "unknown_field", "/layers/0/activation/slope", "did you mean \"negative_slope\"?"},
    {"{\"layers\":[{\"activation\": {\"name\": \"leaky_relu\", \"negative_slope\": @\"1\"}}]}",
     GRAD_INVALID, "unexpected_type", "/layers/0/activation/negative_slope", "a number"},
    {"{\"layers\":[{\"activation\": {\"name\": \"leaky_relu\", \"negative_slope\": @1e39}}]}",
     GRAD_INVALID, "number_out_of_range", "/layers/0/activation/negative_slope", "float32"},
    {"{\"layers\":[{\"activation\": {\"name\": \"leaky_relu\", \"slope\": @[1]}}]}", GRAD_INVALID,
     "unknown_field", "/layers/0/activation/slope", "unknown field \"slope\""},
    {"{\"layers\":[{\"activation\": {\"name\": \"prelu\", \"slope\": @true}}]}", GRAD_INVALID,
     "unexpected_type", "/layers/0/activation/slope", "a number or an array of numbers"},
    {"{\"layers\":[{\"activation\": {\"name\": \"prelu\", \"slope\": @[]}}]}", GRAD_INVALID,
     "empty_tensor", "/layers/0/activation/slope", "at least one"},
};

/* What one kind of layer has and the others have not. */
static const refusal layers[] = {
    {LAYER("\"type\": @\"conv\""), GRAD_INVALID, "unknown_name", "/layers/0/type",
     "unknown type of layer \"conv\", expected one of dense, activation, layer_norm, batch_norm, "
     "rms_norm, group_norm"},
    {LAYER("\"type\": @\"layer_nrom\""), GRAD_INVALID, "unknown_name", "/layers/0/type",
     "did you mean \"layer_norm\"?"},
    {LAYER("\"type\": @3"), GRAD_INVALID, "unexpected_type", "/layers/0/type", "type of layer"},
    {LAYER("\"gain\": @[1]"), GRAD_INVALID, "unknown_field", "/layers/0/gain",
     "it belongs to layers of type layer_norm, batch_norm, rms_norm and group_norm"},
    {LAYER("\"epsilon\": @1, \"type\": \"activation\""), GRAD_INVALID, "unknown_field",
     "/layers/0/epsilon",
     "it belongs to layers of type layer_norm, batch_norm, rms_norm and group_norm"},
    {LAYER("\"type\": \"layer_norm\", \"weight\": @[1]"), GRAD_INVALID, "unknown_field",
     "/layers/0/weight", "it belongs to layers of type dense"},
    {LAYER("\"type\": \"layer_norm\", \"running_mean\": @[1]"), GRAD_INVALID, "unknown_field",
     "/layers/0/running_mean", "it belongs to layers of type batch_norm"},
    {LAYER("\"type\": \"batch_norm\", \"momentum\": @1"), GRAD_INVALID, "unknown_field",
     "/layers/0/momentum", "unknown field \"momentum\", expected one of name, type, activation"},
    {LAYER("\"type\": \"batch_norm\", \"epsilon\": @[1]"), GRAD_INVALID, "unexpected_type",
     "/layers/0/epsilon", "a number"},
    {"{\"layers\":[@{\"type\": \"activation\"}]}", GRAD_INVALID, "missing_field", "/layers/0",
     "a field \"activation\""},
    {LAYER("\"residual\": @\"a\""), GRAD_INVALID, "unknown_field", "/layers/0/residual",
     "it belongs to a network"},
    {LAYER("\"weight_delta\": @[1]"), GRAD_INVALID, "unknown_field", "/layers/0/weight_delta",
     "it belongs to a check"},
    {LAYER("\"dropout\": @0.5"), GRAD_INVALID, "unexpected_type", "/layers/0/dropout", "an object"},
    {LAYER("\"dropout\": @{\"rate\": 0.5}"), GRAD_INVALID, "missing_field", "/layers/0/dropout",
     "\"mask\""},
    {LAYER("\"dropout\": @{\"mask\": [1]}"), GRAD_INVALID, "missing_field", "/layers/0/dropout",
     "\"rate\""},
    {LAYER("\"dropout\": {\"mask\": [1], \"rate\": @[1]}"), GRAD_INVALID, "unexpected_type",
     "/layers/0/dropout/rate", "a number"},
    {LAYER("\"dropout\": {\"mask\": [1], \"p\": @1}"), GRAD_INVALID, "unknown_field",
     "/layers/0/dropout/p", "did you mean \"rate\"?"},
};

static const refusal tensors[] = {
    {INPUT("@\"x\""), GRAD_INVALID, "unexpected_type", "/layers/0/input",
     "=expected an array of numbers or an object, found the string \"x\""},
    {INPUT("@[]"), GRAD_INVALID, "empty_tensor", "/layers/0/input", "an empty array"},
    {INPUT("@[[], []]"), GRAD_INVALID, "empty_tensor", "/layers/0/input", "an empty array"},
    {INPUT("[[@null, 1]]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/0/0",
     "spelled \"NaN\""},
    {INPUT("[@true]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/0",
     "a number, found true"},
    {INPUT("@[[[[[[1]]]]]]"), GRAD_INVALID, "unexpected_type", "/layers/0/input", "5 dimensions"},
    {INPUT("[[1,2], [3,4], @[5]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/2",
     "row 2 has 1 element, the first has 2"},
    {INPUT("[[1], @[]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "row 1 has 0"},
    {INPUT("[[[1],[2]], @[[3]]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "row 1"},
    {INPUT("[[1], @2]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "found a number"},
    {INPUT("[1, @[2]]"), GRAD_INVALID, "ragged_array", "/layers/0/input/1", "found an array"},
    {INPUT("[1, @null]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/1",
     "found null; if it"},
    {INPUT("[[1, @{}]]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/0/1", "an object"},
    {INPUT("[1, @\"Nana\"]"), GRAD_INVALID, "unexpected_type", "/layers/0/input/1", "\"Nana\""},
    {INPUT("[1, @-3.5e38]"), GRAD_INVALID, "number_out_of_range", "/layers/0/input/1", "-3.5e38"},
    {INPUT("@{\"shape\":[2]}"), GRAD_INVALID, "missing_field", "/layers/0/input", "\"data\""},
    {INPUT("@{\"data\":[2]}"), GRAD_INVALID, "missing_field", "/layers/0/input", "\"shape\""},
    {INPUT("@{\"shape\":[2,3],\"data\":[1,2,3]}"), GRAD_INVALID, "shape_mismatch",
     "/layers/0/input", "expected data of shape [2, 3], found [3]"},
    {INPUT("@{\"shape\":[1,4],\"data\":[[1,2],[3,4]]}"), GRAD_INVALID, "shape_mismatch",
     "/layers/0/input", "expected data of shape [1, 4], found [2, 2]"},
    {INPUT("@{\"shape\":[9007199254740992,2048,2],\"data\":[1]}"), GRAD_INVALID, "shape_mismatch",
     "/layers/0/input", "found [1]"},
    {INPUT("@{\"shape\":[],\"data\":[1]}"), GRAD_INVALID, "unexpected_type", "/layers/0/input",
     "a tensor of one is [5]"},
    {INPUT("{\"shape\":[@-1],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/shape/0", "found -1"},
    {INPUT("{\"shape\":[1, @1.5],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/shape/1", "found 1.5"},
    {INPUT("{\"shape\":[@[7]],\"data\":[1]}"), GRAD_INVALID, "unexpected_type",
     "/layers/0/input/shape/0", "an integer"},
    {INPUT("{\"sh\\u0061pe\":[@1.5],\"data\":[1]}"), GRAD_INVALID, "unsupported_value",
     "/layers/0/input/shape/0", "found 1.5"},
    {INPUT("{\"datatype\":@\"FP64\",\"shape\":[1],\"data\":[1]}"), GRAD_INVALID,
     "unsupported_value", "/layers/0/input/datatype", "?datatype=FP64 reads"},
};

static const refusal bytes[] = {
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"base64\":\"AAAA\",\"shape\":[1]}}]}",
     GRAD_INVALID, "missing_field", "/layers/0/input", "\"datatype\""},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"base64\":\"AAAA\",\"datatype\":\"FP32\"}}"
     "]}",
     GRAD_INVALID, "missing_field", "/layers/0/input", "\"shape\""},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"base64\":@7,\"shape\":[1],\"datatype\":"
     "\"FP32\"}}]}",
     GRAD_INVALID, "unexpected_type", "/layers/0/input/base64",
     "expected a string of base64, found a number"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"base64\":@true,\"shape\":[1],\"datatype\":"
     "\"FP32\"}}]}",
     GRAD_INVALID, "unexpected_type", "/layers/0/input/base64", "found true"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"base64\":@[1],\"shape\":[1],\"datatype\":"
     "\"FP32\"}}]}",
     GRAD_INVALID, "unexpected_type", "/layers/0/input/base64", "an array of numbers"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"base64\":\"AACAPw==\",\"data\":[1],"
     "\"shape\":[1],\"datatype\":\"FP32\"}}]}",
     GRAD_INVALID, "unsupported_value", "/layers/0/input",
     "expected either \"data\" or \"base64\", found both"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"base64\":\"AACAPw==\",\"shape\":[1],"
     "\"datatype\":\"FP32\",\"more\":@[1]}}]}",
     GRAD_INVALID, "unknown_field", "/layers/0/input/more", "more"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"datatype\":@\"BF16\",\"shape\":[1],"
     "\"data\":[1]}}]}",
     GRAD_INVALID, "unsupported_value", "/layers/0/input/datatype",
     "whose numbers come as \"base64\""},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"datatype\":@\"FP64\",\"shape\":[1],"
     "\"base64\":\"AAAAAAAA8D8=\"}}]}",
     GRAD_INVALID, "unsupported_value", "/layers/0/input/datatype", "?datatype=FP64 reads"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAAIEAAAIA/\"}}]}",
     GRAD_MALFORMED, "length_mismatch", "/layers/0/input",
     "=expected 8 bytes, which shape [1, 2] of FP32 takes, found 12"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAAIA==\"}}]}",
     GRAD_MALFORMED, "length_mismatch", "/layers/0/input", "found 7"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"shape\":[1,2],\"datatype\":\"BF16\","
     "\"base64\":\"gD8gQIA/\"}}]}",
     GRAD_MALFORMED, "length_mismatch", "/layers/0/input", "expected 4 bytes"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"shape\":[1,2],\"datatype\":\"FP16\","
     "\"base64\":\"\"}}]}",
     GRAD_MALFORMED, "length_mismatch", "/layers/0/input", "found 0"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":@{\"shape\":[9007199254740992,2048,2],"
     "\"datatype\":\"FP16\",\"base64\":\"AAAA\"}}]}",
     GRAD_MALFORMED, "length_mismatch", "/layers/0/input", "expected more bytes"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAAI@-A=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64",
     "found - of the URL-safe alphabet"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAA@_EA=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64",
     "found _ of the URL-safe alphabet"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAA@\\nIEA=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "a line break"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACA@\\r\\nPwAAIEA=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "a line break"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAP@\\u000aAAIEA=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "a line break"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAAIE@ A=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64",
     "expected a character of base64"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAAIE@\\u00e9=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64",
     "expected a character of base64"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAAIEA@\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "ends within one"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPw@\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "ends within one"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPw=@\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "ends within one"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPwAAIE@B=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "unused bits"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAP@x==\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "unused bits"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACA@=AAA\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "padding"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAP@===\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "padding"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPw==@AACAPw==\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "behind the padding"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPw==@=\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "behind the padding"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACAPw=@A\"}}]}",
     GRAD_MALFORMED, "malformed_base64", "/layers/0/input/base64", "behind the padding"},
    {"{\"layers\":[{\"activation\":\"relu\",\"input\":{\"shape\":[1,2],\"datatype\":\"FP32\","
     "\"base64\":\"AACA@\\xPw==\"}}]}",
     GRAD_MALFORMED, "malformed_json", "/layers/0/input/base64", "an escape"},
    {"{\"on_error\":\"continue\",\"layers\":[{\"activation\":\"relu\",\"input\":@{\"shape\":[2],"
     "\"datatype\":\"FP32\",\"base64\":\"AACAPw==\"}}]}",
     GRAD_MALFORMED, "length_mismatch", "/layers/0/input", "expected 8 bytes"},
};

REFUSES(malformed, WIRE_GRADIENTS, GRAD_FP32)
REFUSES(invalid, WIRE_GRADIENTS, GRAD_FP32)
REFUSES(activations, WIRE_GRADIENTS, GRAD_FP32)
REFUSES(layers, WIRE_GRADIENTS, GRAD_FP32)
REFUSES(tensors, WIRE_GRADIENTS, GRAD_FP32)
REFUSES(bytes, WIRE_GRADIENTS, GRAD_FP32)

static void test_every_option(void **unused)
{
    static const char text[] =
        "{\"id\": \"s\\u00e9\", \"reduction\": \"mean\", \"scale\": -1e-2, \"encoding\": \"json\","
        "\"outputs\": [\"grad_input\", \"shift_delta\", \"bias_delta\"], \"non_finite\": \"allow\","
        "\"on_error\": \"continue\", \"statistics\": true,"
        "\"clip\": {\"value\": 0.5, \"layer_norm\": 2, \"global_norm\": 3.5},"
        "\"weight_decay\": {\"l1\": 1e-4, \"l2\": 0}, \"layers\": [{\"activation\": \"relu\"}]}";
    wire_outcome o = wire_decode(text, sizeof text - 1, 0, NULL);

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_string_equal(o.batch->id, "s\xC3\xA9");
    assert_int_equal(o.batch->datatype, GRAD_FP32);
    assert_int_equal(o.batch->reduction, GRAD_MEAN);
    assert_true(o.batch->scale == -0.01);
    assert_int_equal(o.batch->outputs,
                     GRAD_OUTPUT_GRAD_INPUT | GRAD_OUTPUT_BIAS_DELTA | GRAD_OUTPUT_SHIFT_DELTA);
    assert_int_equal(o.batch->non_finite, GRAD_ALLOW_NON_FINITE);
    assert_true(o.batch->continue_on_error && o.batch->statistics);
    assert_true(o.batch->clip.value == 0.5 && o.batch->clip.layer_norm == 2);
    assert_true(o.batch->clip.global_norm == 3.5);
    assert_true(o.batch->weight_decay.l1 == 1e-4 && o.batch->weight_decay.l2 == 0);
    assert_true(o.batch->overwrite_grad_output);
    assert_null(o.batch->network);
    grad_decoder_destroy(o.decoder);
}

static void test_tensor_values(void **unused)
{
    static const char text[] =
        "{\"reduction\": \"none\", \"layers\": [{\"name\": \"\","
        "\"activation\": {\"name\": \"leaky_relu\", \"negative_slope\": 0.1},"
        "\"input\": [[1, -0.0], [\"NaN\", 3e-46]], \"weight\": {\"shape\": [2.0, 1, 2],"
        "\"data\": [1, 2, \"-Infinity\", 16777217.0000000000000000001]},"
        "\"grad_output\": [5]}]}";
    wire_outcome o = wire_decode(text, sizeof text - 1, 0, NULL);
    const grad_layer *layer;
    const float *x, *W;

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    assert_int_equal(o.batch->reduction, GRAD_PER_SAMPLE);
    assert_int_equal(o.batch->layer_count, 1);
    layer = &o.batch->layers[0];
    x = layer->input.data;
    W = layer->weight.data;
    assert_string_equal(layer->name, "");
    assert_int_equal(layer->activation.kind, GRAD_LEAKY_RELU);
    assert_true(layer->activation.parameters[0] == 0.1); /* not 0.1f */
    assert_int_equal(layer->input.rank, 2);
    assert_true(signbit(x[1]) != 0 && isnan(x[2]));
    assert_true(x[3] == 0);
    assert_null(layer->pre_activation.data);
    assert_int_equal(layer->weight.rank, 3);
    assert_int_equal(layer->weight.shape[0], 2);
    assert_int_equal(layer->weight.shape[2], 2);
    assert_true(isinf(W[2]) && W[3] == 16777218.0f);
    assert_int_equal(layer->grad_output.rank, 1);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/grad_output"),
                     strstr(text, "[5]") - text);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/input/1/0"),
                     strstr(text, "[[1, -0.0]") - text);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/weight/1/0/1"),
                     strstr(text, "{\"shape") - text);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/weight/data/3"),
                     strstr(text, "[1, 2, \"-Inf") - text);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/pre_activation"),
                     GRAD_OFFSET_UNKNOWN);
    assert_int_equal(grad_decoder_locate(o.decoder, "/layers/0/weight_delta/0/1"),
                     GRAD_OFFSET_UNKNOWN);
    assert_int_equal(grad_decoder_locate(o.decoder, "/reduction/0"), GRAD_OFFSET_UNKNOWN);
    grad_decoder_destroy(o.decoder);
}

/* Only an error of the document that has no place yet is given one. */
static void test_errors_are_located(void **unused)
{
    static const char text[] = "{\"layers\":[{\"name\":\"a\"}]}";
    wire_outcome o = wire_decode(text, sizeof text - 1, 0, NULL);
    const struct {
        grad_status status;
        int64_t offset, expected;
    } rows[] = {{GRAD_INVALID, GRAD_OFFSET_UNKNOWN, strstr(text, "{\"name") - text},
                {GRAD_TOO_LARGE, GRAD_OFFSET_UNKNOWN, strstr(text, "{\"name") - text},
                {GRAD_INVALID, 3, 3},
                {GRAD_OUT_OF_MEMORY, GRAD_OFFSET_UNKNOWN, GRAD_OFFSET_UNKNOWN},
                {GRAD_OK, GRAD_OFFSET_UNKNOWN, GRAD_OFFSET_UNKNOWN}};

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        grad_error error = GRAD_ERROR_INIT;

        error.status = rows[i].status;
        error.offset = rows[i].offset;
        strcpy(error.pointer, "/layers/0");
        grad_decoder_locate_error(o.decoder, &error);
        assert_int_equal(error.offset, rows[i].expected);
    }
    grad_decoder_destroy(o.decoder);
}

static float first(const grad_tensor *tensor)
{
    assert_non_null(tensor->data);
    return *(const float *)tensor->data;
}

static void test_kinds_of_layers(void **unused)
{
    static const char text[] =
        "{\"layers\": [{\"activation\": \"relu\", \"weight\": [[1]], \"bias\": [2],"
        "\"dropout\": {\"mask\": [3], \"rate\": 0.5}},"
        "{\"gain\": [4], \"shift\": [5], \"type\": \"layer_norm\"},"
        "{\"type\": \"batch_norm\", \"gain\": [6], \"shift\": [7], \"running_mean\": [8],"
        "\"running_variance\": [9], \"epsilon\": 1e-3, \"activation\": \"tanh\"},"
        "{\"type\": \"activation\", \"activation\": {\"slope\": 0.125, \"name\": \"prelu\"}},"
        "{\"type\": \"dense\", \"activation\": {\"name\": \"prelu\", \"slope\": [10, 11]}},"
        "{\"activation\": \"prelu\"}]}";
    wire_outcome o = wire_decode(text, sizeof text - 1, 0, NULL);
    const grad_layer *l;

    (void)unused;
    assert_int_equal(o.status, GRAD_OK);
    l = o.batch->layers;
    assert_int_equal(l[0].kind, GRAD_DENSE);
    assert_true(first(&l[0].weight) == 1 && first(&l[0].bias) == 2);
    assert_true(first(&l[0].dropout_mask) == 3 && l[0].dropout_rate == 0.5);
    assert_int_equal(l[1].kind, GRAD_LAYER_NORM);
    assert_int_equal(l[1].activation.kind, GRAD_IDENTITY);
    assert_true(first(&l[1].gain) == 4 && first(&l[1].shift) == 5);
    assert_true(l[1].epsilon == GRAD_DEFAULT_EPSILON && l[1].running_mean.data == NULL);
    assert_int_equal(l[2].kind, GRAD_BATCH_NORM);
    assert_int_equal(l[2].activation.kind, GRAD_TANH);
    assert_true(first(&l[2].gain) == 6 && first(&l[2].shift) == 7 && l[2].epsilon == 1e-3);
    assert_true(first(&l[2].running_mean) == 8 && first(&l[2].running_variance) == 9);
    assert_int_equal(l[3].kind, GRAD_ELEMENTS);
    assert_true(l[3].activation.parameters[0] == 0.125 && l[3].slope.data == NULL);
    assert_int_equal(l[4].kind, GRAD_DENSE);
    assert_true(first(&l[4].slope) == 10 && l[4].slope.shape[0] == 2);
    assert_true(l[5].activation.parameters[0] == 0.25 && l[5].slope.data == NULL);
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
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_tensor_values),
        cmocka_unit_test(test_kinds_of_layers),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_errors_are_located),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
