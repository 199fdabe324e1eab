/* The dense layer: z = x Wᵀ + b. */
#include <string.h>

#include "core/real.h"
#include "kernels/dense.h"
#include "kernels/elements.h"
#include "model/kind.h"

static grad_grid forward_grid(const grad_layer_view *v)
{
    return grad_grid_product(v->sizes.B, v->sizes.N, v->sizes.K);
}

static void forward(const grad_layer_view *v, grad_block block, void *z)
{
    grad_dense_pre_activation(v->type, v->sizes.K, v->sizes.N, v->x, v->layer->weight.data,
                              v->layer->bias.data, block, z);
}

static grad_grid grad_input_grid(const grad_layer_view *v)
{
    return grad_grid_product(v->sizes.B, v->sizes.K, v->sizes.N);
}

static void grad_input(const grad_layer_view *v, grad_block block, void *dx)
{
    grad_dense_grad_input(v->type, v->sizes.K, v->sizes.N, v->dz, v->layer->weight.data, block, dx);
}

static grad_grid weight_grid(const grad_layer_view *v)
{
    grad_layer_sizes n = v->sizes;

    return v->per_sample ? grad_grid_rows(n.B, n.N * n.K) : grad_grid_product(n.N, n.K, n.B);
}

static void weight_delta(const grad_layer_view *v, grad_block block, void *dW)
{
    grad_layer_sizes n = v->sizes;

    if (v->per_sample)
        grad_dense_sample_deltas(v->type, n.K, n.N, v->dz, v->x, v->factor, block.row, block.rows,
                                 dW);
    else
        grad_dense_weight_delta(v->type, n.B, n.K, n.N, v->dz, v->x, v->factor, block, dW);
}

grad_grid grad_sums_grid(const grad_layer_view *v)
{
    return v->per_sample ? grad_grid_rows(v->sizes.B, v->sizes.N)
                         : grad_grid_columns(v->sizes.B, v->sizes.N);
}

void grad_sums_run(const grad_layer_view *v, grad_block block, void *out)
{
    size_t first = block.row * v->sizes.N, count = block.rows * v->sizes.N;
    void *begin;

    if (!v->per_sample) {
        grad_dense_bias_delta(v->type, v->sizes.B, v->sizes.N, v->dz, v->factor, block.col,
                              block.col + block.cols, out);
        return;
    }
    begin = grad_real_offset(v->type, out, first);
    memcpy(begin, grad_real_offset_const(v->type, v->dz, first),
           count * grad_datatype_size(v->type));
    if (v->factor != 1)
        grad_elements_scale(v->type, count, v->factor, begin);
}

const grad_kind grad_kind_dense = {
    .info = {.kind = GRAD_DENSE,
             .name = "dense",
             .formula = "x W^T + b",
             .map = GRAD_MAP_PRODUCT,
             .slot_count = 2,
             .slots = {{GRAD_SLOT_WEIGHT, "NK", GRAD_WEIGHT_DELTA, true, true},
                       {GRAD_SLOT_BIAS, "N", GRAD_BIAS_DELTA, false, true}},
             .synonyms = GRAD_SYNONYMS("linear", "fully_connected")},
    .forward = {forward_grid, forward, GRAD_COST_PRODUCT},
    .grad_input = {grad_input_grid, grad_input, GRAD_COST_PRODUCT},
    .deltas = {{weight_grid, weight_delta, GRAD_COST_PRODUCT},
               {grad_sums_grid, grad_sums_run, GRAD_COST_NOTHING}},
};
