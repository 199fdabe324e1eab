/* What a request says of a network besides its layers: where they begin, and the loss or the
 * gradient that their backward pass starts from. Layers are request_writer.c's. */
#include "codec/document/enum_names.h"
#include "codec/document/request_writer.h"
#include "codec/json/scalar.h"

void grad_request_write_input(grad_encoder *encoder, const grad_network *network)
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

void grad_request_write_start(grad_encoder *encoder, const grad_network *network)
{
    if (network->loss.kind != GRAD_LOSS_ABSENT)
        write_loss(encoder, &network->loss);
    grad_encoder_tensor(encoder, "grad_output", &network->grad_output, GRAD_NO_LAYER);
}
