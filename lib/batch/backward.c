/* The backward half of a run: δ and the answers of each layer, tile by tile. What is worked out at
 * all is stages.c's to say; the arithmetic is in kernels/. */
#include <string.h>

#include "batch/state.h"
#include "core/real.h"
#include "kernels/elements.h"
#include "kernels/finite.h"

grad_tensor *grad_run_output(grad_run *run, size_t layer, grad_output_kind output)
{
    grad_layer_result *r = &run->results[layer];
    grad_tensor *tensors[GRAD_OUTPUT_COUNT] = {
        [GRAD_WEIGHT_DELTA] = &r->weight_delta, [GRAD_BIAS_DELTA] = &r->bias_delta,
        [GRAD_GRAD_INPUT] = &r->grad_input,     [GRAD_SLOPE_DELTA] = &r->slope_delta,
        [GRAD_GAIN_DELTA] = &r->gain_delta,     [GRAD_SHIFT_DELTA] = &r->shift_delta};

    if (run->batch->network != NULL && output == GRAD_GRAD_INPUT)
        return &run->reply.grad_input;
    return tensors[output];
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

/* What an answer is worked out from. */
typedef struct answer {
    const grad_run *run;
    size_t layer;
    const grad_layer *l;
    const grad_layer_state *s;
    grad_datatype type;
    double factor;
    bool per_sample;
    grad_block block;
    void *out;
} answer;

static void answer_weight_delta(const answer *a)
{
    grad_layer_sizes n = a->s->sizes;

    if (a->per_sample)
        grad_dense_sample_deltas(a->type, n.K, n.N, a->s->dz, a->s->x, a->factor, a->block.row,
                                 a->block.rows, a->out);
    else
        grad_dense_weight_delta(a->type, n.B, n.K, n.N, a->s->dz, a->s->x, a->factor, a->block,
                                a->out);
}

/* Of the shift of a norm too. */
static void answer_bias_delta(const answer *a)
{
    grad_layer_sizes n = a->s->sizes;
    size_t first = a->block.row * n.N, count = a->block.rows * n.N;
    void *out = grad_real_offset(a->type, a->out, first);

    if (!a->per_sample) {
        grad_dense_bias_delta(a->type, n.B, n.N, a->s->dz, a->factor, a->block.col,
                              a->block.col + a->block.cols, a->out);
        return;
    }
    memcpy(out, grad_real_offset_const(a->type, a->s->dz, first),
           count * grad_datatype_size(a->type));
    if (a->factor != 1)
        grad_elements_scale(a->type, count, a->factor, out);
}

static void answer_gain_delta(const answer *a)
{
    grad_norm norm = grad_layer_norm(a->run, a->layer);

    if (a->per_sample)
        grad_norm_sample_gain_deltas(&norm, a->s->dz, a->factor, a->block.row, a->block.rows,
                                     a->out);
    else
        grad_norm_gain_delta(&norm, a->s->dz, a->factor, a->block.col, a->block.col + a->block.cols,
                             a->out);
}

static void slope_delta_of(const answer *a, size_t row, size_t rows, size_t begin, size_t end,
                           void *out)
{
    size_t N = a->s->sizes.N;
    const void *z = grad_real_offset_const(a->type, a->s->z, row * N);
    const void *gy = grad_real_offset_const(a->type, a->s->gy, row * N);

    if (a->l->slope.data == NULL || a->l->slope.shape[0] == 1)
        grad_prelu_shared_slope_delta(a->type, rows, N, z, gy, a->factor, out);
    else
        grad_prelu_slope_delta(a->type, rows, N, z, gy, a->factor, begin, end, out);
}

static void answer_slope_delta(const answer *a)
{
    grad_layer_sizes n = a->s->sizes;
    bool shared = a->l->slope.data == NULL || a->l->slope.shape[0] == 1;

    if (!a->per_sample) {
        slope_delta_of(a, 0, n.B, a->block.col, a->block.col + a->block.cols, a->out);
        return;
    }
    for (size_t b = a->block.row; b < a->block.row + a->block.rows; b++)
        slope_delta_of(a, b, 1, 0, n.N, grad_real_offset(a->type, a->out, shared ? b : b * n.N));
}

static void answer_grad_input(const answer *a)
{
    grad_layer_sizes n = a->s->sizes;
    grad_norm norm = grad_layer_norm(a->run, a->layer);
    size_t first = a->block.row * n.N;

    switch (a->l->kind) {
    case GRAD_DENSE:
        grad_dense_grad_input(a->type, n.K, n.N, a->s->dz, a->l->weight.data, a->block, a->out);
        break;
    case GRAD_LAYER_NORM:
        grad_layer_norm_grad_input(&norm, a->s->dz, a->block.row, a->block.rows, a->out);
        break;
    case GRAD_BATCH_NORM:
        grad_batch_norm_grad_input(&norm, a->s->dz, a->block.col, a->block.col + a->block.cols,
                                   a->out);
        break;
    default:
        memcpy(grad_real_offset(a->type, a->out, first),
               grad_real_offset_const(a->type, a->s->dz, first),
               a->block.rows * n.N * grad_datatype_size(a->type));
    }
}

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
    static void (*const answers[GRAD_OUTPUT_COUNT])(const answer *) = {
        [GRAD_WEIGHT_DELTA] = answer_weight_delta, [GRAD_BIAS_DELTA] = answer_bias_delta,
        [GRAD_GRAD_INPUT] = answer_grad_input,     [GRAD_SLOPE_DELTA] = answer_slope_delta,
        [GRAD_GAIN_DELTA] = answer_gain_delta,     [GRAD_SHIFT_DELTA] = answer_bias_delta};
    const grad_layer_state *s = &run->layers[part->layer];
    void *out = part->output == GRAD_GRAD_INPUT
                    ? s->dx
                    : grad_run_output(run, part->layer, part->output)->data;
    answer a = {run,
                part->layer,
                &run->batch->layers[part->layer],
                s,
                run->batch->datatype,
                grad_batch_delta_factor(run->batch, s->sizes.B),
                run->batch->reduction == GRAD_PER_SAMPLE,
                block,
                out};

    answers[part->output](&a);
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
