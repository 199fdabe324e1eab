/* What is asked of one layer beside its tensors: kind, activation, rates, connections. */
#include "model/kind.h"

#include <math.h>

#include "core/error.h"
#include "core/format_number.h"

/* What parameters must be to each other. */
static grad_status check_ranges(const grad_subject *s, const grad_activation *f)
{
    const double *p = f->parameters;

    if (f->kind == GRAD_HARD_TANH && p[0] > p[1])
        return grad_fail_layer(s->error, s->batch, s->layer, "bad_parameter", "/activation/min_val",
                               " is %s, expected a number that is not above max_val (%s)",
                               GRAD_NUMBER_TEXT(GRAD_FP64, p[0]),
                               GRAD_NUMBER_TEXT(GRAD_FP64, p[1]));
    return GRAD_OK;
}

static grad_status check_activation(const grad_subject *s, const grad_activation *f)
{
    const grad_activation_info *info;

    if ((unsigned)f->kind >= GRAD_ACTIVATION_COUNT)
        return grad_fail_layer(s->error, s->batch, s->layer, "unknown_name", "/activation",
                               " is of kind %d, expected one below %d", (int)f->kind,
                               (int)GRAD_ACTIVATION_COUNT);
    info = grad_activation_info_of(f->kind);
    for (size_t i = 0; i < info->parameter_count; i++) {
        const grad_parameter_info *parameter = &info->parameters[i];
        double given = f->parameters[i], value = given;

        if (s->batch->datatype == GRAD_FP32)
            value = (float)given; /* which a tiny one does not survive */
        if (!isfinite(value) || (parameter->domain == GRAD_POSITIVE && value <= 0))
            return grad_fail_layer(
                s->error, s->batch, s->layer, "bad_parameter",
                GRAD_AT("/activation/%s", parameter->name), " is %s%s, expected a %s number",
                GRAD_NUMBER_TEXT(GRAD_FP64, given),
                value == given ? "" : grad_format_as_float(given),
                parameter->domain == GRAD_POSITIVE ? "finite positive" : "finite");
        if (parameter->domain == GRAD_NOT_NEGATIVE && given < 0)
            return grad_fail_layer(s->error, s->batch, s->layer, "bad_parameter",
                                   GRAD_AT("/activation/%s", parameter->name),
                                   " is %s, expected a number that is not negative",
                                   GRAD_NUMBER_TEXT(GRAD_FP64, given));
    }
    return check_ranges(s, f);
}

static grad_status check_attributes(const grad_subject *s, const grad_layer *layer)
{
    const grad_layer_info *info = grad_layer_info_of(layer->kind);

    for (size_t i = 0; i < info->attribute_count; i++) {
        const grad_attribute_info *attribute = &info->attributes[i];
        double value = grad_layer_attribute(layer, i);
        bool is_right =
            isfinite(value) && value >= 0 &&
            (!attribute->is_count || (value >= 1 && value <= 0x1p53 && value == floor(value)));

        if (isnan(value) && isnan(attribute->default_values[s->batch->datatype]))
            return grad_fail_layer(s->error, s->batch, s->layer, "missing_field", "",
                                   " has no %s, expected a whole number, at least 1",
                                   attribute->name);
        if (!is_right)
            return grad_fail_layer(s->error, s->batch, s->layer, "bad_parameter",
                                   GRAD_AT("/%s", attribute->name), " is %s, expected a %s",
                                   GRAD_NUMBER_TEXT(GRAD_FP64, value),
                                   attribute->is_count ? "whole number, at least 1"
                                                       : "finite number that is not negative");
    }
    return GRAD_OK;
}

static grad_status check_rate(const grad_subject *s, const grad_layer *layer)
{
    if (layer->dropout_rate >= 0 && layer->dropout_rate < 1)
        return GRAD_OK;
    return grad_fail_layer(s->error, s->batch, s->layer, "bad_parameter", "/dropout/rate",
                           " is %s, expected a number from 0 to below 1",
                           GRAD_NUMBER_TEXT(GRAD_FP64, layer->dropout_rate));
}

static grad_status fail_stranger(const grad_subject *s, const char *member, const char *owner)
{
    return grad_fail_layer(s->error, s->batch, s->layer, "unknown_field", member,
                           " is no part of %s, expected none", owner);
}

/* Tensors that belong to another kind of layer, or to another activation. */
static grad_status check_strangers(const grad_subject *s, const grad_layer *layer)
{
    const grad_kind *kind = grad_kind_of(layer);

    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++)
        if (slot != GRAD_SLOT_SLOPE && grad_layer_slot(layer, slot)->data != NULL &&
            grad_kind_slot(kind, slot) == NULL)
            return fail_stranger(s, grad_slot_member(slot), kind->info.name);
    if (layer->slope.data != NULL && layer->activation.kind != GRAD_PRELU)
        return fail_stranger(s, grad_slot_member(GRAD_SLOT_SLOPE), kind->info.name);
    if (layer->grad_output.data != NULL && s->batch->network != NULL)
        return fail_stranger(s, "/grad_output", "a network's layer");
    return GRAD_OK;
}

static grad_status check_kind(const grad_subject *s, const grad_layer *layer)
{
    if ((unsigned)layer->kind >= GRAD_LAYER_KIND_COUNT)
        return grad_fail_layer(s->error, s->batch, s->layer, "unknown_name", "/type",
                               " is of kind %d, expected one below %d", (int)layer->kind,
                               (int)GRAD_LAYER_KIND_COUNT);
    return check_activation(s, &layer->activation);
}

/* The width of what a residual connection brings. */
static size_t residual_width(const grad_batch *batch, size_t residual)
{
    grad_layer_sizes sizes = {0}, before = {0};
    const grad_tensor *x = grad_layer_input(batch, 0);

    if (residual == GRAD_RESIDUAL_INPUT)
        return grad_tensor_columns(x);
    for (size_t i = 0; GRAD_RESIDUAL_OF(i) <= residual; i++) {
        before = sizes;
        sizes = grad_layer_sizes_of(batch, i, &before);
    }
    return sizes.N;
}

static grad_status check_residual(const grad_subject *s, const grad_layer *layer, size_t N)
{
    size_t width;

    if (layer->residual == GRAD_RESIDUAL_NONE)
        return GRAD_OK;
    if (s->batch->network == NULL)
        return grad_fail_layer(s->error, s->batch, s->layer, "unsupported_value", "/residual",
                               " is set, expected none outside a network");
    if (layer->residual >= GRAD_RESIDUAL_OF(s->layer))
        return grad_fail_layer(s->error, s->batch, s->layer, "unsupported_value", "/residual",
                               " is of layers/%zu, expected an earlier layer",
                               layer->residual - GRAD_RESIDUAL_OF(0));
    width = residual_width(s->batch, layer->residual);
    if (width == N)
        return GRAD_OK;
    return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "/residual",
                           " brings %zu column%s, expected %zu as the layer's output has", width,
                           grad_plural(width), N);
}

grad_status grad_verify_layer(const grad_subject *s, grad_layer_sizes *sizes)
{
    const grad_layer *layer = &s->batch->layers[s->layer];
    grad_status status;

    if (layer->error != NULL) {
        *s->error = *layer->error;
        return layer->error->status;
    }
    status = check_kind(s, layer);
    if (status == GRAD_OK)
        status = check_attributes(s, layer);
    if (status == GRAD_OK)
        status = check_rate(s, layer);
    if (status == GRAD_OK)
        status = check_strangers(s, layer);
    if (status == GRAD_OK)
        status = grad_verify_tensors(s, sizes);
    return status == GRAD_OK ? check_residual(s, layer, sizes->N) : status;
}
