/* Making a plan: every question is asked of the batch, its size is told, and its memory is what a
 * run of it will take. */
#include "plan/run.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/format_number.h"
#include "core/size.h"
#include "model/validate.h"

/* ---- Memory of the plan itself --------------------------------------------------------------- */

/* As many operations and stages as a walk may come to: no layer has more than these. */
enum {
    OPS_FORWARD = 3,                          /* prepare, z, y */
    OPS_BACKWARD = 2 + GRAD_OUTPUT_COUNT + 1, /* join, δ, each answer, an inner ∂L/∂x */
    OPS_FINISHING = 2 * GRAD_OUTPUT_COUNT,    /* clip and finish each output */
    OPS_OF_ALL = 3,                           /* loss, the input's join, factors */
    STAGES_OF_LAYER = 6,                      /* three up, three down */
    STAGES_OF_ALL = 5                         /* the same, and clipping and finishing */
};

/* What the arrays of a plan hold. */
typedef struct capacity {
    size_t layers, ops, stages, errors;
} capacity;

static capacity capacity_of(const grad_batch *batch)
{
    size_t layers = batch->layer_count;
    size_t ops = OPS_FORWARD + OPS_BACKWARD;

    if (grad_batch_is_finished_later(batch))
        ops += OPS_FINISHING;
    return (capacity){
        .layers = layers,
        .ops = layers * ops + OPS_OF_ALL,
        .stages = STAGES_OF_LAYER * (batch->network != NULL ? layers : 1) + STAGES_OF_ALL,
        .errors = batch->continue_on_error ? layers : 0,
    };
}

static size_t bytes_of(const capacity *c)
{
    grad_plan *plan;

    return sizeof *plan + c->layers * sizeof *plan->layers + c->ops * sizeof *plan->ops +
           c->stages * sizeof *plan->stages +
           c->errors * (sizeof *plan->errors + sizeof *plan->failed);
}

size_t grad_plan_memory(const grad_batch *batch)
{
    capacity c = capacity_of(batch);

    return bytes_of(&c);
}

void grad_plan_destroy(grad_plan *plan)
{
    if (plan == NULL)
        return;
    free(plan->layers);
    free(plan->ops);
    free(plan->stages);
    free(plan->errors);
    free(plan->failed);
    free(plan);
}

static bool allocate_arrays(grad_plan *plan, const capacity *c)
{
    plan->layers = malloc(c->layers * sizeof *plan->layers);
    plan->ops = malloc(c->ops * sizeof *plan->ops);
    plan->stages = malloc(c->stages * sizeof *plan->stages);
    if (c->errors > 0) {
        plan->errors = calloc(c->errors, sizeof *plan->errors);
        plan->failed = calloc(c->errors, sizeof *plan->failed);
    }
    return plan->layers != NULL && plan->ops != NULL && plan->stages != NULL &&
           (c->errors == 0 || (plan->errors != NULL && plan->failed != NULL));
}

static grad_status allocate(const grad_batch *batch, grad_plan **made, grad_error *error)
{
    capacity c = capacity_of(batch);
    grad_plan *plan = calloc(1, sizeof *plan);

    if (plan == NULL || !allocate_arrays(plan, &c)) {
        grad_plan_destroy(plan);
        return grad_fail_memory(error, grad_plan_memory(batch));
    }
    for (size_t i = 0; i < c.errors; i++)
        plan->errors[i] = (grad_error)GRAD_ERROR_INIT;
    plan->batch = batch;
    *made = plan;
    return GRAD_OK;
}

/* What the walk did not need goes back: a plan may wait for its turn. */
static grad_status give_back(grad_plan *plan, grad_error *error)
{
    size_t bytes = plan->op_count * sizeof *plan->ops;
    grad_op *ops = realloc(plan->ops, bytes);
    grad_stage *stages;

    if (ops == NULL)
        return grad_fail_memory(error, bytes);
    plan->ops = ops;
    bytes = plan->stage_count * sizeof *plan->stages;
    stages = realloc(plan->stages, bytes);
    if (stages == NULL)
        return grad_fail_memory(error, bytes);
    plan->stages = stages;
    return GRAD_OK;
}

/* ---- The walk -------------------------------------------------------------------------------- */

/* Lays everything out. False: a size is beyond what memory has addresses for. */
static bool work_out(grad_plan *plan)
{
    const grad_batch *batch = plan->batch;
    grad_planner p = {.plan = plan, .batch = batch};
    capacity used = capacity_of(batch);

    plan->first_backward = grad_first_backward(batch);
    plan->fusion = grad_batch_fusion(batch);
    plan->op_count = plan->stage_count = plan->partial_count = 0;
    plan->measure = (grad_measure){0};
    plan->block = 0;
    grad_planner_take(&p, 1, sizeof(grad_run));
    plan->states = grad_planner_take(&p, batch->layer_count, sizeof(grad_layer_state));
    plan->results = grad_planner_take(&p, batch->layer_count, sizeof(grad_layer_result));
    grad_planner_lay_out(&p);
    if (!p.overflow)
        grad_planner_add_stages(&p);
    plan->partials = grad_planner_take(&p, plan->partial_count, sizeof(grad_partial));
    used.ops = plan->op_count;
    used.stages = plan->stage_count;
    if (!grad_size_add(plan->block, GRAD_RUN_ALIGNMENT - 1, &plan->block) /* to align its start */
        || !grad_size_add(plan->block, bytes_of(&used), &plan->measure.memory))
        p.overflow = true;
    return !p.overflow;
}

static grad_status measure(grad_plan *plan, size_t cap, grad_error *error)
{
    if (!work_out(plan))
        return grad_fail(error, GRAD_TOO_LARGE, "size_overflow", "/layers",
                         "expected results that fit in memory, found a size beyond its addresses");
    if (cap != 0 && plan->measure.result_numbers > cap)
        return grad_fail_limit(error, "max_result_numbers", cap, "/layers",
                               "expected at most %zu number%s in the results, found %zu", cap,
                               grad_plural(cap), plan->measure.result_numbers);
    return GRAD_OK;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static size_t count_failed(const grad_plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->batch->layer_count; i++)
        count += grad_plan_has_failed(plan, i);
    return count;
}

/* Elements are looked at last, as they take longest. Layers that turn out to be wrong then lose
 * their part in the work, and the plan is no larger for it: it keeps the measure it had with
 * them. */
static grad_status verify_elements(grad_plan *plan, grad_error *error)
{
    grad_measure measure = plan->measure;
    size_t failed = count_failed(plan);
    grad_status status = grad_verify_elements(plan->batch, plan->failed, plan->errors, error);

    if (status == GRAD_OK && count_failed(plan) > failed) {
        work_out(plan);
        plan->measure = measure;
    }
    return status;
}

static grad_status verify_and_measure(grad_plan *plan, size_t cap, grad_error *error)
{
    grad_status status = grad_verify_shapes(plan->batch, plan->failed, plan->errors, error);

    if (status == GRAD_OK)
        status = measure(plan, cap, error);
    return status == GRAD_OK ? verify_elements(plan, error) : status;
}

/* Hands over a plan that came out well, or frees it. */
static grad_status hand_over(grad_plan *made, grad_status status, grad_plan **plan,
                             grad_error *error)
{
    if (status == GRAD_OK)
        status = give_back(made, error);
    if (status == GRAD_OK)
        *plan = made;
    else
        grad_plan_destroy(made);
    return status;
}

grad_status grad_plan_create(const grad_batch *batch, const grad_limits *limits, grad_plan **plan,
                             grad_error *error)
{
    grad_limits caps = GRAD_LIMITS_INIT;
    grad_plan *made;
    grad_status status = grad_options_read("grad_limits", limits, &caps, error);

    if (status == GRAD_OK)
        status = grad_verify_options(batch, caps.max_layers, error);
    if (status == GRAD_OK)
        status = allocate(batch, &made, error);
    if (status != GRAD_OK)
        return status;
    status = verify_and_measure(made, caps.max_result_numbers, error);
    return hand_over(made, status, plan, error);
}

grad_status grad_plan_create_trusted(const grad_batch *batch, grad_plan **plan, grad_error *error)
{
    grad_plan *made;
    grad_status status = allocate(batch, &made, error);

    return status == GRAD_OK ? hand_over(made, measure(made, 0, error), plan, error) : status;
}

const grad_measure *grad_plan_measure(const grad_plan *plan)
{
    return &plan->measure;
}

grad_status grad_batch_measure(const grad_batch *batch, const grad_limits *limits,
                               grad_measure *measure, grad_error *error)
{
    grad_plan *plan;
    grad_status status = grad_plan_create(batch, limits, &plan, error);

    if (status != GRAD_OK)
        return status;
    *measure = plan->measure;
    grad_plan_destroy(plan);
    return GRAD_OK;
}
