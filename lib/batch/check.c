/* Every question asked of a batch. Cheap ones first: options, then shapes, layer by layer, and only
 * then the elements. Sizes and caps of the results are plan.c's. */
#include "batch/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/error.h"
#include "kernels/finite.h"

#define ALL_OUTPUTS (GRAD_OUTPUT_WEIGHT_DELTA | GRAD_OUTPUT_BIAS_DELTA | GRAD_OUTPUT_GRAD_INPUT)

/* ---- Errors ---------------------------------------------------------------------------------- */

grad_status grad_fail_layer(grad_error *error, const grad_batch *batch, size_t layer,
                            const char *code, const char *member, const char *format, ...)
{
    const char *name = batch->layers[layer].name;
    char text[GRAD_DETAIL_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return grad_fail(error, GRAD_INVALID, code, GRAD_AT("/layers/%zu%s", layer, member),
                     "layers/%zu%s%s%s%s%s", layer, member, text, name == NULL ? "" : " (layer \"",
                     name == NULL ? "" : name, name == NULL ? "" : "\")");
}

static const char *name_of_non_finite(float value)
{
    return isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

grad_status grad_fail_element(grad_error *error, const grad_batch *batch, size_t layer,
                              const char *member, const grad_tensor *tensor, size_t index)
{
    const char *found = name_of_non_finite(((const float *)tensor->data)[index]);
    size_t cols = tensor->shape[tensor->rank - 1];
    char element[GRAD_POINTER_SIZE];

    if (tensor->rank == 1)
        snprintf(element, sizeof element, "%s/%zu", member, index);
    else
        snprintf(element, sizeof element, "%s/%zu/%zu", member, index / cols, index % cols);
    return grad_fail_layer(error, batch, layer, "non_finite", element,
                           " is %s, expected a finite number", found);
}

/* ---- What a layer is ------------------------------------------------------------------------- */

static size_t row_count(const grad_tensor *tensor)
{
    return tensor->rank == 1 ? 1 : tensor->shape[0];
}

static size_t column_count(const grad_tensor *tensor)
{
    return tensor->shape[tensor->rank - 1];
}

grad_layer_sizes grad_layer_sizes_of(const grad_layer *layer)
{
    return (grad_layer_sizes){row_count(&layer->input), column_count(&layer->input),
                              column_count(&layer->pre_activation)};
}

unsigned grad_layer_outputs(const grad_batch *batch, const grad_layer *layer)
{
    unsigned deltas = GRAD_OUTPUT_WEIGHT_DELTA | GRAD_OUTPUT_BIAS_DELTA;

    if (batch->outputs != 0)
        return batch->outputs;
    return layer->weight.data == NULL ? deltas : deltas | GRAD_OUTPUT_GRAD_INPUT;
}

/* ---- Options --------------------------------------------------------------------------------- */

static grad_status check_options(const grad_batch *batch, size_t max_layers, grad_error *error)
{
    const char *code = "unsupported_value";

    if (batch->reduction != GRAD_SUM && batch->reduction != GRAD_MEAN)
        return grad_fail(error, GRAD_INVALID, code, "/reduction",
                         "reduction is %d, expected sum or mean", (int)batch->reduction);
    if (batch->non_finite != GRAD_REJECT_NON_FINITE && batch->non_finite != GRAD_ALLOW_NON_FINITE)
        return grad_fail(error, GRAD_INVALID, code, "/non_finite",
                         "non_finite is %d, expected reject or allow", (int)batch->non_finite);
    if ((batch->outputs & ~(unsigned)ALL_OUTPUTS) != 0)
        return grad_fail(error, GRAD_INVALID, code, "/outputs",
                         "outputs has the bits 0x%x, expected none outside 0x%x", batch->outputs,
                         (unsigned)ALL_OUTPUTS);
    if (!isfinite(batch->scale))
        return grad_fail(error, GRAD_INVALID, code, "/scale",
                         "scale is %g, expected a finite number", batch->scale);
    if (batch->layer_count == 0)
        return grad_fail(error, GRAD_INVALID, "empty_batch", "/layers",
                         "expected at least one layer, found none");
    if (max_layers != 0 && batch->layer_count > max_layers)
        return grad_fail_limit(error, "max_layers", max_layers, "/layers",
                               "expected at most %zu layers, found %zu", max_layers,
                               batch->layer_count);
    return GRAD_OK;
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

/* The layer being checked. */
typedef struct subject {
    const grad_batch *batch;
    size_t layer;
    grad_error *error;
} subject;

static grad_status check_presence(const subject *s, const char *member, const grad_tensor *tensor,
                                  const char *why)
{
    if (tensor->data != NULL)
        return GRAD_OK;
    return grad_fail_layer(s->error, s->batch, s->layer, "missing_field", "",
                           " has no %s, expected one%s", member, why);
}

/* Rank within [least, 2], and no axis of length 0. */
static grad_status check_form(const subject *s, const char *member, const grad_tensor *tensor,
                              size_t least)
{
    if (tensor->rank < least || tensor->rank > 2)
        return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", member,
                               " has rank %zu, expected %s", tensor->rank,
                               least == 1 ? "1 (one sample) or 2" : "2");
    if (column_count(tensor) == 0 || row_count(tensor) == 0)
        return grad_fail_layer(s->error, s->batch, s->layer, "empty_tensor", member,
                               " has %zu rows of %zu columns, expected at least one of each",
                               row_count(tensor), column_count(tensor));
    return GRAD_OK;
}

/* "layers/0/pre_activation has 64 columns, grad_output has 63": other says what holds 63. */
static grad_status check_equal(const subject *s, const char *member, size_t size, const char *unit,
                               const char *other, size_t expected, const char *other_unit)
{
    if (size == expected)
        return GRAD_OK;
    return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", member,
                           " has %zu %s, %s has %zu%s", size, unit, other, expected, other_unit);
}

static grad_status check_agreement(const subject *s, const grad_layer *layer)
{
    const grad_tensor *x = &layer->input, *z = &layer->pre_activation, *dy = &layer->grad_output;
    grad_status status = GRAD_OK;

    if (z->rank != x->rank || z->rank != dy->rank)
        return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "/pre_activation",
                               " has rank %zu, input has %zu and grad_output %zu: expected the "
                               "same of all three",
                               z->rank, x->rank, dy->rank);
    status = check_equal(s, "/pre_activation", column_count(z), "columns", "grad_output",
                         column_count(dy), "");
    if (status == GRAD_OK)
        status = check_equal(s, "/pre_activation", row_count(z), "rows", "grad_output",
                             row_count(dy), "");
    if (status == GRAD_OK)
        status = check_equal(s, "/input", row_count(x), "rows", "pre_activation", row_count(z), "");
    return status;
}

static grad_status check_weight(const subject *s, const grad_layer *layer)
{
    const grad_tensor *W = &layer->weight;
    grad_status status = GRAD_OK;

    if ((s->batch->outputs & GRAD_OUTPUT_GRAD_INPUT) != 0)
        status = check_presence(s, "weight", W, " for grad_input");
    if (status != GRAD_OK || W->data == NULL)
        return status;
    status = check_form(s, "/weight", W, 2);
    if (status == GRAD_OK)
        status = check_equal(s, "/weight", row_count(W), "rows", "pre_activation",
                             column_count(&layer->pre_activation), " columns");
    if (status == GRAD_OK)
        status = check_equal(s, "/weight", column_count(W), "columns", "input",
                             column_count(&layer->input), "");
    return status;
}

static grad_status check_activation(const subject *s, const grad_activation *f)
{
    const grad_activation_info *info;

    if ((unsigned)f->kind >= GRAD_ACTIVATION_COUNT)
        return grad_fail_layer(s->error, s->batch, s->layer, "unknown_name", "/activation",
                               " is of kind %d, expected one below %d", (int)f->kind,
                               (int)GRAD_ACTIVATION_COUNT);
    info = grad_activation_info_of(f->kind);
    for (size_t i = 0; i < info->parameter_count; i++) {
        const grad_parameter_info *parameter = &info->parameters[i];
        double value = f->parameters[i];

        if (!isfinite(value) || (parameter->positive && value <= 0))
            return grad_fail_layer(s->error, s->batch, s->layer, "bad_parameter",
                                   grad_pointer_format("/activation/%s", parameter->name).text,
                                   " is %g, expected a %s number", value,
                                   parameter->positive ? "finite positive" : "finite");
    }
    return GRAD_OK;
}

static grad_status check_layer(const subject *s)
{
    const grad_layer *layer = &s->batch->layers[s->layer];
    const struct {
        const char *member;
        const grad_tensor *tensor;
    } states[] = {{"/input", &layer->input},
                  {"/pre_activation", &layer->pre_activation},
                  {"/grad_output", &layer->grad_output}};
    grad_status status = check_activation(s, &layer->activation);

    for (size_t i = 0; i < 3 && status == GRAD_OK; i++) {
        status = check_presence(s, states[i].member + 1, states[i].tensor, "");
        if (status == GRAD_OK)
            status = check_form(s, states[i].member, states[i].tensor, 1);
    }
    if (status == GRAD_OK)
        status = check_agreement(s, layer);
    return status == GRAD_OK ? check_weight(s, layer) : status;
}

grad_status grad_check_shapes(const grad_batch *batch, size_t max_layers, grad_error *error)
{
    grad_status status = check_options(batch, max_layers, error);

    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++) {
        subject s = {batch, i, error};

        status = check_layer(&s);
    }
    return status;
}

/* ---- Elements -------------------------------------------------------------------------------- */

static grad_status check_elements(const subject *s, const char *member, const grad_tensor *tensor)
{
    size_t count = grad_tensor_count(tensor);
    size_t index = grad_find_non_finite(count, tensor->data);

    if (index == count)
        return GRAD_OK;
    return grad_fail_element(s->error, s->batch, s->layer, member, tensor, index);
}

grad_status grad_check_finite(const grad_batch *batch, grad_error *error)
{
    grad_status status = GRAD_OK;

    if (batch->non_finite == GRAD_ALLOW_NON_FINITE)
        return GRAD_OK;
    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++) {
        const grad_layer *layer = &batch->layers[i];
        subject s = {batch, i, error};

        status = check_elements(&s, "/input", &layer->input);
        if (status == GRAD_OK)
            status = check_elements(&s, "/pre_activation", &layer->pre_activation);
        if (status == GRAD_OK)
            status = check_elements(&s, "/grad_output", &layer->grad_output);
        if (status == GRAD_OK)
            status = check_elements(&s, "/weight", &layer->weight);
    }
    return status;
}
