/* Radii through functions of elements, softmax and its kin, and losses. The slopes of f and of
 * losses are found around their numbers, which shows kinks and bends alike; the functions
 * themselves are the library's. */
#include <float.h>
#include <math.h>

#include "gradcheck/radii.h"

/* ---- Functions ------------------------------------------------------------------------------- */

/* A state of the layer, of the batch's axes. */
static grad_tensor state_of(const grad_radii_pass *p, const grad_radii_stage *s, double *data)
{
    grad_tensor state = p->objective->network.input;

    state.shape[state.rank - 1] = s->N;
    state.data = data;
    return state;
}

/* Runs f, or a loss behind it, at those numbers [B,N]: its values, or its gradient, into out. */
static grad_status run_function(const grad_radii_pass *p, const grad_radii_stage *s, grad_layer f,
                                grad_network network, double *at, unsigned output, double *out,
                                grad_error *error)
{
    grad_batch batch = {.layer_count = 1, .layers = &f, .network = &network, .outputs = output};
    grad_run *run = NULL;
    grad_status status;

    network.input = state_of(p, s, at);
    status = grad_run_network(p->check, &batch, &run, error);
    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK && grad_check_goes_on(p->check, i, 1);
         i++) {
        const grad_reply *reply = grad_run_reply(run);

        out[i] = ((const double *)(output == GRAD_OUTPUT_GRAD_INPUT ? reply->grad_input.data
                                                                    : reply->predictions.data))[i];
    }
    grad_run_destroy(run);
    return status;
}

/* Slopes seen around one number: over a width, and over at most an eighth of it. */
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
#define PROBES 7
#define PATTERNS 3 /* of signs, in which the elements of a sample that are coupled are moved */
#define UNSEEN 2   /* times what these show that there may be */

/* What a number is off by that is rounded once, or worked out from others. */
static double least_width(const grad_radii_pass *p, const grad_interval *at)
{
    return 8 * p->unit * fabs(at->middle) + 0x1p-1000;
}

static double own_width(const grad_radii_pass *p, const grad_interval *at)
{
    return at->rounding + least_width(p, at);
}

/* The same, and how far a kink may be from it for differences not to see that it lies beside: a
 * part of the numbers' typical size, and of that of terms that cancelled. */
static double width_of(const grad_radii_pass *p, const grad_interval *at, double mean_size)
{
    double part = p->check->batch.datatype == GRAD_FP64 ? REACH_FP64 : REACH_FP32;

    return own_width(p, at) + part * (mean_size + at->rounding / (4 * p->unit));
}

/* How far a probe is from the number: parts of a width, and the least, where a number is at a kink
 * whose both sides are narrower than what it may be off by. */
static double offset_of(const grad_radii_pass *p, const grad_interval *at, double width,
                        size_t probe)
{
    static const double parts[] = {0, -1, 1, -0.125, 0.125};
    double least = fmin(least_width(p, at), width / 8);

    if (probe < sizeof parts / sizeof *parts)
        return parts[probe] * width;
    return probe == PROBES - 1 ? least : -least;
}

/* The mean size of numbers. */
static double size_of(const grad_radii_pass *p, const grad_interval *at, size_t count)
{
    double size = 0;

    for (size_t i = 0; i < count && grad_check_goes_on(p->check, i, 1); i++)
        size += fabs(at[i].middle) / (double)count;
    return size;
}

grad_status grad_radii_find_slopes(const grad_radii_pass *p, const grad_radii_stage *s,
                                   const grad_layer *f, const grad_network *network,
                                   const grad_interval *at, bool is_coupled, grad_interval *slopes,
                                   grad_error *error)
{
    size_t count = s->B * s->N, patterns = is_coupled ? PATTERNS : 1;
    double *moved = s->scratch, *found = moved + count, size = size_of(p, at, count);
    view *views = (view *)(void *)(found + count);

    for (size_t n = 0; n < PROBES * patterns; n++) {
        size_t probe = n % PROBES;
        grad_status status;

        for (size_t i = 0; i < count && grad_check_goes_on(p->check, i, 1); i++)
            moved[i] = at[i].middle + (is_coupled ? grad_check_sign(p->check, n / PROBES, i) : 1) *
                                          offset_of(p, &at[i], width_of(p, &at[i], size), probe);
        status = run_function(p, s, *f, *network, moved, GRAD_OUTPUT_GRAD_INPUT, found, error);
        if (status != GRAD_OK)
            return status;
        for (size_t i = 0; i < count && grad_check_goes_on(p->check, i, 1); i++) {
            if (n == 0)
                views[i] = (view){found[i], found[i], found[i], found[i], found[i]};
            see(&views[i], found[i], probe == 0 || probe > 2);
        }
    }
    for (size_t i = 0; i < count && grad_check_goes_on(p->check, i, 1); i++)
        slopes[i] = slope_of(&views[i], (is_coupled ? UNSEEN : 1) * own_width(p, &at[i]) /
                                            width_of(p, &at[i], size));
    return GRAD_OK;
}

/* ---- Softmax and its kin --------------------------------------------------------------------- */

static bool is_logarithm(const grad_radii_stage *s)
{
    return s->f.activation.kind == GRAD_LOG_SOFTMAX;
}

static bool is_coupled(const grad_radii_stage *s)
{
    return s->f.activation.kind == GRAD_SOFTMAX || s->f.activation.kind == GRAD_SOFTMIN ||
           is_logarithm(s);
}

static void forward_row(const grad_radii_pass *p, const grad_radii_stage *s, size_t first)
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
static void backward_row(const grad_radii_pass *p, const grad_radii_stage *s, size_t first,
                         const double *middle)
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

grad_status grad_radii_forward_function(const grad_radii_pass *p, const grad_radii_stage *s,
                                        grad_error *error)
{
    size_t count = s->B * s->N;
    double *z = s->scratch, *y = z + count, *ones = s->scratch + 7 * count;
    grad_network network = {.grad_output = state_of(p, s, ones)};
    grad_status status;

    for (size_t i = 0; i < count && grad_check_goes_on(p->check, i, 1); i++) {
        z[i] = s->z[i].middle;
        ones[i] = 1;
    }
    status = run_function(p, s, s->f, network, z, GRAD_OUTPUT_PREDICTIONS, y, error);
    for (size_t i = 0; i < count && status == GRAD_OK && grad_check_goes_on(p->check, i, 1); i++)
        s->y[i] = exactly(y[i]);
    for (size_t b = 0;
         b < s->B && status == GRAD_OK && is_coupled(s) && grad_check_goes_on(p->check, b, s->N);
         b++)
        forward_row(p, s, b * s->N);
    if (status == GRAD_OK && !is_coupled(s)) {
        status = grad_radii_find_slopes(p, s, &s->f, &network, s->z, false, s->slope, error);
        for (size_t i = 0; i < count && status == GRAD_OK && grad_check_goes_on(p->check, i, 1);
             i++)
            s->y[i].rounding =
                (fabs(s->slope[i].middle) + s->slope[i].kink + s->slope[i].rounding) *
                    s->z[i].rounding +
                4 * p->unit * fabs(s->y[i].middle) + p->least;
    }
    return status;
}

/* Δslope of prelu: Σ_b ∂L/∂y z, where z is below 0. */
static void add_slope_delta(const grad_radii_pass *p, const grad_radii_stage *s,
                            grad_interval *delta)
{
    double growth = growth_of(p, s->B * s->N);
    size_t columns = s->layer->slope.data == NULL ? 1 : s->layer->slope.shape[0];

    for (size_t i = 0; i < s->B * s->N && delta != NULL && grad_check_goes_on(p->check, i, 1);
         i++) {
        grad_interval dy = s->dy[i], z = s->z[i];

        if (z.middle > z.rounding)
            continue;
        dy.rounding += growth * fabs(dy.middle);
        z.middle = fmin(z.middle, 0);
        add(&delta[i % columns], times(dy, z), 1);
    }
}

grad_status grad_radii_backward_function(const grad_radii_pass *p, const grad_radii_stage *s,
                                         grad_error *error)
{
    size_t count = s->B * s->N;
    double *z = s->scratch, *dy = z + count, *dz = dy + count;
    grad_network network = {.grad_output = state_of(p, s, dy)};
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < count && grad_check_goes_on(p->check, i, 1); i++) {
        z[i] = s->z[i].middle;
        dy[i] = s->dy[i].middle;
    }
    if (is_coupled(s))
        status = run_function(p, s, s->f, network, z, GRAD_OUTPUT_GRAD_INPUT, dz, error);
    for (size_t b = 0; b < s->B && is_coupled(s) && grad_check_goes_on(p->check, b, s->N); b++)
        backward_row(p, s, b * s->N, dz);
    for (size_t i = 0; i < s->B * s->N && !is_coupled(s) && grad_check_goes_on(p->check, i, 1);
         i++) {
        double c = fabs(s->dy[i].middle);

        s->dz[i] = times(s->dy[i], s->slope[i]);
        s->dz[i].middle = c == 0 ? 0 : s->dz[i].middle;
        s->dz[i].rounding += 8 * p->unit * c * fabs(s->slope[i].middle) + p->least * (1 + c);
    }
    add_slope_delta(p, s, grad_radii_asked(p, s, GRAD_SLOPE_DELTA));
    return status;
}
