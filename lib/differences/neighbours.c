/* How far rounding alone may move the analytic gradient: it is worked out again for neighbours of
 * the request, whose numbers, those given and those that layers hand on to each other, differ from
 * its by a few units in the last place (as in Monte Carlo arithmetic; Parker, 1997). No one who has
 * the numbers rounded can tell them from the request's, so their gradients are as right as its own.
 *
 * And how far it jumps: other neighbours differ by a small part of a tensor's scale, zeros too.
 * Where units stand at kinks that pull one loss in opposite ways, L is smooth and shows none of
 * them; but to one side and to the other the gradient is another one. */
#include "differences/neighbour.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/real.h"
#include "differences/tensors.h"

#define STEPS 2 /* units in the last place, at most, to either side */

#define JOLT_FP32 0x1p-19 /* of the scale, at most: beyond what rounding does to a z */
#define JOLT_FP64 0x1p-34
#define JOLT_SIZES 3       /* for features of L that are narrower, */
#define JOLT_RATIO 0x1p-10 /* each so many times smaller */

static bool is_jolted(const grad_neighbour *n)
{
    return n->number >= GRAD_ROUNDED;
}

/* ---- Moving ---------------------------------------------------------------------------------- */

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

static int draw_steps(grad_neighbour *n)
{
    n->state = grad_check_mix(n->state);
    return (int)(n->state % (2 * STEPS + 1)) - STEPS;
}

static double mean_size(const grad_neighbour *n, const grad_tensor *tensor)
{
    size_t count = grad_tensor_count(tensor);
    double size = 0;

    for (size_t i = 0; i < count; i++)
        size += fabs(grad_real_at(n->batch.datatype, tensor->data, i)) / (double)count;
    return isfinite(size) ? size : 0;
}

/* By how much a jolted tensor's numbers move at most: a part of their mean size, or of spare's. */
static double jolt_of(const grad_neighbour *n, const grad_tensor *tensor, const grad_tensor *spare)
{
    double size = mean_size(n, tensor);
    double jolt = n->batch.datatype == GRAD_FP64 ? JOLT_FP64 : JOLT_FP32;

    if (size == 0 && spare != NULL)
        size = mean_size(n, spare);
    for (size_t i = 0; i < n->number % JOLT_SIZES; i++)
        jolt *= JOLT_RATIO;
    return (size > 0 ? size : 1) * jolt;
}

/* A number's neighbour. */
static double moved(grad_neighbour *n, double value, double jolt)
{
    if (!is_jolted(n))
        return near(n->batch.datatype, value, draw_steps(n));
    n->state = grad_check_mix(n->state);
    return value + jolt * ((double)(n->state >> 11) * 0x1p-52 - 1);
}

grad_status grad_neighbour_take(grad_neighbour *n, grad_tensor *tensor, grad_error *error)
{
    size_t count = 1, size = grad_datatype_size(n->batch.datatype);

    for (size_t axis = 0; axis < tensor->rank; axis++)
        count *= tensor->shape[axis];
    tensor->data = calloc(count, size);
    if (tensor->data == NULL)
        return grad_fail_memory(error, count * size);
    n->blocks[n->block_count++] = tensor->data;
    return GRAD_OK;
}

void grad_neighbour_round(grad_neighbour *n, grad_tensor *tensor)
{
    grad_datatype type = n->batch.datatype;

    for (size_t i = 0; i < grad_tensor_count(tensor) && !is_jolted(n); i++)
        grad_real_put(type, tensor->data, i,
                      near(type, grad_real_at(type, tensor->data, i), draw_steps(n)));
}

/* A tensor of the request, moved; of zeros, by a part of spare's numbers. */
static grad_status move(grad_neighbour *n, grad_tensor *tensor, const grad_tensor *spare,
                        grad_error *error)
{
    grad_datatype type = n->batch.datatype;
    grad_tensor given = *tensor;
    double jolt;
    grad_status status;

    if (given.data == NULL)
        return GRAD_OK;
    status = grad_neighbour_take(n, tensor, error);
    jolt = jolt_of(n, &given, spare);
    for (size_t i = 0; i < grad_tensor_count(&given) && status == GRAD_OK; i++)
        grad_real_put(type, tensor->data, i, moved(n, grad_real_at(type, given.data, i), jolt));
    return status;
}

/* ---- Making ---------------------------------------------------------------------------------- */

static void neighbour_free(grad_neighbour *n)
{
    for (size_t i = 0; i < n->block_count; i++)
        free(n->blocks[i]);
    free(n->blocks);
    free(n->layers);
}

/* Zeros in the place of a bias that is missing: they move a z that the weight leaves at 0. */
static grad_status add_bias(grad_neighbour *n, grad_layer *layer, grad_error *error)
{
    bool lacks_one = layer->kind == GRAD_DENSE && layer->weight.data != NULL &&
                     layer->bias.data == NULL && layer->pre_activation.data == NULL;

    if (!lacks_one || !is_jolted(n))
        return GRAD_OK;
    layer->bias = (grad_tensor){NULL, 1, {layer->weight.shape[0]}};
    return grad_neighbour_take(n, &layer->bias, error);
}

static grad_status move_layer(grad_neighbour *n, grad_layer *layer, grad_error *error)
{
    grad_tensor *list[GRAD_LAYER_TENSORS];
    grad_status status = add_bias(n, layer, error);

    grad_layer_tensors(layer, list);
    for (size_t i = 0; i < GRAD_LAYER_REALS && status == GRAD_OK; i++)
        status = move(n, list[i], list[i] == &layer->bias ? &layer->weight : NULL, error);
    return status;
}

static grad_status move_network(grad_neighbour *n, grad_error *error)
{
    grad_tensor *list[GRAD_NETWORK_TENSORS];
    grad_status status = GRAD_OK;

    grad_network_tensors(&n->network, list);
    for (size_t i = 0; i < GRAD_NETWORK_REALS && status == GRAD_OK; i++)
        status = move(n, list[i], NULL, error);
    return status;
}

/* *n stays where it is: its batch points into it. */
static grad_status make(grad_neighbour *n, const grad_check *check, size_t number,
                        grad_error *error)
{
    size_t layers = check->batch.layer_count;
    size_t tensors = layers * (GRAD_LAYER_REALS + 1) + GRAD_NETWORK_REALS + 2 * (layers + 1);
    grad_status status = GRAD_OK;

    *n = (grad_neighbour){
        .check = check, .number = number, .batch = check->batch, .state = number + 1};
    n->layers = malloc(layers * sizeof *n->layers);
    n->blocks = malloc(tensors * sizeof *n->blocks);
    if (n->layers == NULL || n->blocks == NULL)
        return grad_fail_memory(error, layers * sizeof *n->layers);
    n->batch.layers = n->layers;
    n->batch.non_finite = GRAD_ALLOW_NON_FINITE;
    n->batch.no_notes = true;
    for (size_t i = 0; i < layers && status == GRAD_OK; i++) {
        n->layers[i] = check->batch.layers[i];
        status = move_layer(n, &n->layers[i], error);
    }
    if (check->batch.network == NULL || status != GRAD_OK)
        return status;
    n->network = *check->batch.network;
    n->batch.network = &n->network;
    return move_network(n, error);
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
void grad_neighbour_measure(const grad_neighbour *n, size_t variable, const grad_tensor *gradient)
{
    const grad_check *check = n->check;
    const grad_variable *v = &check->variables[variable];
    double *spreads = check->spreads + n->number * check->sample_count;
    double squares = 0, along = 0, norm;

    for (size_t i = 0; i < grad_tensor_count(gradient); i++) {
        double change = distance(check, gradient, v->gradient, i);

        squares += change * change;
        along += change * grad_check_sign(check, variable, i);
    }
    norm = sqrt(squares);
    check->norms[n->number * check->variable_count + variable] = norm;
    for (size_t i = v->first_sample; i < v->first_sample + v->sample_count; i++) {
        const grad_sample *s = &check->samples[i];

        spreads[i] = s->index == GRAD_ALONG_DIRECTION
                         ? fmax(fabs(along), norm)
                         : fabs(distance(check, gradient, v->gradient, s->index));
    }
}

static grad_status work_out_layers(grad_neighbour *n, grad_error *error)
{
    const grad_check *check = n->check;
    grad_run *run = NULL;
    grad_status status = grad_run_create(&n->batch, &run, error);

    if (status == GRAD_OK)
        status = grad_run_all(run, error);
    for (size_t i = 0; i < check->variable_count && status == GRAD_OK; i++)
        grad_neighbour_measure(n, i,
                               grad_check_gradient(grad_run_reply(run), &check->variables[i]));
    grad_run_destroy(run);
    return status;
}

grad_status grad_check_visit(const grad_check *check, size_t number, grad_error *error)
{
    grad_neighbour n;
    grad_status status = make(&n, check, number, error);

    if (status == GRAD_OK)
        status =
            n.batch.network != NULL ? grad_neighbour_chain(&n, error) : work_out_layers(&n, error);
    neighbour_free(&n);
    return status;
}
