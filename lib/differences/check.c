/* The check of gradient_network.h: measured, made, worked out in stages of tiles, judged. Its
 * stages are those of the analytic run, one tile for the functions' values, and a tile for each
 * difference. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/size.h"
#include "differences/state.h"

/* Differences beyond this are refused: a minute and more of one processor. */
#define MAX_FLOPS 1000000000000 /* and elements counted as ELEMENT_FLOPS each */
#define ELEMENT_FLOPS 20.0
#define EVALUATIONS 4 /* of a difference, unless a kink is met */
#define CONCURRENT 16 /* differences whose memory is counted: those of that many threads */
#define DEFAULT_SAMPLES 16

/* ---- Questions ------------------------------------------------------------------------------- */

static grad_status refuse(grad_error *error, const char *pointer, const char *what)
{
    return grad_fail(error, GRAD_INVALID, "unsupported_value", pointer,
                     "a check has no use for %s, expected none", what);
}

static grad_status check_options(const grad_check_request *request, grad_error *error)
{
    const grad_batch *batch = request->batch;

    if (batch->reduction != GRAD_SUM)
        return refuse(error, "/reduction", "a reduction but sum");
    if (batch->scale != 1)
        return refuse(error, "/scale", "a scale but 1");
    if (batch->clip.value > 0 || batch->clip.layer_norm > 0 || batch->clip.global_norm > 0)
        return refuse(error, "/clip", "clipping");
    if (batch->weight_decay.l1 > 0 || batch->weight_decay.l2 > 0)
        return refuse(error, "/weight_decay", "weight decay");
    if (batch->continue_on_error)
        return refuse(error, "/on_error", "errors layer by layer");
    if (!(isfinite(request->options.tolerance) && request->options.tolerance >= 0))
        return grad_fail(error, GRAD_INVALID, "bad_parameter", "/check/tolerance",
                         "check/tolerance is %g, expected a finite positive number",
                         request->options.tolerance);
    return GRAD_OK;
}

/* At most so many tensors does a layer's answer have. */
static size_t tensors_of(const grad_layer *layer)
{
    size_t count = layer->kind == GRAD_DENSE ? 3 : 1;

    count += layer->gain.data != NULL ? 1 : 0;
    count += layer->shift.data != NULL ? 1 : 0;
    return count + (layer->activation.kind == GRAD_PRELU ? 1 : 0);
}

/* All differences together, against the bound on them. */
static grad_status measure_differences(const grad_check_request *request, grad_measure *measure,
                                       grad_error *error)
{
    size_t samples = request->options.samples == 0 ? DEFAULT_SAMPLES : request->options.samples;
    double tensors = 0, evaluations;

    for (size_t i = 0; i < request->batch->layer_count; i++)
        tensors += (double)tensors_of(&request->batch->layers[i]);
    evaluations = tensors * ((double)samples + 1) * EVALUATIONS;
    if (request->batch->network == NULL) /* each moves its own layer only */
        evaluations /= (double)request->batch->layer_count;
    measure->flops += evaluations * measure->flops / 2; /* the forward half at most */
    measure->elements += evaluations * measure->elements / 2;
    if (measure->flops + ELEMENT_FLOPS * measure->elements > (double)MAX_FLOPS)
        return grad_fail_limit(error, "max_check_flops", MAX_FLOPS, "/check",
                               "expected differences of at most %g operations, found %g: ask for "
                               "fewer samples, or check a smaller batch",
                               (double)MAX_FLOPS,
                               measure->flops + ELEMENT_FLOPS * measure->elements);
    return GRAD_OK;
}

/* Everything in double, the run besides, and the differences that are worked out at once. */
static bool measure_memory(const grad_check_request *request, grad_measure *measure)
{
    size_t run = measure->memory, samples = request->options.samples, memory;

    if (samples == 0)
        samples = DEFAULT_SAMPLES;
    memory = run;
    return grad_size_add_product(run, 2 * (size_t)(CONCURRENT + 1), &memory) &&
           grad_size_add_product(request->batch->layer_count * 6 * (samples + 1),
                                 sizeof(grad_sample), &memory) &&
           ((measure->memory = memory), true);
}

grad_status grad_check_measure(const grad_check_request *request, const grad_limits *limits,
                               grad_measure *measure, grad_error *error)
{
    grad_measure found = {0};
    grad_status status = check_options(request, error);

    if (status == GRAD_OK)
        status = grad_batch_measure(request->batch, limits, &found, error);
    if (status == GRAD_OK)
        status = measure_differences(request, &found, error);
    if (status == GRAD_OK && !measure_memory(request, &found))
        status = grad_fail(error, GRAD_TOO_LARGE, "size_overflow", "/check",
                           "expected differences that fit in memory, found a size beyond its "
                           "addresses");
    if (status == GRAD_OK)
        *measure = found;
    return status;
}

/* A claim has the shape of what it claims. */
static grad_status check_claims(const grad_check *check, grad_error *error)
{
    for (size_t i = 0; i < check->variable_count; i++) {
        const grad_variable *v = &check->variables[i];
        grad_pointer_text at = grad_pointer_format("/%s", grad_output_name(v->output));
        bool fits = v->claim == NULL || v->claim->rank == v->gradient->rank;

        for (size_t axis = 0; v->claim != NULL && fits && axis < v->claim->rank; axis++)
            fits = v->claim->shape[axis] == v->gradient->shape[axis];
        if (fits)
            continue;
        if (v->layer != SIZE_MAX)
            at = grad_pointer_format("/layers/%zu/%s", v->layer, grad_output_name(v->output));
        return grad_fail(error, GRAD_INVALID, "shape_mismatch", at.text,
                         "%s has rank %zu and %zu numbers, expected rank %zu and %zu as the "
                         "gradient has, in the same order of axes",
                         at.text + 1, v->claim->rank, grad_tensor_count(v->claim),
                         v->gradient->rank, grad_tensor_count(v->gradient));
    }
    return GRAD_OK;
}

/* ---- Making ---------------------------------------------------------------------------------- */

grad_status grad_check_create(const grad_check_request *request, grad_check **check,
                              grad_error *error)
{
    grad_check *c = calloc(1, sizeof *c);
    grad_status status;

    if (c == NULL)
        return grad_fail_memory(error, sizeof *c);
    c->request = request;
    c->options = request->options;
    c->batch = *request->batch;
    c->batch.overwrite_grad_output = c->batch.statistics = c->batch.continue_on_error = false;
    c->run_error = (grad_error)GRAD_ERROR_INIT;
    status = grad_check_make_functions(c, error);
    if (status == GRAD_OK)
        status = grad_run_create(&c->batch, &c->run, error);
    if (status == GRAD_OK)
        status = grad_check_make_variables(c, error);
    if (status == GRAD_OK)
        status = check_claims(c, error);
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
    free(check);
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

size_t grad_check_stage_count(const grad_check *check)
{
    return grad_run_stage_count(check->run) + 2;
}

size_t grad_check_tile_count(const grad_check *check, size_t stage)
{
    size_t of_run = grad_run_stage_count(check->run);

    if (stage < of_run)
        return grad_run_tile_count(check->run, stage);
    return stage == of_run || check->sample_count == 0 ? 1 : check->sample_count;
}

/* The analytic gradient is complete; the values that differences start from. */
static void begin_differences(grad_check *check)
{
    check->run_status = grad_run_finish(check->run, &check->run_error);
    for (size_t i = 0; i < check->function_count && check->run_status == GRAD_OK; i++) {
        grad_function_of_layers *f = &check->functions[i];

        check->run_status = grad_check_evaluate(check, f, NULL, NULL, 0, &f->value, &f->magnitude,
                                                &check->run_error);
    }
    if (check->run_status == GRAD_OK)
        grad_check_scale_variables(check);
}

void grad_check_tile(grad_check *check, size_t stage, size_t tile)
{
    size_t of_run = grad_run_stage_count(check->run);

    if (stage < of_run)
        grad_run_tile(check->run, stage, tile);
    else if (stage == of_run)
        begin_differences(check);
    else if (check->run_status == GRAD_OK && tile < check->sample_count)
        grad_check_estimate(check, &check->samples[tile]);
}

grad_status grad_check_finish(grad_check *check, const grad_check_report **report,
                              grad_error *error)
{
    grad_status status = check->run_status;

    if (status != GRAD_OK && error != NULL && error->status == GRAD_OK)
        *error = check->run_error;
    if (status == GRAD_OK)
        status = grad_check_judge(check, error);
    if (status == GRAD_OK)
        *report = &check->report;
    return status;
}

grad_status grad_check_all(grad_check *check, const grad_check_report **report, grad_error *error)
{
    for (size_t stage = 0; stage < grad_check_stage_count(check); stage++)
        for (size_t tile = 0; tile < grad_check_tile_count(check, stage); tile++)
            grad_check_tile(check, stage, tile);
    return grad_check_finish(check, report, error);
}
