/* What is done in a tile: z, y, the loss, δ and the answers of each layer. Which operations there
 * are is the plan's to say; the arithmetic is in kernels/. */
#include <stdint.h>

#include "core/real.h"
#include "kernels/elements.h"
#include "kernels/finite.h"
#include "plan/run.h"

grad_function grad_layer_function(const grad_run *run, size_t layer)
{
    const grad_layer *l = &run->batch->layers[layer];
    bool has_slopes = l->activation.kind == GRAD_PRELU && l->slope.data != NULL;

    return (grad_function){&l->activation, run->batch->datatype, has_slopes ? l->slope.data : NULL,
                           has_slopes ? l->slope.shape[0] : 1};
}

grad_tensor *grad_run_output(grad_run *run, size_t layer, grad_output_kind output)
{
    if (run->batch->network != NULL && output == GRAD_GRAD_INPUT)
        return &run->reply.grad_input;
    /* The results are the run's own. */
    return (grad_tensor *)(uintptr_t)grad_layer_result_tensor(&run->results[layer], output);
}

/* A layer as its kind's operations see it. */
static grad_layer_view view_of(const grad_run *run, size_t layer)
{
    const grad_layer_state *s = &run->layers[layer];
    grad_layer_sizes n = run->plan->layers[layer].sizes;

    return (grad_layer_view){.layer = &run->batch->layers[layer],
                             .type = run->batch->datatype,
                             .sizes = n,
                             .x = s->x,
                             .z = s->z,
                             .gy = s->gy,
                             .dz = s->dz,
                             .scratch = s->scratch,
                             .per_sample = run->batch->reduction == GRAD_PER_SAMPLE,
                             .factor = grad_batch_delta_factor(run->batch, n.B)};
}

/* ---- Forward --------------------------------------------------------------------------------- */

void grad_op_prepare(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    grad_layer_view view = view_of(run, op->layer);

    (void)partial;
    grad_kind_of(view.layer)->prepare.run(&view, block, view.scratch);
}

void grad_op_forward(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    grad_layer_view view = view_of(run, op->layer);

    (void)partial;
    grad_kind_of(view.layer)->forward.run(&view, block, run->layers[op->layer].own_z);
}

/* What a layer's residual connection adds. */
static const void *residual_of(const grad_run *run, size_t residual)
{
    return residual == GRAD_RESIDUAL_INPUT ? run->layers[0].x
                                           : run->layers[residual - GRAD_RESIDUAL_OF(0)].y;
}

/* y = f(z) mask / (1 - rate) + residual */
void grad_op_output(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    const grad_layer *l = &run->batch->layers[op->layer];
    const grad_layer_state *s = &run->layers[op->layer];
    grad_datatype type = run->batch->datatype;
    grad_function f = grad_layer_function(run, op->layer);
    size_t first = block.row * op->grid.cols, count = block.rows * op->grid.cols;
    void *y = grad_real_offset(type, s->own_y, first);

    (void)partial;
    grad_function_forward(&f, block.rows, op->grid.cols, grad_real_offset_const(type, s->z, first),
                          y);
    if (l->dropout_mask.data != NULL)
        grad_elements_mask(type, count, grad_real_offset_const(type, l->dropout_mask.data, first),
                           1 / (1 - l->dropout_rate), y, y);
    if (l->residual != GRAD_RESIDUAL_NONE)
        grad_elements_add(type, count,
                          grad_real_offset_const(type, residual_of(run, l->residual), first), y);
}

void grad_op_loss(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    (void)op;
    (void)partial;
    grad_loss_rows(&run->loss, block.row, block.rows, run->loss_sums, run->reply.losses.data,
                   run->loss_gradient);
}

/* ---- δ --------------------------------------------------------------------------------------- */

/* Adds ∂L/∂y of each layer whose residual connection comes from there, in the order of the
 * layers. */
static void join(const grad_run *run, size_t residual, size_t first, size_t count, void *sum)
{
    grad_datatype type = run->batch->datatype;

    for (size_t i = 0; i < run->batch->layer_count; i++)
        if (run->batch->layers[i].residual == residual)
            grad_elements_add(type, count, grad_real_offset_const(type, run->layers[i].dy, first),
                              grad_real_offset(type, sum, first));
}

void grad_op_join(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    (void)partial;
    join(run, GRAD_RESIDUAL_OF(op->layer), block.row, block.rows, run->layers[op->layer].dy);
}

void grad_op_dead(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    grad_function f = grad_layer_function(run, op->layer);
    const void *z = grad_real_offset_const(run->batch->datatype, run->layers[op->layer].z,
                                           block.row * op->grid.cols);

    partial->zeros = grad_function_zeros(&f, block.rows, op->grid.cols, z);
}

/* δ = (∂L/∂y mask / (1 - rate)) ⊙ f'(z) */
void grad_op_delta(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    const grad_layer *l = &run->batch->layers[op->layer];
    const grad_layer_state *s = &run->layers[op->layer];
    grad_datatype type = run->batch->datatype;
    grad_function f = grad_layer_function(run, op->layer);
    size_t first = block.row * op->grid.cols, count = block.rows * op->grid.cols;
    const void *gy = grad_real_offset_const(type, s->dy, first);
    void *dz = grad_real_offset(type, s->dz, first);

    if (l->dropout_mask.data != NULL) {
        void *masked =
            run->plan->layers[op->layer].flow.keeps_gy ? grad_real_offset(type, s->gy, first) : dz;

        grad_elements_mask(type, count, grad_real_offset_const(type, l->dropout_mask.data, first),
                           1 / (1 - l->dropout_rate), gy, masked);
        gy = masked;
    }
    grad_function_backward(&f, block.rows, op->grid.cols, grad_real_offset_const(type, s->z, first),
                           gy, dz);
    if (op->first_partial != GRAD_NO_PARTIALS)
        grad_op_dead(run, op, block, partial);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* The first element of the block that is not finite, numbered within the whole array. */
static size_t first_non_finite(const grad_run *run, const grad_op *op, grad_block block,
                               const void *out)
{
    grad_datatype type = run->batch->datatype;
    size_t stride = op->grid.cols;

    if (op->grid.rows == 1 && op->output == GRAD_GRAD_INPUT) /* columns of the whole batch */
        block.rows = run->plan->layers[op->layer].sizes.B;
    for (size_t row = block.row; row < block.row + block.rows; row++) {
        size_t first = row * stride + block.col;
        size_t offset =
            grad_find_non_finite(type, block.cols, grad_real_offset_const(type, out, first));

        if (offset < block.cols)
            return first + offset;
    }
    return GRAD_FINITE;
}

void grad_op_answer(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    grad_layer_view view = view_of(run, op->layer);
    void *out = op->output == GRAD_GRAD_INPUT ? run->layers[op->layer].dx
                                              : grad_run_output(run, op->layer, op->output)->data;

    grad_kind_operation(grad_kind_of(view.layer), op->output).run(&view, block, out);
    if (op->first_partial != GRAD_NO_PARTIALS)
        partial->bad = first_non_finite(run, op, block, out);
}

void grad_op_join_input(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    void *dx = run->reply.grad_input.data;

    join(run, GRAD_RESIDUAL_INPUT, block.row, block.rows, dx);
    if (op->first_partial != GRAD_NO_PARTIALS)
        partial->bad = first_non_finite(run, op, block, dx);
}
