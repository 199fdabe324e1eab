/* The fields of a request of POST /v1/gradients. A new field is a row in a table and the function
 * that reads its value. Nothing here looks at numbers, or compares tensors with each other. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/bind.h"
#include "wire/document.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Options --------------------------------------------------------------------------------- */

static grad_status read_reduction(grad_binder *binder, const grad_path *path, const json_t *value,
                                  void *target)
{
    static const char *const names[] = {[GRAD_SUM] = "sum", [GRAD_MEAN] = "mean"};
    size_t index = GRAD_SUM;
    grad_status status = grad_bind_choice(binder, path, value, names, COUNT(names), &index);

    *(grad_reduction *)target = (grad_reduction)index;
    return status;
}

static grad_status read_scale(grad_binder *binder, const grad_path *path, const json_t *value,
                              void *target)
{
    if (!json_is_number(value))
        return grad_bind_fail_type(binder, path, "a number", value);
    *(double *)target = json_number_value(value);
    return GRAD_OK;
}

static grad_status read_output(grad_binder *binder, const grad_path *path, const json_t *value,
                               void *target)
{
    static const char *const names[] = {"weight_delta", "bias_delta", "grad_input"};
    static const unsigned bits[] = {GRAD_OUTPUT_WEIGHT_DELTA, GRAD_OUTPUT_BIAS_DELTA,
                                    GRAD_OUTPUT_GRAD_INPUT};
    unsigned *outputs = target;
    size_t which = 0;
    grad_status status = grad_bind_choice(binder, path, value, names, COUNT(names), &which);

    if (status == GRAD_OK && (*outputs & bits[which]) != 0)
        return grad_bind_fail(binder, path, "unsupported_value",
                              "expected each output once, found \"%s\" again", names[which]);
    *outputs |= bits[which];
    return status;
}

static grad_status read_outputs(grad_binder *binder, const grad_path *path, const json_t *value,
                                void *target)
{
    if (!json_is_array(value) || grad_bind_is_reference(value))
        return grad_bind_fail_type(binder, path, "an array of names", value);
    if (json_array_size(value) == 0)
        return grad_bind_fail(binder, path, "unsupported_value",
                              "expected at least one output, found none");
    return grad_bind_elements(binder, path, value, read_output, target, 0);
}

static grad_status read_non_finite(grad_binder *binder, const grad_path *path, const json_t *value,
                                   void *target)
{
    static const char *const names[] = {
        [GRAD_REJECT_NON_FINITE] = "reject", [GRAD_ALLOW_NON_FINITE] = "allow"};
    size_t index = GRAD_REJECT_NON_FINITE;
    grad_status status = grad_bind_choice(binder, path, value, names, COUNT(names), &index);

    *(grad_non_finite *)target = (grad_non_finite)index;
    return status;
}

/* Options of which this version knows one value only. */
static grad_status read_encoding(grad_binder *binder, const grad_path *path, const json_t *value,
                                 void *target)
{
    static const char *const names[] = {"json"};
    size_t index;

    (void)target;
    return grad_bind_choice(binder, path, value, names, COUNT(names), &index);
}

static grad_status read_on_error(grad_binder *binder, const grad_path *path, const json_t *value,
                                 void *target)
{
    static const char *const names[] = {"abort"};
    size_t index;

    (void)target;
    return grad_bind_choice(binder, path, value, names, COUNT(names), &index);
}

static grad_status read_statistics(grad_binder *binder, const grad_path *path, const json_t *value,
                                   void *target)
{
    (void)target;
    if (!json_is_boolean(value))
        return grad_bind_fail_type(binder, path, "true or false", value);
    if (json_is_true(value))
        return grad_bind_fail(binder, path, "unsupported_value", "expected false, found true");
    return GRAD_OK;
}

/* ---- Activations ----------------------------------------------------------------------------- */

static grad_status find_activation(grad_binder *binder, const grad_path *path, const json_t *value,
                                   const grad_activation_info **info)
{
    const char *known[GRAD_ACTIVATION_COUNT];

    if (!json_is_string(value))
        return grad_bind_fail_type(binder, path, "the name of an activation", value);
    *info = grad_activation_find(json_string_value(value));
    if (*info != NULL)
        return GRAD_OK;
    for (size_t i = 0; i < GRAD_ACTIVATION_COUNT; i++)
        known[i] = grad_activation_info_of((grad_activation_kind)i)->name;
    return grad_bind_fail_name(binder, path, "unknown_name", "activation", json_string_value(value),
                               known, GRAD_ACTIVATION_COUNT);
}

static grad_status bind_parameter(grad_binder *binder, const grad_path *path, const json_t *value,
                                  double *target)
{
    double number = json_number_value(value);

    if (!json_is_number(value))
        return grad_bind_fail_type(binder, path, "a number", value);
    if (fabs(number) > (double)FLT_MAX)
        return grad_bind_fail(binder, path, "number_out_of_range",
                              "expected a number within float32's range, found %.17g", number);
    *target = number;
    return GRAD_OK;
}

static grad_status bind_parameters(grad_binder *binder, const grad_path *path, const json_t *value,
                                   const grad_activation_info *info, grad_activation *target)
{
    const char *known[GRAD_MAX_PARAMETERS + 1] = {"name"};
    const char *key;
    json_t *member;

    for (size_t i = 0; i < info->parameter_count; i++)
        known[i + 1] = info->parameters[i].name;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        grad_path here = {.parent = path, .key = key};
        grad_status status = GRAD_OK;
        size_t i = 0;

        while (i <= info->parameter_count && strcmp(known[i], key) != 0)
            i++;
        if (i > info->parameter_count)
            status = grad_bind_fail_name(binder, &here, "unknown_field", "field", key, known, i);
        else if (i > 0)
            status = bind_parameter(binder, &here, member, &target->parameters[i - 1]);
        if (status != GRAD_OK)
            return status;
    }
    return GRAD_OK;
}

static grad_status read_activation(grad_binder *binder, const grad_path *path, const json_t *value,
                                   void *target)
{
    grad_activation *activation = target;
    grad_path name = {.parent = path, .key = "name"};
    const grad_activation_info *info = NULL;
    bool is_object = json_is_object(value);
    grad_status status;

    if (!is_object && !json_is_string(value))
        return grad_bind_fail_type(binder, path, "a name or an object with a name", value);
    status = is_object ? grad_bind_require(binder, path, value, "name") : GRAD_OK;
    if (status == GRAD_OK)
        status = find_activation(binder, is_object ? &name : path,
                                 is_object ? json_object_get(value, "name") : value, &info);
    if (status != GRAD_OK)
        return status;
    *activation = grad_activation_default(info->kind);
    return is_object ? bind_parameters(binder, path, value, info, activation) : GRAD_OK;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static const grad_field layer_fields[] = {
    {"name", grad_bind_string, offsetof(grad_layer, name)},
    {"activation", read_activation, offsetof(grad_layer, activation)},
    {"input", grad_bind_tensor, offsetof(grad_layer, input)},
    {"pre_activation", grad_bind_tensor, offsetof(grad_layer, pre_activation)},
    {"grad_output", grad_bind_tensor, offsetof(grad_layer, grad_output)},
    {"weight", grad_bind_tensor, offsetof(grad_layer, weight)},
};

static grad_status read_layer(grad_binder *binder, const grad_path *path, const json_t *value,
                              void *target)
{
    grad_status status =
        grad_bind_object(binder, path, value, "a layer", layer_fields, COUNT(layer_fields), target);

    return status == GRAD_OK ? grad_bind_require(binder, path, value, "activation") : status;
}

static grad_status read_layers(grad_binder *binder, const grad_path *path, const json_t *value,
                               void *target)
{
    return grad_bind_elements(binder, path, value, read_layer, *(grad_layer **)target,
                              sizeof(grad_layer));
}

static const grad_field request_fields[] = {
    {"id", grad_bind_string, offsetof(grad_batch, id)},
    {"reduction", read_reduction, offsetof(grad_batch, reduction)},
    {"scale", read_scale, offsetof(grad_batch, scale)},
    {"outputs", read_outputs, offsetof(grad_batch, outputs)},
    {"encoding", read_encoding, 0},
    {"non_finite", read_non_finite, offsetof(grad_batch, non_finite)},
    {"on_error", read_on_error, 0},
    {"statistics", read_statistics, 0},
    {"layers", read_layers, offsetof(grad_batch, layers)},
};

grad_status grad_request_read(const grad_document *document, void **block, size_t *size,
                              grad_error *error)
{
    grad_binder binder = {document->envelope, document->numbers, NULL, false, error};
    grad_path root = {0};
    grad_batch *batch;
    size_t layers = 0;
    grad_status status = grad_document_count_layers(document, &binder, &layers);

    if (status != GRAD_OK)
        return status;
    batch =
        grad_document_block(document, sizeof *batch, layers, sizeof *batch->layers, size, error);
    if (batch == NULL)
        return GRAD_OUT_OF_MEMORY;
    batch->layers = (grad_layer *)(batch + 1);
    batch->layer_count = layers;
    batch->scale = 1;
    batch->overwrite_grad_output = true;
    binder.strings = (char *)(batch->layers + layers);
    status = grad_bind_object(&binder, &root, document->root, "an object", request_fields,
                              COUNT(request_fields), batch);
    if (status != GRAD_OK)
        free(batch);
    else
        *block = batch;
    return status;
}
