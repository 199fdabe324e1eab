/* The backward half of a run: δ and the answers of each layer, tile by tile. What is worked out at
 * all is stages.c's to say; the arithmetic is in kernels/. */
#include <stdint.h>

#include "core/real.h"
#include "kernels/elements.h"
#include "kernels/finite.h"
#include "plan/state.h"

grad_tensor *grad_run_output(grad_run *run, size_t layer, grad_output_kind output)
{
    if (run->batch->network != NULL && output == GRAD_GRAD_INPUT)
        return &run->reply.grad_input;
    /* The results are the run's own. */
    return (grad_tensor *)(uintptr_t)grad_layer_result_tensor(&run->results[layer], output);
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

void grad_part_join(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    (void)note;
    join(run, GRAD_RESIDUAL_OF(part->layer), block.row, block.rows, run->layers[part->layer].dy);
}

void grad_part_zeros(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    grad_function f = grad_layer_function(run, part->layer);
    const void *z = grad_real_offset_const(run->batch->datatype, run->layers[part->layer].z,
                                           block.row * part->grid.cols);

    note->zeros = grad_function_zeros(&f, block.rows, part->grid.cols, z);
}

/* δ = (∂L/∂y mask / (1 - rate)) ⊙ f'(z) */
void grad_part_delta(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    const grad_layer *l = &run->batch->layers[part->layer];
    const grad_layer_state *s = &run->layers[part->layer];
    grad_datatype type = run->batch->datatype;
    grad_function f = grad_layer_function(run, part->layer);
    size_t first = block.row * part->grid.cols, count = block.rows * part->grid.cols;
    const void *gy = grad_real_offset_const(type, s->dy, first);
    void *dz = grad_real_offset(type, s->dz, first);

    if (l->dropout_mask.data != NULL) {
        void *masked = s->flow.keeps_gy ? grad_real_offset(type, s->gy, first) : dz;

        grad_elements_mask(type, count, grad_real_offset_const(type, l->dropout_mask.data, first),
                           1 / (1 - l->dropout_rate), gy, masked);
        gy = masked;
    }
    grad_function_backward(&f, block.rows, part->grid.cols,
                           grad_real_offset_const(type, s->z, first), gy, dz);
    if (part->first_note != GRAD_NO_NOTES)
        grad_part_zeros(run, part, block, note);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* The first element of the block that is not finite, numbered within the whole array. */
static size_t judge(const grad_run *run, const grad_part *part, grad_block block, const void *out)
{
    grad_datatype type = run->batch->datatype;
    size_t stride = part->grid.cols;

    if (part->grid.rows == 1 && part->output == GRAD_GRAD_INPUT) /* columns of the whole batch */
        block.rows = run->layers[part->layer].sizes.B;
    for (size_t row = block.row; row < block.row + block.rows; row++) {
        size_t first = row * stride + block.col;
        size_t offset =
            grad_find_non_finite(type, block.cols, grad_real_offset_const(type, out, first));

        if (offset < block.cols)
            return first + offset;
    }
    return GRAD_FINITE;
}

void grad_part_answer(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    grad_layer_view view = grad_run_view(run, part->layer);
    void *out = part->output == GRAD_GRAD_INPUT
                    ? run->layers[part->layer].dx
                    : grad_run_output(run, part->layer, part->output)->data;

    grad_kind_operation(grad_kind_of(view.layer), part->output).run(&view, block, out);
    if (part->first_note != GRAD_NO_NOTES)
        note->bad = judge(run, part, block, out);
}

void grad_part_join_input(grad_run *run, const grad_part *part, grad_block block, grad_note *note)
{
    void *dx = run->reply.grad_input.data;

    join(run, GRAD_RESIDUAL_INPUT, block.row, block.rows, dx);
    if (part->first_note != GRAD_NO_NOTES)
        note->bad = judge(run, part, block, dx);
}
