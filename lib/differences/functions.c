/* The functions that are differentiated: the request's network, or a network of one layer for each
 * independent layer, with every number widened to double. States that the parameters can give are
 * left out, so that a change of the parameters reaches everything above them. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/real.h"
#include "core/size.h"
#include "differences/state.h"

void *grad_check_take(grad_check *check, size_t count, size_t size)
{
    void **blocks = realloc(check->blocks, (check->block_count + 1) * sizeof *blocks);
    void *block;

    if (blocks == NULL)
        return NULL;
    check->blocks = blocks;
    block = calloc(count == 0 ? 1 : count, size);
    if (block != NULL)
        check->blocks[check->block_count++] = block;
    return block;
}

/* A tensor in double: the same one where it is so already. False: no memory. */
static bool widen(grad_check *check, grad_tensor *tensor)
{
    size_t count = grad_tensor_count(tensor);
    double *wide;

    if (tensor->data == NULL || check->batch.datatype == GRAD_FP64)
        return true;
    wide = grad_check_take(check, count, sizeof *wide);
    if (wide == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        wide[i] = grad_real_at(GRAD_FP32, tensor->data, i);
    tensor->data = wide;
    return true;
}

/* The parameters of an activation as the request's datatype has them. */
static void round_parameters(const grad_check *check, grad_activation *f)
{
    for (size_t i = 0; check->batch.datatype == GRAD_FP32 && i < GRAD_MAX_PARAMETERS; i++)
        f->parameters[i] = (float)f->parameters[i];
}

static bool widen_layer(grad_check *check, grad_layer *layer)
{
    grad_tensor *tensors[] = {&layer->input,        &layer->pre_activation,
                              &layer->grad_output,  &layer->weight,
                              &layer->bias,         &layer->slope,
                              &layer->gain,         &layer->shift,
                              &layer->running_mean, &layer->running_variance,
                              &layer->dropout_mask};

    round_parameters(check, &layer->activation);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (!widen(check, tensors[i]))
            return false;
    return true;
}

static bool widen_network(grad_check *check, grad_network *network)
{
    grad_tensor *tensors[] = {&network->input,
                              &network->grad_output,
                              &network->loss.target,
                              &network->loss.sample_weight,
                              &network->loss.class_weight,
                              &network->loss.pos_weight,
                              &network->loss.variance,
                              &network->loss.other};

    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (!widen(check, tensors[i]))
            return false;
    return true;
}

/* A state that follows from the parameters is left to them. */
static void drop_state(grad_layer *layer, bool is_network)
{
    bool follows = layer->kind != GRAD_DENSE || (is_network && layer->weight.data != NULL);

    if (follows)
        layer->pre_activation = (grad_tensor){0};
}

static void begin_function(const grad_check *check, grad_function_of_layers *f)
{
    f->batch = (grad_batch){.datatype = GRAD_FP64,
                            .scale = 1,
                            .outputs = GRAD_OUTPUT_PREDICTIONS,
                            .non_finite = check->batch.non_finite,
                            .layers = f->layers,
                            .network = &f->network};
}

/* The network itself. */
static bool make_network(grad_check *check, grad_function_of_layers *f)
{
    const grad_batch *batch = &check->batch;

    f->layers = grad_check_take(check, batch->layer_count, sizeof *f->layers);
    if (f->layers == NULL)
        return false;
    f->network = *batch->network;
    if (f->network.loss.reduction == GRAD_LOSS_NONE)
        f->network.loss.reduction = GRAD_LOSS_SUM;
    begin_function(check, f);
    f->batch.layer_count = batch->layer_count;
    for (size_t i = 0; i < batch->layer_count; i++) {
        f->layers[i] = batch->layers[i];
        if (i > 0)
            f->layers[i].input = (grad_tensor){0};
        drop_state(&f->layers[i], true);
        if (!widen_layer(check, &f->layers[i]))
            return false;
    }
    if (f->layers[0].input.data != NULL) {
        f->network.input = f->layers[0].input;
        f->layers[0].input = (grad_tensor){0};
    }
    return widen_network(check, &f->network);
}

/* A layer of its own: its states are a network's. */
static bool make_layer(grad_check *check, size_t layer, grad_function_of_layers *f)
{
    f->layers = grad_check_take(check, 1, sizeof *f->layers);
    if (f->layers == NULL)
        return false;
    begin_function(check, f);
    f->batch.layer_count = 1;
    f->layers[0] = check->batch.layers[layer];
    drop_state(&f->layers[0], false);
    if (!widen_layer(check, &f->layers[0]))
        return false;
    f->network =
        (grad_network){.input = f->layers[0].input, .grad_output = f->layers[0].grad_output};
    f->layers[0].input = f->layers[0].grad_output = (grad_tensor){0};
    return true;
}

grad_status grad_check_make_functions(grad_check *check, grad_error *error)
{
    bool is_network = check->batch.network != NULL, made = true;

    check->function_count = is_network ? 1 : check->batch.layer_count;
    check->functions = grad_check_take(check, check->function_count, sizeof *check->functions);
    if (check->functions == NULL)
        return grad_fail_memory(error, check->function_count * sizeof *check->functions);
    for (size_t i = 0; i < check->function_count && made; i++)
        made = is_network ? make_network(check, &check->functions[i])
                          : make_layer(check, i, &check->functions[i]);
    for (size_t i = 0; i < check->function_count && made; i++) {
        check->functions[i].batch.layers = check->functions[i].layers;
        check->functions[i].batch.network = &check->functions[i].network;
    }
    return made ? GRAD_OK : grad_fail_memory(error, sizeof(double));
}
