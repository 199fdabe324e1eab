/* The point at which an objective is differentiated: what it is there, term by term, and the states
 * and biases that follow from the states given. How it changes around the point does not live
 * here. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/figure.h"
#include "gradcheck/state.h"
#include "gradcheck/tensors.h"

/* ---- Terms ----------------------------------------------------------------------------------- */

static bool has_loss(const grad_objective *f)
{
    return f->network.loss.kind != GRAD_LOSS_ABSENT;
}

static const grad_tensor *terms_of(const grad_objective *f, const grad_reply *reply)
{
    return has_loss(f) ? &reply->losses : &reply->predictions;
}

static double term_at(const grad_objective *f, const grad_reply *reply, size_t i)
{
    const double *numbers = terms_of(f, reply)->data, *dy = f->network.grad_output.data;

    return has_loss(f) ? numbers[i] : dy[i] * numbers[i];
}

grad_status grad_run_network(size_t layer_count, grad_layer *layers, const grad_network *network,
                             unsigned outputs, grad_run **run, grad_error *error)
{
    grad_batch batch = {.datatype = GRAD_FP64,
                        .scale = 1,
                        .outputs = outputs,
                        .non_finite = GRAD_ALLOW_NON_FINITE,
                        .no_notes = true,
                        .layer_count = layer_count,
                        .layers = layers,
                        .network = network};
    grad_status status = grad_run_create(&batch, run, error);

    return status == GRAD_OK ? grad_run_all(*run, error) : status;
}

grad_status grad_objective_change(const grad_objective *f, const grad_batch *batch, double *change,
                                  grad_error *error)
{
    grad_run *run = NULL;
    grad_status status = grad_run_network(batch->layer_count, batch->layers, batch->network,
                                          batch->outputs, &run, error);

    if (status == GRAD_OK) {
        *change = 0;
        for (size_t i = 0; i < f->term_count; i++)
            *change += (term_at(f, grad_run_reply(run), i) - f->terms[i]) / f->divisor;
    }
    grad_run_destroy(run);
    return status;
}

/* Where in the request it is that the terms come from. */
static const char *place_of_terms(const grad_check *check)
{
    const grad_network *network = check->batch.network;

    if (network == NULL)
        return "/layers";
    return network->loss.kind != GRAD_LOSS_ABSENT ? "/loss" : "/grad_output";
}

/* Reads the terms of the run at the baseline. */
static grad_status take_terms(grad_check *check, grad_objective *f, const grad_reply *reply,
                              grad_error *error)
{
    f->term_count = grad_tensor_count(terms_of(f, reply));
    f->divisor = has_loss(f) ? grad_run_reply(check->run)->loss_divisor : 1;
    f->terms = grad_check_take(check, f->term_count, sizeof *f->terms);
    if (f->terms == NULL)
        return grad_fail_memory(error, f->term_count * sizeof *f->terms);
    for (size_t i = 0; i < f->term_count; i++) {
        f->terms[i] = term_at(f, reply, i);
        if (!isfinite(f->terms[i]))
            return grad_fail(error, GRAD_INVALID, "non_finite", place_of_terms(check),
                             "the loss is %s in double precision, expected a finite number to take "
                             "differences of",
                             GRAD_FIGURE(GRAD_FP64, f->terms[i]));
        f->noise += 4 * DBL_EPSILON * fabs(f->terms[i]) / f->divisor;
    }
    return GRAD_OK;
}

/* ---- States ---------------------------------------------------------------------------------- */

static size_t columns(const grad_tensor *tensor)
{
    return tensor->shape[tensor->rank - 1];
}

/* How many numbers the layers before that one give it a sample. */
static size_t width_before(const grad_objective *f, size_t layer)
{
    for (size_t i = layer; i-- > 0;) {
        const grad_layer *l = &f->given[i];

        if (grad_map_of(l) == GRAD_MAP_PRODUCT)
            return grad_layer_columns(l, 0);
    }
    return columns(&f->network.input);
}

/* What the layers before that one give it; owned by the check. */
static grad_status run_before(grad_check *check, const grad_objective *f, size_t layer,
                              grad_tensor *x, grad_error *error)
{
    const grad_tensor *input = &f->network.input;
    size_t N = width_before(f, layer), B = grad_tensor_count(input) / columns(input);
    grad_network network = {.input = *input}; /* the rows of input, N columns */
    grad_run *forward = NULL;
    grad_status status;

    *x = *input;
    x->shape[x->rank - 1] = N;
    x->data = grad_check_take(check, B * N, sizeof(double));
    if (x->data == NULL)
        return grad_fail_memory(error, B * N * sizeof(double));
    network.grad_output = *x; /* zeros: where nothing is asked for but y, nobody reads it */
    status = grad_run_network(layer, f->layers, &network, GRAD_OUTPUT_PREDICTIONS, &forward, error);
    if (status == GRAD_OK)
        memcpy(x->data, grad_run_reply(forward)->predictions.data, B * N * sizeof(double));
    grad_run_destroy(forward);
    return status;
}

/* x of that layer: its own, or what the layers before it give. */
static grad_status find_input(grad_check *check, const grad_objective *f, size_t layer,
                              grad_tensor *x, grad_error *error)
{
    *x = layer == 0 ? f->network.input : f->given[layer].input;
    return x->data != NULL ? GRAD_OK : run_before(check, f, layer, x, error);
}

/* A layer that gives z need not give b: it is the mean of what z is more than x Wᵀ. */
static grad_status find_bias(grad_check *check, grad_layer *layer, const grad_tensor *state,
                             const grad_tensor *input, grad_error *error)
{
    size_t N = layer->weight.shape[0], K = layer->weight.shape[1];
    size_t B = grad_tensor_count(state) / N;
    const double *x = input->data, *z = state->data, *W = layer->weight.data;
    double *b = grad_check_take(check, N, sizeof *b);

    if (b == NULL)
        return grad_fail_memory(error, N * sizeof *b);
    for (size_t e = 0; e < B * N; e++) {
        double rest = z[e];

        for (size_t k = 0; k < K; k++)
            rest -= x[e / N * K + k] * W[e % N * K + k];
        b[e % N] += rest / (double)B;
    }
    layer->bias = (grad_tensor){b, 1, {N}};
    return GRAD_OK;
}

/* From the first layer to the last, as each stands on those before it. */
static grad_status settle_states(grad_check *check, grad_objective *f, grad_error *error)
{
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < f->batch.layer_count && status == GRAD_OK; i++) {
        const grad_layer *given = &f->given[i];
        grad_layer *layer = &f->layers[i];
        bool stands = grad_objective_moves_state(layer, GRAD_WEIGHT_DELTA); /* on its z */
        bool lacks_bias = grad_map_of(given) == GRAD_MAP_PRODUCT &&
                          given->pre_activation.data != NULL && given->bias.data == NULL && !stands;
        grad_tensor x;

        if (stands && i > 0)
            status = find_input(check, f, i, &layer->input, error);
        else if (lacks_bias) {
            status = find_input(check, f, i, &x, error);
            if (status == GRAD_OK)
                status = find_bias(check, layer, &given->pre_activation, &x, error);
        }
    }
    return status;
}

grad_status grad_check_settle(grad_check *check, grad_objective *objective, grad_error *error)
{
    grad_run *forward = NULL;
    grad_measure measure;
    grad_status status = settle_states(check, objective, error);

    if (status == GRAD_OK)
        status = grad_batch_measure(&objective->batch, NULL, &measure, error);
    if (status == GRAD_OK)
        status = grad_run_network(objective->batch.layer_count, objective->layers,
                                  &objective->network, GRAD_OUTPUT_PREDICTIONS, &forward, error);
    if (status == GRAD_OK)
        status = take_terms(check, objective, grad_run_reply(forward), error);
    grad_run_destroy(forward);
    return status;
}
