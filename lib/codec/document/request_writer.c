/* The request document of a batch: the fields that are read, those at their defaults left out.
 * Whether the batch makes sense is the service's to tell. */

#include <math.h>
#include <string.h>

#include "codec/document/enum_names.h"
#include "codec/json/encoder.h"
#include "codec/payload/binary.h"
#include "core/error.h"
#include "core/format_number.h"
#include "core/size.h"

/* ---- Whether a document can say what the batch does ------------------------------------------ */

static grad_status check_finite(double value, const char *pointer, grad_error *error)
{
    if (isfinite(value))
        return GRAD_OK;
    return grad_fail(error, GRAD_INVALID, "non_finite", pointer,
                     "expected a finite number, found %s", GRAD_NUMBER_TEXT(GRAD_FP64, value));
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

    for (size_t i = 0; i < GRAD_COUNT(options) && status == GRAD_OK; i++)
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
    bool has_ranks = have_ranks(tensors, GRAD_COUNT(tensors));
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

    if (!have_ranks(tensors, GRAD_COUNT(tensors)))
        return fail_rank("", error);
    if (loss->kind == GRAD_LOSS_ABSENT)
        return GRAD_OK;
    for (size_t i = 0; i < grad_loss_info_of(loss->kind)->parameter_count && status == GRAD_OK; i++)
        status = check_finite(
            loss->parameters[i],
            GRAD_AT("/loss/%s", grad_loss_info_of(loss->kind)->parameters[i].name), error);
    return status;
}

static grad_status check_writable(const grad_batch *batch, grad_error *error)
{
    grad_status status = check_options(batch, error);

    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++)
        status = check_layer(batch, i, error);
    return status == GRAD_OK && batch->network != NULL ? check_network(batch->network, error)
                                                       : status;
}

/* ---- What a network has besides layers ------------------------------------------------------- */

static void write_input(grad_encoder *encoder, const grad_network *network)
{
    grad_encoder_tensor(encoder, "input", &network->input, GRAD_NO_LAYER);
}

static void write_parameters(grad_encoder *encoder, const grad_loss *loss,
                             const grad_loss_info *info)
{
    for (size_t i = 0; i < info->parameter_count; i++) {
        const grad_parameter_info *parameter = &info->parameters[i];
        double value = loss->parameters[i];

        if (grad_scalar_same(value, parameter->default_value))
            continue;
        if (parameter->domain == GRAD_FLAG)
            grad_encoder_flag(encoder, parameter->name, value != 0);
        else
            grad_encoder_number(encoder, parameter->name, value);
    }
}

static void write_loss(grad_encoder *encoder, const grad_loss *loss)
{
    const grad_loss_info *info = grad_loss_info_of(loss->kind);

    grad_encoder_open(encoder, "loss");
    grad_encoder_string(encoder, "name", info->name);
    grad_encoder_tensor(encoder, "loss/target", &loss->target, GRAD_NO_LAYER);
    if (loss->reduction != GRAD_LOSS_MEAN)
        grad_encoder_string(encoder, "reduction", grad_loss_reduction_names[loss->reduction]);
    grad_encoder_tensor(encoder, "loss/sample_weight", &loss->sample_weight, GRAD_NO_LAYER);
    grad_encoder_tensor(encoder, "loss/class_weight", &loss->class_weight, GRAD_NO_LAYER);
    grad_encoder_tensor(encoder, "loss/pos_weight", &loss->pos_weight, GRAD_NO_LAYER);
    grad_encoder_tensor(encoder, "loss/variance", &loss->variance, GRAD_NO_LAYER);
    grad_encoder_tensor(encoder, "loss/other", &loss->other, GRAD_NO_LAYER);
    write_parameters(encoder, loss, info);
    grad_encoder_close(encoder);
}

static void write_start(grad_encoder *encoder, const grad_network *network)
{
    if (network->loss.kind != GRAD_LOSS_ABSENT)
        write_loss(encoder, &network->loss);
    grad_encoder_tensor(encoder, "grad_output", &network->grad_output, GRAD_NO_LAYER);
}

/* ---- Layers, and the whole ------------------------------------------------------------------- */

/* ---- Options --------------------------------------------------------------------------------- */

static void write_outputs(grad_encoder *encoder, unsigned outputs)
{
    grad_text *text = grad_encoder_text(encoder);
    const char *separator = "[";

    if (outputs == 0)
        return;
    grad_encoder_member(encoder, "outputs");
    for (size_t i = 0; i <= GRAD_OUTPUT_COUNT; i++) {
        if ((outputs >> i & 1) == 0)
            continue;
        grad_text_printf(text, "%s\"%s\"", separator,
                         i < GRAD_OUTPUT_COUNT ? grad_output_name((grad_output_kind)i)
                                               : GRAD_PREDICTIONS_NAME);
        separator = ",";
    }
    grad_text_add(text, "]", 1);
}

static void write_unless(grad_encoder *encoder, const char *name, double value,
                         double default_value)
{
    if (value != default_value)
        grad_encoder_number(encoder, name, value);
}

static void write_bounds(grad_encoder *encoder, const grad_clip *clip, const grad_decay *decay)
{
    if (clip->value != 0 || clip->layer_norm != 0 || clip->global_norm != 0) {
        grad_encoder_open(encoder, "clip");
        write_unless(encoder, "value", clip->value, 0);
        write_unless(encoder, "layer_norm", clip->layer_norm, 0);
        write_unless(encoder, "global_norm", clip->global_norm, 0);
        grad_encoder_close(encoder);
    }
    if (decay->l1 != 0 || decay->l2 != 0) {
        grad_encoder_open(encoder, "weight_decay");
        write_unless(encoder, "l1", decay->l1, 0);
        write_unless(encoder, "l2", decay->l2, 0);
        grad_encoder_close(encoder);
    }
}

static void write_options(grad_encoder *encoder, const grad_batch *batch)
{
    grad_encoder_string(encoder, "id", batch->id);
    if (batch->reduction != GRAD_SUM)
        grad_encoder_string(encoder, "reduction", grad_reduction_names[batch->reduction]);
    write_unless(encoder, "scale", batch->scale, 1);
    write_outputs(encoder, batch->outputs);
    if (batch->non_finite != GRAD_REJECT_NON_FINITE)
        grad_encoder_string(encoder, "non_finite", grad_non_finite_names[batch->non_finite]);
    if (batch->encoding != GRAD_ENCODING_JSON)
        grad_encoder_string(encoder, "encoding", grad_encoding_names[batch->encoding]);
    if (batch->encoding_datatype != GRAD_WIRE_COMPUTED)
        grad_encoder_string(encoder, "datatype", grad_wire_datatype_name(batch->encoding_datatype));
    if (batch->continue_on_error)
        grad_encoder_string(encoder, "on_error", "continue");
    if (batch->statistics)
        grad_encoder_flag(encoder, "statistics", true);
    if (batch->no_notes)
        grad_encoder_flag(encoder, "notes", false);
    write_bounds(encoder, &batch->clip, &batch->weight_decay);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static bool has_default_parameters(const grad_layer *layer, const grad_activation_info *info)
{
    for (size_t i = 0; i < info->parameter_count; i++)
        if (!grad_scalar_same(layer->activation.parameters[i], info->parameters[i].default_value))
            return false;
    return layer->slope.data == NULL;
}

static void write_activation(grad_encoder *encoder, const grad_layer *layer, size_t index)
{
    const grad_activation_info *info = grad_activation_info_of(layer->activation.kind);
    bool may_lack = grad_layer_info_of(layer->kind)->may_lack_activation;

    if (has_default_parameters(layer, info)) {
        if (!may_lack || info->kind != GRAD_IDENTITY)
            grad_encoder_string(encoder, "activation", info->name);
        return;
    }
    grad_encoder_open(encoder, "activation");
    grad_encoder_string(encoder, "name", info->name);
    if (layer->slope.data != NULL)
        grad_encoder_tensor(encoder, "activation/slope", &layer->slope, index);
    for (size_t i = 0; i < info->parameter_count && layer->slope.data == NULL; i++)
        grad_encoder_number(encoder, info->parameters[i].name, layer->activation.parameters[i]);
    grad_encoder_close(encoder);
}

static void write_dropout(grad_encoder *encoder, const grad_layer *layer, size_t index)
{
    if (layer->dropout_mask.data == NULL)
        return;
    grad_encoder_open(encoder, "dropout");
    grad_encoder_tensor(encoder, "dropout/mask", &layer->dropout_mask, index);
    grad_encoder_number(encoder, "rate", layer->dropout_rate);
    grad_encoder_close(encoder);
}

static void write_residual(grad_encoder *encoder, const grad_batch *batch, size_t index)
{
    size_t residual = batch->layers[index].residual;

    if (residual == GRAD_RESIDUAL_INPUT)
        grad_encoder_string(encoder, "residual", GRAD_RESIDUAL_INPUT_NAME);
    else if (residual != GRAD_RESIDUAL_NONE)
        grad_encoder_string(encoder, "residual",
                            batch->layers[residual - GRAD_RESIDUAL_OF(0)].name);
}

static void write_slots(grad_encoder *encoder, const grad_layer *layer, size_t index,
                        grad_datatype datatype)
{
    const grad_layer_info *info = grad_layer_info_of(layer->kind);

    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++)
        if (slot != GRAD_SLOT_SLOPE) /* the activation's */
            grad_encoder_tensor(encoder, grad_slot_name(slot), grad_layer_slot(layer, slot), index);
    for (size_t i = 0; i < info->attribute_count; i++)
        write_unless(encoder, info->attributes[i].name, grad_layer_attribute(layer, i),
                     info->attributes[i].default_values[datatype]);
}

static void write_layer(grad_encoder *encoder, const grad_batch *batch, size_t index)
{
    const grad_layer *layer = &batch->layers[index];

    grad_encoder_open(encoder, NULL);
    grad_encoder_string(encoder, "name", layer->name);
    if (layer->kind != GRAD_DEFAULT_LAYER_KIND)
        grad_encoder_string(encoder, "type", grad_layer_info_of(layer->kind)->name);
    write_activation(encoder, layer, index);
    grad_encoder_tensor(encoder, "input", &layer->input, index);
    grad_encoder_tensor(encoder, "pre_activation", &layer->pre_activation, index);
    grad_encoder_tensor(encoder, "grad_output", &layer->grad_output, index);
    write_slots(encoder, layer, index, batch->datatype);
    write_dropout(encoder, layer, index);
    write_residual(encoder, batch, index);
    grad_encoder_close(encoder);
}

/* ---- The whole ------------------------------------------------------------------------------- */

grad_status grad_encode_request(const grad_batch *batch, grad_encoder **encoder, grad_error *error)
{
    const grad_number_format format = grad_number_format_of(batch, GRAD_WIRE_COMPUTED);
    grad_encoder *e = NULL;
    grad_status status = check_writable(batch, error);

    if (status == GRAD_OK)
        status = grad_encoder_create(&format, &e, error);
    if (status != GRAD_OK)
        return status;
    grad_encoder_open(e, NULL);
    write_options(e, batch);
    if (batch->network != NULL)
        write_input(e, batch->network);
    grad_encoder_member(e, "layers");
    grad_text_add(grad_encoder_text(e), "[", 1);
    for (size_t i = 0; i < batch->layer_count; i++)
        write_layer(e, batch, i);
    grad_text_add(grad_encoder_text(e), "]", 1);
    if (batch->network != NULL)
        write_start(e, batch->network);
    grad_text_add(grad_encoder_text(e), "}\n", 2);
    status = grad_encoder_seal(&e, error);
    if (status == GRAD_OK)
        *encoder = e;
    return status;
}
