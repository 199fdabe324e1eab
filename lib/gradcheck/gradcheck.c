/* The check of gradient_network.h: made, worked out in stages of tiles, judged. Its stages are
 * those of the analytic run; one tile for what differences start from, the radii among it; and so
 * many of GRAD_CHECK_SLOTS tiles, one for each parameter's noise and order of convergence and then
 * one for each difference, that no more of them are ever at work at once. */
#include <stdlib.h>

#include "core/error.h"
#include "core/size.h"
#include "gradcheck/state.h"

/* ---- Making ---------------------------------------------------------------------------------- */

void *grad_check_take(grad_check *check, size_t count, size_t size)
{
    void **blocks = realloc(check->blocks, (check->block_count + 1) * sizeof *blocks);
    void *block;

    if (blocks == NULL)
        return NULL;
    check->blocks = blocks;
    block = calloc(count == 0 ? 1 : count, size);
    if (block != NULL)
        check->blocks[check->block_count++] = block;
    return block;
}

grad_status grad_check_create(const grad_check_request *request, grad_check **check,
                              grad_error *error)
{
    grad_check *c = calloc(1, sizeof *c);
    grad_plan *plan;
    grad_status status;

    if (c == NULL)
        return grad_fail_memory(error, sizeof *c);
    c->request = request;
    c->options = grad_check_options_of(request);
    c->batch = grad_check_batch(request);
    status = grad_check_make_objectives(c, error);
    if (status == GRAD_OK)
        status = grad_plan_create_trusted(&c->batch, &plan, error);
    if (status == GRAD_OK)
        status = grad_run_create(plan, &c->run, error);
    if (status == GRAD_OK)
        status = grad_check_make_parameters(c, error);
    if (status == GRAD_OK)
        *check = c;
    else
        grad_check_destroy(c);
    return status;
}

void grad_check_destroy(grad_check *check)
{
    if (check == NULL)
        return;
    for (size_t i = 0; i < check->block_count; i++)
        free(check->blocks[i]);
    free(check->blocks);
    grad_run_destroy(check->run);
    free(check);
}

void grad_check_set_proceed(grad_check *check, bool (*proceed)(void *context), void *context)
{
    check->proceed = proceed;
    check->proceed_context = context;
}

grad_status grad_check_ask(const grad_check *check, grad_error *error)
{
    if (check->proceed == NULL || check->proceed(check->proceed_context))
        return GRAD_OK;
    return grad_fail(error, GRAD_INVALID, "abandoned", "/check",
                     "expected to go on, was told to stop");
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

static const grad_error *first_error(const grad_check *check)
{
    for (size_t i = 0; i < GRAD_CHECK_SLOTS; i++)
        if (check->errors[i].status != GRAD_OK)
            return &check->errors[i];
    return NULL;
}

static size_t count_stages(size_t tiles)
{
    return (tiles + GRAD_CHECK_SLOTS - 1) / GRAD_CHECK_SLOTS;
}

size_t grad_check_stage_count(const grad_check *check)
{
    return grad_run_stage_count(check->run) + 1 + count_stages(check->parameter_count) +
           count_stages(check->sample_count);
}

/* Whether the tiles of a stage behind those are samples, or parameters; and the first of them. */
static bool is_by_samples(const grad_check *check, size_t stage, size_t *first)
{
    size_t along = count_stages(check->parameter_count);
    bool by_samples = stage - grad_run_stage_count(check->run) - 1 >= along;

    *first = (stage - grad_run_stage_count(check->run) - 1 - (by_samples ? along : 0)) *
             GRAD_CHECK_SLOTS;
    return by_samples;
}

size_t grad_check_tile_count(const grad_check *check, size_t stage)
{
    size_t of_run = grad_run_stage_count(check->run), first, count;

    if (stage < of_run)
        return grad_run_tile_count(check->run, stage);
    if (stage == of_run)
        return 1;
    count = is_by_samples(check, stage, &first) ? check->sample_count : check->parameter_count;
    return grad_size_min(count - first, GRAD_CHECK_SLOTS);
}

/* The analytic gradient is complete; what differences start from. */
static grad_status settle(grad_check *check, grad_error *error)
{
    grad_status status = grad_run_finish(check->run, error);

    for (size_t i = 0; i < check->objective_count && status == GRAD_OK; i++)
        status = grad_check_find_radii(check, &check->objectives[i], error);
    if (status == GRAD_OK)
        grad_check_scale_parameters(check);
    return status;
}

static grad_status take_difference(const grad_check *check, size_t stage, size_t tile,
                                   grad_error *error)
{
    size_t first;

    if (is_by_samples(check, stage, &first))
        return grad_check_estimate(check, &check->samples[first + tile], error);
    return grad_check_look_along(check, &check->parameters[first + tile], error);
}

/* The stage's own failures do not count: all of its tiles are tried, so that the error which is
 * reported depends on no order. */
static bool is_behind_failure(const grad_check *check, size_t stage)
{
    size_t failed = atomic_load(&check->failed);

    return failed != 0 && stage >= failed;
}

void grad_check_tile(grad_check *check, size_t stage, size_t tile)
{
    size_t of_run = grad_run_stage_count(check->run);
    grad_error error = GRAD_ERROR_INIT;
    grad_status status;

    if (stage < of_run) {
        grad_run_tile(check->run, stage, tile);
        return;
    }
    if (is_behind_failure(check, stage))
        return;
    status = stage == of_run ? settle(check, &error) : take_difference(check, stage, tile, &error);
    if (status != GRAD_OK) {
        check->errors[tile] = error;
        atomic_store(&check->failed, stage + 1);
    }
}

grad_status grad_check_finish(grad_check *check, const grad_check_report **report,
                              grad_error *error)
{
    const grad_error *first = first_error(check);

    if (first != NULL) {
        if (error != NULL && error->status == GRAD_OK)
            *error = *first;
        return first->status;
    }
    grad_check_judge(check);
    *report = &check->report;
    return GRAD_OK;
}

grad_status grad_check_all(grad_check *check, const grad_check_report **report, grad_error *error)
{
    for (size_t stage = 0; stage < grad_check_stage_count(check); stage++)
        for (size_t tile = 0; tile < grad_check_tile_count(check, stage); tile++)
            grad_check_tile(check, stage, tile);
    return grad_check_finish(check, report, error);
}
