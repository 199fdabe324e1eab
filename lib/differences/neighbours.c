/* How far rounding alone may move the analytic gradient: it is worked out again for neighbours of
 * the request, whose numbers, those given and those between two layers, differ from its by a few
 * units in the last place (as in Monte Carlo arithmetic; Parker, 1997). No one who has the numbers
 * rounded can tell them from the request's, so their gradients are as right as its own. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/real.h"
#include "differences/state.h"
#include "differences/tensors.h"

#define STEPS 2 /* units in the last place, at most, to either side */

typedef struct neighbour {
    const grad_check *check;
    grad_batch batch;
    grad_network network;
    grad_layer *layers;
    void **blocks; /* the tensors' memory */
    size_t block_count;
    uint64_t state; /* of the random numbers */
} neighbour;

static void neighbour_free(neighbour *n)
{
    for (size_t i = 0; i < n->block_count; i++)
        free(n->blocks[i]);
    free(n->blocks);
    free(n->layers);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static double near(grad_datatype type, double value, int steps)
{
    double toward = steps > 0 ? (double)INFINITY : -(double)INFINITY, moved = value;

    if (value == 0 || !isfinite(value))
        return value;
    for (int i = 0; i < abs(steps); i++)
        moved = type == GRAD_FP64 ? nextafter(moved, toward)
                                  : (double)nextafterf((float)moved, (float)toward);
    return isfinite(moved) ? moved : value;
}

static int draw_steps(neighbour *n)
{
    n->state = grad_check_mix(n->state);
    return (int)(n->state % (2 * STEPS + 1)) - STEPS;
}

static grad_status jitter(neighbour *n, grad_tensor *tensor, grad_error *error)
{
    grad_datatype type = n->batch.datatype;
    size_t count = grad_tensor_count(tensor);
    void *numbers;

    if (tensor->data == NULL)
        return GRAD_OK;
    numbers = malloc(count * grad_datatype_size(type));
    if (numbers == NULL)
        return grad_fail_memory(error, count * grad_datatype_size(type));
    n->blocks[n->block_count++] = numbers;
    for (size_t i = 0; i < count; i++)
        grad_real_put(type, numbers, i,
                      near(type, grad_real_at(type, tensor->data, i), draw_steps(n)));
    tensor->data = numbers;
    return GRAD_OK;
}

static grad_status jitter_layer(neighbour *n, grad_layer *layer, grad_error *error)
{
    grad_tensor *list[GRAD_LAYER_TENSORS];
    grad_status status = GRAD_OK;

    grad_layer_tensors(layer, list);
    for (size_t i = 0; i < GRAD_LAYER_REALS && status == GRAD_OK; i++)
        status = jitter(n, list[i], error);
    return status;
}

static grad_status jitter_network(neighbour *n, grad_error *error)
{
    grad_tensor *list[GRAD_NETWORK_TENSORS];
    grad_status status = GRAD_OK;

    grad_network_tensors(&n->network, list);
    for (size_t i = 0; i < GRAD_NETWORK_REALS && status == GRAD_OK; i++)
        status = jitter(n, list[i], error);
    return status;
}

/* ---- States ---------------------------------------------------------------------------------- */

/* What a layer of a network makes of x: its prediction alone, its residual left out. The run is the
 * caller's to destroy. */
static grad_status run_layer(const neighbour *n, size_t layer, const grad_tensor *x,
                             grad_tensor *grad_output, grad_run **run, grad_error *error)
{
    grad_layer alone = n->layers[layer];
    grad_network network = {.input = *x, .grad_output = *grad_output};
    grad_batch batch = {.datatype = n->batch.datatype,
                        .scale = 1,
                        .outputs = GRAD_OUTPUT_PREDICTIONS,
                        .non_finite = GRAD_ALLOW_NON_FINITE,
                        .layer_count = 1,
                        .layers = &alone,
                        .network = &network};
    grad_status status;

    alone.input = (grad_tensor){0};
    alone.residual = GRAD_RESIDUAL_NONE;
    status = grad_run_create(&batch, run, error);
    return status == GRAD_OK ? grad_run_all(*run, error) : status;
}

/* y of a layer, with its residual, rounded as if it had been worked out otherwise; it is the next
 * layer's x. */
static grad_status jitter_output(neighbour *n, size_t layer, const grad_extent *extent,
                                 const grad_tensor *ys, grad_tensor *y, grad_error *error)
{
    grad_datatype type = n->batch.datatype;
    const grad_tensor *x = layer == 0 ? &ys[0] : &n->layers[layer].input;
    size_t count = extent->B * extent->N, residual = n->layers[layer].residual;
    grad_tensor zeros = {calloc(count, grad_datatype_size(type)),
                         extent->vectors ? 1 : 2,
                         {extent->vectors ? extent->N : extent->B, extent->N}};
    grad_run *run = NULL;
    grad_status status;

    if (zeros.data == NULL)
        return grad_fail_memory(error, count * grad_datatype_size(type));
    n->blocks[n->block_count++] = zeros.data;
    status = run_layer(n, layer, x, &zeros, &run, error);
    *y = zeros;
    for (size_t i = 0; status == GRAD_OK && i < count; i++) {
        double sum = grad_real_at(type, grad_run_reply(run)->predictions.data, i);

        if (residual != GRAD_RESIDUAL_NONE)
            sum += grad_real_at(type, ys[residual - GRAD_RESIDUAL_INPUT].data, i);
        grad_real_put(type, y->data, i, near(type, sum, draw_steps(n)));
    }
    grad_run_destroy(run);
    return status;
}

/* Gives every layer of a network an x that is a neighbour of what it would have: what rounding
 * makes of the numbers in between, the numbers given do not tell. */
static grad_status jitter_states(neighbour *n, grad_error *error)
{
    size_t layers = n->batch.layer_count;
    grad_tensor *ys = malloc(layers * sizeof *ys); /* the network's input, then layers' y */
    grad_extent extent = {0};
    grad_status status = GRAD_OK;

    if (ys == NULL)
        return grad_fail_memory(error, layers * sizeof *ys);
    ys[0] = n->layers[0].input.data != NULL ? n->layers[0].input : n->network.input;
    for (size_t i = 0; i + 1 < layers && status == GRAD_OK; i++) {
        extent = grad_extent_of(&n->batch, i, &extent);
        status = jitter_output(n, i, &extent, ys, &ys[i + 1], error);
        if (n->layers[i + 1].input.data == NULL)
            n->layers[i + 1].input = ys[i + 1];
    }
    free(ys);
    return status;
}

/* *n stays where it is: its batch points into it. */
static grad_status make(neighbour *n, const grad_check *check, size_t number, grad_error *error)
{
    size_t layers = check->batch.layer_count;
    size_t tensors = layers * (GRAD_LAYER_REALS + 1) + GRAD_NETWORK_REALS;
    grad_status status = GRAD_OK;

    *n = (neighbour){.check = check, .batch = check->batch, .state = number + 1};
    n->layers = malloc(layers * sizeof *n->layers);
    n->blocks = malloc(tensors * sizeof *n->blocks);
    if (n->layers == NULL || n->blocks == NULL)
        return grad_fail_memory(error, layers * sizeof *n->layers);
    n->batch.layers = n->layers;
    n->batch.non_finite = GRAD_ALLOW_NON_FINITE;
    for (size_t i = 0; i < layers && status == GRAD_OK; i++) {
        n->layers[i] = check->batch.layers[i];
        status = jitter_layer(n, &n->layers[i], error);
    }
    if (check->batch.network == NULL || status != GRAD_OK)
        return status;
    n->network = *check->batch.network;
    n->batch.network = &n->network;
    status = jitter_network(n, error);
    return status == GRAD_OK ? jitter_states(n, error) : status;
}

/* ---- Distances ------------------------------------------------------------------------------- */

static double distance(const grad_check *check, const grad_tensor *a, const grad_tensor *b,
                       size_t element)
{
    grad_datatype type = check->batch.datatype;
    double found = grad_real_at(type, a->data, element) - grad_real_at(type, b->data, element);

    return isfinite(found) ? found : 0;
}

/* Along the direction: what it is, and what is to be expected of changes so large. */
static void measure_variable(const grad_check *check, size_t variable, const grad_tensor *gradient,
                             double *spreads, double *norm)
{
    const grad_variable *v = &check->variables[variable];
    double squares = 0, along = 0;

    for (size_t i = 0; i < grad_tensor_count(gradient); i++) {
        double change = distance(check, gradient, v->gradient, i);

        squares += change * change;
        along += change * grad_check_sign(check, variable, i);
    }
    *norm = sqrt(squares);
    for (size_t i = v->first_sample; i < v->first_sample + v->sample_count; i++) {
        const grad_sample *s = &check->samples[i];

        spreads[i] = s->index == GRAD_ALONG_DIRECTION
                         ? fmax(fabs(along), *norm)
                         : fabs(distance(check, gradient, v->gradient, s->index));
    }
}

grad_status grad_check_visit(const grad_check *check, size_t number, grad_error *error)
{
    double *spreads = check->spreads + number * check->sample_count;
    double *norms = check->norms + number * check->variable_count;
    grad_run *run = NULL;
    neighbour n;
    grad_status status = make(&n, check, number, error);

    if (status == GRAD_OK)
        status = grad_run_create(&n.batch, &run, error);
    if (status == GRAD_OK)
        status = grad_run_all(run, error);
    for (size_t i = 0; status == GRAD_OK && i < check->variable_count; i++)
        measure_variable(check, i, grad_check_gradient(grad_run_reply(run), &check->variables[i]),
                         spreads, &norms[i]);
    grad_run_destroy(run);
    neighbour_free(&n);
    return status;
}
