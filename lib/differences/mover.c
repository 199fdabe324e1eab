/* A tensor of a function being moved: the curve that its slopes are read off. What moves is a copy;
 * the functions are shared by all tiles. A dense layer whose z is not worked out from W, b and x
 * has its z moved by what they would add to it: z + h (x Dᵀ), z + h d, z + h (D Wᵀ). */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "differences/state.h"

#define REACH_FP32 0x1p-14 /* of the scale: what rounding to float32 may hide of a kink */
#define RELATIVE 0.125     /* of the tolerance: an uncertainty beyond reproach */
#define OTHER 0.3          /* scale of a second look, of the first's */
#define CLOSER 0x1p-6      /* of each further look, of the one before */
#define CLOSER_LOOKS 7

#define GRAIN 0x1p-45 /* of numbers of 1, or of the terms: roundings that one term is made of */

typedef struct mover {
    const grad_check *check;
    const grad_function_of_layers *function;
    const grad_variable *variable;
    const grad_sample *sample;
    grad_batch batch; /* the function's, with one tensor of its own */
    grad_network network;
    grad_layer *layers;
    const double *origin; /* what the tensor's numbers are at the point; NULL: all constant */
    double constant;
    size_t count;
    double *numbers; /* what they are now */
    double *pattern; /* by how much each moves; NULL: one of them by 1, or all by a sign */
    double *scratch;
    grad_error *error;
} mover;

/* ---- Patterns -------------------------------------------------------------------------------- */

/* By how much an element of the variable moves. */
static double part(const mover *m, size_t element)
{
    if (m->sample->index != GRAD_ALONG_DIRECTION)
        return element == m->sample->index ? 1 : 0;
    return grad_check_sign(m->check, m->sample->variable, element);
}

/* What z[b,n] gains from one element of W, b or x. */
static void add_element(const mover *m, size_t element, double change, size_t B, size_t K, size_t N,
                        const double *x, const double *W)
{
    for (size_t b = 0; b < B && m->variable->output == GRAD_WEIGHT_DELTA; b++)
        m->pattern[b * N + element / K] += change * x[b * K + element % K];
    for (size_t b = 0; b < B && m->variable->output == GRAD_BIAS_DELTA; b++)
        m->pattern[b * N + element] += change;
    for (size_t n = 0; n < N && m->variable->output == GRAD_GRAD_INPUT; n++)
        m->pattern[element / K * N + n] += change * W[n * K + element % K];
}

static void fill_pattern(const mover *m, const grad_layer *layer)
{
    const grad_tensor *input = layer->input.data != NULL ? &layer->input : &m->network.input;
    size_t K = input->shape[input->rank - 1], B = grad_tensor_count(input) / K;
    size_t N = m->count / B, index = m->sample->index;
    size_t first = index == GRAD_ALONG_DIRECTION ? 0 : index;
    size_t end =
        index == GRAD_ALONG_DIRECTION ? grad_tensor_count(m->variable->gradient) : index + 1;

    for (size_t i = 0; i < m->count; i++)
        m->pattern[i] = 0;
    for (size_t e = first; e < end; e++)
        add_element(m, e, part(m, e), B, K, N, input->data, layer->weight.data);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static void mover_free(mover *m)
{
    free(m->layers);
    free(m->numbers);
    free(m->pattern);
    free(m->scratch);
}

static grad_status take_memory(mover *m, bool has_pattern)
{
    const grad_function_of_layers *f = m->function;
    size_t layers = f->batch.layer_count * sizeof *m->layers, bytes = m->count * sizeof(double);

    m->layers = malloc(layers);
    m->numbers = malloc(bytes);
    m->pattern = has_pattern ? malloc(bytes) : NULL;
    m->scratch = malloc(GRAD_SLOPE_SCRATCH(f->term_count) * sizeof *m->scratch);
    if (m->layers == NULL || m->numbers == NULL || m->scratch == NULL ||
        (has_pattern && m->pattern == NULL)) {
        mover_free(m);
        return grad_fail_memory(m->error, bytes);
    }
    memcpy(m->layers, f->layers, layers);
    m->batch.layers = m->layers;
    m->batch.network = &m->network;
    return GRAD_OK;
}

/* Puts the mover's numbers in the place of the tensor. */
static void own(mover *m, grad_tensor *tensor)
{
    m->origin = tensor->data;
    for (size_t i = 0; i < m->count; i++)
        m->numbers[i] = m->origin == NULL ? m->constant : m->origin[i];
    if (m->origin == NULL)
        *tensor = (grad_tensor){.rank = 1, .shape = {m->count}};
    tensor->data = m->numbers;
}

/* *m stays where it is: its batch points into it. */
static grad_status mover_make(mover *m, const grad_check *check, const grad_variable *v,
                              const grad_sample *s, grad_error *error)
{
    const grad_function_of_layers *f = v->function;
    const grad_layer *layer = &f->layers[v->function_layer];
    bool moves_state = grad_function_moves_state(layer, v->output);
    grad_status status;

    *m = (mover){.check = check,
                 .function = f,
                 .variable = v,
                 .sample = s,
                 .batch = f->batch,
                 .network = f->network,
                 .error = error};
    m->count = grad_tensor_count(moves_state ? &layer->pre_activation : v->gradient);
    if (v->output == GRAD_SLOPE_DELTA)
        m->constant = layer->activation.parameters[0];
    status = take_memory(m, moves_state);
    if (status != GRAD_OK)
        return status;
    if (moves_state) {
        own(m, &m->layers[v->function_layer].pre_activation);
        fill_pattern(m, &m->layers[v->function_layer]);
    } else
        own(m, grad_function_tensor(&m->network, &m->layers[v->function_layer], v->output));
    return GRAD_OK;
}

/* ---- The curve ------------------------------------------------------------------------------- */

/* L where the tensor is moved by h, against where it is. */
static grad_status changes_at(void *context, double h, double *changes, double *moved)
{
    mover *m = context;
    const grad_function_of_layers *f = m->function;
    size_t index = m->sample->index;
    grad_status status;

    if (m->pattern == NULL && index != GRAD_ALONG_DIRECTION) {
        double origin = m->origin == NULL ? m->constant : m->origin[index];

        m->numbers[index] = origin + h;
        *moved = m->numbers[index] - origin;
    } else {
        for (size_t i = 0; i < m->count; i++)
            m->numbers[i] = (m->origin == NULL ? m->constant : m->origin[i]) +
                            h * (m->pattern == NULL ? part(m, i) : m->pattern[i]);
        *moved = h;
    }
    status = grad_function_terms(f, &m->batch, changes, m->error);
    for (size_t i = 0; i < f->term_count && status == GRAD_OK; i++)
        changes[i] = (changes[i] - f->terms[i]) / f->divisor;
    return status;
}

static double mean_size(const mover *m)
{
    double sum = 0;

    for (size_t i = 0; i < m->count; i++)
        sum += fabs(m->numbers[i]) / (double)m->count;
    return sum;
}

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
static void set_scale(const mover *m, grad_curve *curve)
{
    double size = mean_size(m), gain = 0;
    size_t index = m->sample->index;

    if (m->pattern == NULL && index != GRAD_ALONG_DIRECTION)
        size = fmax(size, fabs(m->numbers[index]));
    for (size_t i = 0; i < m->count && m->pattern != NULL; i++)
        gain = fmax(gain, fabs(m->pattern[i]));
    gain = gain > 0 ? gain : 1;
    curve->unit = power_above(1 / gain);
    curve->scale = size > 0 ? power_above(size / gain) : curve->unit;
    curve->reach = m->check->batch.datatype == GRAD_FP32 ? REACH_FP32 * curve->scale : 0;
}

/* How far a gradient is from the slope, 0 where the two cannot be told apart. */
static double miss(const mover *m, grad_told told, const grad_slope *slope)
{
    double size = fmax(fabs(told.value), fabs(slope->value));
    double floor = grad_check_floor(m->variable, m->sample);
    double apart = fabs(told.value - slope->value);
    double allowed =
        fmax(m->check->options.tolerance * fmax(size, floor), slope->uncertainty + told.rounding);

    if (apart <= allowed)
        return 0;
    return isfinite(apart) ? apart : (double)INFINITY;
}

static double miss_of_ours(const mover *m, const grad_slope *slope)
{
    return miss(m, grad_check_gradient_at(m->check, m->sample, m->variable->gradient), slope);
}

static double largest_miss(const mover *m, const grad_slope *slope)
{
    const grad_variable *v = m->variable;
    double of_claim =
        v->claim == NULL ? 0 : miss(m, grad_check_claim_at(m->check, v, m->sample), slope);

    return fmax(of_claim, miss_of_ours(m, slope));
}

/* What a second look says of the first: that none of the two is certain where they disagree. */
static void compare(grad_slope *slope, const grad_slope *second)
{
    double apart = fabs(second->value - slope->value);

    if (isnan(apart))
        return;
    if (second->uncertainty < slope->uncertainty)
        slope->value = second->value;
    slope->uncertainty = fmin(second->uncertainty, slope->uncertainty);
    if (apart > slope->uncertainty)
        slope->uncertainty += 2 * apart;
    slope->kink = fmin(second->kink, slope->kink);
    slope->near_kink = fmin(second->near_kink, slope->near_kink);
}

/* What a look from closer by says: where neither rounding nor its steps explain that it disagrees,
 * L has features that the wider steps went past. */
static void replace(grad_slope *slope, const grad_slope *closer)
{
    double apart = fabs(closer->value - slope->value);

    if (apart > closer->uncertainty + slope->uncertainty)
        *slope = *closer;
}

/* Steps of the unit where the tensor's own numbers are smaller go past whatever is of their size.
 * What such steps say holds as far as smaller ones bear it out. */
static grad_status bear_out(const mover *m, const grad_curve *curve, grad_slope *slope)
{
    grad_curve own = *curve;
    grad_slope second;
    grad_status status;

    if (curve->scale >= curve->unit)
        return GRAD_OK;
    own.unit = 0;
    status = grad_slope_find(&own, m->scratch, &second);
    if (status != GRAD_OK)
        return status;
    replace(slope, &second);
    slope->uncertainty = fmax(slope->uncertainty, second.uncertainty);
    return GRAD_OK;
}

/* Looks from closer by, until rounding hides by how much the gradient is wrong. */
static grad_status look_closer(const mover *m, const grad_curve *curve, grad_slope *slope)
{
    grad_curve closer = *curve;
    grad_status status = bear_out(m, curve, slope);
    double part = OTHER, wrong = miss_of_ours(m, slope);

    for (size_t look = 0; look < CLOSER_LOOKS && wrong > 0 && status == GRAD_OK; look++) {
        grad_slope second;

        part *= CLOSER;
        closer.scale = curve->scale * part;
        closer.unit = curve->unit * part;
        status = grad_slope_find(&closer, m->scratch, &second);
        if (status != GRAD_OK || second.uncertainty > wrong)
            return status;
        replace(slope, &second);
        wrong = miss_of_ours(m, slope);
    }
    return status;
}

/* Extrapolations may agree by chance, and where L is flat but close by. Before a gradient is called
 * wrong, the slope is looked for again from other steps; and before ours is, from smaller ones. A
 * claim that two ways of working out the gradient contradict needs no third. */
static grad_status look_again(const mover *m, const grad_curve *curve, grad_slope *slope)
{
    grad_curve other = *curve;
    grad_slope second;
    grad_status status;

    if (largest_miss(m, slope) == 0)
        return GRAD_OK;
    other.scale *= OTHER;
    other.unit *= OTHER;
    status = grad_slope_find(&other, m->scratch, &second);
    if (status != GRAD_OK)
        return status;
    compare(slope, &second);
    return miss_of_ours(m, slope) > 0 ? look_closer(m, curve, slope) : GRAD_OK;
}

/* What rounding does to L where this tensor moves. */
static grad_status find_noise(const mover *m, grad_curve *curve, double *noise)
{
    grad_status status;

    curve->grain = GRAIN * fmax(1 / m->function->divisor, m->function->grain / DBL_EPSILON);
    status = grad_noise_find(curve, m->scratch, noise);
    *noise = fmax(*noise, m->function->grain);
    return status;
}

grad_status grad_check_estimate(const grad_check *check, grad_variable *v, grad_sample *s,
                                grad_error *error)
{
    mover m;
    grad_curve curve = {.at = changes_at,
                        .context = &m,
                        .terms = v->function->term_count,
                        .enough = RELATIVE * check->options.tolerance * grad_check_floor(v, s),
                        .relative = RELATIVE * check->options.tolerance};
    grad_status status = mover_make(&m, check, v, s, error);

    if (status != GRAD_OK)
        return status;
    set_scale(&m, &curve);
    if (s->index == GRAD_ALONG_DIRECTION)
        status = find_noise(&m, &curve, &v->noise);
    curve.noise = v->noise;
    if (status == GRAD_OK)
        status = grad_slope_find(&curve, m.scratch, &s->slope);
    if (status == GRAD_OK)
        status = look_again(&m, &curve, &s->slope);
    mover_free(&m);
    return status;
}
