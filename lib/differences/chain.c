/* A network worked out layer by layer, each run alone, so that the numbers they hand on to each
 * other, y forward and ∂L/∂y backward, can be rounded as if they had been worked out otherwise:
 * what rounding makes of those, the numbers given do not tell. What the numbers given are does not
 * live here. */
#include <stdlib.h>

#include "core/error.h"
#include "core/real.h"
#include "differences/neighbour.h"
#include "differences/tensors.h"

typedef struct chain {
    grad_neighbour *n;
    grad_tensor *ys;  /* [layers + 1]: the network's input, then each layer's y */
    grad_tensor *dys; /* ∂L by each of them, summed up over all that read it */
    grad_layer loss;  /* what turns the last y into the loss */
} chain;

/* ---- Runs ------------------------------------------------------------------------------------ */

/* A layer as a network of its own, from x and ∂L/∂y, or to the loss. The run is the caller's to
 * destroy, whatever the status. */
static grad_status run_alone(const chain *c, const grad_layer *layer, const grad_network *network,
                             unsigned outputs, grad_run **run, grad_error *error)
{
    grad_layer alone = *layer;
    grad_network its = *network;
    grad_batch batch = {.datatype = c->n->batch.datatype,
                        .scale = 1,
                        .outputs = outputs,
                        .non_finite = GRAD_ALLOW_NON_FINITE,
                        .layer_count = 1,
                        .layers = &alone,
                        .network = &its};
    grad_status status;

    alone.input = (grad_tensor){0};
    alone.residual = GRAD_RESIDUAL_NONE;
    status = grad_run_create(&batch, run, error);
    return status == GRAD_OK ? grad_run_all(*run, error) : status;
}

/* sum += addend, element by element. */
static void add(const chain *c, grad_tensor *sum, const grad_tensor *addend)
{
    grad_datatype type = c->n->batch.datatype;

    for (size_t i = 0; i < grad_tensor_count(sum); i++)
        grad_real_put(type, sum->data, i,
                      grad_real_at(type, sum->data, i) + grad_real_at(type, addend->data, i));
}

/* ---- Forward --------------------------------------------------------------------------------- */

static grad_status go_forward(chain *c, size_t layer, grad_error *error)
{
    const grad_layer *l = &c->n->layers[layer];
    grad_tensor *y = &c->ys[layer + 1];
    grad_network network = {.input = l->input, .grad_output = *y}; /* zeros that nobody reads */
    grad_run *run = NULL;
    grad_status status = run_alone(c, l, &network, GRAD_OUTPUT_PREDICTIONS, &run, error);

    if (status == GRAD_OK) {
        add(c, y, &grad_run_reply(run)->predictions);
        if (l->residual != GRAD_RESIDUAL_NONE)
            add(c, y, &c->ys[l->residual - GRAD_RESIDUAL_INPUT]);
        grad_neighbour_round(c->n, y);
    }
    grad_run_destroy(run);
    return status;
}

static grad_status go_all_forward(chain *c, grad_error *error)
{
    grad_neighbour *n = c->n;
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < n->batch.layer_count && status == GRAD_OK; i++) {
        if (n->layers[i].input.data == NULL)
            n->layers[i].input = c->ys[i];
        status = go_forward(c, i, error);
    }
    return status;
}

/* ---- Backward -------------------------------------------------------------------------------- */

/* ∂L/∂y of the last layer. */
static grad_status start_backward(chain *c, grad_error *error)
{
    size_t last = c->n->batch.layer_count;
    grad_network network = c->n->network;
    grad_run *run = NULL;
    grad_status status;

    if (network.loss.kind == GRAD_LOSS_ABSENT) {
        c->dys[last] = network.grad_output;
        return GRAD_OK;
    }
    network.input = c->ys[last];
    status = run_alone(c, &c->loss, &network, GRAD_OUTPUT_GRAD_INPUT, &run, error);
    if (status == GRAD_OK)
        add(c, &c->dys[last], &grad_run_reply(run)->grad_input);
    grad_run_destroy(run);
    return status;
}

static void measure_layer(const chain *c, size_t layer, const grad_reply *reply)
{
    const grad_check *check = c->n->check;

    for (size_t i = 0; i < check->variable_count; i++) {
        const grad_variable *v = &check->variables[i];

        if (v->layer == layer)
            grad_neighbour_measure(c->n, i, grad_layer_result_tensor(reply->layers, v->output));
    }
}

/* What is asked of the request, and what the layer before needs, where there is a way to it. */
static unsigned outputs_of(const chain *c, const grad_layer *layer)
{
    unsigned asked = c->n->batch.outputs;
    bool leads_on = layer->kind != GRAD_DENSE || layer->weight.data != NULL;

    return asked != 0 && leads_on ? asked | GRAD_OUTPUT_GRAD_INPUT : asked;
}

static grad_status go_backward(chain *c, size_t layer, grad_error *error)
{
    const grad_layer *l = &c->n->layers[layer];
    grad_network network = {.input = l->input, .grad_output = c->dys[layer + 1]};
    grad_run *run = NULL;
    grad_status status;

    grad_neighbour_round(c->n, &c->dys[layer + 1]);
    status = run_alone(c, l, &network, outputs_of(c, l), &run, error);
    if (status == GRAD_OK) {
        measure_layer(c, layer, grad_run_reply(run));
        if (grad_run_reply(run)->grad_input.data != NULL)
            add(c, &c->dys[layer], &grad_run_reply(run)->grad_input);
        if (l->residual != GRAD_RESIDUAL_NONE)
            add(c, &c->dys[l->residual - GRAD_RESIDUAL_INPUT], &c->dys[layer + 1]);
    }
    grad_run_destroy(run);
    return status;
}

static grad_status go_all_backward(chain *c, grad_error *error)
{
    const grad_check *check = c->n->check;
    grad_status status = start_backward(c, error);

    for (size_t i = c->n->batch.layer_count; i-- > 0 && status == GRAD_OK;)
        status = go_backward(c, i, error);
    for (size_t i = 0; i < check->variable_count && status == GRAD_OK; i++)
        if (check->variables[i].layer == SIZE_MAX)
            grad_neighbour_measure(c->n, i, &c->dys[0]);
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* f and a loss that are worked out as one function of z (gradient_network.h) stay together. */
static void part_loss(chain *c)
{
    grad_layer *last = &c->n->layers[c->n->batch.layer_count - 1];
    grad_loss_kind loss = c->n->network.loss.kind;
    grad_activation_kind f = last->activation.kind;
    bool is_one = (f == GRAD_SIGMOID && loss == GRAD_BINARY_CROSS_ENTROPY) ||
                  (f == GRAD_LOG_SOFTMAX && loss == GRAD_NLL);

    c->loss.kind = GRAD_ELEMENTS;
    c->loss.activation = grad_activation_default(GRAD_IDENTITY);
    if (!is_one || last->dropout_mask.data != NULL || last->residual != GRAD_RESIDUAL_NONE)
        return;
    c->loss.activation = last->activation;
    last->activation = grad_activation_default(GRAD_IDENTITY);
}

static grad_status take_states(chain *c, grad_error *error)
{
    grad_neighbour *n = c->n;
    grad_extent extent = {0};
    grad_status status = GRAD_OK;

    c->ys[0] = n->layers[0].input.data != NULL ? n->layers[0].input : n->network.input;
    c->dys[0] = c->ys[0];
    status = grad_neighbour_take(n, &c->dys[0], error);
    for (size_t i = 0; i < n->batch.layer_count && status == GRAD_OK; i++) {
        grad_tensor *y = &c->ys[i + 1], *dy = &c->dys[i + 1];

        extent = grad_extent_of(&n->batch, i, &extent);
        *y = grad_extent_state(&extent, extent.N);
        *dy = *y;
        status = grad_neighbour_take(n, y, error);
        if (status == GRAD_OK)
            status = grad_neighbour_take(n, dy, error);
    }
    return status;
}

grad_status grad_neighbour_chain(grad_neighbour *n, grad_error *error)
{
    size_t count = n->batch.layer_count + 1;
    grad_tensor *states = malloc(2 * count * sizeof *states);
    chain c = {.n = n};
    grad_status status;

    if (states == NULL)
        return grad_fail_memory(error, 2 * count * sizeof *states);
    c.ys = states;
    c.dys = states + count;
    part_loss(&c);
    status = take_states(&c, error);
    if (status == GRAD_OK)
        status = go_all_forward(&c, error);
    if (status == GRAD_OK)
        status = go_all_backward(&c, error);
    free(states);
    return status;
}
