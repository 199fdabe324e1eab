/* A run: the block of a plan, its arrays found in it, computed tile by tile, judged at the end. */
#include "plan/run.h"

#include <stdint.h>
#include <stdlib.h>

#include "core/error.h"

/* ---- Memory ---------------------------------------------------------------------------------- */

static void *at(const grad_run *run, size_t place)
{
    return place == GRAD_NOWHERE ? NULL : run->block + place;
}

static void place_answer(const grad_run *run, grad_tensor *tensor, grad_tensor shape, size_t place)
{
    *tensor = shape;
    tensor->data = at(run, place);
}

static void place_forward(grad_run *run, size_t i)
{
    const grad_layer_plan *l = &run->plan->layers[i];
    const grad_layer *layer = &run->batch->layers[i];
    const grad_tensor *input = grad_layer_input(run->batch, i);
    grad_layer_state *s = &run->layers[i];

    s->x = input->data != NULL ? input->data : s[-1].y;
    s->own_z = at(run, l->z);
    s->own_y = at(run, l->y);
    s->scratch = at(run, l->scratch);
    s->z = s->own_z;
    if (!l->flow.computes_z)
        s->z = layer->pre_activation.data != NULL ? layer->pre_activation.data : s->x;
    s->y = l->flow.y_is_z ? s->z : s->own_y;
}

static void place_loss(grad_run *run)
{
    const grad_plan *plan = run->plan;
    size_t last = run->batch->layer_count - 1;
    const grad_layer_sizes *n = &plan->layers[last].sizes;
    const grad_layer_state *s = &run->layers[last];

    run->loss_sums = at(run, plan->loss_sums);
    run->loss_gradient = at(run, plan->loss_gradient);
    if (plan->losses != GRAD_NOWHERE)
        place_answer(run, &run->reply.losses, grad_plan_losses_shape(plan), plan->losses);
    run->loss = (grad_loss_view){.loss = &run->batch->network->loss,
                                 .type = run->batch->datatype,
                                 .fusion = plan->fusion,
                                 .B = n->B,
                                 .N = n->N,
                                 .sample_axes = n->axes.count,
                                 .y = plan->fusion != GRAD_LOSS_ABSENT ? s->z : s->y};
    run->loss.divisor = grad_loss_divisor(&run->loss);
}

static void place_answers(grad_run *run, size_t i)
{
    const grad_layer_plan *l = &run->plan->layers[i];

    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
        if (l->answers[k] != GRAD_NOWHERE)
            place_answer(run, grad_run_output(run, i, k), grad_plan_output_shape(run->plan, i, k),
                         l->answers[k]);
}

/* ∂L/∂y of the layer; the layer above it is placed. */
static void *find_dy(const grad_run *run, size_t i)
{
    const grad_batch *batch = run->batch;

    if (batch->network == NULL)
        return batch->layers[i].grad_output.data;
    if (i + 1 < batch->layer_count)
        return run->layers[i + 1].dx;
    return grad_batch_has_loss(batch) ? run->loss_gradient : batch->network->grad_output.data;
}

static void place_backward(grad_run *run, size_t i)
{
    const grad_layer_plan *l = &run->plan->layers[i];
    grad_layer_state *s = &run->layers[i];

    if (!l->flow.has_backward)
        return;
    s->dy = s->dz = find_dy(run, i);
    if (l->dz != GRAD_NOWHERE)
        s->dz = at(run, l->dz);
    s->gy = l->gy != GRAD_NOWHERE ? at(run, l->gy) : s->dy;
    s->dx = at(run, l->flow.dx_is_answer ? l->answers[GRAD_GRAD_INPUT] : l->dx);
}

/* Finds every array of the plan in the block, or where the batch has it. */
static void place(grad_run *run)
{
    const grad_plan *plan = run->plan;
    size_t layers = run->batch->layer_count;

    for (size_t i = 0; i < layers; i++) {
        run->layers[i] = (grad_layer_state){.factor = 1};
        run->results[i] = (grad_layer_result){.name = run->batch->layers[i].name};
        if (!grad_plan_has_failed(plan, i))
            place_forward(run, i);
        place_answers(run, i);
    }
    if (grad_network_wants_predictions(run->batch))
        place_answer(run, &run->reply.predictions, grad_plan_predictions_shape(plan),
                     plan->layers[layers - 1].y);
    if (grad_batch_has_loss(run->batch))
        place_loss(run);
    for (size_t i = layers; i-- > 0;)
        place_backward(run, i);
    for (size_t i = 0; i < plan->partial_count; i++)
        run->partials[i] = (grad_partial){.bad = GRAD_FINITE};
}

grad_status grad_run_create(grad_plan *plan, grad_run **run, grad_error *error)
{
    const grad_batch *batch = plan->batch;
    char *allocation = malloc(plan->block), *block;
    grad_run *r;

    if (allocation == NULL) {
        grad_status status = grad_fail_memory(error, plan->block);

        grad_plan_destroy(plan);
        return status;
    }
    block = allocation + (-(uintptr_t)allocation & (GRAD_RUN_ALIGNMENT - 1));
    r = (grad_run *)(void *)block;
    *r = (grad_run){.allocation = allocation, .block = block, .plan = plan, .batch = batch};
    r->layers = at(r, plan->states);
    r->results = at(r, plan->results);
    r->partials = at(r, plan->partials);
    r->reply =
        (grad_reply){.id = batch->id, .layer_count = batch->layer_count, .layers = r->results};
    place(r);
    *run = r;
    return GRAD_OK;
}

void grad_run_destroy(grad_run *run)
{
    if (run == NULL)
        return;
    grad_plan_destroy(run->plan);
    free(run->notes);
    free(run->allocation);
}

const grad_reply *grad_run_reply(const grad_run *run)
{
    return &run->reply;
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

size_t grad_run_stage_count(const grad_run *run)
{
    return run->plan->stage_count;
}

size_t grad_run_tile_count(const grad_run *run, size_t stage)
{
    return run->plan->stages[stage].tile_count;
}

/* The operation that holds that tile: the last that begins at or before it. */
static const grad_op *find_op(const grad_plan *plan, const grad_stage *stage, size_t tile)
{
    const grad_op *ops = plan->ops + stage->first_op;
    size_t low = 0, high = stage->op_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (ops[middle].first_tile <= tile)
            low = middle;
        else
            high = middle;
    }
    return &ops[low];
}

void grad_run_tile(grad_run *run, size_t stage, size_t tile)
{
    static grad_op_function *const functions[GRAD_OP_KIND_COUNT] = {
        [GRAD_OP_PREPARE] = grad_op_prepare,
        [GRAD_OP_FORWARD] = grad_op_forward,
        [GRAD_OP_OUTPUT] = grad_op_output,
        [GRAD_OP_LOSS] = grad_op_loss,
        [GRAD_OP_DEAD] = grad_op_dead,
        [GRAD_OP_JOIN] = grad_op_join,
        [GRAD_OP_DELTA] = grad_op_delta,
        [GRAD_OP_ANSWER] = grad_op_answer,
        [GRAD_OP_JOIN_INPUT] = grad_op_join_input,
        [GRAD_OP_CLIP] = grad_op_clip,
        [GRAD_OP_FACTORS] = grad_op_factors,
        [GRAD_OP_FINISH] = grad_op_finish,
    };
    const grad_op *op = find_op(run->plan, &run->plan->stages[stage], tile);
    grad_block block = grad_grid_block(&op->grid, tile - op->first_tile);
    grad_partial unused, *partial = &unused;

    if (op->first_partial != GRAD_NO_PARTIALS)
        partial = &run->partials[op->first_partial + tile - op->first_tile];
    functions[op->kind](run, op, block, partial);
}

grad_status grad_run_finish(grad_run *run, grad_error *error)
{
    return grad_finish_reply(run, error);
}

grad_status grad_run_all(grad_run *run, grad_error *error)
{
    for (size_t stage = 0; stage < grad_run_stage_count(run); stage++)
        for (size_t tile = 0; tile < grad_run_tile_count(run, stage); tile++)
            grad_run_tile(run, stage, tile);
    return grad_run_finish(run, error);
}
