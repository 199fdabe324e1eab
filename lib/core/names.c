/* The names that documents and errors give to what is public, and sizes by datatype. Names of
 * activations and losses are in their own tables. */
#include "gradient.h"

const char *grad_output_name(grad_output_kind output)
{
    static const char *const names[GRAD_OUTPUT_COUNT] = {
        [GRAD_WEIGHT_DELTA] = "weight_delta", [GRAD_BIAS_DELTA] = "bias_delta",
        [GRAD_GRAD_INPUT] = "grad_input",     [GRAD_SLOPE_DELTA] = "slope_delta",
        [GRAD_GAIN_DELTA] = "gain_delta",     [GRAD_SHIFT_DELTA] = "shift_delta"};

    return names[output];
}

const char *grad_layer_kind_name(grad_layer_kind kind)
{
    static const char *const names[GRAD_LAYER_KIND_COUNT] = {[GRAD_DENSE] = "dense",
                                                             [GRAD_ELEMENTS] = "activation",
                                                             [GRAD_LAYER_NORM] = "layer_norm",
                                                             [GRAD_BATCH_NORM] = "batch_norm"};

    return names[kind];
}

const grad_tensor *grad_layer_result_tensor(const grad_layer_result *result,
                                            grad_output_kind output)
{
    const grad_tensor *const tensors[GRAD_OUTPUT_COUNT] = {
        [GRAD_WEIGHT_DELTA] = &result->weight_delta, [GRAD_BIAS_DELTA] = &result->bias_delta,
        [GRAD_GRAD_INPUT] = &result->grad_input,     [GRAD_SLOPE_DELTA] = &result->slope_delta,
        [GRAD_GAIN_DELTA] = &result->gain_delta,     [GRAD_SHIFT_DELTA] = &result->shift_delta};

    return tensors[output];
}

size_t grad_datatype_size(grad_datatype datatype)
{
    return datatype == GRAD_FP64 ? sizeof(double) : sizeof(float);
}
