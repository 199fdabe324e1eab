/* The names that documents and errors give to what is public, and sizes by datatype. Names of
 * activations and losses are in their own tables. */
#include "core/foreign.h"
#include "gradient.h"

const char *grad_output_name(grad_output_kind output)
{
    static const char *const names[GRAD_OUTPUT_COUNT] = {
        [GRAD_WEIGHT_DELTA] = "weight_delta", [GRAD_BIAS_DELTA] = "bias_delta",
        [GRAD_GRAD_INPUT] = "grad_input",     [GRAD_SLOPE_DELTA] = "slope_delta",
        [GRAD_GAIN_DELTA] = "gain_delta",     [GRAD_SHIFT_DELTA] = "shift_delta"};

    return names[output];
}

static const struct {
    const char *name;
    const char *const *synonyms;
} layer_kinds[GRAD_LAYER_KIND_COUNT] = {
    [GRAD_DENSE] = {"dense", GRAD_SYNONYMS("linear", "fully_connected")},
    [GRAD_ELEMENTS] = {"activation", GRAD_NO_SYNONYMS},
    [GRAD_LAYER_NORM] = {"layer_norm", GRAD_NO_SYNONYMS},
    [GRAD_BATCH_NORM] = {"batch_norm", GRAD_SYNONYMS("batch_norm_1d")},
};

const char *grad_layer_kind_name(grad_layer_kind kind)
{
    return layer_kinds[kind].name;
}

const char *const *grad_layer_kind_synonyms(grad_layer_kind kind)
{
    return layer_kinds[kind].synonyms;
}

bool grad_layer_kind_find(const char *name, grad_layer_kind *kind)
{
    bool is_foreign = grad_foreign_meaning(GRAD_WORDS_OF_LAYER_TYPES, name) != NULL;

    for (size_t i = 0; i < GRAD_LAYER_KIND_COUNT && !is_foreign; i++)
        if (grad_vocabulary_has(GRAD_WORDS_OF_LAYER_TYPES, name, layer_kinds[i].name,
                                layer_kinds[i].synonyms)) {
            *kind = (grad_layer_kind)i;
            return true;
        }
    return false;
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
