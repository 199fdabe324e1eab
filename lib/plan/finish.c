/* The end of a run: deltas are clipped, decayed and scaled, statistics taken, and the reply filled
 * in. Order: value, norm of a layer, global norm, decay, scale. */
#include <math.h>

#include "core/real.h"
#include "kernels/elements.h"
#include "kernels/finite.h"
#include "plan/run.h"

#define NORM_EPSILON 1e-6 /* PyTorch's clip_grad_norm_: keeps max / norm finite */

bool grad_batch_has_norm_clip(const grad_batch *batch)
{
    return batch->clip.layer_norm > 0 || batch->clip.global_norm > 0;
}

bool grad_batch_has_clip(const grad_batch *batch)
{
    return batch->clip.value > 0 || grad_batch_has_norm_clip(batch);
}

bool grad_batch_has_decay(const grad_batch *batch)
{
    return batch->weight_decay.l1 > 0 || batch->weight_decay.l2 > 0;
}

bool grad_batch_is_finished_later(const grad_batch *batch)
{
    return grad_batch_has_clip(batch) || grad_batch_has_decay(batch) || batch->statistics;
}

double grad_batch_delta_factor(const grad_batch *batch, size_t B)
{
    bool is_scaled_later = grad_batch_has_clip(batch) || grad_batch_has_decay(batch);
    double scale = is_scaled_later ? 1 : batch->scale;

    return batch->reduction == GRAD_MEAN && B > 0 ? scale / (double)B : scale;
}

/* ---- Clipping -------------------------------------------------------------------------------- */

void grad_op_clip(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    grad_datatype type = run->batch->datatype;
    void *x = grad_real_offset(type, grad_run_output(run, op->layer, op->output)->data, block.row);

    if (run->batch->clip.value > 0)
        partial->clipped = grad_elements_clip(type, block.rows, run->batch->clip.value, x);
    partial->statistics = grad_elements_statistics(type, block.rows, x);
}

/* A NaN norm gives a NaN factor, and so a NaN delta, as in PyTorch. */
static double factor_of(double max, double norm)
{
    double factor = max / (norm + NORM_EPSILON);

    return max <= 0 || factor > 1 ? 1 : factor;
}

/* What clipping by value did to the deltas of a layer, and their norm. */
static grad_clip_report clip_layer(const grad_run *run, size_t layer)
{
    grad_clip_report report = {.factor = 1};
    grad_statistics all = {0};

    for (size_t k = 0; k < GRAD_OUTPUT_COUNT; k++) {
        size_t index = run->plan->layers[layer].clip_op[k];
        const grad_op *op;

        if (index == GRAD_NO_OP)
            continue;
        op = &run->plan->ops[index];
        for (size_t tile = 0; tile < grad_grid_tile_count(&op->grid); tile++) {
            const grad_partial *partial = &run->partials[op->first_partial + tile];

            report.clipped_values += partial->clipped;
            grad_statistics_add(&all, &partial->statistics);
        }
    }
    report.norm = all.l2_norm;
    report.factor = factor_of(run->batch->clip.layer_norm, report.norm);
    return report;
}

void grad_op_factors(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    grad_clip_report *whole = &run->reply.clipping;

    (void)op;
    (void)block;
    (void)partial;
    if (!grad_batch_has_clip(run->batch))
        return;
    *whole = (grad_clip_report){0};
    for (size_t i = 0; i < run->batch->layer_count; i++) {
        grad_clip_report *report = &run->results[i].clipping;

        *report = clip_layer(run, i);
        whole->clipped_values += report->clipped_values;
        whole->norm = hypot(whole->norm, report->norm * report->factor);
        run->results[i].has_clipping = true;
    }
    whole->factor = factor_of(run->batch->clip.global_norm, whole->norm);
    run->reply.has_clipping = true;
    for (size_t i = 0; i < run->batch->layer_count; i++)
        run->layers[i].factor = run->results[i].clipping.factor * whole->factor;
}

/* ---- Decay, scale, statistics ---------------------------------------------------------------- */

/* Where the deltas were not scaled when they were worked out. */
static void scale_delta(grad_run *run, const grad_op *op, size_t count, size_t first, void *x)
{
    const grad_batch *batch = run->batch;
    double factor = run->layers[op->layer].factor;

    if (op->output == GRAD_WEIGHT_DELTA && grad_batch_has_decay(batch)) {
        const void *W = batch->layers[op->layer].weight.data;

        grad_elements_decay(batch->datatype, count, factor, batch->weight_decay, batch->scale,
                            grad_real_offset_const(batch->datatype, W, first), x);
    } else if (factor * batch->scale != 1) {
        grad_elements_scale(batch->datatype, count, factor * batch->scale, x);
    }
}

void grad_op_finish(grad_run *run, const grad_op *op, grad_block block, grad_partial *partial)
{
    const grad_batch *batch = run->batch;
    size_t first = block.row, count = block.rows;
    void *x =
        grad_real_offset(batch->datatype, grad_run_output(run, op->layer, op->output)->data, first);

    if (op->output != GRAD_GRAD_INPUT &&
        (grad_batch_has_clip(batch) || grad_batch_has_decay(batch)))
        scale_delta(run, op, count, first, x);
    if (batch->statistics)
        partial->statistics = grad_elements_statistics(batch->datatype, count, x);
    if (batch->non_finite == GRAD_REJECT_NON_FINITE) {
        size_t offset = grad_find_non_finite(batch->datatype, count, x);

        partial->bad = offset < count ? first + offset : GRAD_FINITE;
    }
}

/* ---- Statistics ------------------------------------------------------------------------------ */

static grad_statistics statistics_of(const grad_run *run, size_t op_index)
{
    const grad_op *op = &run->plan->ops[op_index];
    grad_statistics all = {0};

    for (size_t tile = 0; tile < grad_grid_tile_count(&op->grid); tile++)
        grad_statistics_add(&all, &run->partials[op->first_partial + tile].statistics);
    return all;
}

/* How many elements of z have f' = 0. */
static double count_zeros(const grad_run *run, size_t layer)
{
    size_t index = run->plan->layers[layer].dead_op, zeros = 0;
    const grad_op *op;

    if (index == GRAD_NO_OP)
        return 0; /* the identity */
    op = &run->plan->ops[index];
    for (size_t tile = 0; tile < grad_grid_tile_count(&op->grid); tile++)
        zeros += run->partials[op->first_partial + tile].zeros;
    return (double)zeros;
}

static void fill_statistics(grad_run *run)
{
    grad_reply *reply = &run->reply;
    double zeros = 0, elements = 0;

    reply->has_statistics = true;
    for (size_t i = 0; i < run->batch->layer_count; i++) {
        const grad_layer_plan *l = &run->plan->layers[i];
        grad_layer_result *result = &run->results[i];

        if (result->error != NULL)
            continue;
        result->has_statistics = true;
        for (size_t k = 0; k < GRAD_OUTPUT_COUNT; k++) {
            if (l->last_op[k] == GRAD_NO_OP)
                continue;
            result->statistics[k] = statistics_of(run, l->last_op[k]);
            grad_statistics_add(&reply->statistics, &result->statistics[k]);
        }
        result->zero_derivative = -1;
        if (grad_activation_couples_features(run->batch->layers[i].activation.kind) ||
            !l->flow.has_backward || l->sizes.B == 0)
            continue;
        result->zero_derivative = count_zeros(run, i) / ((double)l->sizes.B * (double)l->sizes.N);
        zeros += count_zeros(run, i);
        elements += (double)l->sizes.B * (double)l->sizes.N;
    }
    reply->zero_derivative = elements > 0 ? zeros / elements : -1;
}

grad_status grad_finish_reply(grad_run *run, grad_error *error)
{
    grad_reply *reply = &run->reply;
    grad_status status;

    reply->loss_divisor = run->loss.divisor;
    if (run->loss_sums != NULL && run->loss.loss->reduction != GRAD_LOSS_NONE) {
        reply->has_loss = true;
        reply->loss = grad_loss_total(&run->loss, run->loss_sums);
    }
    for (size_t i = 0; i < run->batch->layer_count; i++)
        if (grad_plan_has_failed(run->plan, i))
            grad_answer_failed(run, i);
    status = grad_check_finite(run, error);
    if (status == GRAD_OK && run->batch->statistics)
        fill_statistics(run);
    return status == GRAD_OK ? grad_note_reply(run, error) : status;
}
