/* Whether a request document can say what a batch does. Whether the batch makes sense is the
 * service's to tell. */
#include <math.h>
#include <string.h>

#include "codec/document/enum_names.h"
#include "codec/document/request_writer.h"
#include "core/error.h"
#include "core/figure.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static grad_status check_finite(double value, const char *pointer, grad_error *error)
{
    if (isfinite(value))
        return GRAD_OK;
    return grad_fail(error, GRAD_INVALID, "non_finite", pointer,
                     "expected a finite number, found %s", GRAD_FIGURE(GRAD_FP64, value));
}

static grad_status check_options(const grad_batch *batch, grad_error *error)
{
    const struct {
        const char *pointer;
        double value;
    } options[] = {
        {"/scale", batch->scale},
        {"/clip/value", batch->clip.value},
        {"/clip/layer_norm", batch->clip.layer_norm},
        {"/clip/global_norm", batch->clip.global_norm},
        {"/weight_decay/l1", batch->weight_decay.l1},
        {"/weight_decay/l2", batch->weight_decay.l2},
    };
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < COUNT(options) && status == GRAD_OK; i++)
        status = check_finite(options[i].value, options[i].pointer, error);
    return status;
}

static bool has_rank(const grad_tensor *tensor)
{
    return tensor->data == NULL || (tensor->rank >= 1 && tensor->rank <= GRAD_MAX_RANK);
}

static bool have_ranks(const grad_tensor *const *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!has_rank(tensors[i]))
            return false;
    return true;
}

static grad_status fail_rank(const char *pointer, grad_error *error)
{
    return grad_fail(error, GRAD_INVALID, "shape_mismatch", pointer,
                     "expected tensors of rank 1 to %d", GRAD_MAX_RANK);
}

/* Numbers that are not spelled do no harm. */
static grad_status check_layer_numbers(const grad_layer *layer, size_t index, grad_error *error)
{
    const grad_activation_info *info = grad_activation_info_of(layer->activation.kind);
    const grad_layer_info *kind = grad_layer_info_of(layer->kind);
    grad_status status = GRAD_OK;

    for (size_t k = 0; k < info->parameter_count && status == GRAD_OK; k++)
        status = check_finite(layer->activation.parameters[k],
                              GRAD_AT("/layers/%zu/activation/%s", index, info->parameters[k].name),
                              error);
    for (size_t k = 0; k < kind->attribute_count && status == GRAD_OK; k++)
        status = check_finite(grad_layer_attribute(layer, k),
                              GRAD_AT("/layers/%zu/%s", index, kind->attributes[k].name), error);
    if (status == GRAD_OK && layer->dropout_mask.data != NULL)
        status =
            check_finite(layer->dropout_rate, GRAD_AT("/layers/%zu/dropout/rate", index), error);
    return status;
}

/* A residual names its layer, and the nearest reader must find that layer by the name. */
static grad_status check_residual(const grad_batch *batch, size_t index, grad_error *error)
{
    const grad_layer *layers = batch->layers;
    size_t residual = layers[index].residual;
    size_t from = residual - GRAD_RESIDUAL_OF(0);
    const char *name = GRAD_RESIDUAL_INPUT_NAME;

    if (residual == GRAD_RESIDUAL_NONE)
        return GRAD_OK;
    if (residual != GRAD_RESIDUAL_INPUT) {
        name = from < index ? layers[from].name : NULL;
        if (name == NULL)
            return grad_fail(error, GRAD_INVALID, "unsupported_value",
                             GRAD_AT("/layers/%zu/residual", index),
                             "expected an earlier layer that has a name, found layer %zu", from);
    }
    for (size_t i = 0; i < index; i++)
        if ((residual == GRAD_RESIDUAL_INPUT || i != from) && layers[i].name != NULL &&
            strcmp(layers[i].name, name) == 0)
            return grad_fail(
                error, GRAD_INVALID, "unsupported_value", GRAD_AT("/layers/%zu/residual", index),
                "expected a name that nothing else has, found \"%.60s\" of layer %zu", name, i);
    return GRAD_OK;
}

static grad_status check_layer(const grad_batch *batch, size_t index, grad_error *error)
{
    const grad_layer *layer = &batch->layers[index];
    const grad_tensor *const tensors[] = {&layer->input, &layer->pre_activation,
                                          &layer->grad_output, &layer->dropout_mask};
    bool has_ranks = have_ranks(tensors, COUNT(tensors));
    grad_status status;

    if (layer->error != NULL) {
        if (error != NULL && error->status == GRAD_OK)
            *error = *layer->error;
        return layer->error->status;
    }
    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++)
        has_ranks = has_ranks && has_rank(grad_layer_slot(layer, slot));
    if (!has_ranks)
        return fail_rank(GRAD_AT("/layers/%zu", index), error);
    status = check_layer_numbers(layer, index, error);
    return status == GRAD_OK ? check_residual(batch, index, error) : status;
}

static grad_status check_network(const grad_network *network, grad_error *error)
{
    const grad_loss *loss = &network->loss;
    const grad_tensor *const tensors[] = {
        &network->input,     &network->grad_output, &loss->target,   &loss->sample_weight,
        &loss->class_weight, &loss->pos_weight,     &loss->variance, &loss->other};
    grad_status status = GRAD_OK;

    if (!have_ranks(tensors, COUNT(tensors)))
        return fail_rank("", error);
    if (loss->kind == GRAD_LOSS_ABSENT)
        return GRAD_OK;
    for (size_t i = 0; i < grad_loss_info_of(loss->kind)->parameter_count && status == GRAD_OK; i++)
        status = check_finite(
            loss->parameters[i],
            GRAD_AT("/loss/%s", grad_loss_info_of(loss->kind)->parameters[i].name), error);
    return status;
}

grad_status grad_request_writable(const grad_batch *batch, grad_error *error)
{
    grad_status status = check_options(batch, error);

    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++)
        status = check_layer(batch, i, error);
    return status == GRAD_OK && batch->network != NULL ? check_network(batch->network, error)
                                                       : status;
}
