/* The check of gradient_network.h: made, worked out in stages of tiles, judged. Its stages are
 * those of the analytic run; one tile for what differences start from, the radii among it; and a
 * tile for each difference and each parameter's order of convergence. */
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

static grad_status make(grad_check *c, grad_error *error)
{
    grad_status status = grad_check_make_objectives(c, error);

    if (status == GRAD_OK)
        status = grad_run_create(&c->batch, &c->run, error);
    if (status == GRAD_OK)
        status = grad_check_make_parameters(c, error);
    if (status != GRAD_OK)
        return status;
    c->limiter = grad_slot_limiter_create(c->sample_count + c->parameter_count);
    return c->limiter == NULL ? grad_fail_memory(error, c->sample_count * sizeof(size_t)) : GRAD_OK;
}

grad_status grad_check_create(const grad_check_request *request, grad_check **check,
                              grad_error *error)
{
    grad_check *c = calloc(1, sizeof *c);
    grad_status status;

    if (c == NULL)
        return grad_fail_memory(error, sizeof *c);
    c->request = request;
    c->options = grad_check_options_of(request);
    c->batch = grad_check_batch(request);
    status = make(c, error);
    if (status != GRAD_OK) {
        grad_check_destroy(c);
        return status;
    }
    *check = c;
    return GRAD_OK;
}

void grad_check_destroy(grad_check *check)
{
    if (check == NULL)
        return;
    for (size_t i = 0; i < check->block_count; i++)
        free(check->blocks[i]);
    free(check->blocks);
    grad_run_destroy(check->run);
    grad_slot_limiter_destroy(check->limiter);
    free(check);
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

/* Stages behind those of the analytic run. */
enum { SETTLING, DIFFERENCES, OWN_STAGES };

size_t grad_check_stage_count(const grad_check *check)
{
    return grad_run_stage_count(check->run) + OWN_STAGES;
}

size_t grad_check_tile_count(const grad_check *check, size_t stage)
{
    size_t of_run = grad_run_stage_count(check->run);

    if (stage < of_run)
        return grad_run_tile_count(check->run, stage);
    if (stage == of_run + SETTLING)
        return 1;
    return check->sample_count + check->parameter_count;
}

/* The analytic gradient is complete; what differences start from. */
static grad_status settle(void *context, size_t tile, grad_error *error)
{
    grad_check *check = context;
    grad_status status = grad_run_finish(check->run, error);

    (void)tile;
    for (size_t i = 0; i < check->objective_count && status == GRAD_OK; i++)
        status = grad_check_settle(check, &check->objectives[i], error);
    for (size_t i = 0; i < check->objective_count && status == GRAD_OK; i++)
        status = grad_check_find_radii(check, &check->objectives[i], error);
    if (status == GRAD_OK)
        grad_check_scale_parameters(check);
    return status;
}

static grad_status take_difference(void *context, size_t tile, grad_error *error)
{
    grad_check *check = context;

    if (tile < check->sample_count)
        return grad_check_estimate(check, &check->samples[tile], error);
    return grad_check_find_order(check, &check->parameters[tile - check->sample_count], error);
}

void grad_check_tile(grad_check *check, size_t stage, size_t tile)
{
    size_t of_run = grad_run_stage_count(check->run);

    if (stage < of_run)
        grad_run_tile(check->run, stage, tile);
    else if (stage == of_run + SETTLING)
        grad_slot_limiter_do(check->limiter, tile, settle, check);
    else
        grad_slot_limiter_do(check->limiter, tile, take_difference, check);
}

grad_status grad_check_finish(grad_check *check, const grad_check_report **report,
                              grad_error *error)
{
    grad_status status = grad_slot_limiter_status(check->limiter, error);

    if (status != GRAD_OK)
        return status;
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
