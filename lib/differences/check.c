/* The check of gradient_network.h: made, worked out in stages of tiles, judged. Its stages are
 * those of the analytic run; one tile for what differences start from; a tile for each variable's
 * random direction; and one for each element's difference and each neighbour. */
#include <stdlib.h>

#include "core/error.h"
#include "core/size.h"
#include "differences/state.h"

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
    grad_status status = grad_check_make_functions(c, error);

    if (status == GRAD_OK)
        status = grad_run_create(&c->batch, &c->run, error);
    if (status == GRAD_OK)
        status = grad_check_make_variables(c, error);
    if (status != GRAD_OK)
        return status;
    c->crew = grad_crew_create(c->sample_count + GRAD_NEIGHBOURS);
    return c->crew == NULL ? grad_fail_memory(error, c->sample_count * sizeof(size_t)) : GRAD_OK;
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
    grad_crew_destroy(check->crew);
    free(check);
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

/* Stages behind those of the analytic run. */
enum { SETTLING, DIRECTIONS, ELEMENTS, OWN_STAGES };

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
    if (stage == of_run + DIRECTIONS)
        return check->variable_count;
    return check->sample_count - check->variable_count + GRAD_NEIGHBOURS;
}

/* The analytic gradient is complete; what differences start from. */
static grad_status settle(void *context, size_t tile, grad_error *error)
{
    grad_check *check = context;
    grad_status status = grad_run_finish(check->run, error);

    (void)tile;
    for (size_t i = 0; i < check->function_count && status == GRAD_OK; i++)
        status = grad_check_settle(check, &check->functions[i], error);
    if (status == GRAD_OK)
        grad_check_scale_variables(check);
    return status;
}

static grad_status work_out_direction(void *context, size_t tile, grad_error *error)
{
    grad_check *check = context;
    grad_variable *v = &check->variables[tile];

    return grad_check_estimate(check, v, &check->samples[v->first_sample + v->sample_count - 1],
                               error);
}

/* The variable whose element it is, elements being numbered without the directions. */
static size_t find_variable(const grad_check *check, size_t element)
{
    size_t low = 0, high = check->variable_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (check->variables[middle].first_sample - middle <= element)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static grad_status work_out_element(void *context, size_t tile, grad_error *error)
{
    grad_check *check = context;
    size_t variable;

    if (tile < GRAD_NEIGHBOURS)
        return grad_check_visit(check, tile, error);
    tile -= GRAD_NEIGHBOURS;
    variable = find_variable(check, tile);
    return grad_check_estimate(check, &check->variables[variable], &check->samples[tile + variable],
                               error);
}

void grad_check_tile(grad_check *check, size_t stage, size_t tile)
{
    size_t of_run = grad_run_stage_count(check->run);

    if (stage < of_run)
        grad_run_tile(check->run, stage, tile);
    else if (stage == of_run + SETTLING)
        grad_crew_do(check->crew, tile, settle, check);
    else if (stage == of_run + DIRECTIONS)
        grad_crew_do(check->crew, tile, work_out_direction, check);
    else
        grad_crew_do(check->crew, tile, work_out_element, check);
}

grad_status grad_check_finish(grad_check *check, const grad_check_report **report,
                              grad_error *error)
{
    grad_status status = grad_crew_status(check->crew, error);

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
