/* The backward pass of radii over all of a network: the states of its layers, what was given of
 * them, residuals, dropout, and the loss. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "gradcheck/radii.h"

#define INCONSISTENT 64 /* times its rounding that a state given may be off and be meant so */

grad_interval *grad_radii_asked(const grad_radii_pass *p, const grad_radii_stage *s,
                                grad_output_kind output)
{
    size_t layer = (size_t)(s - p->stages) - 1;

    for (size_t i = 0; i < p->check->parameter_count; i++) {
        const grad_parameter *v = &p->check->parameters[i];

        if (v->objective == p->objective && v->objective_layer == layer && v->output == output)
            return v->expected;
    }
    return NULL;
}

/* ---- Through layers -------------------------------------------------------------------------- */

/* A state given was rounded once more, or worked out elsewhere. */
static void allow_for_given(const grad_radii_pass *p, const grad_tensor *given, size_t count,
                            grad_interval *state)
{
    const double *numbers = given->data;

    for (size_t i = 0; i < count && numbers != NULL && grad_check_goes_on(p->check, i, 1); i++) {
        double most = INCONSISTENT * (state[i].rounding + p->unit * fabs(state[i].middle));

        state[i].rounding = fmin(fmax(state[i].rounding, fabs(state[i].middle - numbers[i])), most);
    }
}

/* x of a layer that stands on its z: what moves z is worked out from it. */
static grad_status settle_input(const grad_radii_pass *p, const grad_radii_stage *s,
                                grad_error *error)
{
    grad_tensor *input = &s->layer->input;
    double *x = grad_check_take(p->check, s->B * s->K, sizeof *x);

    if (x == NULL)
        return grad_fail_memory(error, s->B * s->K * sizeof *x);
    for (size_t i = 0; i < s->B * s->K && grad_check_goes_on(p->check, i, 1); i++)
        x[i] = s->x[i].middle;
    *input = p->objective->network.input;
    input->shape[input->rank - 1] = s->K;
    input->data = x;
    return GRAD_OK;
}

/* A layer that gives z need not give b: it is the mean of what z is more than x Wᵀ. */
static grad_status settle_bias(const grad_radii_pass *p, const grad_radii_stage *s,
                               grad_error *error)
{
    const double *z = s->given->pre_activation.data;
    double *b = grad_check_take(p->check, s->N, sizeof *b);

    if (b == NULL)
        return grad_fail_memory(error, s->N * sizeof *b);
    grad_radii_map_of(s->layer)->forward(p, s);
    for (size_t i = 0; i < s->B * s->N && grad_check_goes_on(p->check, i, 1); i++)
        b[i % s->N] += (z[i] - s->z[i].middle) / (double)s->B;
    s->layer->bias = (grad_tensor){b, 1, {s->N}};
    return GRAD_OK;
}

static void find_input(const grad_radii_pass *p, const grad_radii_stage *s)
{
    const double *own = s->layer->input.data;

    for (size_t i = 0; i < s->B * s->K && grad_check_goes_on(p->check, i, 1); i++)
        s->x[i] = own != NULL ? exactly(own[i]) : s[-1].y[i];
    if (own == NULL && s != p->stages + 1)
        allow_for_given(p, &s->given->input, s->B * s->K, s->x);
}

static grad_status forward_map(const grad_radii_pass *p, const grad_radii_stage *s,
                               grad_error *error)
{
    const double *z = s->layer->pre_activation.data;
    bool lacks_bias = grad_map_of(s->layer) == GRAD_MAP_PRODUCT && z == NULL &&
                      s->given->pre_activation.data != NULL && s->given->bias.data == NULL;
    grad_status status = GRAD_OK;

    find_input(p, s);
    if (lacks_bias)
        status = settle_bias(p, s, error);
    else if (grad_objective_moves_state(s->layer, GRAD_WEIGHT_DELTA) && s != p->stages + 1)
        status = settle_input(p, s, error);
    for (size_t i = 0; i < s->B * s->N && z != NULL && grad_check_goes_on(p->check, i, 1); i++)
        s->z[i] = exactly(z[i]);
    if (z != NULL || status != GRAD_OK)
        return status;
    grad_radii_map_of(s->layer)->forward(p, s);
    allow_for_given(p, &s->given->pre_activation, s->B * s->N, s->z);
    return GRAD_OK;
}

static const grad_radii_stage *source_of(const grad_radii_pass *p, const grad_radii_stage *s)
{
    return s->layer->residual == GRAD_RESIDUAL_NONE
               ? NULL
               : &p->stages[s->layer->residual - GRAD_RESIDUAL_INPUT];
}

static double kept(const grad_radii_stage *s, size_t i)
{
    const double *mask = s->layer->dropout_mask.data;

    return mask == NULL ? 1 : mask[i] / (1 - s->layer->dropout_rate);
}

static grad_status go_forward(const grad_radii_pass *p, const grad_radii_stage *s,
                              grad_error *error)
{
    const grad_radii_stage *source = source_of(p, s);
    grad_status status = forward_map(p, s, error);

    if (status == GRAD_OK)
        status = grad_radii_forward_function(p, s, error);
    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK && grad_check_goes_on(p->check, i, 1);
         i++) {
        s->y[i] = times(s->y[i], exactly(kept(s, i)));
        s->y[i].rounding += p->unit * fabs(s->y[i].middle);
        if (source == NULL)
            continue;
        add(&s->y[i], source->y[i], 1);
        s->y[i].rounding += p->unit * fabs(s->y[i].middle);
    }
    return status;
}

static grad_status go_backward(const grad_radii_pass *p, const grad_radii_stage *s,
                               grad_error *error)
{
    const grad_radii_stage *source = source_of(p, s);
    double growth = growth_of(p, s->B > s->N ? s->B : s->N);
    bool is_first = s == p->stages + 1;
    bool is_asked = !is_first || grad_radii_asked(p, s, GRAD_GRAD_INPUT) != NULL;
    grad_status status;

    for (size_t i = 0; i < s->B * s->N && grad_check_goes_on(p->check, i, 1); i++) {
        if (source != NULL)
            add(&source->dy[i], s->dy[i], 1);
        s->dy[i].rounding += 4 * p->unit * fabs(s->dy[i].middle);
        s->dy[i] = times(s->dy[i], exactly(kept(s, i)));
    }
    status = grad_radii_backward_function(p, s, error);
    for (size_t i = 0; i < s->B * s->N && grad_check_goes_on(p->check, i, 1); i++)
        s->dz[i].rounding += growth * fabs(s->dz[i].middle) + p->least;
    grad_radii_map_of(s->layer)->backward(p, s, is_asked ? s[-1].dy : NULL);
    return status;
}

/* ---- The loss -------------------------------------------------------------------------------- */

/* f and a loss that are worked out as one function of z (gradient_network.h) stay together. */
static void part_loss(grad_radii_pass *p)
{
    grad_radii_stage *last = &p->stages[p->objective->batch.layer_count];
    bool is_one = grad_loss_fusion_of(last->f.activation.kind, p->objective->network.loss.kind) !=
                  GRAD_LOSS_ABSENT;

    p->loss = (grad_layer){.kind = GRAD_PLAIN_LAYER_KIND,
                           .activation = grad_activation_default(GRAD_IDENTITY),
                           .epsilon = GRAD_DEFAULT_EPSILON};
    if (!is_one || last->layer->dropout_mask.data != NULL ||
        last->layer->residual != GRAD_RESIDUAL_NONE)
        return;
    p->loss.activation = last->f.activation;
    last->f.activation = grad_activation_default(GRAD_IDENTITY);
}

/* dy of the last layer. */
static grad_status start(const grad_radii_pass *p, grad_error *error)
{
    const grad_radii_stage *s = &p->stages[p->objective->batch.layer_count];
    const grad_network *network = &p->objective->network;
    bool is_absent = network->loss.kind == GRAD_LOSS_ABSENT;
    grad_status status = GRAD_OK;

    if (!is_absent)
        status = grad_radii_find_slopes(
            p, s, &p->loss, network, s->y,
            (grad_loss_info_of(network->loss.kind)->tensors & GRAD_LOSS_PER_SAMPLE) != 0, s->dy,
            error);
    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK && grad_check_goes_on(p->check, i, 1);
         i++) {
        grad_interval given = exactly(is_absent ? ((double *)network->grad_output.data)[i] : 0);

        add(&given, s->dy[i], is_absent ? 0 : 1 / p->objective->divisor);
        given.rounding += is_absent ? 0 : 8 * p->unit * fabs(given.middle) + p->least;
        s->dy[i] = given;
    }
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static grad_interval *cut(grad_interval **rest, size_t count)
{
    grad_interval *intervals = *rest;

    *rest += count;
    return intervals;
}

static void cut_stage(grad_radii_stage *s, grad_interval **rest)
{
    size_t states = s->B * s->N;

    s->x = cut(rest, s->B * s->K);
    s->z = cut(rest, states);
    s->y = cut(rest, states);
    s->slope = cut(rest, states);
    s->dy = cut(rest, states);
    s->dz = cut(rest, states);
    s->scratch = (double *)cut(rest, 3 * states);
}

/* The stages and their memory, which is the caller's to free; NULL: there is none. */
static grad_interval *lay_out(grad_radii_pass *p)
{
    const grad_objective *f = p->objective;
    const double *input = f->network.input.data;
    grad_extent extent = {0};
    size_t count = 0;
    grad_interval *block, *rest;

    for (size_t i = 0; i < f->batch.layer_count; i++) {
        extent = grad_extent_of(&f->batch, i, &extent);
        if (i == 0)
            p->stages[0] = (grad_radii_stage){.B = extent.B, .N = extent.K};
        p->stages[i + 1] = (grad_radii_stage){.layer = &f->layers[i],
                                              .given = &f->given[i],
                                              .f = {.kind = GRAD_PLAIN_LAYER_KIND,
                                                    .activation = f->layers[i].activation,
                                                    .slope = f->layers[i].slope,
                                                    .epsilon = GRAD_DEFAULT_EPSILON},
                                              .B = extent.B,
                                              .K = extent.K,
                                              .N = extent.N};
        count += extent.B * (extent.K + extent.N); /* has been measured */
    }
    block = rest = calloc(count, GRAD_RADII_BYTES);
    for (size_t i = 0; i <= f->batch.layer_count && block != NULL; i++)
        cut_stage(&p->stages[i], &rest);
    for (size_t i = 0;
         i < p->stages[0].B * p->stages[0].N && block != NULL && grad_check_goes_on(p->check, i, 1);
         i++)
        p->stages[0].y[i] = exactly(input[i]);
    return block;
}

static grad_status go(grad_radii_pass *p, grad_error *error)
{
    size_t count = p->objective->batch.layer_count;
    const grad_radii_stage *input = &p->stages[0];
    grad_interval *dx = grad_radii_asked(p, &p->stages[1], GRAD_GRAD_INPUT);
    grad_status status = GRAD_OK;

    part_loss(p);
    for (size_t i = 1; i <= count && status == GRAD_OK; i++)
        status = go_forward(p, &p->stages[i], error);
    if (status == GRAD_OK)
        status = grad_objective_take_terms(p->check, p->objective, error);
    if (status == GRAD_OK)
        status = start(p, error);
    for (size_t i = count; i > 0 && status == GRAD_OK; i--)
        status = go_backward(p, &p->stages[i], error);
    for (size_t i = 0; i < input->B * input->N && dx != NULL && grad_check_goes_on(p->check, i, 1);
         i++)
        dx[i] = input->dy[i];
    return status == GRAD_OK ? grad_check_ask(p->check, error) : status;
}

grad_status grad_check_find_radii(grad_check *check, grad_objective *objective, grad_error *error)
{
    bool is_wide = check->batch.datatype == GRAD_FP64;
    grad_radii_pass p = {.check = check,
                         .objective = objective,
                         .stages = calloc(objective->batch.layer_count + 1, sizeof *p.stages),
                         .unit = is_wide ? DBL_EPSILON : (double)FLT_EPSILON / 2,
                         .least = is_wide ? DBL_MIN : (double)FLT_MIN};
    grad_interval *block = p.stages == NULL ? NULL : lay_out(&p);
    grad_status status = block == NULL ? grad_fail_memory(error, sizeof *p.stages) : go(&p, error);

    free(block);
    free(p.stages);
    return status;
}
