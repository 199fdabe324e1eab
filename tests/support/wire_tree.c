/* Comparing what the decoder read with jansson's tree, member by member. */
#include "support/wire_tree.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"
#include "support/wire_bytes.h"

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether two names differ in capitals, '-', '_' and blanks only. */
static bool same_word(const char *a, const char *b)
{
    static const char passed_over[] = "-_ ";

    for (;; a++, b++) {
        a += strspn(a, passed_over);
        b += strspn(b, passed_over);
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == '\0')
            return true;
    }
}

/* Whether a function, a loss or a type of layer may be called that. */
static bool is_called(const char *name, const char *const *synonyms, const char *found)
{
    if (found == NULL || same_word(name, found))
        return found != NULL;
    for (; synonyms != NULL && *synonyms != NULL; synonyms++)
        if (same_word(*synonyms, found))
            return true;
    return false;
}

static bool is_string(const json_t *object, const char *name, const char *found)
{
    return same_text(found, json_string_value(json_object_get(object, name)));
}

static bool is_number(const json_t *object, const char *name, double otherwise, double found)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL && (strcmp(name, "eps") == 0 || strcmp(name, "epsilon") == 0))
        value = json_object_get(object, name[3] == 0 ? "epsilon" : "eps");
    return found == (value != NULL ? json_number_value(value) : otherwise);
}

/* Whether the member is there and that string. */
static bool is_choice(const json_t *object, const char *name, const char *choice)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value != NULL && strcmp(value, choice) == 0;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

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

static bool is_leaf(grad_datatype type, const void *data, size_t i, const json_t *value)
{
    double found = grad_real_at(type, data, i);
    double expected = json_number_value(value);

    if (json_is_string(value)) { /* the C library knows the same words */
        expected = strtod(json_string_value(value), NULL);
        return isnan(expected) ? isnan(found) : isinf(expected) && found == expected;
    }
    if (json_is_boolean(value))
        return found == (json_is_true(value) ? 1 : 0);
    if (!json_is_number(value))
        return false;
    if (type == GRAD_FP32)
        return is_rounding_of((float)found, expected);
    return found == expected && (signbit(found) != 0) == (signbit(expected) != 0);
}

/* Compares the leaves of value, in order, with those from *next on; false where one differs. */
static bool same_leaves(grad_datatype type, const json_t *value, const grad_tensor *tensor,
                        size_t *next)
{
    if (!json_is_array(value))
        return *next < grad_tensor_count(tensor) && is_leaf(type, tensor->data, (*next)++, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!same_leaves(type, json_array_get(value, i), tensor, next))
            return false;
    return true;
}

static bool is_tensor(grad_datatype type, const grad_tensor *tensor, const json_t *value)
{
    const json_t *data = json_is_object(value) ? json_object_get(value, "data") : value;
    const json_t *sizes = json_object_get(value, "sizes");
    const json_t *shape = sizes != NULL ? sizes : json_object_get(value, "shape");
    const json_t *inner = data;
    size_t next = 0;

    if (value == NULL || tensor->data == NULL)
        return value == NULL && tensor->data == NULL;
    for (size_t i = 0; i < tensor->rank; i++) {
        double size = json_is_number(shape)        ? json_number_value(shape)
                      : json_array_size(shape) > 0 ? json_number_value(json_array_get(shape, i))
                      : json_is_array(inner)       ? (double)json_array_size(inner)
                                                   : 1;

        if ((double)tensor->shape[i] != size)
            return false;
        inner = json_array_get(inner, 0);
    }
    if (json_object_get(value, "base64") != NULL)
        return wire_bytes_are(type, tensor, value);
    return same_leaves(type, data, tensor, &next) && next == grad_tensor_count(tensor);
}

typedef struct named_tensor {
    const char *name;
    const grad_tensor *tensor;
} named_tensor;

static bool are_tensors(grad_datatype type, const json_t *object, const named_tensor *tensors,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_tensor(type, tensors[i].tensor, json_object_get(object, tensors[i].name)))
            return false;
    return true;
}

#define ARE_TENSORS(type, object, ...)                                                             \
    are_tensors(type, object, (const named_tensor[]){__VA_ARGS__},                                 \
                sizeof((const named_tensor[]){__VA_ARGS__}) / sizeof(named_tensor))

/* ---- Layers ---------------------------------------------------------------------------------- */

static bool is_activation(grad_datatype type, const grad_layer *layer, const json_t *value)
{
    const grad_activation_info *info = grad_activation_info_of(layer->activation.kind);
    const json_t *name = json_is_object(value) ? json_object_get(value, "name") : value;
    const json_t *slope = json_object_get(value, "slope");
    bool is_tensor_of_slopes = slope != NULL && !json_is_number(slope);

    if (value == NULL)
        return info->kind == GRAD_IDENTITY && layer->kind >= GRAD_LAYER_NORM;
    if (!is_called(info->name, info->synonyms, json_string_value(name)) ||
        !is_tensor(type, &layer->slope, is_tensor_of_slopes ? slope : NULL))
        return false;
    for (size_t i = 0; i < info->parameter_count; i++)
        if (!(i == 0 && is_tensor_of_slopes) &&
            !is_number(value, info->parameters[i].name, info->parameters[i].default_value,
                       layer->activation.parameters[i]))
            return false;
    return true;
}

/* The last earlier layer of that name: the reader refuses a name that two have. */
static size_t residual_of(const json_t *layers, size_t index)
{
    const char *name =
        json_string_value(json_object_get(json_array_get(layers, index), "residual"));

    if (name == NULL)
        return GRAD_RESIDUAL_NONE;
    for (size_t i = index; i-- > 0;)
        if (is_choice(json_array_get(layers, i), "name", name))
            return GRAD_RESIDUAL_OF(i);
    return GRAD_RESIDUAL_INPUT;
}

static bool is_layer(grad_datatype type, const grad_layer *layer, const json_t *layers,
                     size_t index)
{
    const json_t *value = json_array_get(layers, index);
    const json_t *dropout = json_object_get(value, "dropout");
    const json_t *kind = json_object_get(value, "type");

    if (layer->error != NULL) /* why is not the tree's to say */
        return layer->error->status == GRAD_INVALID && layer->input.data == NULL;
    return is_string(value, "name", layer->name) &&
           is_called(grad_layer_info_of(layer->kind)->name,
                     grad_layer_info_of(layer->kind)->synonyms,
                     kind != NULL ? json_string_value(kind) : "dense") &&
           is_activation(type, layer, json_object_get(value, "activation")) &&
           is_number(value, "epsilon", GRAD_DEFAULT_EPSILON, layer->epsilon) &&
           is_number(dropout, "rate", 0, layer->dropout_rate) &&
           is_tensor(type, &layer->dropout_mask, json_object_get(dropout, "mask")) &&
           layer->residual == residual_of(layers, index) &&
           ARE_TENSORS(type, value, {"input", &layer->input},
                       {"pre_activation", &layer->pre_activation},
                       {"grad_output", &layer->grad_output}, {"weight", &layer->weight},
                       {"bias", &layer->bias}, {"gain", &layer->gain}, {"shift", &layer->shift},
                       {"running_mean", &layer->running_mean},
                       {"running_variance", &layer->running_variance});
}

static bool is_claim(grad_datatype type, const grad_layer_result *claim, const json_t *value)
{
    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
        if (!is_tensor(type, grad_layer_result_tensor(claim, (grad_output_kind)i),
                       json_object_get(value, grad_output_name((grad_output_kind)i))))
            return false;
    return true;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static bool is_loss(grad_datatype type, const grad_loss *loss, const json_t *value)
{
    const grad_loss_info *info;

    if (value == NULL || loss->kind == GRAD_LOSS_ABSENT)
        return value == NULL && loss->kind == GRAD_LOSS_ABSENT;
    info = grad_loss_info_of(loss->kind);
    for (size_t i = 0; i < info->parameter_count; i++) {
        const json_t *parameter = json_object_get(value, info->parameters[i].name);
        double expected = parameter == NULL            ? info->parameters[i].default_value
                          : json_is_boolean(parameter) ? (json_is_true(parameter) ? 1 : 0)
                                                       : json_number_value(parameter);

        if (loss->parameters[i] != expected)
            return false;
    }
    return is_called(info->name, info->synonyms,
                     json_string_value(json_object_get(value, "name"))) &&
           (loss->reduction == GRAD_LOSS_SUM) == is_choice(value, "reduction", "sum") &&
           (loss->reduction == GRAD_LOSS_NONE) == is_choice(value, "reduction", "none") &&
           ARE_TENSORS(type, value, {"target", &loss->target},
                       {"sample_weight", &loss->sample_weight},
                       {"class_weight", &loss->class_weight}, {"pos_weight", &loss->pos_weight},
                       {"variance", &loss->variance}, {"other", &loss->other});
}

static unsigned outputs_of(const json_t *names)
{
    unsigned outputs = 0;

    for (size_t k = 0; json_is_string(names) && k < GRAD_OUTPUT_COUNT; k++)
        if (strcmp(json_string_value(names), grad_output_name((grad_output_kind)k)) == 0)
            outputs |= 1u << k;
    if (json_is_string(names) && strcmp(json_string_value(names), "predictions") == 0)
        outputs |= GRAD_OUTPUT_PREDICTIONS;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        for (size_t k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (strcmp(name, grad_output_name((grad_output_kind)k)) == 0)
                outputs |= 1u << k;
        if (strcmp(name, "predictions") == 0)
            outputs |= GRAD_OUTPUT_PREDICTIONS;
    }
    return outputs;
}

static bool is_encoding(const grad_batch *batch, const json_t *root)
{
    return (batch->encoding == GRAD_ENCODING_BASE64) == is_choice(root, "encoding", "base64") &&
           (batch->encoding == GRAD_ENCODING_BINARY) == is_choice(root, "encoding", "binary") &&
           (batch->encoding == GRAD_ENCODING_SAFETENSORS) ==
               is_choice(root, "encoding", "safetensors") &&
           (batch->encoding_datatype == GRAD_WIRE_BF16) == is_choice(root, "datatype", "BF16") &&
           (batch->encoding_datatype == GRAD_WIRE_FP16) == is_choice(root, "datatype", "FP16");
}

static bool are_options(const grad_batch *batch, const json_t *root)
{
    const json_t *clip = json_object_get(root, "clip");
    const json_t *decay = json_object_get(root, "weight_decay");

    return is_string(root, "id", batch->id) && is_number(root, "scale", 1, batch->scale) &&
           (batch->reduction == GRAD_MEAN) == is_choice(root, "reduction", "mean") &&
           (batch->reduction == GRAD_PER_SAMPLE) == is_choice(root, "reduction", "none") &&
           (batch->non_finite == GRAD_ALLOW_NON_FINITE) == is_choice(root, "non_finite", "allow") &&
           is_encoding(batch, root) &&
           batch->continue_on_error == is_choice(root, "on_error", "continue") &&
           batch->no_notes == json_is_false(json_object_get(root, "notes")) &&
           batch->statistics == json_is_true(json_object_get(root, "statistics")) &&
           batch->outputs == outputs_of(json_object_get(root, "outputs")) &&
           is_number(clip, "value", 0, batch->clip.value) &&
           is_number(clip, "layer_norm", 0, batch->clip.layer_norm) &&
           is_number(clip, "global_norm", 0, batch->clip.global_norm) &&
           is_number(decay, "l1", 0, batch->weight_decay.l1) &&
           is_number(decay, "l2", 0, batch->weight_decay.l2);
}

static const char *check_differs(const grad_check_request *check, const json_t *root)
{
    const json_t *options = json_object_get(root, "check");
    const json_t *layers = json_object_get(root, "layers");
    const grad_batch *batch = check->batch;

    if (!is_number(options, "samples", 0, (double)check->options->samples) ||
        !is_number(options, "seed", 0, (double)check->options->seed) ||
        !is_number(options, "tolerance", 0, check->options->tolerance))
        return "other options of the check than the tree's";
    if (!is_tensor(batch->datatype, &check->claimed_grad_input,
                   json_object_get(root, "grad_input")))
        return "another grad_input than the tree's";
    for (size_t i = 0; i < batch->layer_count; i++)
        if (batch->layers[i].error == NULL &&
            !is_claim(batch->datatype, &check->claims[i], json_array_get(layers, i)))
            return "another claim than the tree's";
    return NULL;
}

const char *wire_tree_differs(const wire_outcome *outcome, const json_t *root)
{
    static const grad_network none;
    const grad_batch *batch = outcome->batch;
    const grad_network *network = batch->network != NULL ? batch->network : &none;
    const json_t *layers = json_object_get(root, "layers");

    if (!are_options(batch, root))
        return "other options than the tree's";
    if (batch->layer_count != json_array_size(layers))
        return "another number of layers than the tree's";
    for (size_t i = 0; i < batch->layer_count; i++)
        if (!is_layer(batch->datatype, &batch->layers[i], layers, i))
            return "another layer than the tree's";
    if (!ARE_TENSORS(batch->datatype, root, {"input", &network->input},
                     {"grad_output", &network->grad_output}) ||
        !is_loss(batch->datatype, &network->loss, json_object_get(root, "loss")))
        return "another network than the tree's";
    return outcome->check != NULL ? check_differs(outcome->check, root) : NULL;
}
