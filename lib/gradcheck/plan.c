/* What is asked of a request before it is checked, beyond what its batch is asked: options that
 * have a meaning, claims that can be held against something; and how much work and memory the
 * differences will be. The batch is asked twice: as it is checked, and as it would be answered. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/size.h"
#include "core/spelling.h"
#include "gradcheck/state.h"

#define ELEMENT_FLOPS 20.0 /* that an element worked out is counted as */

#define RUNS 16 /* of the batch, its radii counted in */

grad_check_options grad_check_options_of(const grad_check_request *request)
{
    grad_check_options options = GRAD_CHECK_OPTIONS_INIT;

    (void)grad_options_read("grad_check_options", request->options, &options, NULL); /* verified */
    if (options.samples == 0)
        options.samples = GRAD_DEFAULT_CHECK_SAMPLES;
    if (!(options.tolerance > 0))
        options.tolerance = request->batch->datatype == GRAD_FP64
                                ? GRAD_DEFAULT_CHECK_TOLERANCE_FP64
                                : GRAD_DEFAULT_CHECK_TOLERANCE_FP32;
    return options;
}

const grad_tensor *grad_check_claim_of(const grad_check_request *request, size_t layer,
                                       grad_output_kind output)
{
    const grad_tensor *claim = NULL;

    if (layer == SIZE_MAX)
        claim = &request->claimed_grad_input;
    else if (request->claims != NULL)
        claim = grad_layer_result_tensor(&request->claims[layer], output);
    return claim == NULL || claim->data == NULL ? NULL : claim;
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
            if (grad_check_claim_of(request, i, k) != NULL)
                batch.outputs |= 1U << k;
    if (grad_check_claim_of(request, SIZE_MAX, GRAD_GRAD_INPUT) != NULL)
        batch.outputs |= GRAD_OUTPUT_GRAD_INPUT;
    return batch;
}

/* ---- Options --------------------------------------------------------------------------------- */

static grad_status reject(grad_error *error, const char *pointer, const char *what)
{
    return grad_fail(error, GRAD_INVALID, "unsupported_value", pointer,
                     "a check has no use for %s, expected none", what);
}

/* The first claim that the options are about; false: there is none. */
static bool find_delta(const grad_check_request *request, grad_pointer_text *claim)
{
    for (size_t i = 0; i < request->batch->layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (k != GRAD_GRAD_INPUT && grad_check_claim_of(request, i, k) != NULL) {
                *claim = grad_pointer_format("layers/%zu/%s", i, grad_output_name(k));
                return true;
            }
    return false;
}

/* Claims of deltas can be freed of the options. Clipping can't be undone: it depends on all deltas,
 * and hides what it cuts. */
static grad_status verify_finishing(const grad_check_request *request, grad_error *error)
{
    static const char *const code = "unsupported_value";
    const grad_batch *batch = request->batch;
    const grad_clip *clip = &batch->clip;
    grad_pointer_text claim;

    if (!find_delta(request, &claim))
        return GRAD_OK;
    if (batch->reduction == GRAD_PER_SAMPLE)
        return grad_fail(error, GRAD_INVALID, code, "/reduction",
                         "a check is of whole batches, expected reduction sum or mean beside %s, "
                         "found none",
                         claim.text);
    if (batch->scale == 0)
        return grad_fail(error, GRAD_INVALID, code, "/scale",
                         "claims of scale 0 cannot be checked, expected another scale beside %s",
                         claim.text);
    if (clip->value > 0 || clip->layer_norm > 0 || clip->global_norm > 0)
        return grad_fail(error, GRAD_INVALID, code, "/clip",
                         "what was clipped cannot be checked, expected no clip beside %s: leave "
                         "out the clip or the claims",
                         claim.text);
    return GRAD_OK;
}

static grad_status verify_options(const grad_check_request *request, grad_error *error)
{
    grad_check_options options = GRAD_CHECK_OPTIONS_INIT;
    grad_status status = grad_options_read("grad_check_options", request->options, &options, error);

    if (status != GRAD_OK)
        return status;
    if (request->batch->continue_on_error)
        return reject(error, "/on_error", "errors layer by layer");
    if (!(isfinite(options.tolerance) && options.tolerance >= 0))
        return grad_fail(error, GRAD_INVALID, "bad_parameter", "/check/tolerance",
                         "check/tolerance is %g, expected a finite positive number",
                         options.tolerance);
    return verify_finishing(request, error);
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

grad_extent grad_extent_of(const grad_batch *batch, size_t layer, const grad_extent *before)
{
    const grad_layer *l = &batch->layers[layer];
    const grad_tensor *x = &l->input;
    grad_extent extent = {before->B, before->N, 0, before->input};

    if (x->data == NULL && batch->network != NULL && layer == 0)
        x = &batch->network->input;
    if (x->data != NULL) {
        size_t K = x->shape[x->rank - 1];

        extent = (grad_extent){grad_tensor_count(x) / K, K, 0, *x};
    }
    extent.input.data = NULL;
    extent.N = grad_layer_columns(l, extent.K);
    return extent;
}

/* The gradient of that output as the batch is answered: its shape, without numbers; of rank 0 where
 * there is none. The grad_input of a network is its first layer's. */
static grad_tensor gradient_of(const grad_batch *batch, size_t layer, const grad_extent *extent,
                               grad_output_kind output)
{
    const grad_layer *l = &batch->layers[layer];
    bool is_input = output == GRAD_GRAD_INPUT;
    bool has = is_input ? (batch->network == NULL || layer == 0) && grad_layer_has_grad_input(l)
                        : (grad_layer_deltas(l) & 1U << output) != 0;
    grad_tensor input = extent->input;

    if (!has || (batch->outputs != 0 && (batch->outputs & 1U << output) == 0))
        return (grad_tensor){0};
    input.shape[input.rank - 1] = extent->K;
    return is_input ? input : grad_layer_output_shape(l, extent->K, extent->N, output);
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
    bool fits = claim == NULL || claim->rank == gradient->rank;

    for (size_t axis = 0; claim != NULL && fits && axis < claim->rank; axis++)
        fits = claim->shape[axis] == gradient->shape[axis];
    if (claim == NULL || (fits && gradient->rank > 0))
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

/* ---- Work and memory ------------------------------------------------------------------------- */

/* What is to be done, summed up layer by layer. Bytes are counted in double: exact up to 2^53, and
 * never wrapped. */
typedef struct work {
    grad_datatype datatype;
    double flops, elements; /* of all differences */
    size_t parameters;
    double memory;  /* bytes that live as long as the check */
    double largest; /* numbers of a tensor that moves */
    double forward; /* bytes of the largest run of an objective */
    double radii;   /* bytes of the pass */
} work;

/* A tensor of the request is held in double too. */
static bool add_wide(void *context, grad_tensor *tensor)
{
    work *w = context;

    if (tensor->data != NULL && w->datatype == GRAD_FP32)
        w->memory += (double)grad_tensor_count(tensor) * sizeof(double);
    return true;
}

/* The differences by one gradient of a layer. forward: a run of its objective. */
static void add_gradient(const grad_tensor *gradient, const grad_measure *forward, size_t wanted,
                         work *w)
{
    double count = 1, samples, runs;

    for (size_t axis = 0; axis < gradient->rank; axis++)
        count *= (double)gradient->shape[axis];
    samples = fmin(count, (double)wanted) + 1;
    runs = samples * GRAD_SLOPE_CALLS + GRAD_ALONG_CALLS;
    w->parameters++;
    w->flops += runs * forward->flops;
    w->elements += runs * forward->elements;
    w->largest = fmax(w->largest, count);
    w->memory += samples * sizeof(grad_sample) + count * sizeof(grad_interval) +
                 sizeof(grad_parameter) + sizeof(grad_check_tensor);
}

/* A layer, its objective and stage, the states that are settled, its terms, and their blocks. */
static void add_layer(grad_layer layer, const grad_extent *e, const grad_measure *forward, work *w)
{
    double states = (double)e->B * (double)(e->K + e->N);

    w->largest = fmax(w->largest, states);
    w->forward = fmax(w->forward, 2 * (double)forward->memory);
    w->radii += GRAD_RADII_BYTES * (states + 1);
    w->memory += (states + (double)e->N) * sizeof(double) + 6 * sizeof layer +
                 sizeof(grad_objective) + 32 * sizeof(void *);
    grad_each_tensor(&layer, NULL, add_wide, w);
}

/* Verifies the claims of a layer, and adds its differences. */
static grad_status walk_layer(const grad_check_request *request, const grad_batch *batch,
                              size_t layer, const grad_extent *extent, const grad_measure *forward,
                              work *w, grad_error *error)
{
    size_t samples = grad_check_options_of(request).samples;
    grad_status status = GRAD_OK;

    add_layer(batch->layers[layer], extent, forward, w);
    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT && status == GRAD_OK; k++) {
        grad_tensor gradient = gradient_of(batch, layer, extent, k);
        bool is_network_input = k == GRAD_GRAD_INPUT && batch->network != NULL;

        if (gradient.rank > 0)
            add_gradient(&gradient, forward, samples, w);
        if (is_network_input && layer == 0)
            status = verify_claim(grad_check_claim_of(request, SIZE_MAX, k), &gradient,
                                  "/grad_input", error);
        if (is_network_input)
            gradient = (grad_tensor){0}; /* it has one, at the top */
        if (status == GRAD_OK)
            status = verify_claim(grad_check_claim_of(request, layer, k), &gradient,
                                  GRAD_AT("/layers/%zu/%s", layer, grad_output_name(k)), error);
    }
    return status;
}

static grad_status walk(const grad_check_request *request, const grad_batch *batch, work *w,
                        grad_error *error)
{
    size_t bytes = batch->layer_count * sizeof(grad_layer);
    grad_layer *layers = malloc(bytes);
    grad_extent extent = {0};
    grad_measure forward = {0};
    grad_objective f;
    grad_status status = layers == NULL ? grad_fail_memory(error, bytes) : GRAD_OK;

    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++) {
        extent = grad_extent_of(batch, i, &extent);
        if (i == 0 || batch->network == NULL) {
            grad_objective_draft(batch, i, layers, &f);
            status = grad_batch_measure(&f.batch, NULL, &forward, error);
        }
        if (status == GRAD_OK)
            status = walk_layer(request, batch, i, &extent, &forward, w, error);
    }
    if (batch->network != NULL) {
        grad_network network = *batch->network;

        grad_each_tensor(NULL, &network, add_wide, w);
    }
    free(layers);
    return status;
}

/* Bytes that the check holds at once: what stays, the run that is checked, and for a while either
 * the pass of radii and its runs, or the tiles at work. */
static double memory_of(const grad_batch *batch, const work *w, double run)
{
    double layers = (double)batch->layer_count * sizeof(grad_layer);
    double tiles = GRAD_CHECK_SLOTS * (w->forward + layers + 3 * w->largest * sizeof(double));

    return sizeof(grad_check) + w->memory + run + fmax(tiles, w->radii + 2 * run + w->forward);
}

static grad_status verify_work(const grad_measure *found, const grad_limits *caps,
                               grad_error *error)
{
    size_t most =
        caps->max_check_flops != 0 ? caps->max_check_flops : (size_t)GRAD_DEFAULT_MAX_CHECK_FLOPS;
    double flops = found->flops + ELEMENT_FLOPS * found->elements;

    if (flops <= (double)most)
        return GRAD_OK;
    return grad_fail_limit(error, "max_check_flops", most, "/check",
                           "expected differences of at most %g operations, found up to %g: "
                           "ask for fewer samples, or check a smaller batch",
                           (double)most, flops);
}

static grad_status measure_differences(const grad_check_request *request, const grad_batch *batch,
                                       const grad_limits *caps, grad_measure *found,
                                       grad_error *error)
{
    work w = {.datatype = batch->datatype};
    grad_status status = walk(request, batch, &w, error);
    double memory;

    if (status != GRAD_OK)
        return status;
    if (w.parameters == 0)
        return reject(error, "/outputs", "a request without any gradient");
    memory = memory_of(batch, &w, (double)found->memory);
    if (!(memory < 0x1p62))
        return grad_fail(error, GRAD_TOO_LARGE, "size_overflow", "/check",
                         "expected differences that fit in memory, found a size beyond its "
                         "addresses");
    found->memory = (size_t)memory;
    found->flops = found->flops * RUNS + w.flops;
    found->elements = found->elements * RUNS + w.elements;
    return verify_work(found, caps, error);
}

grad_status grad_check_measure(const grad_check_request *request, const grad_limits *limits,
                               grad_measure *measure, grad_error *error)
{
    grad_batch batch;
    grad_measure found, asked;
    grad_limits caps = GRAD_LIMITS_INIT;
    grad_status status = verify_options(request, error);

    if (status == GRAD_OK)
        status = grad_options_read("grad_limits", limits, &caps, error);
    if (status != GRAD_OK)
        return status;
    batch = grad_check_batch(request);
    status = grad_batch_measure(&batch, limits, &found, error);
    if (status == GRAD_OK)
        status = grad_batch_measure(request->batch, NULL, &asked, error);
    if (status == GRAD_OK)
        status = verify_samples(&batch, error);
    if (status == GRAD_OK)
        status = measure_differences(request, &batch, &caps, &found, error);
    if (status == GRAD_OK)
        *measure = found;
    return status;
}
