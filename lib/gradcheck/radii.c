/* The backward pass of radii, layer by layer. Beside each number of a pass in double goes how far
 * it may be moved: `kink`, by any slope between left and right at the kinks of f and of the loss,
 * and `rounding`, by the rounding of either pass in the request's datatype. One rule serves every
 * step, the product of intervals c s ± (|c| r_s + |s| r + r r_s) of c ± r and s ± r_s; sums add
 * radii up. The slopes of f and of losses are found around their numbers, which shows kinks and
 * bends alike; the functions themselves are the library's. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "gradcheck/state.h"

#define INCONSISTENT 64 /* times its rounding that a state given may be off and be meant so */

/* A layer and its states. That before the first stands for the network's input: it has y and dy. */
typedef struct stage {
    grad_layer *layer;
    const grad_layer *given;
    grad_layer f; /* its function alone, as a layer */
    size_t B, K, N;
    grad_interval *x;                       /* [B,K] */
    grad_interval *z, *y, *slope, *dy, *dz; /* [B,N]; of a coupled f slope is p */
    double *scratch;                        /* [9,B,N] */
} stage;

typedef struct pass {
    grad_check *check;
    grad_objective *objective;
    stage *stages;   /* [layers + 1] */
    grad_layer loss; /* what turns the last y into the loss */
    double unit;     /* of rounding; doubled where both passes are in double */
    double least;    /* number that has all its digits */
} pass;

/* ---- Intervals ------------------------------------------------------------------------------- */

static inline grad_interval exactly(double number)
{
    return (grad_interval){number, 0, 0};
}

static inline grad_interval times(grad_interval c, grad_interval s)
{
    double size = fabs(c.middle) + c.kink, slope = fabs(s.middle) + s.kink;

    return (grad_interval){c.middle * s.middle, fabs(c.middle) * s.kink + slope * c.kink,
                           size * s.rounding + (slope + s.rounding) * c.rounding};
}

/* Adds an interval, or takes it off, times a positive factor. */
static inline void add(grad_interval *sum, grad_interval addend, double factor)
{
    sum->middle += factor * addend.middle;
    sum->kink += fabs(factor) * addend.kink;
    sum->rounding += fabs(factor) * addend.rounding;
}

/* The roundings of a sum of so many products, by how far they walk. */
static double growth_of(const pass *p, size_t terms)
{
    return p->unit * (4 + sqrt((double)terms));
}

/* Where the intervals of that gradient go, or NULL where nobody asks. */
static grad_interval *asked(const pass *p, const stage *s, grad_output_kind output)
{
    size_t layer = (size_t)(s - p->stages) - 1;

    for (size_t i = 0; i < p->check->parameter_count; i++) {
        const grad_parameter *v = &p->check->parameters[i];

        if (v->objective == p->objective && v->objective_layer == layer && v->output == output)
            return v->expected;
    }
    return NULL;
}

/* ---- Functions ------------------------------------------------------------------------------- */

/* A state of the layer, of the batch's axes. */
static grad_tensor state_of(const pass *p, const stage *s, double *data)
{
    grad_tensor state = p->objective->network.input;

    state.shape[state.rank - 1] = s->N;
    state.data = data;
    return state;
}

/* Runs f, or a loss behind it, at those numbers [B,N]: its values, or its gradient, into out. */
static grad_status run_function(const pass *p, const stage *s, grad_layer f, grad_network network,
                                double *at, unsigned output, double *out, grad_error *error)
{
    grad_batch batch = {.layer_count = 1, .layers = &f, .network = &network, .outputs = output};
    grad_run *run = NULL;
    grad_status status;

    network.input = state_of(p, s, at);
    status = grad_run_network(&batch, &run, error);
    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++) {
        const grad_reply *reply = grad_run_reply(run);

        out[i] = ((const double *)(output == GRAD_OUTPUT_GRAD_INPUT ? reply->grad_input.data
                                                                    : reply->predictions.data))[i];
    }
    grad_run_destroy(run);
    return status;
}

/* Slopes seen around one number: over a width, and over an eighth of it. */
typedef struct view {
    double middle, low, high, near_low, near_high;
} view;

static void see(view *v, double slope, bool is_near)
{
    v->low = fmin(v->low, slope);
    v->high = fmax(v->high, slope);
    if (is_near) {
        v->near_low = fmin(v->near_low, slope);
        v->near_high = fmax(v->near_high, slope);
    }
}

/* Over the eighth a bend differs by an eighth, and a kink by as much or nothing. own: the part of
 * the width that the number itself may be off by. */
static grad_interval slope_of(const view *v, double own)
{
    double size = fmax(fabs(v->low), fabs(v->high)), bend = (v->high - v->low) / 2;
    bool is_kink =
        fabs(v->high - v->low - 8 * (v->near_high - v->near_low)) > bend && bend > 0x1p-46 * size;

    return is_kink ? (grad_interval){v->low + bend, bend, 0}
                   : (grad_interval){v->middle, 0, bend * own};
}

#define REACH_FP64 0x1p-34
#define REACH_FP32 0x1p-19
#define PROBES 5
#define PATTERNS 3 /* of signs, in which the elements of a sample that are coupled are moved */
#define UNSEEN 2   /* times what these show that there may be */

/* What a number may be off by. */
static double own_width(const pass *p, const grad_interval *at)
{
    return at->rounding + 8 * p->unit * fabs(at->middle) + 0x1p-1000;
}

/* The same, and how far a kink may be from it for differences not to see that it lies beside: a
 * part of the numbers' typical size, and of that of terms that cancelled. */
static double width_of(const pass *p, const grad_interval *at, double mean_size)
{
    double part = p->check->batch.datatype == GRAD_FP64 ? REACH_FP64 : REACH_FP32;

    return own_width(p, at) + part * (mean_size + at->rounding / (4 * p->unit));
}

/* The slopes of a function of elements, or of coupled ones, around numbers [B,N]. */
static grad_status find_slopes(const pass *p, const stage *s, const grad_layer *f,
                               const grad_network *network, const grad_interval *at,
                               bool is_coupled, grad_interval *slopes, grad_error *error)
{
    static const double offsets[PROBES] = {0, -1, 1, -0.125, 0.125};
    size_t count = s->B * s->N, patterns = is_coupled ? PATTERNS : 1;
    double *moved = s->scratch, *found = moved + count, size = 0;
    view *views = (view *)(void *)(found + count);
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < count; i++)
        size += fabs(at[i].middle) / (double)count;
    for (size_t n = 0; n < PROBES * patterns && status == GRAD_OK; n++) {
        double offset = offsets[n % PROBES];

        for (size_t i = 0; i < count; i++)
            moved[i] = at[i].middle + (is_coupled ? grad_check_sign(p->check, n / PROBES, i) : 1) *
                                          offset * width_of(p, &at[i], size);
        status = run_function(p, s, *f, *network, moved, GRAD_OUTPUT_GRAD_INPUT, found, error);
        for (size_t i = 0; i < count && status == GRAD_OK; i++) {
            if (n == 0)
                views[i] = (view){found[i], found[i], found[i], found[i], found[i]};
            see(&views[i], found[i], fabs(offset) < 1);
        }
    }
    for (size_t i = 0; i < count && status == GRAD_OK; i++)
        slopes[i] = slope_of(&views[i], (is_coupled ? UNSEEN : 1) * own_width(p, &at[i]) /
                                            width_of(p, &at[i], size));
    return status;
}

/* ---- Softmax and its kin --------------------------------------------------------------------- */

static bool is_logarithm(const stage *s)
{
    return s->f.activation.kind == GRAD_LOG_SOFTMAX;
}

static bool is_coupled(const stage *s)
{
    return s->f.activation.kind == GRAD_SOFTMAX || s->f.activation.kind == GRAD_SOFTMIN ||
           is_logarithm(s);
}

static void forward_row(const pass *p, const stage *s, size_t first)
{
    double mean = 0;

    for (size_t i = first; i < first + s->N; i++) {
        s->slope[i] = exactly(is_logarithm(s) ? exp(s->y[i].middle) : s->y[i].middle);
        mean += s->slope[i].middle * s->z[i].rounding;
    }
    for (size_t i = first; i < first + s->N; i++) {
        double off = s->z[i].rounding + mean + 4 * p->unit;

        s->slope[i].rounding = s->slope[i].middle * off;
        s->y[i].rounding = is_logarithm(s)
                               ? off + 4 * p->unit * (fabs(s->y[i].middle) + fabs(s->z[i].middle))
                               : s->slope[i].rounding + p->least;
    }
}

/* The radii of δ_j = p_j (g_j - ḡ), ḡ = Σ p g, or of log_softmax's g_j - p_j Σ g. What an element's
 * radius does by itself and through the sum is counted once. */
static void backward_row(const pass *p, const stage *s, size_t first, const double *middle)
{
    const grad_interval *g = s->dy + first, *q = s->slope + first;
    bool is_log = is_logarithm(s);
    double centre = 0, size = 0, off = 0;
    grad_interval sum = exactly(0);

    for (size_t i = 0; i < s->N && !is_log; i++)
        centre += q[i].middle * g[i].middle;
    for (size_t i = 0; i < s->N; i++) {
        grad_interval d = {g[i].middle - centre, g[i].kink, g[i].rounding};

        add(&sum, d, is_log ? 1 : q[i].middle);
        size += (is_log ? 1 : q[i].middle) * (fabs(d.middle) + d.kink);
        off += is_log ? 0 : q[i].rounding * (fabs(d.middle) + d.kink);
    }
    for (size_t i = 0; i < s->N; i++) {
        double own = is_log ? 1 : q[i].middle, others = is_log ? q[i].middle : 1;
        double d = g[i].middle - centre - (is_log ? 0 : sum.middle);
        double here = fabs(d) + g[i].kink + sum.kink;

        s->dz[first + i] = (grad_interval){
            middle[first + i],
            own * (fabs(1 - q[i].middle) * g[i].kink + others * (sum.kink - own * g[i].kink)),
            own * (fabs(1 - q[i].middle) * g[i].rounding +
                   others * (sum.rounding - own * g[i].rounding)) +
                q[i].rounding * (is_log ? fabs(sum.middle) + sum.kink : here) + q[i].middle * off +
                16 * p->unit * own * (here + others * size) + p->least};
    }
}

/* ---- Through f ------------------------------------------------------------------------------- */

static grad_status forward_function(const pass *p, const stage *s, grad_error *error)
{
    size_t count = s->B * s->N;
    double *z = s->scratch, *y = z + count, *ones = s->scratch + 7 * count;
    grad_network network = {.grad_output = state_of(p, s, ones)};
    grad_status status;

    for (size_t i = 0; i < count; i++) {
        z[i] = s->z[i].middle;
        ones[i] = 1;
    }
    status = run_function(p, s, s->f, network, z, GRAD_OUTPUT_PREDICTIONS, y, error);
    for (size_t i = 0; i < count && status == GRAD_OK; i++)
        s->y[i] = exactly(y[i]);
    for (size_t b = 0; b < s->B && status == GRAD_OK && is_coupled(s); b++)
        forward_row(p, s, b * s->N);
    if (status == GRAD_OK && !is_coupled(s)) {
        status = find_slopes(p, s, &s->f, &network, s->z, false, s->slope, error);
        for (size_t i = 0; i < count && status == GRAD_OK; i++)
            s->y[i].rounding =
                (fabs(s->slope[i].middle) + s->slope[i].kink + s->slope[i].rounding) *
                    s->z[i].rounding +
                4 * p->unit * fabs(s->y[i].middle) + p->least;
    }
    return status;
}

/* Δslope of prelu: Σ_b ∂L/∂y z, where z is below 0. */
static void add_slope_delta(const pass *p, const stage *s, grad_interval *delta)
{
    double growth = growth_of(p, s->B * s->N);
    size_t columns = s->layer->slope.data == NULL ? 1 : s->layer->slope.shape[0];

    for (size_t i = 0; i < s->B * s->N && delta != NULL; i++) {
        grad_interval dy = s->dy[i], z = s->z[i];

        if (z.middle > z.rounding)
            continue;
        dy.rounding += growth * fabs(dy.middle);
        z.middle = fmin(z.middle, 0);
        add(&delta[i % columns], times(dy, z), 1);
    }
}

static grad_status backward_function(const pass *p, const stage *s, grad_error *error)
{
    size_t count = s->B * s->N;
    double *z = s->scratch, *dy = z + count, *dz = dy + count;
    grad_network network = {.grad_output = state_of(p, s, dy)};
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < count; i++) {
        z[i] = s->z[i].middle;
        dy[i] = s->dy[i].middle;
    }
    if (is_coupled(s))
        status = run_function(p, s, s->f, network, z, GRAD_OUTPUT_GRAD_INPUT, dz, error);
    for (size_t b = 0; b < s->B && is_coupled(s); b++)
        backward_row(p, s, b * s->N, dz);
    for (size_t i = 0; i < s->B * s->N && !is_coupled(s); i++) {
        double c = fabs(s->dy[i].middle);

        s->dz[i] = times(s->dy[i], s->slope[i]);
        s->dz[i].middle = c == 0 ? 0 : s->dz[i].middle;
        s->dz[i].rounding += 8 * p->unit * c * fabs(s->slope[i].middle) + p->least * (1 + c);
    }
    add_slope_delta(p, s, asked(p, s, GRAD_SLOPE_DELTA));
    return status;
}

/* ---- Through products ------------------------------------------------------------------------ */

static void forward_product(const pass *p, const stage *s)
{
    const double *W = s->layer->weight.data, *b = s->layer->bias.data;
    double growth = growth_of(p, s->K);

    for (size_t i = 0; i < s->B * s->N; i++) {
        const grad_interval *x = s->x + i / s->N * s->K;
        const double *w = W + i % s->N * s->K;
        double sum = b == NULL ? 0 : b[i % s->N], off = 2 * p->unit * fabs(sum);

        for (size_t k = 0; k < s->K; k++) {
            sum += x[k].middle * w[k];
            off += (x[k].rounding + growth * fabs(x[k].middle)) * fabs(w[k]);
        }
        s->z[i] = (grad_interval){sum, 0, off};
    }
}

static void backward_product(const pass *p, const stage *s, grad_interval *dx)
{
    const double *W = dx == NULL ? NULL : s->layer->weight.data;
    grad_interval *dW = asked(p, s, GRAD_WEIGHT_DELTA), *db = asked(p, s, GRAD_BIAS_DELTA);

    for (size_t i = 0; i < s->B * s->N; i++) {
        size_t row = i / s->N * s->K, n = i % s->N;

        for (size_t k = 0; k < s->K && W != NULL; k++)
            add(&dx[row + k], times(s->dz[i], exactly(W[n * s->K + k])), 1);
        for (size_t k = 0; k < s->K && dW != NULL; k++)
            add(&dW[n * s->K + k], times(s->dz[i], s->x[row + k]), 1);
        if (db != NULL)
            add(&db[n], s->dz[i], 1);
    }
}

/* ---- Through norms --------------------------------------------------------------------------- */

/* One set that is normalized together: element i is at first + i step. */
typedef struct set {
    size_t first, step, count;
    double centring; /* 1: the mean is taken off; 0: it is taken for 0 */
    bool is_fixed;   /* the running values, which do not depend on x */
    double mean;
    grad_interval scale; /* 1 / √(variance + ε) */
} set;

static size_t count_sets(const stage *s, const grad_norm_info *norm, size_t *width)
{
    size_t groups =
        norm->groups == 0 ? 1 : (size_t)grad_layer_attribute(s->layer, norm->groups - 1);

    *width = norm->over_samples ? s->B : s->N / groups;
    return norm->over_samples ? s->N : s->B * groups;
}

/* Its mean and variance, in double: of numbers about the first mean, which loses nothing, and as
 * parts of the largest, whose square may overflow. */
static void take_moments(const stage *s, set *t, size_t number)
{
    double variance = 0, largest = 1;

    if (t->is_fixed) {
        t->mean = ((const double *)s->layer->running_mean.data)[number];
        variance = ((const double *)s->layer->running_variance.data)[number];
    }
    for (int round = 0; round < 2 && !t->is_fixed; round++) {
        double rest = 0;

        for (size_t i = 0; i < t->count; i++)
            rest += (s->x[t->first + i * t->step].middle - t->mean) / (double)t->count;
        t->mean += t->centring * rest;
    }
    for (size_t i = 0; i < t->count && !t->is_fixed; i++)
        largest = fmax(largest, fabs(s->x[t->first + i * t->step].middle - t->mean));
    for (size_t i = 0; i < t->count && !t->is_fixed; i++)
        variance +=
            pow((s->x[t->first + i * t->step].middle - t->mean) / largest, 2) / (double)t->count;
    t->scale.middle = 1 / sqrt(variance + s->layer->epsilon / largest / largest) / largest;
}

/* The set of that number, whose x̂ goes to z. What x is off by moves it, the mean and the scale. */
static set normalize(const pass *p, const stage *s, const grad_norm_info *norm, size_t width,
                     size_t number)
{
    set t = {.first = norm->over_samples ? number : number * width,
             .step = norm->over_samples ? s->N : 1,
             .count = width,
             .centring = norm->uncentred ? 0 : 1,
             .is_fixed = s->layer->running_mean.data != NULL};
    double off_mean = 0, off_scale = 0;

    take_moments(s, &t, number);
    for (size_t i = 0; i < t.count; i++) {
        size_t e = t.first + i * t.step;
        const grad_interval *x = &s->x[e];
        double off = x->rounding + 4 * DBL_EPSILON * (fabs(x->middle) + fabs(t.mean));

        s->z[e] = (grad_interval){(x->middle - t.mean) * t.scale.middle, 0, off};
        off_mean += t.is_fixed ? 0 : t.centring * off / (double)t.count;
        off_scale += t.is_fixed ? 0 : off * fabs(s->z[e].middle) / (double)t.count;
    }
    for (size_t i = 0; i < t.count; i++) {
        grad_interval *x = &s->z[t.first + i * t.step];

        x->rounding = t.scale.middle * (x->rounding + off_mean + fabs(x->middle) * off_scale) +
                      p->unit * fabs(x->middle);
    }
    t.scale.rounding = t.scale.middle * (2 * p->unit + t.scale.middle * off_scale);
    return t;
}

/* A parameter [N] of a norm, at an element. */
static double number_at(const grad_tensor *tensor, const stage *s, size_t element, double otherwise)
{
    return tensor->data == NULL ? otherwise : ((const double *)tensor->data)[element % s->N];
}

static void forward_norm(const pass *p, const stage *s)
{
    const grad_norm_info *norm = &grad_layer_info_of(s->layer->kind)->norm;
    size_t width, sets = count_sets(s, norm, &width);

    for (size_t n = 0; n < sets; n++)
        normalize(p, s, norm, width, n);
    for (size_t e = 0; e < s->B * s->N; e++) {
        grad_interval z = times(s->z[e], exactly(number_at(&s->layer->gain, s, e, 1)));
        double size = fabs(z.middle);

        z.middle += number_at(&s->layer->shift, s, e, 0);
        z.rounding += p->unit * (2 * size + fabs(z.middle));
        s->z[e] = z;
    }
}

/* dx = s (g - mean g - x̂ mean(g x̂)) with g = γ ⊙ δ; what rounds in double is of g's size. */
static void backward_set(const stage *s, const set *t, grad_interval *dx)
{
    double share = t->is_fixed ? 0 : 1 / (double)t->count;
    grad_interval mean = exactly(0), slope = exactly(0);

    for (size_t i = 0; i < t->count; i++) {
        size_t e = t->first + i * t->step;
        grad_interval g = times(s->dz[e], exactly(number_at(&s->layer->gain, s, e, 1)));

        g.rounding += 16 * DBL_EPSILON * fabs(g.middle);
        add(&mean, g, t->centring * share);
        add(&slope, times(g, s->z[e]), share);
    }
    for (size_t i = 0; i < t->count; i++) {
        size_t e = t->first + i * t->step;
        grad_interval g = times(s->dz[e], exactly(number_at(&s->layer->gain, s, e, 1)));

        g.rounding += 16 * DBL_EPSILON * fabs(g.middle);
        add(&g, mean, -1);
        add(&g, times(slope, s->z[e]), -1);
        add(&dx[e], times(g, t->scale), 1);
    }
}

static void backward_norm(const pass *p, const stage *s, grad_interval *dx)
{
    const grad_norm_info *norm = &grad_layer_info_of(s->layer->kind)->norm;
    grad_interval *gain = asked(p, s, GRAD_GAIN_DELTA), *shift = asked(p, s, GRAD_SHIFT_DELTA);
    size_t width, sets = count_sets(s, norm, &width);

    for (size_t n = 0; n < sets; n++) {
        set t = normalize(p, s, norm, width, n);

        if (dx != NULL)
            backward_set(s, &t, dx);
    }
    for (size_t e = 0; e < s->B * s->N; e++) {
        if (gain != NULL)
            add(&gain[e % s->N], times(s->dz[e], s->z[e]), 1);
        if (shift != NULL)
            add(&shift[e % s->N], s->dz[e], 1);
    }
}

/* ---- Through layers -------------------------------------------------------------------------- */

static void forward_identity(const pass *p, const stage *s)
{
    (void)p;
    for (size_t i = 0; i < s->B * s->N; i++)
        s->z[i] = s->x[i];
}

static void backward_identity(const pass *p, const stage *s, grad_interval *dx)
{
    (void)p;
    for (size_t i = 0; i < s->B * s->N && dx != NULL; i++)
        add(&dx[i], s->dz[i], 1);
}

static const struct {
    void (*forward)(const pass *p, const stage *s);                     /* z of x */
    void (*backward)(const pass *p, const stage *s, grad_interval *dx); /* adds dx, deltas of dz */
} maps[] = {[GRAD_MAP_IDENTITY] = {forward_identity, backward_identity},
            [GRAD_MAP_PRODUCT] = {forward_product, backward_product},
            [GRAD_MAP_NORM] = {forward_norm, backward_norm}};

/* A state given was rounded once more, or worked out elsewhere. */
static void allow_for_given(const pass *p, const grad_tensor *given, size_t count,
                            grad_interval *state)
{
    const double *numbers = given->data;

    for (size_t i = 0; i < count && numbers != NULL; i++) {
        double most = INCONSISTENT * (state[i].rounding + p->unit * fabs(state[i].middle));

        state[i].rounding = fmin(fmax(state[i].rounding, fabs(state[i].middle - numbers[i])), most);
    }
}

/* x of a layer that stands on its z: what moves z is worked out from it. */
static grad_status settle_input(const pass *p, const stage *s, grad_error *error)
{
    grad_tensor *input = &s->layer->input;
    double *x = grad_check_take(p->check, s->B * s->K, sizeof *x);

    if (x == NULL)
        return grad_fail_memory(error, s->B * s->K * sizeof *x);
    for (size_t i = 0; i < s->B * s->K; i++)
        x[i] = s->x[i].middle;
    *input = p->objective->network.input;
    input->shape[input->rank - 1] = s->K;
    input->data = x;
    return GRAD_OK;
}

/* A layer that gives z need not give b: it is the mean of what z is more than x Wᵀ. */
static grad_status settle_bias(const pass *p, const stage *s, grad_error *error)
{
    const double *z = s->given->pre_activation.data;
    double *b = grad_check_take(p->check, s->N, sizeof *b);

    if (b == NULL)
        return grad_fail_memory(error, s->N * sizeof *b);
    forward_product(p, s);
    for (size_t i = 0; i < s->B * s->N; i++)
        b[i % s->N] += (z[i] - s->z[i].middle) / (double)s->B;
    s->layer->bias = (grad_tensor){b, 1, {s->N}};
    return GRAD_OK;
}

static void find_input(const pass *p, const stage *s)
{
    const double *own = s->layer->input.data;

    for (size_t i = 0; i < s->B * s->K; i++)
        s->x[i] = own != NULL ? exactly(own[i]) : s[-1].y[i];
    if (own == NULL && s != p->stages + 1)
        allow_for_given(p, &s->given->input, s->B * s->K, s->x);
}

static grad_status forward_map(const pass *p, const stage *s, grad_error *error)
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
    for (size_t i = 0; i < s->B * s->N && z != NULL; i++)
        s->z[i] = exactly(z[i]);
    if (z != NULL || status != GRAD_OK)
        return status;
    maps[grad_map_of(s->layer)].forward(p, s);
    allow_for_given(p, &s->given->pre_activation, s->B * s->N, s->z);
    return GRAD_OK;
}

static const stage *source_of(const pass *p, const stage *s)
{
    return s->layer->residual == GRAD_RESIDUAL_NONE
               ? NULL
               : &p->stages[s->layer->residual - GRAD_RESIDUAL_INPUT];
}

static double kept(const stage *s, size_t i)
{
    const double *mask = s->layer->dropout_mask.data;

    return mask == NULL ? 1 : mask[i] / (1 - s->layer->dropout_rate);
}

static grad_status go_forward(const pass *p, const stage *s, grad_error *error)
{
    const stage *source = source_of(p, s);
    grad_status status = forward_map(p, s, error);

    if (status == GRAD_OK)
        status = forward_function(p, s, error);
    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++) {
        s->y[i] = times(s->y[i], exactly(kept(s, i)));
        s->y[i].rounding += p->unit * fabs(s->y[i].middle);
        if (source == NULL)
            continue;
        add(&s->y[i], source->y[i], 1);
        s->y[i].rounding += p->unit * fabs(s->y[i].middle);
    }
    return status;
}

static grad_status go_backward(const pass *p, const stage *s, grad_error *error)
{
    const stage *source = source_of(p, s);
    double growth = growth_of(p, s->B > s->N ? s->B : s->N);
    bool is_first = s == p->stages + 1;
    bool is_asked = !is_first || asked(p, s, GRAD_GRAD_INPUT) != NULL;
    grad_status status;

    for (size_t i = 0; i < s->B * s->N; i++) {
        if (source != NULL)
            add(&source->dy[i], s->dy[i], 1);
        s->dy[i].rounding += 4 * p->unit * fabs(s->dy[i].middle);
        s->dy[i] = times(s->dy[i], exactly(kept(s, i)));
    }
    status = backward_function(p, s, error);
    for (size_t i = 0; i < s->B * s->N; i++)
        s->dz[i].rounding += growth * fabs(s->dz[i].middle) + p->least;
    maps[grad_map_of(s->layer)].backward(p, s, is_asked ? s[-1].dy : NULL);
    return status;
}

/* ---- The loss -------------------------------------------------------------------------------- */

/* f and a loss that are worked out as one function of z (gradient_network.h) stay together. */
static void part_loss(pass *p)
{
    stage *last = &p->stages[p->objective->batch.layer_count];
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

/* dy of the last layer; and by how much rounding in double moves L: where y moves it, of the
 * request's datatype what double has of that. */
static grad_status start(const pass *p, grad_error *error)
{
    const stage *s = &p->stages[p->objective->batch.layer_count];
    const grad_network *network = &p->objective->network;
    bool is_absent = network->loss.kind == GRAD_LOSS_ABSENT;
    grad_status status = GRAD_OK;

    if (!is_absent)
        status = find_slopes(
            p, s, &p->loss, network, s->y,
            (grad_loss_info_of(network->loss.kind)->tensors & GRAD_LOSS_PER_SAMPLE) != 0, s->dy,
            error);
    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++) {
        grad_interval given = exactly(is_absent ? ((double *)network->grad_output.data)[i] : 0);

        add(&given, s->dy[i], is_absent ? 0 : 1 / p->objective->divisor);
        given.rounding += is_absent ? 0 : 8 * p->unit * fabs(given.middle) + p->least;
        s->dy[i] = given;
        p->objective->noise += (fabs(given.middle) + given.kink) *
                               (s->y[i].rounding + p->unit * fabs(s->y[i].middle)) *
                               (DBL_EPSILON / p->unit);
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

static void cut_stage(stage *s, grad_interval **rest)
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
static grad_interval *lay_out(pass *p)
{
    const grad_objective *f = p->objective;
    const double *input = f->network.input.data;
    grad_extent extent = {0};
    size_t count = 0;
    grad_interval *block, *rest;

    for (size_t i = 0; i < f->batch.layer_count; i++) {
        extent = grad_extent_of(&f->batch, i, &extent);
        if (i == 0)
            p->stages[0] = (stage){.B = extent.B, .N = extent.K};
        p->stages[i + 1] = (stage){.layer = &f->layers[i],
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
    for (size_t i = 0; i < p->stages[0].B * p->stages[0].N && block != NULL; i++)
        p->stages[0].y[i] = exactly(input[i]);
    return block;
}

static grad_status go(pass *p, grad_error *error)
{
    size_t count = p->objective->batch.layer_count;
    const stage *input = &p->stages[0];
    grad_interval *dx = asked(p, &p->stages[1], GRAD_GRAD_INPUT);
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
    for (size_t i = 0; i < input->B * input->N && dx != NULL; i++)
        dx[i] = input->dy[i];
    return status;
}

grad_status grad_check_find_radii(grad_check *check, grad_objective *objective, grad_error *error)
{
    bool is_wide = check->batch.datatype == GRAD_FP64;
    pass p = {.check = check,
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
