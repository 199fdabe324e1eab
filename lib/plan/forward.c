/* The forward half of a run: z, y and the loss, tile by tile. What is worked out at all is
 * layout.c's to say; the arithmetic is in kernels/. */
#include "core/real.h"
#include "kernels/elements.h"
#include "plan/state.h"

grad_function grad_layer_function(const grad_run *run, size_t layer)
{
    const grad_layer *l = &run->batch->layers[layer];
    bool has_slopes = l->activation.kind == GRAD_PRELU && l->slope.data != NULL;

    return (grad_function){&l->activation, run->batch->datatype, has_slopes ? l->slope.data : NULL,
                           has_slopes ? l->slope.shape[0] : 1};
}

grad_layer_view grad_run_view(const grad_run *run, size_t layer)
{
    const grad_layer_state *s = &run->layers[layer];

    return (grad_layer_view){.layer = &run->batch->layers[layer],
                             .type = run->batch->datatype,
                             .sizes = s->sizes,
                             .x = s->x,
                             .z = s->z,
                             .gy = s->gy,
                             .dz = s->dz,
                             .scratch = s->scratch,
                             .per_sample = run->batch->reduction == GRAD_PER_SAMPLE,
                             .factor = grad_batch_delta_factor(run->batch, s->sizes.B)};
}

void grad_part_prepare(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    grad_layer_view view = grad_run_view(run, part->layer);

    (void)note;
    grad_kind_of(view.layer)->prepare.run(&view, block, view.scratch);
}

void grad_part_forward(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    grad_layer_view view = grad_run_view(run, part->layer);

    (void)note;
    grad_kind_of(view.layer)->forward.run(&view, block, run->layers[part->layer].own_z);
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
