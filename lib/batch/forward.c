/* The forward half of a run: z, y and the loss, tile by tile. What is worked out at all is
 * layout.c's to say; the arithmetic is in kernels/. */
#include "batch/state.h"
#include "core/real.h"
#include "kernels/elements.h"

grad_function grad_layer_function(const grad_run *run, size_t layer)
{
    const grad_layer *l = &run->batch->layers[layer];
    bool has_slopes = l->activation.kind == GRAD_PRELU && l->slope.data != NULL;

    return (grad_function){&l->activation, run->batch->datatype, has_slopes ? l->slope.data : NULL,
                           has_slopes ? l->slope.shape[0] : 1};
}

grad_norm grad_layer_norm(const grad_run *run, size_t layer)
{
    const grad_layer *l = &run->batch->layers[layer];
    const grad_layer_state *s = &run->layers[layer];

    return (grad_norm){.type = run->batch->datatype,
                       .B = s->sizes.B,
                       .N = s->sizes.N,
                       .by_sample = l->kind == GRAD_LAYER_NORM,
                       .moments_depend_on_x = !grad_layer_is_inference(l),
                       .gain = l->gain.data,
                       .shift = l->shift.data,
                       .x = s->x,
                       .moments = s->moments};
}

void grad_part_pre_activation(grad_run *run, const grad_part *part, grad_block block,
                              grad_note *note)
{
    const grad_layer *l = &run->batch->layers[part->layer];
    const grad_layer_state *s = &run->layers[part->layer];

    (void)note;
    grad_dense_pre_activation(run->batch->datatype, s->sizes.K, s->sizes.N, s->x, l->weight.data,
                              l->bias.data, block, s->own_z);
}

void grad_part_moments(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    const grad_layer *l = &run->batch->layers[part->layer];
    const grad_layer_state *s = &run->layers[part->layer];
    grad_datatype type = run->batch->datatype;

    (void)note;
    if (grad_layer_is_inference(l))
        grad_running_moments(type, s->sizes.N, l->running_mean.data, l->running_variance.data,
                             l->epsilon, s->moments);
    else if (l->kind == GRAD_LAYER_NORM)
        grad_layer_norm_moments(type, s->sizes.N, s->x, l->epsilon, block.row, block.rows,
                                s->moments);
    else
        grad_batch_norm_moments(type, s->sizes.B, s->sizes.N, s->x, l->epsilon, block.col,
                                block.col + block.cols, s->moments);
}

void grad_part_norm(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    grad_norm norm = grad_layer_norm(run, part->layer);

    (void)note;
    grad_norm_forward(&norm, block.row, block.rows, run->layers[part->layer].own_z);
}

/* What a layer's residual connection adds. */
static const void *residual_of(const grad_run *run, size_t residual)
{
    return residual == GRAD_RESIDUAL_INPUT ? run->layers[0].x
                                           : run->layers[residual - GRAD_RESIDUAL_OF(0)].y;
}

/* y = f(z) mask / (1 - rate) + residual */
void grad_part_output(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    const grad_layer *l = &run->batch->layers[part->layer];
    const grad_layer_state *s = &run->layers[part->layer];
    grad_datatype type = run->batch->datatype;
    grad_function f = grad_layer_function(run, part->layer);
    size_t first = block.row * part->grid.cols, count = block.rows * part->grid.cols;
    void *y = grad_real_offset(type, s->own_y, first);

    (void)note;
    grad_function_forward(&f, block.rows, part->grid.cols,
                          grad_real_offset_const(type, s->z, first), y);
    if (l->dropout_mask.data != NULL)
        grad_elements_mask(type, count, grad_real_offset_const(type, l->dropout_mask.data, first),
                           1 / (1 - l->dropout_rate), y, y);
    if (l->residual != GRAD_RESIDUAL_NONE)
        grad_elements_add(type, count,
                          grad_real_offset_const(type, residual_of(run, l->residual), first), y);
}

void grad_part_loss(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    (void)part;
    (void)note;
    grad_loss_rows(&run->loss, block.row, block.rows, run->loss_sums, run->reply.losses.data,
                   run->loss_gradient);
}
