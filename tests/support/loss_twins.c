/* Naive twins of the losses over a batch, and of those that take a sample as a whole: cross
 * entropy, nll and cosine embedding. One number at a time; cross entropy's take N² steps a sample.
 */
#include "support/loss_twins.h"

#include <math.h>

#include "core/real.h"
#include "support/loss_element_twins.h"

static long double at(const loss_twin *twin, const grad_tensor *tensor, size_t i)
{
    return grad_real_at(twin->type, tensor->data, i);
}

static long double at_or_1(const loss_twin *twin, const grad_tensor *tensor, size_t i)
{
    return tensor->data == NULL ? 1 : at(twin, tensor, i);
}

/* ---- Classes --------------------------------------------------------------------------------- */

bool twin_is_ignored(const loss_twin *twin, size_t b)
{
    const grad_loss *loss = twin->loss;
    double ignored = loss->parameters[loss->kind == GRAD_NLL ? 0 : 1];

    return twin->has_classes && at(twin, &loss->target, b) == ignored;
}

/* How much of -log softmax(z)_j the cross entropy holds: the formulae of PyTorch's
 * cross_entropy, whose term of label smoothing has the class weights in it as well. */
static long double coefficient(const loss_twin *twin, size_t b, size_t j)
{
    const grad_loss *loss = twin->loss;
    long double s = loss->parameters[0], w = at_or_1(twin, &loss->class_weight, j);
    long double N = (long double)twin->N;

    if (twin->has_classes)
        return w * ((at(twin, &loss->target, b) == j ? 1 - s : 0) + s / N);
    return w * (at(twin, &loss->target, b * twin->N + j) * (1 - s) + s / N);
}

/* Σ_{k≠j} e^(z_k - z_j), and how far its terms are off: one whose exponent is x by 1 + |x|. */
static twin_number odds_against(const loss_twin *twin, size_t b, size_t j)
{
    const long double *z = twin->y + b * twin->N;
    twin_number odds = {0, 0};

    for (size_t k = 0; k < twin->N; k++)
        if (k != j) {
            odds.value += expl(z[k] - z[j]);
            odds.magnitude += expl(z[k] - z[j]) * (1 + fabsl(z[k] - z[j]));
        }
    return odds;
}

/* -log softmax(z)_j = log(1 + odds against j), which long double's exp does not always hold. */
static twin_number surprise(const loss_twin *twin, size_t b, size_t j)
{
    const long double *z = twin->y + b * twin->N;
    twin_number odds = odds_against(twin, b, j);
    long double top = z[0];

    for (size_t k = 1; k < twin->N; k++)
        top = fmaxl(top, z[k]);
    if (isinf(odds.value)) {
        long double sum = 0;

        for (size_t k = 0; k < twin->N; k++)
            sum += expl(z[k] - top);
        return (twin_number){top - z[j] + logl(sum), 2 * (top - z[j])};
    }
    return (twin_number){log1pl(odds.value), top - z[j] + odds.magnitude / (1 + odds.value)};
}

static twin_number cross_entropy(const loss_twin *twin, size_t b)
{
    twin_number loss = {0, 0};

    for (size_t j = 0; j < twin->N; j++) {
        long double c = coefficient(twin, b, j);
        twin_number nats = c != 0 ? surprise(twin, b, j) : (twin_number){0, 0};

        loss.value += c * nats.value;
        loss.magnitude += fabsl(c) * nats.magnitude;
    }
    return loss;
}

/* Σ c p_j - c_j with p = softmax(z), as (Σ_{k≠j} c_k) p_j - c_j (1 - p_j): nothing cancels where
 * one p is near 1. */
static twin_number cross_entropy_slope(const loss_twin *twin, size_t b, size_t j)
{
    twin_number odds = odds_against(twin, b, j);
    long double p = 1 / (1 + odds.value), against = isinf(odds.value) ? 1 : odds.value * p;
    long double spread = isinf(odds.value) ? 1 : odds.magnitude * p;
    long double c = coefficient(twin, b, j), others = 0, magnitude = 0;

    for (size_t k = 0; k < twin->N; k++)
        if (k != j) {
            others += coefficient(twin, b, k);
            magnitude += fabsl(coefficient(twin, b, k));
        }
    return (twin_number){others * p - c * against,
                         magnitude * p * (1 + spread) + fabsl(c) * (against + spread)};
}

static twin_number nll(const loss_twin *twin, size_t b)
{
    size_t t = (size_t)at(twin, &twin->loss->target, b);
    long double value = -at_or_1(twin, &twin->loss->class_weight, t) * twin->y[b * twin->N + t];

    return (twin_number){value, fabsl(value)};
}

static twin_number nll_slope(const loss_twin *twin, size_t b, size_t j)
{
    size_t t = (size_t)at(twin, &twin->loss->target, b);
    long double weight = at_or_1(twin, &twin->loss->class_weight, t);

    return (twin_number){j == t ? -weight : 0, weight};
}

/* ---- Cosine embedding ------------------------------------------------------------------------ */

typedef struct cosine {
    long double yo, sizes, yy, oo;
} cosine;

static cosine cosine_of(const loss_twin *twin, size_t b)
{
    cosine c = {0, 0, 1e-12L, 1e-12L};

    for (size_t j = 0; j < twin->N; j++) {
        long double y = twin->y[b * twin->N + j];
        long double o = at(twin, &twin->loss->other, b * twin->N + j);

        c.yo += y * o;
        c.sizes += fabsl(y * o);
        c.yy += y * y;
        c.oo += o * o;
    }
    return c;
}

static twin_number cosine_loss(const loss_twin *twin, size_t b)
{
    cosine c = cosine_of(twin, b);
    long double cos_of = c.yo / sqrtl(c.yy * c.oo), margin = twin->loss->parameters[0];
    long double size = c.sizes / sqrtl(c.yy * c.oo);

    if (at(twin, &twin->loss->target, b) == 1)
        return (twin_number){1 - cos_of, 1 + size};
    return (twin_number){fmaxl(0, cos_of - margin), size + fabsl(margin)};
}

static twin_number cosine_slope(const loss_twin *twin, size_t b, size_t j)
{
    cosine c = cosine_of(twin, b);
    long double norms = sqrtl(c.yy * c.oo), sign;
    long double y = twin->y[b * twin->N + j];
    long double o = at(twin, &twin->loss->other, b * twin->N + j);

    if (at(twin, &twin->loss->target, b) == 1)
        sign = -1;
    else
        sign = c.yo / norms > twin->loss->parameters[0] ? 1 : 0;
    return (twin_number){sign * (o / norms - y * c.yo / (norms * c.yy)),
                         fabsl(o) / norms + fabsl(y) * c.sizes / (norms * c.yy)};
}

/* ---- Any loss -------------------------------------------------------------------------------- */

static loss_element element_at(const loss_twin *twin, size_t b, size_t j)
{
    const grad_loss *loss = twin->loss;
    size_t i = b * twin->N + j;
    loss_element e = {twin->y[i], at(twin, &loss->target, i), 1, loss->parameters};

    if (loss->pos_weight.data != NULL)
        e.extra = at(twin, &loss->pos_weight, j);
    if (loss->variance.data != NULL)
        e.extra = at(twin, &loss->variance,
                     loss->variance.shape[loss->variance.rank - 1] == twin->N ? i : b);
    return e;
}

twin_number twin_element_loss(const loss_twin *twin, size_t b, size_t j)
{
    return loss_element_twin_of(twin->loss->kind)->value(element_at(twin, b, j));
}

twin_number twin_sample_loss(const loss_twin *twin, size_t b)
{
    twin_number loss = {0, 0};

    if (twin_is_ignored(twin, b))
        return loss;
    if (twin->loss->kind == GRAD_CROSS_ENTROPY)
        return cross_entropy(twin, b);
    if (twin->loss->kind == GRAD_NLL)
        return nll(twin, b);
    if (twin->loss->kind == GRAD_COSINE_EMBEDDING)
        return cosine_loss(twin, b);
    for (size_t j = 0; j < twin->N; j++) {
        twin_number element = twin_element_loss(twin, b, j);

        loss.value += element.value;
        loss.magnitude += element.magnitude;
    }
    return loss;
}

twin_number twin_loss_slope(const loss_twin *twin, size_t b, size_t j)
{
    if (twin_is_ignored(twin, b))
        return (twin_number){0, 0};
    if (twin->loss->kind == GRAD_CROSS_ENTROPY)
        return cross_entropy_slope(twin, b, j);
    if (twin->loss->kind == GRAD_NLL)
        return nll_slope(twin, b, j);
    if (twin->loss->kind == GRAD_COSINE_EMBEDDING)
        return cosine_slope(twin, b, j);
    return loss_element_twin_of(twin->loss->kind)->slope(element_at(twin, b, j));
}

/* ---- The reduction --------------------------------------------------------------------------- */

static long double weight_of_classes(const loss_twin *twin)
{
    long double weights = 0;

    for (size_t b = 0; b < twin->B; b++)
        if (!twin_is_ignored(twin, b))
            weights +=
                at_or_1(twin, &twin->loss->class_weight, (size_t)at(twin, &twin->loss->target, b));
    return weights;
}

long double twin_loss_divisor(const loss_twin *twin)
{
    grad_loss_kind kind = twin->loss->kind;

    if (twin->loss->reduction == GRAD_LOSS_BATCH_MEAN)
        return (long double)twin->B;
    if (twin->loss->reduction != GRAD_LOSS_MEAN)
        return 1;
    if (twin->has_classes)
        return weight_of_classes(twin);
    if (kind == GRAD_CROSS_ENTROPY || kind == GRAD_COSINE_EMBEDDING)
        return (long double)twin->B;
    return (long double)(twin->B * twin->N);
}

long double twin_sample_weight(const loss_twin *twin, size_t b)
{
    return at_or_1(twin, &twin->loss->sample_weight, b);
}

twin_number twin_loss_total(const loss_twin *twin)
{
    long double divisor = twin_loss_divisor(twin);
    twin_number total = {0, 0};

    for (size_t b = 0; b < twin->B; b++) {
        twin_number loss = twin_sample_loss(twin, b);

        total.value += twin_sample_weight(twin, b) * loss.value / divisor;
        total.magnitude += twin_sample_weight(twin, b) * loss.magnitude / divisor;
    }
    return total;
}
