/* The request document of a batch: the fields that are read, those at their defaults left out. */
#include "codec/document/request_writer.h"
#include "codec/document/enum_names.h"
#include "codec/json/scalar.h"

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

static void write_parameters(grad_encoder *encoder, const grad_layer *layer, size_t index)
{
    const grad_layer_info *info = grad_layer_info_of(layer->kind);

    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++)
        if (slot != GRAD_SLOT_SLOPE) /* the activation's */
            grad_encoder_tensor(encoder, grad_slot_name(slot), grad_layer_slot(layer, slot), index);
    for (size_t i = 0; i < info->attribute_count; i++)
        write_unless(encoder, info->attributes[i].name, grad_layer_attribute(layer, i),
                     info->attributes[i].default_value);
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
    write_parameters(encoder, layer, index);
    write_dropout(encoder, layer, index);
    write_residual(encoder, batch, index);
    grad_encoder_close(encoder);
}

/* ---- The whole ------------------------------------------------------------------------------- */

grad_status grad_encode_request(const grad_batch *batch, grad_encoder **encoder, grad_error *error)
{
    grad_encoder *e = NULL;
    grad_status status = grad_request_writable(batch, error);

    if (status == GRAD_OK)
        status = grad_encoder_create(batch, &e, error);
    if (status != GRAD_OK)
        return status;
    grad_encoder_open(e, NULL);
    write_options(e, batch);
    if (batch->network != NULL)
        grad_request_write_input(e, batch->network);
    grad_encoder_member(e, "layers");
    grad_text_add(grad_encoder_text(e), "[", 1);
    for (size_t i = 0; i < batch->layer_count; i++)
        write_layer(e, batch, i);
    grad_text_add(grad_encoder_text(e), "]", 1);
    if (batch->network != NULL)
        grad_request_write_start(e, batch->network);
    grad_text_add(grad_encoder_text(e), "}\n", 2);
    status = grad_encoder_seal(&e, error);
    if (status == GRAD_OK)
        *encoder = e;
    return status;
}
