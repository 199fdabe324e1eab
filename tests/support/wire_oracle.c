/* Comparing the decoder with jansson's tree, by the most naive reading of it. */
#include "support/wire_oracle.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static uint32_t random_state = 12345;

static size_t random_cut(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return 1 + (random_state >> 24) % 40;
}

wire_outcome wire_decode(const char *text, size_t length, size_t cut,
                         const grad_wire_limits *limits)
{
    wire_outcome outcome = {.error = GRAD_ERROR_INIT};
    size_t done = 0;

    outcome.status =
        grad_decoder_create(limits, cut == 0 ? length : 0, &outcome.decoder, &outcome.error);
    while (outcome.status == GRAD_OK && done < length) {
        size_t piece = cut == 0 ? length : cut == WIRE_CUT_RANDOM ? random_cut() : cut;

        if (piece > length - done)
            piece = length - done;
        outcome.status = grad_decoder_push(outcome.decoder, text + done, piece, &outcome.error);
        done += piece;
    }
    if (outcome.status == GRAD_OK)
        outcome.status =
            grad_decoder_finish_request(outcome.decoder, &outcome.batch, &outcome.error);
    return outcome;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_tensor(const grad_tensor *a, const grad_tensor *b)
{
    size_t count = grad_tensor_count(a);

    return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
           (a->data == NULL) == (b->data == NULL) &&
           (a->data == NULL || memcmp(a->data, b->data, count * sizeof *a->data) == 0);
}

static bool same_layer(const grad_layer *a, const grad_layer *b)
{
    return same_text(a->name, b->name) && a->activation.kind == b->activation.kind &&
           memcmp(a->activation.parameters, b->activation.parameters,
                  sizeof a->activation.parameters) == 0 &&
           same_tensor(&a->input, &b->input) &&
           same_tensor(&a->pre_activation, &b->pre_activation) &&
           same_tensor(&a->grad_output, &b->grad_output) && same_tensor(&a->weight, &b->weight);
}

static const char *batches_differ(const grad_batch *a, const grad_batch *b)
{
    if (!same_text(a->id, b->id) || a->scale != b->scale || a->reduction != b->reduction ||
        a->outputs != b->outputs || a->non_finite != b->non_finite ||
        a->layer_count != b->layer_count)
        return "options differ";
    for (size_t i = 0; i < a->layer_count; i++)
        if (!same_layer(&a->layers[i], &b->layers[i]))
            return "a layer differs";
    return NULL;
}

const char *wire_outcomes_differ(const wire_outcome *a, const wire_outcome *b)
{
    if (a->status != b->status || a->error.status != b->error.status)
        return "status differs";
    if (strcmp(a->error.code, b->error.code) != 0)
        return "code differs";
    if (strcmp(a->error.pointer, b->error.pointer) != 0)
        return "pointer differs";
    if (strcmp(a->error.detail, b->error.detail) != 0)
        return "detail differs";
    if (a->error.offset != b->error.offset || a->error.limit != b->error.limit)
        return "offset or limit differs";
    return a->status == GRAD_OK ? batches_differ(a->batch, b->batch) : NULL;
}

/* The double nearest to a number's text, rounded once more, may miss the float nearest to the text:
 * by one neighbour, and only where the double is half-way between two floats. */
static bool is_rounding_of(float found, double value)
{
    uint64_t bits;

    if (found == (float)value)
        return value != 0 || (signbit(found) != 0) == (signbit(value) != 0);
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x1FFFFFFF) != 0x10000000 && fabs(value) >= 0x1p-126)
        return false;
    return found == nextafterf((float)value, INFINITY) ||
           found == nextafterf((float)value, -INFINITY);
}

static bool is_literal_of(float found, const char *name)
{
    if (strcmp(name, "NaN") == 0)
        return isnan(found);
    return isinf(found) && (found > 0) == (name[0] == 'I');
}

/* Compares the leaves of value, in order, with *next; false where one differs. */
static bool same_leaves(const json_t *value, const float **next, const float *end)
{
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++)
        if (!same_leaves(json_array_get(value, i), next, end))
            return false;
    if (json_is_array(value))
        return true;
    if (*next == end)
        return false;
    if (json_is_string(value))
        return is_literal_of(*(*next)++, json_string_value(value));
    return json_is_number(value) && is_rounding_of(*(*next)++, json_number_value(value));
}

static bool is_tensor(const grad_tensor *tensor, const json_t *value)
{
    const json_t *data = json_is_object(value) ? json_object_get(value, "data") : value;
    const json_t *shape = json_object_get(value, "shape");
    const float *next = tensor->data;

    if (value == NULL || tensor->data == NULL)
        return value == NULL && tensor->data == NULL;
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *rows = json_is_object(value) ? json_array_get(shape, i) : data;
        double size =
            json_is_object(value) ? json_number_value(rows) : (double)json_array_size(rows);

        if ((double)tensor->shape[i] != size)
            return false;
        data = json_is_object(value) ? data : json_array_get(data, 0);
    }
    data = json_is_object(value) ? data : value;
    return same_leaves(data, &next, tensor->data + grad_tensor_count(tensor)) &&
           next == tensor->data + grad_tensor_count(tensor);
}

static bool is_activation(const grad_activation *found, const json_t *value)
{
    const grad_activation_info *info = grad_activation_info_of(found->kind);
    const json_t *name = json_is_object(value) ? json_object_get(value, "name") : value;

    if (!same_text(info->name, json_string_value(name)))
        return false;
    for (size_t i = 0; i < info->parameter_count; i++) {
        const json_t *parameter = json_object_get(value, info->parameters[i].name);
        double expected = parameter != NULL ? json_number_value(parameter)
                                            : (double)info->parameters[i].default_value;

        if (found->parameters[i] != (float)expected)
            return false;
    }
    return true;
}

static bool is_layer(const grad_layer *layer, const json_t *value)
{
    return same_text(layer->name, json_string_value(json_object_get(value, "name"))) &&
           is_activation(&layer->activation, json_object_get(value, "activation")) &&
           is_tensor(&layer->input, json_object_get(value, "input")) &&
           is_tensor(&layer->pre_activation, json_object_get(value, "pre_activation")) &&
           is_tensor(&layer->grad_output, json_object_get(value, "grad_output")) &&
           is_tensor(&layer->weight, json_object_get(value, "weight"));
}

static bool is_choice(const json_t *root, const char *field, const char *other, bool found)
{
    const char *value = json_string_value(json_object_get(root, field));

    return found == (value != NULL && strcmp(value, other) == 0);
}

static unsigned outputs_of(const json_t *names)
{
    unsigned outputs = 0;

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        outputs |= strcmp(name, "weight_delta") == 0 ? (unsigned)GRAD_OUTPUT_WEIGHT_DELTA
                   : strcmp(name, "bias_delta") == 0 ? (unsigned)GRAD_OUTPUT_BIAS_DELTA
                                                     : (unsigned)GRAD_OUTPUT_GRAD_INPUT;
    }
    return outputs;
}

static const char *compare_batch(const grad_batch *batch, const json_t *root)
{
    const json_t *layers = json_object_get(root, "layers");
    const json_t *scale = json_object_get(root, "scale");

    if (!same_text(batch->id, json_string_value(json_object_get(root, "id"))))
        return "another id than the tree's";
    if (batch->scale != (scale != NULL ? json_number_value(scale) : 1.0))
        return "another scale than the tree's";
    if (!is_choice(root, "reduction", "mean", batch->reduction == GRAD_MEAN) ||
        !is_choice(root, "non_finite", "allow", batch->non_finite == GRAD_ALLOW_NON_FINITE) ||
        batch->outputs != outputs_of(json_object_get(root, "outputs")))
        return "other options than the tree's";
    if (batch->layer_count != json_array_size(layers))
        return "another number of layers than the tree's";
    for (size_t i = 0; i < batch->layer_count; i++)
        if (!is_layer(&batch->layers[i], json_array_get(layers, i)))
            return "another layer than the tree's";
    return NULL;
}

static const char *compare_with_tree(const wire_outcome *outcome, const char *text, size_t length)
{
    json_error_t ignored;
    json_t *root = json_loadb(
        text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &ignored);
    bool has_nul = memchr(text, '\0', length) != NULL; /* jansson skips one behind a number */
    const char *wrong = NULL;

    if (root == NULL && outcome->status == GRAD_OK)
        wrong = "accepted what jansson refuses";
    else if (has_nul && outcome->status == GRAD_OK)
        wrong = "accepted a NUL byte";
    else if (root != NULL && outcome->status == GRAD_MALFORMED && !has_nul)
        wrong = "malformed, which jansson accepts";
    else if (outcome->status == GRAD_OUT_OF_MEMORY)
        wrong = "out of memory";
    else if (root != NULL && outcome->status == GRAD_OK)
        wrong = compare_batch(outcome->batch, root);
    else if (outcome->status != GRAD_OK && outcome->error.offset > (int64_t)length)
        wrong = "an offset beyond the end";
    json_decref(root);
    return wrong;
}

const char *wire_oracle_check(const char *text, size_t length)
{
    static const size_t cuts[] = {1, 2, 3, 7, WIRE_CUT_RANDOM};
    wire_outcome whole = wire_decode(text, length, 0, NULL);
    const char *wrong = compare_with_tree(&whole, text, length);

    for (size_t i = 0; wrong == NULL && i < sizeof cuts / sizeof *cuts; i++) {
        wire_outcome pieces = wire_decode(text, length, cuts[i], NULL);

        wrong = wire_outcomes_differ(&whole, &pieces);
        grad_decoder_destroy(pieces.decoder);
    }
    grad_decoder_destroy(whole.decoder);
    return wrong;
}
