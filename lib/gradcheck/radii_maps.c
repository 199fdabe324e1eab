/* Radii through what makes z of x: products, norms, or nothing. */
#include <float.h>
#include <math.h>

#include "gradcheck/radii.h"

/* ---- Through products ------------------------------------------------------------------------ */

static void forward_product(const grad_radii_pass *p, const grad_radii_stage *s)
{
    const double *W = s->layer->weight.data, *b = s->layer->bias.data;
    double growth = growth_of(p, s->K);

    for (size_t i = 0; i < s->B * s->N && grad_check_goes_on(p->check, i, s->K); i++) {
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

static void backward_product(const grad_radii_pass *p, const grad_radii_stage *s, grad_interval *dx)
{
    const double *W = dx == NULL ? NULL : s->layer->weight.data;
    grad_interval *dW = grad_radii_asked(p, s, GRAD_WEIGHT_DELTA),
                  *db = grad_radii_asked(p, s, GRAD_BIAS_DELTA);

    for (size_t i = 0; i < s->B * s->N && grad_check_goes_on(p->check, i, 2 * s->K); i++) {
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

static size_t count_sets(const grad_radii_stage *s, const grad_norm_info *norm, size_t *width)
{
    size_t groups =
        norm->groups == 0 ? 1 : (size_t)grad_layer_attribute(s->layer, norm->groups - 1);

    *width = norm->over_samples ? s->B : s->N / groups;
    return norm->over_samples ? s->N : s->B * groups;
}

/* Its mean and variance, in double: of numbers about the first mean, which loses nothing, and as
 * parts of the largest, whose square may overflow. */
static void take_moments(const grad_radii_stage *s, set *t, size_t number)
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
static set normalize(const grad_radii_pass *p, const grad_radii_stage *s,
                     const grad_norm_info *norm, size_t width, size_t number)
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
static double number_at(const grad_tensor *tensor, const grad_radii_stage *s, size_t element,
                        double otherwise)
{
    return tensor->data == NULL ? otherwise : ((const double *)tensor->data)[element % s->N];
}

static void forward_norm(const grad_radii_pass *p, const grad_radii_stage *s)
{
    const grad_norm_info *norm = &grad_layer_info_of(s->layer->kind)->norm;
    size_t width, sets = count_sets(s, norm, &width);

    for (size_t n = 0; n < sets && grad_check_goes_on(p->check, n, width); n++)
        normalize(p, s, norm, width, n);
    for (size_t e = 0; e < s->B * s->N && grad_check_goes_on(p->check, e, 1); e++) {
        grad_interval z = times(s->z[e], exactly(number_at(&s->layer->gain, s, e, 1)));
        double size = fabs(z.middle);

        z.middle += number_at(&s->layer->shift, s, e, 0);
        z.rounding += p->unit * (2 * size + fabs(z.middle));
        s->z[e] = z;
    }
}

/* dx = s (g - mean g - x̂ mean(g x̂)) with g = γ ⊙ δ; what rounds in double is of g's size. */
static void backward_set(const grad_radii_stage *s, const set *t, grad_interval *dx)
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

static void backward_norm(const grad_radii_pass *p, const grad_radii_stage *s, grad_interval *dx)
{
    const grad_norm_info *norm = &grad_layer_info_of(s->layer->kind)->norm;
    grad_interval *gain = grad_radii_asked(p, s, GRAD_GAIN_DELTA),
                  *shift = grad_radii_asked(p, s, GRAD_SHIFT_DELTA);
    size_t width, sets = count_sets(s, norm, &width);

    for (size_t n = 0; n < sets && grad_check_goes_on(p->check, n, width); n++) {
        set t = normalize(p, s, norm, width, n);

        if (dx != NULL)
            backward_set(s, &t, dx);
    }
    for (size_t e = 0; e < s->B * s->N && grad_check_goes_on(p->check, e, 1); e++) {
        if (gain != NULL)
            add(&gain[e % s->N], times(s->dz[e], s->z[e]), 1);
        if (shift != NULL)
            add(&shift[e % s->N], s->dz[e], 1);
    }
}

/* ---- Through nothing ------------------------------------------------------------------------- */

static void forward_identity(const grad_radii_pass *p, const grad_radii_stage *s)
{
    for (size_t i = 0; i < s->B * s->N && grad_check_goes_on(p->check, i, 1); i++)
        s->z[i] = s->x[i];
}

static void backward_identity(const grad_radii_pass *p, const grad_radii_stage *s,
                              grad_interval *dx)
{
    for (size_t i = 0; i < s->B * s->N && dx != NULL && grad_check_goes_on(p->check, i, 1); i++)
        add(&dx[i], s->dz[i], 1);
}

static const grad_radii_map maps[] = {[GRAD_MAP_IDENTITY] = {forward_identity, backward_identity},
                                      [GRAD_MAP_PRODUCT] = {forward_product, backward_product},
                                      [GRAD_MAP_NORM] = {forward_norm, backward_norm}};

const grad_radii_map *grad_radii_map_of(const grad_layer *layer)
{
    return &maps[grad_map_of(layer)];
}
