/* The table of decode_fields.h. A name may have several rows: the first whose field the object has
 * is the answer. */
#include "codec/document/decode_fields.h"

#include <string.h>

#include "core/size.h"

static const grad_foreign_field table[] = {
    {"weights", "weight", ""},
    {"w", "weight", ""},
    {"kernel", "weight", "(its shape is [N,K], a kernel's is [K,N])"},
    {"filters", "weight", "(its shape is [N,K])"},
    {"biases", "bias", ""},
    {"b", "bias", ""},
    {"x", "input", ""},
    {"inputs", "input", ""},
    {"features", "input", ""},
    {"z", "pre_activation", ""},
    {"logits", "pre_activation", ""},
    {"dy", "grad_output", ""},
    {"grad", "grad_output", ""},
    {"grads", "grad_output", ""},
    {"gradient", "grad_output", ""},
    {"grad_y", "grad_output", ""},
    {"output_grad", "grad_output", ""},
    {"output_gradient", "grad_output", ""},
    {"grad_out", "grad_output", ""},
    {"dout", "grad_output", ""},
    {"upstream", "grad_output", ""},
    {"delta", "grad_output", "(∂L/∂y, not ∂L/∂z)"},
    {"y_true", "target", ""},
    {"label", "target", ""},
    {"labels", "target", ""},
    {"classes", "target", ""},
    {"targets", "target", ""},
    {"t", "target", ""},
    {"y", "target", ""},
    {"scale", "gain", ""},
    {"gamma", "gain", ""},
    {"offset", "shift", ""},
    {"beta", "shift", ""},
    {"variance_epsilon", "epsilon", ""},
    {"num_groups", "groups", ""},
    {"moving_mean", "running_mean", ""},
    {"mean", "running_mean", ""},
    {"running_var", "running_variance", ""},
    {"moving_var", "running_variance", ""},
    {"moving_variance", "running_variance", ""},
    {"var", "running_variance", ""},
    {"variance", "running_variance", ""},
    {"nonlinearity", "activation", ""},
    {"act", "activation", ""},
    {"activation_fn", "activation", ""},
    {"activation_function", "activation", ""},
    {"kind", "type", ""},
    {"layer_type", "type", ""},
    {"class_name", "type", ""},
    {"op_type", "type", ""},
    {"skip", "residual", ""},
    {"shortcut", "residual", ""},
    {"p", "rate", ""},
    {"drop_prob", "rate", "(the share that is dropped)"},
    {"keep_prob", "rate", "(the share that is dropped, 1 - keep_prob)"},
    {"alpha", "negative_slope", ""},
    {"slope", "negative_slope", ""},
    {"alpha", "slope", ""},
    {"negative_slope", "slope", ""},
    {"approximate", "name", "(the tanh form is the activation \"gelu_tanh\")"},
    {"lambd", "lambda", ""},
    {"theta", "threshold", ""},
    {"min", "min_val", ""},
    {"min_value", "min_val", ""},
    {"max", "max_val", ""},
    {"max_value", "max_val", ""},
    {"ignore_label", "ignore_index", ""},
    {"label_smooth", "label_smoothing", ""},
    {"smoothing", "label_smoothing", ""},
    {"weight", "class_weight", ""},
    {"weights", "class_weight", ""},
    {"lr", "scale", "(-0.01 is a step of learning rate 0.01)"},
    {"learning_rate", "scale", "(-0.01 is a step of learning rate 0.01)"},
    {"criterion", "loss", ""},
    {"loss_fn", "loss", ""},
    {"max_norm", "global_norm", ""},
    {"clip_norm", "global_norm", ""},
    {"clip_value", "value", ""},
    {"values", "data", ""},
    {"dims", "shape", ""},
    {"size", "shape", ""},
    {"dtype", "datatype", ""},
};

const grad_foreign_field *grad_foreign_field_find(const char *name, const grad_known_name *known,
                                                  size_t count)
{
    for (size_t i = 0; i < GRAD_COUNT(table); i++) {
        if (!grad_name_same(name, table[i].name, ""))
            continue;
        for (size_t j = 0; j < count; j++)
            if (strcmp(table[i].field, known[j].name) == 0)
                return &table[i];
    }
    return NULL;
}
