/* How far rounding alone may move the analytic gradient: it is worked out again for neighbours of
 * the request, whose numbers differ from its by a few units in the last place (as in Monte Carlo
 * arithmetic; Parker, 1997). No one who has the numbers rounded can tell them from the request's,
 * so their gradients are as right as its own. */
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
    for (size_t i = 0; i < count; i++) {
        int steps = (int)((n->state = grad_check_mix(n->state)) % (2 * STEPS + 1)) - STEPS;

        grad_real_put(type, numbers, i, near(type, grad_real_at(type, tensor->data, i), steps));
    }
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

/* *n stays where it is: its batch points into it. */
static grad_status make(neighbour *n, const grad_check *check, size_t number, grad_error *error)
{
    size_t layers = check->batch.layer_count;
    size_t tensors = layers * GRAD_LAYER_REALS + GRAD_NETWORK_REALS;
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
    if (check->batch.network == NULL)
        return status;
    n->network = *check->batch.network;
    n->batch.network = &n->network;
    return status == GRAD_OK ? jitter_network(n, error) : status;
}

/* ---- Distances ------------------------------------------------------------------------------- */

static double distance(const grad_check *check, const grad_tensor *a, const grad_tensor *b,
                       size_t element)
{
    grad_datatype type = check->batch.datatype;
    double found = grad_real_at(type, a->data, element) - grad_real_at(type, b->data, element);

    return isfinite(found) ? found : 0;
}

/* Along the direction: what it was, and what it is expected to be of changes so large. */
static void measure_variable(const grad_check *check, size_t variable, const grad_tensor *gradient,
                             double *spreads, double *norms)
{
    const grad_variable *v = &check->variables[variable];
    double norm = 0, along = 0;

    for (size_t i = 0; i < grad_tensor_count(gradient); i++) {
        double change = distance(check, gradient, v->gradient, i);

        norm += change * change;
        along += change * grad_check_sign(check, variable, i);
    }
    norms[variable] = sqrt(norm);
    for (size_t i = v->first_sample; i < v->first_sample + v->sample_count; i++) {
        const grad_sample *s = &check->samples[i];

        spreads[i] = s->index == GRAD_ALONG_DIRECTION
                         ? fmax(fabs(along), norms[variable])
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
                         spreads, norms);
    grad_run_destroy(run);
    neighbour_free(&n);
    return status;
}
