/* The objectives that are differentiated: the request's network, or a network of one layer for each
 * independent layer, with every number widened to double. States that the parameters can give are
 * left out, so that a change of the parameters reaches everything above them. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/format_number.h"
#include "core/real.h"
#include "gradcheck/state.h"

/* ---- Widening -------------------------------------------------------------------------------- */

bool grad_each_tensor(grad_layer *layer, grad_network *network,
                      bool (*visit)(void *context, grad_tensor *tensor), void *context)
{
    grad_tensor *all[GRAD_SLOT_COUNT + 4 + 8] = {NULL};
    bool goes_on = true;

    if (layer != NULL) {
        grad_tensor *states[] = {&layer->input, &layer->pre_activation, &layer->grad_output,
                                 &layer->dropout_mask};

        memcpy(all + GRAD_SLOT_COUNT, states, sizeof states);
        for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++)
            all[slot] = (grad_tensor *)(uintptr_t)grad_layer_slot(layer, slot);
    }
    if (network != NULL) {
        grad_loss *l = &network->loss;
        grad_tensor *own[] = {
            &network->input,  &network->grad_output, &l->target,   &l->sample_weight,
            &l->class_weight, &l->pos_weight,        &l->variance, &l->other};

        memcpy(all + GRAD_SLOT_COUNT + 4, own, sizeof own);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all && goes_on; i++)
        goes_on = all[i] == NULL || visit(context, all[i]);
    return goes_on;
}

/* Makes a tensor one in double; of FP64 it stays the same one. False: no memory. */
static bool widen(void *context, grad_tensor *tensor)
{
    grad_check *check = context;
    size_t count = grad_tensor_count(tensor);
    double *wide;

    if (tensor->data == NULL || check->batch.datatype == GRAD_FP64)
        return true;
    wide = grad_check_take(check, count, sizeof *wide);
    for (size_t i = 0; i < count && wide != NULL; i++)
        wide[i] = grad_real_at(GRAD_FP32, tensor->data, i);
    tensor->data = wide;
    return wide != NULL;
}

/* Parameters become what the request's datatype has of them. */
static void round_activation(const grad_check *check, grad_activation *f)
{
    for (size_t i = 0; check->batch.datatype == GRAD_FP32 && i < GRAD_MAX_PARAMETERS; i++)
        f->parameters[i] = (float)f->parameters[i];
}

/* The class to be ignored becomes what a target spells it. */
static void round_loss(const grad_check *check, grad_loss *loss)
{
    const grad_loss_info *info = grad_loss_info_of(loss->kind);

    for (size_t i = 0; check->batch.datatype == GRAD_FP32 && i < info->parameter_count; i++)
        if (info->parameters[i].domain == GRAD_INTEGER)
            loss->parameters[i] = (float)loss->parameters[i];
}

/* ---- Forward batches ------------------------------------------------------------------------- */

grad_layer_map grad_map_of(const grad_layer *layer)
{
    return grad_layer_info_of(layer->kind)->map;
}

/* A layer of a network whose states are left to its parameters, where they can give them. */
static grad_layer without_states(const grad_layer *given, bool is_first)
{
    bool follows = grad_layer_has_grad_input(given);
    grad_layer layer = *given;

    if (follows)
        layer.pre_activation = (grad_tensor){0};
    if (follows || is_first)
        layer.input = (grad_tensor){0};
    return layer;
}

/* From f->given, and of a network f->network, whatever their datatype. */
static void derive(grad_objective *f, bool is_network, size_t layer_count, grad_datatype type)
{
    const grad_layer *first = &f->given[0];

    for (size_t i = 0; i < layer_count; i++)
        f->layers[i] = is_network ? without_states(&f->given[i], i == 0) : *first;
    if (is_network) {
        f->network.loss.reduction = GRAD_LOSS_NONE;
        f->network.input = first->input.data != NULL ? first->input : f->network.input;
    } else { /* a product keeps its z, which may be more than x Wᵀ + b */
        f->network = (grad_network){.input = first->input, .grad_output = first->grad_output};
        f->layers[0].input = f->layers[0].grad_output = (grad_tensor){0};
        if (grad_map_of(first) != GRAD_MAP_PRODUCT)
            f->layers[0].pre_activation = (grad_tensor){0};
    }
    f->batch = (grad_batch){.datatype = type,
                            .scale = 1,
                            .outputs = GRAD_OUTPUT_PREDICTIONS,
                            .non_finite = GRAD_ALLOW_NON_FINITE,
                            .no_notes = true,
                            .layer_count = layer_count,
                            .layers = f->layers,
                            .network = &f->network};
}

void grad_objective_draft(const grad_batch *batch, size_t layer, grad_layer *layers,
                          grad_objective *f)
{
    bool is_network = batch->network != NULL;

    *f = (grad_objective){.layers = layers, .given = batch->layers + layer};
    if (is_network)
        f->network = *batch->network;
    derive(f, is_network, is_network ? batch->layer_count : 1, batch->datatype);
}

/* The network itself, or a layer of its own. False: no memory. */
static bool make_objective(grad_check *check, size_t layer, grad_objective *f)
{
    const grad_batch *batch = &check->batch;
    size_t layer_count = batch->network != NULL ? batch->layer_count : 1;
    bool is_made;

    f->layers = grad_check_take(check, layer_count, sizeof *f->layers);
    f->given = grad_check_take(check, layer_count, sizeof *f->given);
    is_made = f->layers != NULL && f->given != NULL;
    for (size_t i = 0; i < layer_count && is_made; i++) {
        f->given[i] = batch->layers[layer + i];
        round_activation(check, &f->given[i].activation);
        is_made = grad_each_tensor(&f->given[i], NULL, widen, check);
    }
    if (is_made && batch->network != NULL) {
        f->network = *batch->network;
        round_loss(check, &f->network.loss);
        is_made = grad_each_tensor(NULL, &f->network, widen, check);
    }
    if (is_made)
        derive(f, batch->network != NULL, layer_count, GRAD_FP64);
    return is_made;
}

grad_status grad_check_make_objectives(grad_check *check, grad_error *error)
{
    bool is_made;

    check->objective_count = check->batch.network != NULL ? 1 : check->batch.layer_count;
    check->objectives = grad_check_take(check, check->objective_count, sizeof *check->objectives);
    is_made = check->objectives != NULL;
    for (size_t i = 0; i < check->objective_count && is_made; i++)
        is_made = make_objective(check, i, &check->objectives[i]);
    return is_made ? GRAD_OK : grad_fail_memory(error, sizeof(double));
}

bool grad_objective_moves_state(const grad_layer *layer, grad_output_kind output)
{
    return grad_map_of(layer) == GRAD_MAP_PRODUCT && layer->pre_activation.data != NULL &&
           output != GRAD_SLOPE_DELTA;
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static grad_status run_all(const grad_check *check, grad_run *run, grad_error *error)
{
    for (size_t stage = 0; stage < grad_run_stage_count(run); stage++) {
        for (size_t tile = 0; tile < grad_run_tile_count(run, stage); tile++) {
            grad_status status = grad_check_ask(check, error);

            if (status != GRAD_OK)
                return status;
            grad_run_tile(run, stage, tile);
        }
    }
    return grad_run_finish(run, error);
}

grad_status grad_run_network(const grad_check *check, grad_batch *batch, grad_run **run,
                             grad_error *error)
{
    grad_plan *plan;
    grad_status status;

    batch->datatype = GRAD_FP64;
    batch->scale = 1;
    batch->non_finite = GRAD_ALLOW_NON_FINITE;
    batch->no_notes = true;
    status = grad_plan_create_trusted(batch, &plan, error);
    if (status == GRAD_OK)
        status = grad_run_create(plan, run, error);
    return status == GRAD_OK ? run_all(check, *run, error) : status;
}

static bool has_loss(const grad_objective *f)
{
    return f->network.loss.kind != GRAD_LOSS_ABSENT;
}

static const grad_tensor *terms_of(const grad_objective *f, const grad_run *run)
{
    return has_loss(f) ? &grad_run_reply(run)->losses : &grad_run_reply(run)->predictions;
}

static double term_at(const grad_objective *f, const grad_run *run, size_t i)
{
    double number = ((const double *)terms_of(f, run)->data)[i];

    return has_loss(f) ? number : ((const double *)f->network.grad_output.data)[i] * number;
}

grad_status grad_objective_change(const grad_check *check, const grad_objective *f,
                                  const grad_batch *batch, double *change, grad_error *error)
{
    grad_batch same = {.layer_count = batch->layer_count,
                       .layers = batch->layers,
                       .network = batch->network,
                       .outputs = batch->outputs};
    grad_run *run = NULL;
    grad_status status = grad_run_network(check, &same, &run, error);

    if (status == GRAD_OK) {
        *change = 0;
        for (size_t i = 0; i < f->term_count && grad_check_goes_on(check, i, 1); i++)
            *change += (term_at(f, run, i) - f->terms[i]) / f->divisor;
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
static grad_status read_terms(grad_check *check, grad_objective *f, const grad_run *run,
                              grad_error *error)
{
    f->term_count = grad_tensor_count(terms_of(f, run));
    f->divisor = has_loss(f) ? grad_run_reply(check->run)->loss_divisor : 1;
    f->terms = grad_check_take(check, f->term_count, sizeof *f->terms);
    if (f->terms == NULL)
        return grad_fail_memory(error, f->term_count * sizeof *f->terms);
    for (size_t i = 0; i < f->term_count && grad_check_goes_on(check, i, 1); i++) {
        f->terms[i] = term_at(f, run, i);
        if (!isfinite(f->terms[i]))
            return grad_fail(error, GRAD_INVALID, "non_finite", place_of_terms(check),
                             "the loss is %s in double precision, expected a finite number to take "
                             "differences of",
                             GRAD_NUMBER_TEXT(GRAD_FP64, f->terms[i]));
        f->noise = hypot(f->noise, DBL_EPSILON / 4 * f->terms[i] / f->divisor);
    }
    return GRAD_OK;
}

grad_status grad_objective_take_terms(grad_check *check, grad_objective *f, grad_error *error)
{
    grad_batch batch = {.layer_count = f->batch.layer_count,
                        .layers = f->layers,
                        .network = &f->network,
                        .outputs = GRAD_OUTPUT_PREDICTIONS};
    grad_run *run = NULL;
    grad_status status = grad_run_network(check, &batch, &run, error);

    if (status == GRAD_OK)
        status = read_terms(check, f, run, error);
    grad_run_destroy(run);
    return status;
}
