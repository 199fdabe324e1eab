/* Norms among the radii. Errors and radii take the way of the numbers, dx = s (g - mean g - x̂
 * mean g x̂) with g = γ ⊙ δ, by sizes; what x̂ and s are off by comes in besides. A norm
 * without a centre has no mean g. Over which numbers the means are, the kind's grad_norm_info
 * says. */
#include <float.h>
#include <math.h>

#include "gradcheck/radii.h"

/* One set that is normalized together: element i is at first + i step. */
typedef struct set {
    size_t first, step, count;
    double mean, scale; /* 1 / √(variance + ε) */
    double centring;    /* 1: the mean is taken off; 0: it is taken for 0 */
    bool is_fixed;      /* the running values, which do not depend on x */
} set;

static size_t at(const set *t, size_t i)
{
    return t->first + i * t->step;
}

static double normal(const grad_stage *s, const set *t, size_t i)
{
    return (s->x[at(t, i)] - t->mean) * t->scale;
}

/* What x is off by, the rounding of its distance from the mean counted in. */
static double error_of_x(const grad_stage *s, const set *t, size_t i)
{
    return s->ex[at(t, i)] + 4 * DBL_EPSILON * (fabs(s->x[at(t, i)]) + fabs(t->mean));
}

/* Into how many sets the features of a sample are cut. */
static size_t groups_of(const grad_stage *s)
{
    size_t attribute = grad_layer_info_of(s->layer.kind)->norm.groups;

    return attribute == 0 ? 1 : (size_t)grad_layer_attribute(&s->layer, attribute - 1);
}

static size_t count_sets(const grad_stage *s)
{
    return grad_layer_info_of(s->layer.kind)->norm.over_samples ? s->N : s->B * groups_of(s);
}

static set set_of(const grad_stage *s, size_t number)
{
    const grad_norm_info *norm = &grad_layer_info_of(s->layer.kind)->norm;
    size_t width = s->N / groups_of(s);
    set t = {.first = norm->over_samples ? number : number * width,
             .step = norm->over_samples ? s->N : 1,
             .count = norm->over_samples ? s->B : width,
             .centring = norm->uncentred ? 0 : 1,
             .is_fixed = s->layer.running_mean.data != NULL};
    double variance = 0;

    if (t.is_fixed) {
        t.mean = ((const double *)s->layer.running_mean.data)[number];
        variance = ((const double *)s->layer.running_variance.data)[number];
    }
    for (size_t i = 0; i < t.count && !t.is_fixed; i++)
        t.mean += t.centring * s->x[at(&t, i)] / (double)t.count;
    for (size_t i = 0; i < t.count && !t.is_fixed; i++)
        variance += pow(s->x[at(&t, i)] - t.mean, 2) / (double)t.count;
    t.scale = 1 / sqrt(variance + s->layer.epsilon);
    return t;
}

/* The means that the errors of x̂ and s are made of. */
typedef struct spread {
    double ex, ex_normal;
} spread;

static spread spread_of(const grad_stage *s, const set *t)
{
    spread m = {0, 0};

    for (size_t i = 0; i < t->count && !t->is_fixed; i++) {
        m.ex += t->centring * error_of_x(s, t, i) / (double)t->count;
        m.ex_normal += error_of_x(s, t, i) * fabs(normal(s, t, i)) / (double)t->count;
    }
    return m;
}

static double error_of_normal(const grad_radii *r, const grad_stage *s, const set *t,
                              const spread *m, size_t i)
{
    double x = fabs(normal(s, t, i));

    return t->scale * (error_of_x(s, t, i) + m->ex + x * m->ex_normal) + r->unit * x;
}

static double gain_of(const grad_stage *s, size_t element)
{
    const double *gain = s->layer.gain.data;

    return gain == NULL ? 1 : fabs(gain[element % s->N]);
}

void grad_radii_forward_norm(const grad_radii *r, grad_stage *s)
{
    for (size_t n = 0; n < count_sets(s); n++) {
        set t = set_of(s, n);
        spread m = spread_of(s, &t);

        for (size_t i = 0; i < t.count; i++) {
            size_t e = at(&t, i);
            double x = fabs(normal(s, &t, i)) * gain_of(s, e);

            s->ez[e] = gain_of(s, e) * error_of_normal(r, s, &t, &m, i) +
                       r->unit * (2 * x + fabs(s->z[e]));
        }
    }
}

/* ---- Backward -------------------------------------------------------------------------------- */

/* Means over a set of g's middles, radii and errors, and of their products with x̂. */
typedef struct sums {
    double kink, kink_normal, rounding, rounding_normal;
    double signed_normal, size, size_normal, size_error;
} sums;

static sums sums_of(const grad_radii *r, const grad_stage *s, const set *t, const spread *m)
{
    sums total = {.kink = 0};

    for (size_t i = 0; i < t->count && !t->is_fixed; i++) {
        size_t e = at(t, i);
        double x = normal(s, t, i), share = gain_of(s, e) / (double)t->count;
        const double *gain = s->layer.gain.data;
        double sign = gain != NULL && gain[e % s->N] < 0 ? -share : share;

        total.kink += t->centring * share * s->dz.kink[e];
        total.kink_normal += share * s->dz.kink[e] * fabs(x);
        total.rounding += t->centring * share * s->dz.rounding[e];
        total.rounding_normal += share * s->dz.rounding[e] * fabs(x);
        total.signed_normal += sign * s->dz.middle[e] * x;
        total.size += t->centring * share * fabs(s->dz.middle[e]);
        total.size_normal += share * fabs(s->dz.middle[e] * x);
        total.size_error += share * fabs(s->dz.middle[e]) * error_of_normal(r, s, t, m, i);
    }
    return total;
}

static void add_input(const grad_radii *r, const grad_stage *s, const set *t, const double *dx,
                      grad_intervals *before)
{
    spread m = spread_of(s, t);
    sums g = sums_of(r, s, t, &m);

    for (size_t i = 0; i < t->count; i++) {
        size_t e = at(t, i);
        double x = fabs(normal(s, t, i)), ex = error_of_normal(r, s, t, &m, i);
        double gain = gain_of(s, e), terms = gain * fabs(s->dz.middle[e]) + g.size;

        before->kink[e] += t->scale * (gain * s->dz.kink[e] + g.kink + x * g.kink_normal);
        before->rounding[e] +=
            t->scale * (gain * s->dz.rounding[e] + g.rounding + x * g.rounding_normal) +
            t->scale * (ex * fabs(g.signed_normal) + x * g.size_error) +
            t->scale * 16 * DBL_EPSILON * (terms + x * g.size_normal) +
            fabs(dx[e]) * (2 * r->unit + t->scale * m.ex_normal);
    }
}

static void add_parameters(const grad_radii *r, const grad_stage *s, const set *t)
{
    grad_intervals *gain = grad_radii_of(r, s, GRAD_GAIN_DELTA);
    grad_intervals *shift = grad_radii_of(r, s, GRAD_SHIFT_DELTA);
    double growth = grad_radii_growth(r, s->B);
    spread m = spread_of(s, t);

    for (size_t i = 0; i < t->count; i++) {
        size_t e = at(t, i), n = e % s->N;
        double x = fabs(normal(s, t, i)), c = fabs(s->dz.middle[e]), k = s->dz.kink[e];
        double rounding = s->dz.rounding[e];

        if (gain != NULL) {
            gain->kink[n] += k * x;
            gain->rounding[n] +=
                (rounding + growth * c) * x + (c + k + rounding) * error_of_normal(r, s, t, &m, i);
        }
        if (shift != NULL) {
            shift->kink[n] += k;
            shift->rounding[n] += rounding + growth * c;
        }
    }
}

void grad_radii_backward_norm(const grad_radii *r, grad_stage *s, const double *dx,
                              grad_intervals *before)
{
    for (size_t n = 0; n < count_sets(s); n++) {
        set t = set_of(s, n);

        add_input(r, s, &t, dx, before);
        add_parameters(r, s, &t);
    }
}
