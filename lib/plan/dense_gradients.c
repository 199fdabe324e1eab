/* The simple entry: the backward pass of one dense layer, arrays in, arrays out. */
#include <stdint.h>
#include <string.h>

#include "core/error.h"
#include "gradient.h"

/* The library does not write what it reads. */
static grad_tensor tensor_of(const float *data, size_t rank, size_t first, size_t second)
{
    return (grad_tensor){(void *)(uintptr_t)data, rank, {first, second}};
}

static grad_status find(const char *name, grad_activation *f, grad_error *error)
{
    const grad_activation_info *info = name == NULL ? NULL : grad_activation_find(name);

    if (info == NULL)
        return grad_fail(error, GRAD_INVALID, "unknown_name", "/layers/0/activation",
                         "expected the name of an activation, found \"%.60s\"",
                         name == NULL ? "" : name);
    *f = grad_activation_default(info->kind);
    return GRAD_OK;
}

static void copy(const grad_tensor *from, float *to)
{
    if (to != NULL)
        memcpy(to, from->data, grad_tensor_count(from) * sizeof *to);
}

static grad_status compute(const grad_batch *batch, grad_run **run, grad_error *error)
{
    grad_plan *plan;
    grad_status status = grad_plan_create(batch, NULL, &plan, error);

    if (status == GRAD_OK)
        status = grad_run_create(plan, run, error);
    if (status == GRAD_OK)
        status = grad_run_all(*run, error);
    return status;
}

grad_status grad_dense_gradients(size_t B, size_t K, size_t N, const char *activation,
                                 const float *input, const float *weight, const float *bias,
                                 const float *grad_output, float *weight_delta, float *bias_delta,
                                 float *grad_input, grad_error *error)
{
    grad_layer layer = {.kind = GRAD_DEFAULT_LAYER_KIND,
                        .input = tensor_of(input, 2, B, K),
                        .weight = tensor_of(weight, 2, N, K),
                        .bias = tensor_of(bias, 1, N, 0),
                        .grad_output = tensor_of(grad_output, 2, B, N)};
    unsigned outputs = (weight_delta != NULL ? GRAD_OUTPUT_WEIGHT_DELTA : 0U) |
                       (bias_delta != NULL ? GRAD_OUTPUT_BIAS_DELTA : 0U) |
                       (grad_input != NULL ? GRAD_OUTPUT_GRAD_INPUT : 0U);
    grad_batch batch = {.scale = 1, .outputs = outputs, .layer_count = 1, .layers = &layer};
    grad_run *run = NULL;
    grad_status status = find(activation, &layer.activation, error);

    if (status == GRAD_OK)
        status = compute(&batch, &run, error);
    if (status == GRAD_OK) {
        const grad_layer_result *result = grad_run_reply(run)->layers;

        copy(&result->weight_delta, weight_delta);
        copy(&result->bias_delta, bias_delta);
        copy(&result->grad_input, grad_input);
    }
    grad_run_destroy(run);
    return status;
}
