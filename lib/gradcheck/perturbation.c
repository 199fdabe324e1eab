/* A tensor of an objective being moved: the curve that its slopes and its orders of convergence are
 * read off. What moves is a copy; the objectives are shared by all tiles. A dense layer whose z is
 * not worked out from W, b and x has its z moved by what they would add to it: z + h (x Dᵀ),
 * z + h d, z + h (D Wᵀ). */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "gradcheck/state.h"

#define LEAST 0x1p-46 /* step, of the number that it moves */

typedef struct perturbation {
    const grad_check *check;
    const grad_parameter *parameter;
    const grad_sample *sample;
    grad_batch batch; /* the objective's, with one tensor of its own */
    grad_network network;
    grad_layer *layers;
    size_t count;
    bool is_one;     /* a single number moves, by h */
    double *origin;  /* what the tensor's numbers are at the baseline */
    double *numbers; /* what they are now */
    double *pattern; /* by how much each moves */
    double scale;    /* of steps */
    grad_error *error;
} perturbation;

/* ---- Patterns -------------------------------------------------------------------------------- */

/* What z[b,n] gains from one element of W, b or x. */
static void add_element(const perturbation *p, size_t element, double change, const double *x,
                        const grad_layer *layer, size_t B, size_t K)
{
    size_t N = p->count / B;
    grad_output_kind output = p->parameter->output;
    const double *W = layer->weight.data;

    for (size_t b = 0; b < B && output == GRAD_WEIGHT_DELTA; b++)
        p->pattern[b * N + element / K] += change * x[b * K + element % K];
    for (size_t b = 0; b < B && output == GRAD_BIAS_DELTA; b++)
        p->pattern[b * N + element] += change;
    for (size_t n = 0; n < N && output == GRAD_GRAD_INPUT; n++)
        p->pattern[element / K * N + n] += change * W[n * K + element % K];
}

static void fill_pattern(const perturbation *p, const grad_layer *layer, bool moves_state)
{
    const grad_tensor *input = layer->input.data != NULL ? &layer->input : &p->network.input;
    size_t K = input->shape[input->rank - 1], B = grad_tensor_count(input) / K;
    size_t index = p->sample->index;
    bool is_all = index == GRAD_ALONG_DIRECTION;
    size_t end = is_all ? grad_tensor_count(p->parameter->gradient) : index + 1;
    size_t moved = moves_state ? B + p->count / B : 1; /* numbers by each, at most */

    for (size_t e = is_all ? 0 : index; e < end && grad_check_goes_on(p->check, e, moved); e++) {
        double change = is_all ? grad_check_sign(p->check, p->sample->parameter, e) : 1;

        if (moves_state)
            add_element(p, e, change, input->data, layer, B, K);
        else
            p->pattern[e] = change;
    }
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* The power of two above x; 1 where there is none. Steps that are powers of two are exact. */
static double power_above(double x)
{
    int exponent;

    if (!(x > 0x1p-500 && x < 0x1p500))
        return 1;
    frexp(x, &exponent);
    return ldexp(1, exponent);
}

/* Steps are a part of the tensor's numbers, or, where z moves, move it by a part of its own. */
static double scale_of(const perturbation *p)
{
    double size = 0, gain = 0;

    for (size_t i = 0; i < p->count && grad_check_goes_on(p->check, i, 1); i++) {
        size += fabs(p->origin[i]) / (double)p->count;
        gain = fmax(gain, fabs(p->pattern[i]));
    }
    if (p->is_one)
        size = fmax(size, fabs(p->origin[p->sample->index]));
    gain = gain > 0 ? gain : 1;
    return power_above(size > 0 ? size / gain : 1 / gain);
}

/* The tensor of the perturbation's own layer that moves. */
static grad_tensor *moving_tensor(perturbation *p, grad_layer *layer, bool moves_state)
{
    const grad_layer_info *info = grad_layer_info_of(layer->kind);

    if (moves_state)
        return &layer->pre_activation;
    if (p->parameter->output == GRAD_SLOPE_DELTA)
        return &layer->slope;
    for (size_t i = 0; i < info->slot_count; i++)
        if (info->slots[i].delta == p->parameter->output)
            return (grad_tensor *)(uintptr_t)grad_layer_slot(layer, info->slots[i].slot);
    return &p->network.input;
}

static void perturbation_free(perturbation *p)
{
    free(p->layers);
    free(p->origin);
}

/* *p stays where it is: its batch points into it. */
static grad_status perturbation_make(perturbation *p, const grad_check *check, const grad_sample *s,
                                     grad_error *error)
{
    const grad_parameter *parameter = &check->parameters[s->parameter];
    const grad_objective *f = parameter->objective;
    const grad_layer *layer = &f->layers[parameter->objective_layer];
    bool moves_state = grad_objective_moves_state(layer, parameter->output);
    double constant = parameter->output == GRAD_SLOPE_DELTA ? layer->activation.parameters[0] : 0;
    grad_tensor *tensor;

    *p = (perturbation){check, parameter, s, f->batch, f->network, .error = error};
    p->count = grad_tensor_count(moves_state ? &layer->pre_activation : parameter->gradient);
    p->is_one = !moves_state && s->index != GRAD_ALONG_DIRECTION;
    p->layers = malloc(f->batch.layer_count * sizeof *p->layers);
    p->origin = calloc(3 * p->count, sizeof *p->origin);
    if (p->layers == NULL || p->origin == NULL) {
        perturbation_free(p);
        return grad_fail_memory(error, 3 * p->count * sizeof *p->origin);
    }
    p->numbers = p->origin + p->count;
    p->pattern = p->numbers + p->count;
    memcpy(p->layers, f->layers, f->batch.layer_count * sizeof *p->layers);
    p->batch.layers = p->layers;
    p->batch.network = &p->network;
    fill_pattern(p, layer, moves_state);
    tensor = moving_tensor(p, &p->layers[parameter->objective_layer], moves_state);
    for (size_t i = 0; i < p->count && grad_check_goes_on(check, i, 1); i++)
        p->origin[i] = tensor->data == NULL ? constant : ((const double *)tensor->data)[i];
    if (tensor->data == NULL)
        *tensor = (grad_tensor){.rank = 1, .shape = {p->count}};
    tensor->data = p->numbers;
    p->scale = scale_of(p);
    return GRAD_OK;
}

/* ---- Noise ---------------------------------------------------------------------------------- */

/* L where the tensor is moved by h, less L where it is. Of one number it is known how far it went;
 * of many, steps are NaN of which rounding would leave too little. */
static grad_status change_at(void *context, double h, double *change, double *moved)
{
    perturbation *p = context;
    size_t index = p->sample->index;
    bool is_lost = false;

    for (size_t i = 0; i < p->count && grad_check_goes_on(p->check, i, 1); i++) {
        double step = h * p->pattern[i];

        p->numbers[i] = p->origin[i] + step;
        is_lost = is_lost || (step != 0 && fabs(step) < LEAST * fabs(p->origin[i]));
    }
    *moved = p->is_one ? p->numbers[index] - p->origin[index] : h;
    *change = (double)NAN;
    if (is_lost && !p->is_one)
        return GRAD_OK;
    return grad_objective_change(p->check, p->parameter->objective, &p->batch, change, p->error);
}

#define POINTS 8
#define LEAST_NOISE 0x1p-40 /* step between them, of the scale, and the next one where L stays */
#define WIDER 0x1p12
#define MOST_NOISE 0x1p-16

/* The standard deviation of L's rounding, by the third differences of neighbours, of which nothing
 * smooth is left (Moré and Wild, Estimating Computational Noise, 2011): to one side of where L is,
 * which may be a kink. */
static grad_status find_noise(perturbation *p, double *noise)
{
    double at[POINTS] = {0}, moved, sum = 0;
    size_t same = POINTS, count = 0;
    grad_status status = GRAD_OK;

    for (double h = LEAST_NOISE; h <= MOST_NOISE && same > POINTS / 2; h *= WIDER) {
        same = 0;
        for (size_t i = 0; i < POINTS && status == GRAD_OK; i++) {
            status = change_at(p, (double)(i + 1) * h * p->scale, &at[i], &moved);
            same += i > 0 && at[i] == at[i - 1];
        }
        if (status != GRAD_OK)
            return status;
    }
    for (size_t i = 0; i + 3 < POINTS; i++) {
        double third = at[i + 3] - 3 * at[i + 2] + 3 * at[i + 1] - at[i];

        sum += isfinite(third) ? third * third : 0;
        count += isfinite(third);
    }
    *noise = fmax(p->parameter->objective->noise, count == 0 ? 0 : sqrt(sum / (double)count / 20));
    return GRAD_OK;
}

/* ---- Slopes ---------------------------------------------------------------------------------- */

grad_status grad_check_estimate(const grad_check *check, grad_sample *s, grad_error *error)
{
    const grad_parameter *parameter = &check->parameters[s->parameter];
    grad_interval expected = grad_check_at(check, s, GRAD_EXPECTED);
    double in_double = check->batch.datatype == GRAD_FP64 ? 1 : 0x1p-29; /* both are */
    perturbation p;
    grad_status status = perturbation_make(&p, check, s, error);
    grad_curve curve = {.at = change_at,
                        .context = &p,
                        .scale = p.scale,
                        .noise = parameter->noise,
                        .expected = expected.middle,
                        .radius = expected.kink + expected.rounding * in_double,
                        .tolerance = check->options.tolerance,
                        .floor = grad_check_floor(parameter, s)};

    if (status != GRAD_OK)
        return status;
    status = grad_slope_find(&curve, &s->slope);
    perturbation_free(&p);
    return status == GRAD_OK ? grad_check_ask(check, error) : status;
}

/* ---- Orders of convergence ------------------------------------------------------------------- */

#define HALVINGS 5
#define TRIALS 6
#define FIRST 0x1p-3  /* step, of the scale */
#define CLOSER 0x1p-4 /* of each further trial, of the one before */
#define SAME 0.25     /* by how much the halvings of one order may differ */
#define RIGHT 1.5     /* between the orders of a wrong gradient and of a right one */
#define JUMP 0.5      /* of an order below, L jumps */
#define LINEAR 12     /* times as far L must move by 32 times the step: else it is saturated */
#define BEYOND 4      /* a remainder of so many radii of the gradient can be told from them */
#define NOISY 32      /* deviations of L that rounding may make */
#define LASTING 0.25  /* of what a wrong gradient is off by, that smaller steps must leave */

/* The order of one gradient, as the trials up to now have it. */
typedef struct convergence {
    double gradient, off; /* and its radii */
    double noise;         /* of L, at most */
    grad_taylor told;
    double wrong; /* where a wrong gradient is told: by how much it is off */
} convergence;

/* What the remainders of steps h, h/2, … h/32 tell: an order where all halvings do. Behind the
 * changes stands that to the other side, -h: there a wrong gradient is wrong by as much, and what
 * is not is a kink that the steps went past. */
static grad_taylor order_of(const convergence *c, const double changes[HALVINGS + 2],
                            const double remainder[HALVINGS + 1], double h)
{
    double one_sided = changes[0] + changes[HALVINGS + 1], low = (double)INFINITY, high = -low;
    double order = log2(remainder[0] / remainder[HALVINGS]) / HALVINGS;
    bool is_nothing = true, is_seen = true;

    for (size_t i = 0; i <= HALVINGS; i++, h /= 2) {
        is_nothing = is_nothing && remainder[i] <= c->noise + h * c->off;
        is_seen =
            is_seen && isfinite(remainder[i]) && remainder[i] > c->noise + BEYOND * h * c->off;
        if (i == 0 || !is_seen)
            continue;
        low = fmin(low, log2(remainder[i - 1] / remainder[i]));
        high = fmax(high, log2(remainder[i - 1] / remainder[i]));
    }
    if (is_nothing)
        return (grad_taylor){GRAD_ORDER_LINEAR, 0};
    if (!is_seen)
        return (grad_taylor){GRAD_ORDER_ABSENT, 0};
    if (!(high - low <= SAME))
        return (grad_taylor){GRAD_ORDER_ROUNDING, 0};
    if (order < RIGHT && (order < JUMP || fabs(one_sided) > remainder[0] / 2))
        return (grad_taylor){GRAD_ORDER_KINK, 0};
    if (!(fabs(changes[0]) > LINEAR * fabs(changes[HALVINGS])))
        return (grad_taylor){GRAD_ORDER_ABSENT, 0};
    return (grad_taylor){GRAD_ORDER_FOUND, order};
}

/* What a wrong gradient is off by is there however small the steps are: where they leave less, and
 * it is not rounding that hides it, the steps before went past kinks that looked like it. */
static bool is_refuted(const convergence *c, const double remainder[HALVINGS + 1], double h)
{
    bool is_less = false;

    for (size_t i = 0; i <= HALVINGS; i++, h /= 2)
        is_less = is_less || remainder[i] + c->noise + h * c->off < LASTING * h * c->wrong;
    return is_less;
}

/* The smallest steps of which anything is seen count: there a wrong gradient outgrows the rest. */
static void take_trial(convergence *c, const double changes[HALVINGS + 2], double h)
{
    double remainder[HALVINGS + 1];
    grad_taylor found;

    for (size_t i = 0; i <= HALVINGS; i++)
        remainder[i] = fabs(changes[i] - ldexp(h, -(int)i) * c->gradient);
    found = order_of(c, changes, remainder, h);
    if (found.state == GRAD_ORDER_ABSENT || found.state == GRAD_ORDER_LINEAR) {
        if (is_refuted(c, remainder, h))
            found.state = GRAD_ORDER_ROUNDING;
        else if (c->told.state != GRAD_ORDER_ABSENT)
            return;
    }
    c->told = found;
    c->wrong = found.state == GRAD_ORDER_FOUND && found.order < RIGHT
                   ? ldexp(remainder[HALVINGS] / h, HALVINGS)
                   : 0;
}

/* Six trials of smaller and smaller steps, for the gradient and the claim alike. */
static grad_status try_steps(perturbation *p, convergence both[2])
{
    double changes[HALVINGS + 2], h = FIRST * p->scale, moved;
    grad_status status = GRAD_OK;

    for (size_t n = 0; n < TRIALS && status == GRAD_OK; n++, h *= CLOSER) {
        for (size_t i = 0; i < HALVINGS + 2 && status == GRAD_OK; i++)
            status = change_at(p, i > HALVINGS ? -h : ldexp(h, -(int)i), &changes[i], &moved);
        for (size_t g = 0; g < 2 && status == GRAD_OK; g++)
            take_trial(&both[g], changes, h);
    }
    return status;
}

/* What there is to tell, in the end. */
static grad_taylor order_or_none(const convergence *c)
{
    return c->told.state == GRAD_ORDER_ABSENT ? (grad_taylor){GRAD_ORDER_ROUNDING, 0} : c->told;
}

static grad_status find_order(perturbation *p, const grad_check *check, grad_parameter *parameter,
                              grad_interval expected)
{
    convergence both[2];
    grad_status status;

    for (grad_source g = GRAD_ANALYTIC; g <= GRAD_CLAIM; g++) {
        grad_interval told = grad_check_at(check, p->sample, g);

        both[g] = (convergence){.gradient = told.middle,
                                .off = expected.kink + expected.rounding + told.rounding +
                                       4 * DBL_EPSILON * fabs(told.middle),
                                .noise = NOISY * parameter->noise};
    }
    status = try_steps(p, both);
    parameter->taylor = order_or_none(&both[GRAD_ANALYTIC]);
    parameter->claim_taylor = order_or_none(&both[GRAD_CLAIM]);
    return status;
}

grad_status grad_check_look_along(const grad_check *check, grad_parameter *parameter,
                                  grad_error *error)
{
    const grad_sample *s =
        &check->samples[parameter->first_sample + parameter->sample_count - 1]; /* the direction */
    grad_interval expected;
    perturbation p;
    grad_status status = perturbation_make(&p, check, s, error);

    if (status != GRAD_OK)
        return status;
    grad_check_sum_along(check, parameter);
    expected = grad_check_at(check, s, GRAD_EXPECTED);
    parameter->taylor = parameter->claim_taylor = (grad_taylor){GRAD_ORDER_KINK, 0};
    status = find_noise(&p, &parameter->noise);
    if (status == GRAD_OK && !grad_check_is_kink(check, s, expected))
        status = find_order(&p, check, parameter, expected);
    perturbation_free(&p);
    return status == GRAD_OK ? grad_check_ask(check, error) : status;
}
