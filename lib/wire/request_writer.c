/* The request document of a batch: the same fields as request_reader.c reads, those at their
 * defaults left out. */
#include <math.h>

#include "core/error.h"
#include "wire/encoder.h"

static void write_string_member(grad_encoder *encoder, const char *name, const char *value)
{
    if (value == NULL)
        return;
    grad_encoder_member(encoder, name);
    grad_text_string(grad_encoder_text(encoder), value);
}

static void write_outputs(grad_encoder *encoder, unsigned outputs)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{GRAD_OUTPUT_WEIGHT_DELTA, "weight_delta"},
                 {GRAD_OUTPUT_BIAS_DELTA, "bias_delta"},
                 {GRAD_OUTPUT_GRAD_INPUT, "grad_input"}};
    grad_text *text = grad_encoder_text(encoder);
    const char *separator = "[";

    if (outputs == 0)
        return;
    grad_encoder_member(encoder, "outputs");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((outputs & names[i].bit) == 0)
            continue;
        grad_text_printf(text, "%s\"%s\"", separator, names[i].name);
        separator = ",";
    }
    grad_text_add(text, "]", 1);
}

static void write_options(grad_encoder *encoder, const grad_batch *batch)
{
    write_string_member(encoder, "id", batch->id);
    if (batch->reduction == GRAD_MEAN)
        write_string_member(encoder, "reduction", "mean");
    if (batch->scale != 1) {
        grad_encoder_member(encoder, "scale");
        grad_text_number(grad_encoder_text(encoder), batch->scale);
    }
    write_outputs(encoder, batch->outputs);
    if (batch->non_finite == GRAD_ALLOW_NON_FINITE)
        write_string_member(encoder, "non_finite", "allow");
}

static void write_parameter(grad_encoder *encoder, const char *name, double value)
{
    grad_encoder_member(encoder, name);
    grad_text_number(grad_encoder_text(encoder), value);
}

static void write_activation(grad_encoder *encoder, const grad_activation *activation)
{
    const grad_activation_info *info = grad_activation_info_of(activation->kind);
    grad_text *text = grad_encoder_text(encoder);

    if (info->parameter_count == 0) {
        write_string_member(encoder, "activation", info->name);
        return;
    }
    grad_encoder_member(encoder, "activation");
    grad_text_add(text, "{", 1);
    write_string_member(encoder, "name", info->name);
    for (size_t i = 0; i < info->parameter_count; i++)
        write_parameter(encoder, info->parameters[i].name, activation->parameters[i]);
    grad_text_add(text, "}", 1);
}

static void write_layer(grad_encoder *encoder, const grad_layer *layer, size_t index)
{
    grad_text *text = grad_encoder_text(encoder);

    grad_text_add(text, index > 0 ? ",{" : "{", index > 0 ? 2 : 1);
    write_string_member(encoder, "name", layer->name);
    write_activation(encoder, &layer->activation);
    grad_encoder_tensor(encoder, "input", &layer->input, index);
    grad_encoder_tensor(encoder, "pre_activation", &layer->pre_activation, index);
    grad_encoder_tensor(encoder, "grad_output", &layer->grad_output, index);
    grad_encoder_tensor(encoder, "weight", &layer->weight, index);
    grad_text_add(text, "}", 1);
}

/* JSON has no spelling for options that are not finite. */
static bool has_ranks(const grad_layer *layer)
{
    const grad_tensor *tensors[] = {&layer->input, &layer->pre_activation, &layer->grad_output,
                                    &layer->weight};

    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (tensors[i]->data != NULL && (tensors[i]->rank < 1 || tensors[i]->rank > GRAD_MAX_RANK))
            return false;
    return true;
}

static grad_status check_options(const grad_batch *batch, grad_error *error)
{
    if (!isfinite(batch->scale))
        return grad_fail(error, GRAD_INVALID, "non_finite", "/scale",
                         "expected a finite number, found %g", batch->scale);
    for (size_t i = 0; i < batch->layer_count; i++) {
        const grad_activation *activation = &batch->layers[i].activation;
        const grad_activation_info *info = grad_activation_info_of(activation->kind);

        if (!has_ranks(&batch->layers[i]))
            return grad_fail(error, GRAD_INVALID, "shape_mismatch", GRAD_AT("/layers/%zu", i),
                             "expected tensors of rank 1 to %d", GRAD_MAX_RANK);
        for (size_t k = 0; k < info->parameter_count; k++) {
            if (!isfinite(activation->parameters[k]))
                return grad_fail(error, GRAD_INVALID, "non_finite",
                                 GRAD_AT("/layers/%zu/activation/%s", i, info->parameters[k].name),
                                 "expected a finite number, found %g",
                                 (double)activation->parameters[k]);
        }
    }
    return GRAD_OK;
}

grad_status grad_encode_request(const grad_batch *batch, grad_encoder **encoder, grad_error *error)
{
    grad_encoder *e = NULL;
    grad_text *text;
    grad_status status = check_options(batch, error);

    if (status == GRAD_OK)
        status = grad_encoder_create(batch->non_finite, &e, error);
    if (status != GRAD_OK)
        return status;
    text = grad_encoder_text(e);
    grad_text_add(text, "{", 1);
    write_options(e, batch);
    grad_encoder_member(e, "layers");
    grad_text_add(text, "[", 1);
    for (size_t i = 0; i < batch->layer_count; i++)
        write_layer(e, &batch->layers[i], i);
    grad_text_add(text, "]}\n", 3);
    status = grad_encoder_seal(&e, error);
    if (status == GRAD_OK)
        *encoder = e;
    return status;
}
