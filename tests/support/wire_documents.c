/* Documents made at random: what the oracle's test feeds the decoder with. */
#include "support/wire_documents.h"

#include <stdio.h>
#include <string.h>

static uint64_t state;
static bool has_faults;
static bool has_flags; /* in the tensor being made: true and false stand for numbers */

void wire_seed(uint64_t seed, bool faults)
{
    state = seed;
    has_faults = faults;
}

/* By xorshift64*. */
unsigned wire_pick(unsigned n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (unsigned)((state * 2685821657736338717u) >> 33) % n;
}

static const char *one_of(const char *const *texts, unsigned count)
{
    return texts[wire_pick(count)];
}

#define ONE_OF(...)                                                                                \
    one_of((const char *const[]){__VA_ARGS__},                                                     \
           (unsigned)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

static void space(grad_text *t)
{
    if (wire_pick(8) == 0)
        grad_text_printf(t, "%s", ONE_OF(" ", "\n", "  ", "\r\n\t", "\t \n     "));
}

static void token(grad_text *t, const char *text)
{
    space(t);
    grad_text_add(t, text, strlen(text));
    space(t);
}

static void number(grad_text *t)
{
    double value = (double)(int)(wire_pick(2000001) - 1000000) / (1 + wire_pick(1000));

    space(t);
    switch (wire_pick(8)) {
    case 0:
        grad_text_printf(t, "%d", (int)wire_pick(2000) - 1000);
        break;
    case 1:
        grad_text_printf(t, "%.9e", value);
        break;
    case 2:
        grad_text_printf(t, "%.*f", (int)wire_pick(30), value);
        break;
    case 3:
        grad_text_printf(t, "%s",
                         ONE_OF("0", "-0", "-0.0", "1E5", "1e+2", "3.4028235e38", "1e-46",
                                "7.0064923216240861e-46", "16777217.0000000000000000001",
                                "1.00000017881393421514957253748434595763683319091796875"));
        break;
    default:
        grad_text_printf(t, "%.9g", value * (wire_pick(4) == 0 ? 1e-20 : 1));
    }
    space(t);
}

static void leaf(grad_text *t)
{
    if (has_faults && wire_pick(25) == 0)
        token(t, ONE_OF("null", "true", "{}", "{\"shape\" :[2,[3]], \"a\":[1,{\"b\":[[]]}, 4]}",
                        "\"a b\"", "\"\\u00e9\"", "\"[\xC3\xA9\"", "\"Na\"", "[]", "[1]",
                        "[[[[2]]]]", "1e39", "-1e999", "[\"shape\",1]"));
    else if (wire_pick(60) == 0)
        token(t, ONE_OF("\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "\"-nan\"", "\"+inf\"",
                        "\"-Inf\"", "\"INFINITY\""));
    else if (has_flags && wire_pick(4) == 0)
        token(t, ONE_OF("true", "false"));
    else
        number(t);
}

static void numbers(grad_text *t, const unsigned *shape, unsigned rank)
{
    token(t, "[");
    for (unsigned i = 0; i < shape[0]; i++) {
        if (i > 0)
            token(t, ",");
        if (rank > 1)
            numbers(t, shape + 1, rank - 1);
        else
            leaf(t);
    }
    token(t, "]");
}

static void shape_member(grad_text *t, const unsigned *shape, unsigned rank)
{
    token(t, ONE_OF("\"shape\"", "\"shape\"", "\"sizes\"", "\"\\u0073izes\""));
    token(t, ":");
    for (unsigned i = 0; i < rank; i++) {
        token(t, i > 0 ? "," : "[");
        grad_text_printf(t, "%u", shape[i]);
    }
    token(t, "]");
}

/* The last one is refused where the document is read as floats. */
static const char *const byte_datatypes[] = {"FP32", "FP16", "BF16", "FP64"};

static void base64_text(grad_text *t, size_t bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t characters = (bytes * 8 + 5) / 6;

    for (size_t i = 0; i < characters; i++) {
        unsigned letter = wire_pick(64);

        if (i + 1 == characters)
            letter &= bytes % 3 == 1 ? 0x30 : bytes % 3 == 2 ? 0x3C : 0x3F;
        if (wire_pick(30) == 0)
            grad_text_printf(t, letter == 63 ? "\\/" : "\\u00%02x", (unsigned)letters[letter]);
        else
            grad_text_printf(t, "%c", letters[letter]);
    }
    grad_text_printf(t, "%s", bytes % 3 == 1 ? "==" : bytes % 3 == 2 ? "=" : "");
}

/* A tensor in base64, its members in any order. */
static void tensor_of_bytes(grad_text *t, const unsigned *shape, unsigned rank, unsigned count)
{
    unsigned which = wire_pick(12) == 0 ? 3 : wire_pick(3);
    size_t size = which == 0 ? 4 : which == 3 ? 8 : 2;
    unsigned first = wire_pick(3);

    token(t, "{");
    for (unsigned i = 0; i < 3; i++) {
        unsigned member = (first + i) % 3;

        if (i > 0)
            token(t, ",");
        if (member == 0)
            shape_member(t, shape, rank);
        else if (member == 1)
            grad_text_printf(t, "\"datatype\":\"%s\"", byte_datatypes[which]);
        else
            token(t, ONE_OF("\"base64\" :", "\"base64\":", "\"b\\u0061se64\":"));
        if (member == 2) {
            grad_text_printf(t, "\"");
            base64_text(t, count * size);
            grad_text_printf(t, "\"");
        }
    }
    token(t, "}");
}

static void tensor(grad_text *t)
{
    unsigned rank = 1 + wire_pick(3);
    unsigned shape[3] = {1 + wire_pick(4), 1 + wire_pick(4), 1 + wire_pick(4)};
    unsigned count = shape[0] * (rank > 1 ? shape[1] : 1) * (rank > 2 ? shape[2] : 1);
    bool flat = wire_pick(2) == 0;
    bool shape_first = wire_pick(2) == 0;

    if (wire_pick(3) > 0) {
        numbers(t, shape, rank);
        return;
    }
    if (wire_pick(3) == 0) {
        tensor_of_bytes(t, shape, rank, count);
        return;
    }
    token(t, "{");
    if (shape_first) {
        shape_member(t, shape, rank);
        token(t, ",");
    }
    token(t, wire_pick(2) == 0 ? "\"data\":" : "\"data\" :");
    numbers(t, flat ? &count : shape, flat ? 1 : rank);
    if (!shape_first) {
        token(t, ",");
        shape_member(t, shape, rank);
    }
    token(t, "}");
}

/* One whose numbers may be flags. */
static void tensor_of_flags(grad_text *t)
{
    has_flags = true;
    tensor(t);
    has_flags = false;
}

/* A member that is a tensor, mostly. */
static void tensor_member(grad_text *t, const char *name)
{
    if (wire_pick(3) == 0)
        return;
    grad_text_printf(t, ", \"%s\"", name);
    token(t, ":");
    tensor(t);
}

/* A member whose rank is known, which a number alone may stand for; or null, for none. */
static void vector_member(grad_text *t, const char *name)
{
    if (wire_pick(3) > 0) {
        tensor_member(t, name);
        return;
    }
    grad_text_printf(t, ", \"%s\"", name);
    token(t, ":");
    if (wire_pick(3) == 0)
        token(t, "null");
    else if (wire_pick(3) == 0)
        token(t, ONE_OF("{\"data\":-1.5,\"shape\":[1,1]}", "{\"data\":[2,3], \"shape\":2}",
                        "{ \"shape\" : [],\"data\": 7 }"));
    else
        number(t);
}

static void members(grad_text *t, const char *const *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        tensor_member(t, names[i]);
}

#define MEMBERS(t, ...)                                                                            \
    members(t, (const char *const[]){__VA_ARGS__},                                                 \
            (unsigned)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

/* What only some kinds of layers have. */
static void kind_of_layer(grad_text *t)
{
    switch (wire_pick(4)) {
    case 0:
        token(t, ",\"type\":\"layer_norm\",\"epsilon\":1e-3");
        MEMBERS(t, "gain");
        vector_member(t, "shift");
        return;
    case 1:
        token(t, ", \"type\" :\"batch_norm\"");
        MEMBERS(t, "gain", "running_mean", "running_variance", "shift");
        return;
    case 2:
        token(t, ",\"type\":\"activation\"");
        return;
    default:
        MEMBERS(t, "weight");
        vector_member(t, "bias");
    }
}

static void layer(grad_text *t, wire_kind kind, unsigned index)
{
    token(t, "{");
    if (wire_pick(2) == 0)
        token(t, ONE_OF("\"name\":\"fc1\",", "\"n\\u0061me\":\"\\\"\\u00e9\\ud83d\\ude00/~\",",
                        "\"name\" : \"\xC3\xA9[1,2]{\", "));
    else
        grad_text_printf(t, "\"name\":\"layer %u\",", index);
    token(t, ONE_OF("\"activation\":\"relu\"", "\"activation\": {\"name\":\"elu\",\"alpha\":0.5}",
                    "\"activation\":{ \"negative_slope\" : 1e-2, \"name\" : \"leaky_relu\"}",
                    "\"activation\":{\"slope\":[0.1,0.2],\"name\":\"prelu\"}",
                    "\"activation\":{\"name\":\"prelu\",\"slope\":0.75}"));
    MEMBERS(t, "input", "pre_activation");
    kind_of_layer(t);
    if (kind == WIRE_GRADIENTS)
        tensor_member(t, "grad_output");
    if (kind == WIRE_CHECK)
        MEMBERS(t, "slope_delta", "grad_output");
    if (kind == WIRE_BACKPROP && wire_pick(3) == 0)
        token(t, index > 0 && wire_pick(2) == 0 ? ",\"residual\":\"layer 0\""
                                                : ",\"residual\":\"input\"");
    if (wire_pick(4) == 0) {
        token(t, ",\"dropout\":{\"rate\":0.5,\"mask\":");
        tensor_of_flags(t);
        token(t, "}");
    }
    token(t, "}");
}

static void network(grad_text *t)
{
    MEMBERS(t, "input");
    if (wire_pick(2) == 0) {
        token(t, ",\"grad_output\":");
        tensor(t);
        return;
    }
    token(
        t,
        ONE_OF(",\"loss\":{\"name\":\"cross_entropy\",\"label_smoothing\":0.1,\"target\":",
               ",\"loss\":{\"full\":true,\"log_input\":false, \"name\":\"poisson_nll\",\"target\":",
               ",\"loss\":{\"reduction\":\"none\",\"name\":\"m\\u0073e\",\"target\":"));
    tensor_of_flags(t);
    vector_member(t, "sample_weight");
    token(t, "}");
}

static void options(grad_text *t)
{
    token(t, ONE_OF("", "\"id\":\"step-417\",", "\"id\":\"\\u0000x\",", "\"id\":\"a\\/b\",",
                    "\"scale\":-0.01,", "\"scale\" : 12345678901234567890,",
                    "\"scale\":1,\"sc\\u0061le\":2,"));
    token(t, ONE_OF("", "\"reduction\":\"mean\",", "\"reduction\":\"none\","));
    token(t, ONE_OF("", "\"outputs\":[\"grad_input\",\"bias_delta\"],", "\"encoding\":\"json\",",
                    "\"encoding\":\"base64\",\"datatype\":\"BF16\","));
    token(t, ONE_OF("", "\"non_finite\":\"allow\",", "\"statistics\":true,"));
    token(t, ONE_OF("", "\"on_error\":\"continue\",", "\"clip\":{\"value\":0.5,\"global_norm\":1},",
                    "\"weight_decay\":{ \"l1\":1e-4},"));
}

void wire_make_request(grad_text *t, wire_kind kind)
{
    token(t, "{");
    options(t);
    if (kind == WIRE_CHECK)
        token(t, ONE_OF("", "\"check\":{\"samples\":3},",
                        "\"check\": {\"seed\":7,\"tolerance\":1e-3},"));
    token(t, "\"layers\":[");
    for (unsigned i = 0, count = 1 + wire_pick(3); i < count; i++) {
        grad_text_printf(t, i > 0 ? "," : "");
        layer(t, kind, i);
    }
    token(t, "]");
    if (kind == WIRE_BACKPROP)
        network(t);
    token(t, "}");
}

void wire_make_arbitrary(grad_text *t, unsigned depth)
{
    unsigned count = wire_pick(5);

    switch (depth > 5 ? wire_pick(3) : wire_pick(6)) {
    case 0:
        leaf(t);
        return;
    case 1:
        token(t, ONE_OF("\"\"", "\"shape\"", "\"Na\"", "\"\\u0022[\"", "\"-Infinit\"",
                        "\"x\xF0\x9F\x98\x80\""));
        return;
    case 2:
        token(t, ONE_OF("true", "false", "null", "[]", "{}", "[[]]", "[[0]]", "[[[[1]]]]"));
        return;
    case 3:
        token(t, "{");
        for (unsigned i = 0; i < count; i++) {
            grad_text_printf(t, "%s\"%s%u\"", i > 0 ? "," : "", ONE_OF("a", "shape\", \"b", "~/"),
                             wire_pick(8) == 0 ? 0 : i);
            token(t, ":");
            wire_make_arbitrary(t, depth + 1);
        }
        token(t, wire_pick(4) == 0 && count == 0 ? "\"shape\":[[7],3,[]]}" : "}");
        return;
    default:
        token(t, "[");
        for (unsigned i = 0; i < count; i++) {
            token(t, i > 0 ? "," : "");
            wire_make_arbitrary(t, depth + 1);
        }
        token(t, "]");
    }
}

size_t wire_mutate(char *text, size_t length)
{
    static const char bytes[] = "{}[],:\"\\ 0123456789.eE+-tfnNI\n\t\x01\xC3\xA9\xED\xA0\xFFsu";
    size_t at = length > 0 ? wire_pick((unsigned)length) : 0;
    size_t run = length > at ? wire_pick((unsigned)(length - at < 12 ? length - at : 12)) : 0;

    switch (length > 0 ? wire_pick(6) : 1) {
    case 0:
        text[at] = bytes[wire_pick(sizeof bytes)];
        return length;
    case 1:
        memmove(text + at + 1, text + at, length - at);
        text[at] = bytes[wire_pick(sizeof bytes)];
        return length + 1;
    case 2:
        memmove(text + at, text + at + run, length - at - run);
        return length - run;
    case 3:
        return at;
    case 4:
        memmove(text + at + run, text + at, length - at);
        return length + run;
    default:
        text[at] = (char)(text[at] ^ (1 << wire_pick(8)));
        return length;
    }
}
