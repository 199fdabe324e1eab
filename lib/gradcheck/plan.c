/* What is asked of a request before it is checked, beyond what its batch is asked: options that
 * have a meaning, claims that can be held against something; and how much work and memory the
 * differences will be. The batch is asked twice: as it is checked, and as it would be answered. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/size.h"
#include "core/spelling.h"
#include "gradcheck/radii.h"
#include "gradcheck/tensors.h"

#define DEFAULT_SAMPLES 16
#define TOLERANCE_FP64 1e-6
#define TOLERANCE_FP32 1e-4

#define ELEMENT_FLOPS 20.0 /* that an element worked out is counted as */

#define RUNS 16 /* of the batch, its radii counted in */

grad_check_options grad_check_options_of(const grad_check_request *request)
{
    grad_check_options options = GRAD_CHECK_OPTIONS_INIT;

    (void)grad_options_read("grad_check_options", request->options, &options, NULL); /* verified */
    if (options.samples == 0)
        options.samples = DEFAULT_SAMPLES;
    if (!(options.tolerance > 0))
        options.tolerance = request->batch->datatype == GRAD_FP64 ? TOLERANCE_FP64 : TOLERANCE_FP32;
    return options;
}

/* ---- Options --------------------------------------------------------------------------------- */

static grad_status refuse(grad_error *error, const char *pointer, const char *what)
{
    return grad_fail(error, GRAD_INVALID, "unsupported_value", pointer,
                     "a check has no use for %s, expected none", what);
}

static grad_status verify_options(const grad_check_request *request, grad_error *error)
{
    grad_check_options options = GRAD_CHECK_OPTIONS_INIT;
    grad_status status = grad_options_read("grad_check_options", request->options, &options, error);

    if (status != GRAD_OK)
        return status;
    if (request->batch->continue_on_error)
        return refuse(error, "/on_error", "errors layer by layer");
    if (!(isfinite(options.tolerance) && options.tolerance >= 0))
        return grad_fail(error, GRAD_INVALID, "bad_parameter", "/check/tolerance",
                         "check/tolerance is %g, expected a finite positive number",
                         options.tolerance);
    return grad_check_verify_claims(request, error);
}

/* ---- Claims ---------------------------------------------------------------------------------- */

static const grad_tensor *claim_of(const grad_check_request *request, size_t layer,
                                   grad_output_kind output)
{
    return request->claims == NULL ? NULL
                                   : grad_layer_result_tensor(&request->claims[layer], output);
}

static bool is_there(const grad_tensor *claim)
{
    return claim != NULL && claim->data != NULL;
}

grad_batch grad_check_batch(const grad_check_request *request)
{
    grad_batch batch = *request->batch;

    batch.overwrite_grad_output = batch.statistics = false;
    batch.reduction = GRAD_SUM;
    batch.scale = 1;
    batch.clip = (grad_clip){0};
    batch.weight_decay = (grad_decay){0};
    batch.outputs &= ~(unsigned)GRAD_OUTPUT_PREDICTIONS;
    if (batch.outputs == 0)
        return batch;
    for (size_t i = 0; i < batch.layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (is_there(claim_of(request, i, k)))
                batch.outputs |= 1U << k;
    if (is_there(&request->claimed_grad_input))
        batch.outputs |= GRAD_OUTPUT_GRAD_INPUT;
    return batch;
}

static bool has_shape(const grad_tensor *tensor, const grad_tensor *expected)
{
    bool fits = tensor->rank == expected->rank;

    for (size_t axis = 0; fits && axis < tensor->rank; axis++)
        fits = tensor->shape[axis] == expected->shape[axis];
    return fits;
}

static grad_pointer_text shape_text(const grad_tensor *tensor)
{
    grad_pointer_text text = {"["};

    for (size_t axis = 0; axis < tensor->rank && axis < GRAD_MAX_RANK; axis++)
        text = grad_pointer_format("%s%s%zu", text.text, axis > 0 ? "," : "", tensor->shape[axis]);
    return grad_pointer_format("%s]", text.text);
}

/* gradient: the shape of what is worked out, of rank 0 where nothing is. */
static grad_status verify_claim(const grad_tensor *claim, const grad_tensor *gradient,
                                const char *pointer, grad_error *error)
{
    if (!is_there(claim) || (gradient->rank > 0 && has_shape(claim, gradient)))
        return GRAD_OK;
    if (gradient->rank == 0)
        return grad_fail(error, GRAD_INVALID, "unsupported_value", pointer,
                         "%s: no such gradient is worked out here, expected no claim of it",
                         pointer + 1);
    return grad_fail(error, GRAD_INVALID, "shape_mismatch", pointer,
                     "%s has shape %s, expected that of the gradient, %s%s", pointer + 1,
                     shape_text(claim).text, shape_text(gradient).text,
                     grad_spelling_format(claim, gradient).text);
}

static grad_status verify_layer_claims(const grad_check_request *request, const grad_batch *batch,
                                       size_t layer, const grad_extent *extent, grad_error *error)
{
    grad_status status = GRAD_OK;

    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT && status == GRAD_OK; k++) {
        grad_tensor gradient = grad_extent_gradient(batch, layer, extent, k);
        bool is_network_input = k == GRAD_GRAD_INPUT && batch->network != NULL;

        if (is_network_input && layer == 0)
            status = verify_claim(&request->claimed_grad_input, &gradient, "/grad_input", error);
        if (is_network_input)
            gradient = (grad_tensor){0}; /* it has one, at the top */
        if (status == GRAD_OK)
            status = verify_claim(claim_of(request, layer, k), &gradient,
                                  GRAD_AT("/layers/%zu/%s", layer, grad_output_name(k)), error);
    }
    return status;
}

/* ---- Work and memory ------------------------------------------------------------------------- */

/* What is to be done, summed up layer by layer. */
typedef struct work {
    double flops, elements; /* of all differences */
    size_t parameters, samples;
    size_t numbers;   /* of all tensors of the request */
    size_t states;    /* of all layers' outputs and inputs */
    size_t gradients; /* numbers of all of them */
    size_t radii;     /* numbers of the backward pass of radii */
    size_t largest;   /* tensor that moves */
    size_t forward;   /* bytes of the largest run of an objective */
} work;

static bool add(size_t *sum, size_t count)
{
    return grad_size_add(*sum, count, sum);
}

/* A run of an objective in double takes at most twice what one in float would. */
static grad_status measure_function(const grad_batch *batch, size_t layer, grad_layer *layers,
                                    grad_measure *measure, grad_error *error)
{
    grad_objective f;
    grad_status status;

    grad_objective_draft(batch, layer, layers, &f);
    status = grad_batch_measure(&f.batch, NULL, measure, error);
    if (status == GRAD_OK && !grad_size_mul(measure->memory, 2, &measure->memory))
        return grad_fail_memory(error, SIZE_MAX);
    return status;
}

/* The differences of one layer's parameters. forward: a run of its objective. */
static bool add_layer(const grad_batch *batch, size_t layer, const grad_extent *extent,
                      const grad_measure *forward, size_t samples, work *w)
{
    size_t state = 0, radii = 0, first = w->samples, parameters = w->parameters;
    bool fits = grad_size_mul(extent->B, extent->N, &state) &&
                grad_radii_numbers(extent->B, extent->K, extent->N, &radii);
    double runs;

    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++) {
        grad_tensor gradient = grad_extent_gradient(batch, layer, extent, k);
        size_t count = 1;

        if (gradient.rank == 0)
            continue;
        for (size_t axis = 0; axis < gradient.rank; axis++)
            fits = fits && grad_size_mul(count, gradient.shape[axis], &count);
        w->parameters++;
        w->largest = count > w->largest ? count : w->largest;
        fits = fits && add(&w->samples, grad_size_min(count, samples) + 1) &&
               add(&w->gradients, count);
    }
    w->largest = state > w->largest ? state : w->largest;
    w->forward = forward->memory > w->forward ? forward->memory : w->forward;
    runs = (double)(w->samples - first) * GRAD_SLOPE_CALLS +
           (double)(w->parameters - parameters) * GRAD_TAYLOR_CALLS;
    w->flops += runs * forward->flops;
    w->elements += runs * forward->elements;
    return fits && add(&w->states, state) && add(&w->radii, radii) &&
           grad_size_add_product(extent->B, extent->K, &w->states);
}

static bool add_numbers(const grad_batch *batch, work *w)
{
    bool fits = true;

    for (size_t i = 0; i < batch->layer_count; i++) {
        grad_tensor *list[GRAD_LAYER_TENSORS];

        grad_layer_tensors(&batch->layers[i], list);
        for (size_t k = 0; k < GRAD_LAYER_TENSORS; k++)
            fits = fits && add(&w->numbers, grad_tensor_count(list[k]));
    }
    if (batch->network != NULL) {
        grad_network network = *batch->network;
        grad_tensor *list[GRAD_NETWORK_TENSORS];

        grad_network_tensors(&network, list);
        for (size_t k = 0; k < GRAD_NETWORK_TENSORS; k++)
            fits = fits && add(&w->numbers, grad_tensor_count(list[k]));
    }
    return fits;
}

static grad_status walk(const grad_check_request *request, const grad_batch *batch, work *w,
                        grad_error *error)
{
    size_t samples = grad_check_options_of(request).samples;
    size_t bytes = batch->layer_count * sizeof(grad_layer);
    grad_layer *layers = malloc(bytes);
    grad_extent extent = {0};
    grad_measure forward = {0};
    grad_status status = layers == NULL ? grad_fail_memory(error, bytes) : GRAD_OK;

    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++) {
        extent = grad_extent_of(batch, i, &extent);
        status = verify_layer_claims(request, batch, i, &extent, error);
        if (status == GRAD_OK && (i == 0 || batch->network == NULL))
            status = measure_function(batch, i, layers, &forward, error);
        if (status == GRAD_OK && !add_layer(batch, i, &extent, &forward, samples, w))
            status = grad_fail_memory(error, SIZE_MAX);
    }
    free(layers);
    return status;
}

/* What is needed for a while: by the radii, whose layers run one by one, or by the tiles at work at
 * once, each an objective with a tensor of its own. */
static bool passing_memory(const grad_batch *batch, const work *w, size_t run, size_t *bytes)
{
    size_t tile = w->forward, radii = run, tiles = 0;
    bool fits = grad_size_add_product(w->largest, 2 * sizeof(double), &tile) &&
                grad_size_add_product(batch->layer_count, sizeof(grad_layer), &tile) &&
                grad_size_add_product(GRAD_LIMITER_SLOTS, tile, &tiles) && add(&radii, run) &&
                grad_size_add_product(w->radii, sizeof(double), &radii) &&
                grad_size_add_product(batch->layer_count + 1, sizeof(grad_stage), &radii);

    *bytes = tiles > radii ? tiles : radii;
    return fits;
}

/* The same, the run that is checked, everything in double, and results. */
static bool all_memory(const grad_batch *batch, const work *w, size_t run, size_t *bytes)
{
    bool is_wide = batch->datatype == GRAD_FP64;
    size_t limiter, passing,
        parameter = sizeof(grad_parameter) + sizeof(grad_check_tensor) + sizeof(void *);
    size_t layers =
        2 * sizeof(grad_layer) + sizeof(grad_objective) + (GRAD_LAYER_TENSORS + 8) * sizeof(void *);

    *bytes = sizeof(grad_check);
    return passing_memory(batch, w, run, &passing) && add(bytes, passing) && add(bytes, run) &&
           grad_slot_limiter_memory(w->samples + w->parameters, &limiter) && add(bytes, limiter) &&
           grad_size_add_product(w->samples, sizeof(grad_sample), bytes) &&
           grad_size_add_product(w->gradients, 3 * sizeof(double), bytes) &&
           grad_size_add_product(w->parameters, parameter, bytes) &&
           grad_size_add_product(batch->layer_count + GRAD_NETWORK_TENSORS, layers, bytes) &&
           grad_size_add_product(w->states, 2 * sizeof(double), bytes) &&
           grad_size_add_product(w->numbers, is_wide ? 0 : sizeof(double), bytes);
}

static grad_status measure_differences(const grad_check_request *request, const grad_batch *batch,
                                       grad_measure *found, grad_error *error)
{
    work w = {0};
    grad_status status = walk(request, batch, &w, error);

    if (status != GRAD_OK)
        return status;
    if (w.parameters == 0)
        return refuse(error, "/outputs", "a request without any gradient");
    if (!add_numbers(batch, &w) || !all_memory(batch, &w, found->memory, &found->memory))
        return grad_fail(error, GRAD_TOO_LARGE, "size_overflow", "/check",
                         "expected differences that fit in memory, found a size beyond its "
                         "addresses");
    found->flops = found->flops * RUNS + w.flops;
    found->elements = found->elements * RUNS + w.elements;
    if (found->flops + ELEMENT_FLOPS * found->elements > (double)GRAD_MAX_CHECK_FLOPS)
        return grad_fail_limit(error, "max_check_flops", GRAD_MAX_CHECK_FLOPS, "/check",
                               "expected differences of at most %g operations, found up to %g: "
                               "ask for fewer samples, or check a smaller batch",
                               (double)GRAD_MAX_CHECK_FLOPS,
                               found->flops + ELEMENT_FLOPS * found->elements);
    return GRAD_OK;
}

/* Of no samples there is nothing to check: every gradient is zeros, whatever the formulas. */
static grad_status verify_samples(const grad_batch *batch, grad_error *error)
{
    for (size_t i = 0; i < batch->layer_count; i++) {
        const grad_tensor *x = &batch->layers[i].input;
        grad_pointer_text pointer = grad_pointer_format("/layers/%zu/input", i);

        if (x->data == NULL && batch->network != NULL && i == 0) {
            x = &batch->network->input;
            pointer = grad_pointer_format("/input");
        }
        if (x->data != NULL && grad_tensor_count(x) == 0)
            return grad_fail(error, GRAD_INVALID, "empty_tensor", pointer.text,
                             "%s has no samples, expected at least one: of none there is nothing "
                             "to check",
                             pointer.text + 1);
    }
    return GRAD_OK;
}

grad_status grad_check_measure(const grad_check_request *request, const grad_limits *limits,
                               grad_measure *measure, grad_error *error)
{
    grad_batch batch;
    grad_measure found, asked;
    grad_status status = verify_options(request, error);

    if (status != GRAD_OK)
        return status;
    batch = grad_check_batch(request);
    status = grad_batch_measure(&batch, limits, &found, error);
    if (status == GRAD_OK)
        status = grad_batch_measure(request->batch, NULL, &asked, error);
    if (status == GRAD_OK)
        status = verify_samples(&batch, error);
    if (status == GRAD_OK)
        status = measure_differences(request, &batch, &found, error);
    if (status == GRAD_OK)
        *measure = found;
    return status;
}
