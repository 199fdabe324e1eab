/* The way of the backward pass of radii through an objective. Its products are the library's, of
 * |W| and |x|, in double. */
#include "gradcheck/radii.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/real.h"
#include "core/size.h"
#include "gradcheck/tensors.h"

#define INCONSISTENT 64 /* times its rounding that a state given may be off and be meant so */

/* ---- Memory ---------------------------------------------------------------------------------- */

bool grad_radii_numbers(size_t B, size_t K, size_t N, size_t *numbers)
{
    size_t states = 0, inputs = 0;

    *numbers = N;
    return grad_size_mul(B, N, &states) && grad_size_mul(B, K, &inputs) &&
           grad_size_add_product(19, states, numbers) &&
           grad_size_add_product(8, inputs, numbers) && grad_size_add_product(N, K, numbers);
}

static double *cut(double **rest, size_t count)
{
    double *numbers = *rest;

    *rest += count;
    return numbers;
}

static grad_intervals cut_intervals(double **rest, size_t count)
{
    grad_intervals all = {cut(rest, count), NULL, NULL};

    all.kink = cut(rest, count);
    all.rounding = cut(rest, count);
    return all;
}

/* The memory of a layer; that of the stage before the first stands on the first layer's inputs. */
static void cut_stage(grad_stage *s, double **rest)
{
    size_t states = s->B * s->N, inputs = s->B * s->K;

    s->z = cut(rest, states);
    s->ez = cut(rest, states);
    s->y = cut(rest, states);
    s->ey = cut(rest, states);
    s->slope = cut(rest, states);
    s->jump = cut(rest, states);
    s->bend = cut(rest, states);
    s->dy = cut_intervals(rest, states);
    s->dz = cut_intervals(rest, states);
    s->values = cut(rest, 5 * states);
    s->moved = cut(rest, states);
    s->in = cut(rest, inputs);
    s->size = cut(rest, inputs);
    s->ex = cut(rest, inputs);
    s->W = cut(rest, s->N * s->K);
    s->b = cut(rest, s->N);
}

static void cut_input(grad_stage *s, double **rest)
{
    s->ey = cut(rest, s->B * s->N);
    s->dy = cut_intervals(rest, s->B * s->N);
}

/* ---- Lookups --------------------------------------------------------------------------------- */

grad_tensor grad_radii_state(const grad_radii *r, double *data, size_t columns)
{
    grad_tensor state = r->input;

    state.shape[state.rank - 1] = columns;
    state.data = data;
    return state;
}

grad_intervals *grad_radii_of(const grad_radii *r, const grad_stage *s, grad_output_kind output)
{
    size_t layer = (size_t)(s - r->stages) - 1;

    for (size_t i = 0; i < r->check->parameter_count; i++) {
        grad_parameter *p = &r->check->parameters[i];

        if (p->objective == r->objective && p->objective_layer == layer && p->output == output)
            return &p->expected;
    }
    return NULL;
}

double grad_radii_growth(const grad_radii *r, size_t terms)
{
    return r->unit * (4 + sqrt((double)terms));
}

static bool is_zero(size_t count, const double *numbers)
{
    for (size_t i = 0; i < count; i++)
        if (numbers[i] != 0)
            return false;
    return true;
}

static void add_to(double *sum, const grad_tensor *addend)
{
    for (size_t i = 0; i < grad_tensor_count(addend); i++)
        sum[i] += ((const double *)addend->data)[i];
}

/* ---- Forward --------------------------------------------------------------------------------- */

/* A state given was rounded once more, or worked out elsewhere. */
static void allow_for_given(const grad_radii *r, const grad_tensor *given, size_t count,
                            const double *state, double *error)
{
    const double *numbers = given->data;

    for (size_t i = 0; i < count && numbers != NULL; i++) {
        double most = INCONSISTENT * (error[i] + r->unit * fabs(state[i]));

        error[i] = fmin(fmax(error[i], fabs(state[i] - numbers[i])), most);
    }
}

static void find_input(const grad_radii *r, grad_stage *s, const grad_stage *before)
{
    size_t count = s->B * s->K;
    bool is_own = s->layer.input.data != NULL;

    s->x = is_own ? s->layer.input.data : before->y;
    for (size_t i = 0; i < count; i++)
        s->ex[i] = is_own ? 0 : before->ey[i];
    if (!is_own && before != r->stages)
        allow_for_given(r, &s->given->input, count, s->x, s->ex);
}

/* The layer's map from x to z, as a layer. */
static grad_layer map_of(const grad_stage *s)
{
    grad_layer map = s->layer;

    map.activation = grad_activation_default(GRAD_IDENTITY);
    map.input = map.dropout_mask = map.slope = (grad_tensor){0};
    map.residual = GRAD_RESIDUAL_NONE;
    return map;
}

static grad_status run_map(const grad_radii *r, const grad_stage *s, grad_layer map, double *x,
                           double *z, grad_error *error)
{
    grad_network network = {.input = grad_radii_state(r, x, s->K)};
    grad_run *run = NULL;
    grad_status status = grad_run_network(1, &map, &network, GRAD_OUTPUT_PREDICTIONS, &run, error);

    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++)
        z[i] = ((const double *)grad_run_reply(run)->predictions.data)[i];
    grad_run_destroy(run);
    return status;
}

/* A dense layer of sizes. */
static grad_layer sizes_of(const grad_stage *s)
{
    grad_layer map = map_of(s);

    map.pre_activation = map.bias = (grad_tensor){0};
    map.weight.data = map.weight.data == NULL ? NULL : s->W;
    return map;
}

static grad_status forward_dense(const grad_radii *r, grad_stage *s, grad_error *error)
{
    double growth = grad_radii_growth(r, s->K);
    grad_layer sizes = sizes_of(s);
    grad_status status;

    for (size_t i = 0; i < s->B * s->K; i++)
        s->in[i] = s->ex[i] + growth * s->size[i];
    for (size_t i = 0; i < s->N && s->layer.bias.data != NULL; i++)
        s->b[i] = 2 * r->unit * fabs(((const double *)s->layer.bias.data)[i]);
    sizes.bias = (grad_tensor){s->b, 1, {s->N}};
    status = run_map(r, s, map_of(s), s->x, s->z, error);
    return status == GRAD_OK ? run_map(r, s, sizes, s->in, s->ez, error) : status;
}

static grad_status forward_map(const grad_radii *r, grad_stage *s, grad_error *error)
{
    const double *W = s->layer.weight.data;
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < s->B * s->K; i++)
        s->size[i] = fabs(s->x[i]);
    for (size_t i = 0; i < s->N * s->K && W != NULL; i++)
        s->W[i] = fabs(W[i]);
    if (s->layer.pre_activation.data != NULL) {
        for (size_t i = 0; i < s->B * s->N; i++)
            s->z[i] = ((const double *)s->layer.pre_activation.data)[i];
        return GRAD_OK;
    }
    if (grad_map_of(&s->layer) == GRAD_MAP_PRODUCT)
        status = forward_dense(r, s, error);
    else
        status = run_map(r, s, map_of(s), s->x, s->z, error);
    if (grad_map_of(&s->layer) == GRAD_MAP_IDENTITY)
        for (size_t i = 0; i < s->B * s->N; i++)
            s->ez[i] = s->ex[i];
    else if (grad_map_of(&s->layer) != GRAD_MAP_PRODUCT)
        grad_radii_forward_norm(r, s);
    if (status == GRAD_OK)
        allow_for_given(r, &s->given->pre_activation, s->B * s->N, s->z, s->ez);
    return status;
}

static const grad_stage *source_of(const grad_radii *r, const grad_stage *s)
{
    return s->layer.residual == GRAD_RESIDUAL_NONE
               ? NULL
               : &r->stages[s->layer.residual - GRAD_RESIDUAL_INPUT];
}

static double kept(const grad_stage *s, size_t i)
{
    const double *mask = s->layer.dropout_mask.data;

    return mask == NULL ? 1 : mask[i] / (1 - s->layer.dropout_rate);
}

static grad_status go_forward(const grad_radii *r, grad_stage *s, grad_error *error)
{
    const grad_stage *source = source_of(r, s);
    grad_status status;

    find_input(r, s, s - 1);
    status = forward_map(r, s, error);
    if (status == GRAD_OK)
        status = grad_radii_forward_function(r, s, error);
    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++) {
        s->y[i] *= kept(s, i);
        s->ey[i] = s->ey[i] * fabs(kept(s, i)) + r->unit * fabs(s->y[i]);
        if (source == NULL)
            continue;
        s->y[i] += source->y[i];
        s->ey[i] += source->ey[i] + r->unit * fabs(s->y[i]);
    }
    return status;
}

/* ---- Backward -------------------------------------------------------------------------------- */

static unsigned asked_of(const grad_radii *r, const grad_stage *s)
{
    unsigned asked = grad_layer_has_grad_input(&s->layer) ? GRAD_OUTPUT_GRAD_INPUT : 0;

    for (grad_output_kind k = GRAD_WEIGHT_DELTA; k < GRAD_OUTPUT_COUNT; k++)
        if (k != GRAD_GRAD_INPUT && k != GRAD_SLOPE_DELTA && grad_radii_of(r, s, k) != NULL)
            asked |= 1U << k;
    return asked;
}

/* Which numbers of intervals a product is of. */
typedef double *(*part)(const grad_intervals *all);

static double *middle_of(const grad_intervals *all)
{
    return all->middle;
}

static double *kink_of(const grad_intervals *all)
{
    return all->kink;
}

static double *rounding_of(const grad_intervals *all)
{
    return all->rounding;
}

/* Adds the gradients of the map at x for that ∂L/∂z to where that part of them goes. */
static grad_status add_products(const grad_radii *r, grad_stage *s, grad_layer map, double *x,
                                double *dz, unsigned asked, part of, grad_error *error)
{
    grad_network network = {.input = grad_radii_state(r, x, s->K),
                            .grad_output = grad_radii_state(r, dz, s->N)};
    grad_run *run = NULL;
    grad_status status;

    if (asked == 0 || is_zero(s->B * s->N, dz))
        return GRAD_OK;
    status = grad_run_network(1, &map, &network, asked, &run, error);
    if (status == GRAD_OK) {
        const grad_reply *reply = grad_run_reply(run);

        add_to(of(&s[-1].dy), &reply->grad_input);
        for (grad_output_kind k = GRAD_WEIGHT_DELTA; k < GRAD_OUTPUT_COUNT; k++)
            if (k != GRAD_GRAD_INPUT && (asked & 1U << k) != 0)
                add_to(of(grad_radii_of(r, s, k)), grad_layer_result_tensor(&reply->layers[0], k));
    }
    grad_run_destroy(run);
    return status;
}

/* The radii of a dense layer: through |W|ᵀ and |x|, and what x and the sums were rounded by. */
static grad_status backward_dense(const grad_radii *r, grad_stage *s, unsigned asked,
                                  grad_error *error)
{
    double growth = grad_radii_growth(r, s->B > s->N ? s->B : s->N);
    grad_layer sizes = sizes_of(s);
    grad_status status;

    sizes.pre_activation = grad_radii_state(r, s->z, s->N);
    status = add_products(r, s, sizes, s->size, s->dz.kink, asked, kink_of, error);
    for (size_t i = 0; i < s->B * s->N; i++)
        s->moved[i] = s->dz.rounding[i] + growth * fabs(s->dz.middle[i]) + r->least;
    if (status == GRAD_OK)
        status = add_products(r, s, sizes, s->size, s->moved, asked, rounding_of, error);
    for (size_t i = 0; i < s->B * s->N; i++)
        s->moved[i] = fabs(s->dz.middle[i]) + s->dz.kink[i] + s->dz.rounding[i];
    if (status == GRAD_OK && !is_zero(s->B * s->K, s->ex))
        status = add_products(r, s, sizes, s->ex, s->moved, asked & GRAD_OUTPUT_WEIGHT_DELTA,
                              rounding_of, error);
    return status;
}

static grad_status backward_map(const grad_radii *r, grad_stage *s, grad_error *error)
{
    unsigned asked = asked_of(r, s);
    grad_layer map = map_of(s);
    grad_status status;

    if (grad_map_of(&s->layer) == GRAD_MAP_PRODUCT)
        map.pre_activation = grad_radii_state(r, s->z, s->N);
    status = add_products(r, s, map, s->x, s->dz.middle, asked, middle_of, error);
    if (status != GRAD_OK)
        return status;
    if (grad_map_of(&s->layer) == GRAD_MAP_PRODUCT)
        return backward_dense(r, s, asked, error);
    if (grad_map_of(&s->layer) != GRAD_MAP_IDENTITY)
        grad_radii_backward_norm(r, s, s[-1].dy.middle, &s[-1].dy);
    for (size_t i = 0; i < s->B * s->N && grad_map_of(&s->layer) == GRAD_MAP_IDENTITY; i++) {
        s[-1].dy.kink[i] += s->dz.kink[i];
        s[-1].dy.rounding[i] += s->dz.rounding[i];
    }
    return status;
}

static void add_intervals(size_t count, grad_intervals *sum, const grad_intervals *addend)
{
    for (size_t i = 0; i < count; i++) {
        sum->middle[i] += addend->middle[i];
        sum->kink[i] += addend->kink[i];
        sum->rounding[i] += addend->rounding[i];
    }
}

static grad_status go_backward(const grad_radii *r, grad_stage *s, grad_error *error)
{
    size_t count = s->B * s->N;
    grad_stage *source = (grad_stage *)(uintptr_t)source_of(r, s);
    grad_status status;

    if (source != NULL)
        add_intervals(count, &source->dy, &s->dy);
    for (size_t i = 0; i < count; i++) {
        double factor = kept(s, i);

        s->dy.rounding[i] =
            fabs(factor) * (s->dy.rounding[i] + 4 * r->unit * fabs(s->dy.middle[i]));
        s->dy.middle[i] *= factor;
        s->dy.kink[i] *= fabs(factor);
    }
    status = grad_radii_backward_function(r, s, error);
    return status == GRAD_OK ? backward_map(r, s, error) : status;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* f and a loss that are worked out as one function of z (gradient_network.h) stay together. */
static void part_loss(grad_radii *r)
{
    grad_layer *last = &r->stages[r->objective->batch.layer_count].layer;
    grad_loss_kind loss = r->objective->network.loss.kind;
    grad_activation_kind f = last->activation.kind;
    bool is_one = (f == GRAD_SIGMOID && loss == GRAD_BINARY_CROSS_ENTROPY) ||
                  (f == GRAD_LOG_SOFTMAX && loss == GRAD_NLL);

    r->loss = (grad_layer){.kind = GRAD_PLAIN_LAYER_KIND,
                           .activation = grad_activation_default(GRAD_IDENTITY),
                           .epsilon = GRAD_DEFAULT_EPSILON};
    if (!is_one || last->dropout_mask.data != NULL || last->residual != GRAD_RESIDUAL_NONE)
        return;
    r->loss.activation = last->activation;
    last->activation = grad_activation_default(GRAD_IDENTITY);
}

/* Sizes of all layers, and the numbers that they need. */
static bool lay_out(grad_radii *r, size_t *numbers)
{
    const grad_objective *f = r->objective;
    grad_extent extent = {0};
    bool fits = true;

    *numbers = 0;
    for (size_t i = 0; i < f->batch.layer_count && fits; i++) {
        grad_stage *s = &r->stages[i + 1];
        size_t of_layer = 0;

        extent = grad_extent_of(&f->batch, i, &extent);
        *s = (grad_stage){.layer = f->layers[i],
                          .given = &f->given[i],
                          .B = extent.B,
                          .K = extent.K,
                          .N = extent.N};
        if (i == 0)
            r->stages[0] = (grad_stage){.B = extent.B, .N = extent.K, .y = f->network.input.data};
        fits = grad_radii_numbers(extent.B, extent.K, extent.N, &of_layer) &&
               grad_size_add(*numbers, of_layer, numbers);
    }
    return fits;
}

static grad_status pass(grad_radii *r, grad_error *error)
{
    size_t count = r->objective->batch.layer_count;
    grad_intervals *input = grad_radii_of(r, &r->stages[1], GRAD_GRAD_INPUT);
    grad_status status = GRAD_OK;

    part_loss(r);
    for (size_t i = 1; i <= count && status == GRAD_OK; i++)
        status = go_forward(r, &r->stages[i], error);
    if (status == GRAD_OK)
        status = grad_radii_start(r, error);
    for (size_t i = count; i > 0 && status == GRAD_OK; i--)
        status = go_backward(r, &r->stages[i], error);
    if (status == GRAD_OK && input != NULL)
        add_intervals(r->stages[0].B * r->stages[0].N, input, &r->stages[0].dy);
    return status;
}

grad_status grad_check_find_radii(grad_check *check, grad_objective *objective, grad_error *error)
{
    size_t layers = objective->batch.layer_count, numbers = 0;
    bool is_wide = check->batch.datatype == GRAD_FP64;
    grad_radii r = {.check = check,
                    .objective = objective,
                    .stages = calloc(layers + 1, sizeof *r.stages),
                    .input = objective->network.input,
                    .unit = is_wide ? DBL_EPSILON : (double)FLT_EPSILON / 2,
                    .least = is_wide ? DBL_MIN : (double)FLT_MIN};
    double *block =
        r.stages != NULL && lay_out(&r, &numbers) ? calloc(numbers, sizeof *block) : NULL;
    double *rest = block;
    grad_status status = GRAD_OK;

    if (block == NULL)
        status = grad_fail_memory(error, numbers * sizeof *block);
    for (size_t i = 0; i <= layers && block != NULL; i++)
        (i == 0 ? cut_input : cut_stage)(&r.stages[i], &rest);
    if (status == GRAD_OK)
        status = pass(&r, error);
    free(block);
    free(r.stages);
    return status;
}
