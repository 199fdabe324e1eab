/* Naive twins of the losses that are sums over elements: torch.nn.functional's formulae, and
 * textbooks' for log_cosh and the hinges. The magnitudes beside them say how errors add up. */
#include "support/loss_element_twins.h"

#include <math.h>

/* A value that comes out with a few units of its own last place. */
static twin_number plain(long double value)
{
    return (twin_number){value, fabsl(value)};
}

/* a + b, which may cancel. */
static twin_number sum(long double a, long double b)
{
    return (twin_number){a + b, fabsl(a) + fabsl(b)};
}

/* ---- Distances ------------------------------------------------------------------------------- */

static twin_number mse_value(loss_element e)
{
    return plain(powl(e.y - e.t, 2));
}

static twin_number mse_slope(loss_element e)
{
    return plain(2 * (e.y - e.t));
}

static twin_number l1_value(loss_element e)
{
    return plain(fabsl(e.y - e.t));
}

static twin_number l1_slope(loss_element e)
{
    return plain(e.y > e.t ? 1 : e.y < e.t ? -1 : 0);
}

static twin_number smooth_l1_value(loss_element e)
{
    long double beta = e.p[0], d = fabsl(e.y - e.t);

    return d < beta ? plain(d * d / (2 * beta)) : sum(d, -beta / 2);
}

static twin_number smooth_l1_slope(loss_element e)
{
    long double beta = e.p[0], d = e.y - e.t;

    return fabsl(d) < beta ? plain(d / beta) : l1_slope(e);
}

static twin_number huber_value(loss_element e)
{
    long double delta = e.p[0], d = fabsl(e.y - e.t);

    return d < delta ? plain(d * d / 2) : sum(delta * d, -delta * delta / 2);
}

static twin_number huber_slope(loss_element e)
{
    long double delta = e.p[0], d = e.y - e.t;

    return plain(fminl(fmaxl(d, -delta), delta));
}

/* log cosh d = -log(1 - tanh² d) / 2 near 0; a cosh that overflows is e^|d| / 2. */
static twin_number log_cosh_value(loss_element e)
{
    long double d = fabsl(e.y - e.t);

    if (d < 1)
        return plain(-log1pl(-powl(tanhl(d), 2)) / 2);
    if (d > 11000)
        return plain(d - logl(2));
    return (twin_number){logl(coshl(d)), d};
}

static twin_number log_cosh_slope(loss_element e)
{
    return plain(tanhl(e.y - e.t));
}

/* ---- Probabilities --------------------------------------------------------------------------- */

static twin_number bce_value(loss_element e)
{
    long double yes = fmaxl(logl(e.y), -100), no = fmaxl(log1pl(-e.y), -100);

    return sum(-e.t * yes, -(1 - e.t) * no);
}

static twin_number bce_slope(loss_element e)
{
    return plain((e.y - e.t) / fmaxl(e.y * (1 - e.y), 1e-12L));
}

/* log(1 + e^x), with nothing lost for very negative x. */
static long double softplus(long double x)
{
    return x > 11000 ? x : log1pl(expl(x));
}

static twin_number logits_value(loss_element e)
{
    return sum(e.extra * e.t * softplus(-e.y), (1 - e.t) * softplus(e.y));
}

static twin_number logits_slope(loss_element e)
{
    return sum((1 - e.t) / (1 + expl(-e.y)), -e.extra * e.t / (1 + expl(e.y)));
}

/* -alpha_t (1 - p_t)^gamma log p_t, log p_t being -softplus(-x) of the logit x of what is true. */
static twin_number focal_value(loss_element e)
{
    long double x = e.t == 1 ? e.y : -e.y, weight = e.t == 1 ? e.p[0] : 1 - e.p[0];
    long double value = weight * powl(1 / (1 + expl(x)), e.p[1]) * softplus(-x);

    return (twin_number){value, fabsl(value) * (2 + e.p[1] * softplus(x))};
}

static twin_number focal_slope(loss_element e)
{
    long double x = e.t == 1 ? e.y : -e.y, weight = e.t == 1 ? -e.p[0] : 1 - e.p[0];
    long double p = 1 / (1 + expl(-x)), rest = 1 / (1 + expl(x));
    long double slope = weight * powl(rest, e.p[1]) * (e.p[1] * p * softplus(-x) + rest);

    return (twin_number){slope, fabsl(slope) * (2 + e.p[1] * softplus(x))};
}

static twin_number kl_div_value(loss_element e)
{
    if (e.p[0] != 0)
        return sum(expl(e.t) * e.t, -expl(e.t) * e.y);
    return sum(e.t == 0 ? 0 : e.t * logl(e.t), -e.t * e.y);
}

static twin_number kl_div_slope(loss_element e)
{
    return plain(e.p[0] != 0 ? -expl(e.t) : -e.t);
}

/* ---- Margins --------------------------------------------------------------------------------- */

static twin_number hinge_value(loss_element e)
{
    return (twin_number){fmaxl(0, e.p[0] - e.t * e.y), fabsl(e.p[0]) + fabsl(e.t * e.y)};
}

static twin_number hinge_slope(loss_element e)
{
    return plain(e.p[0] - e.t * e.y > 0 ? -e.t : 0);
}

static twin_number squared_hinge_value(loss_element e)
{
    twin_number h = hinge_value(e);

    return (twin_number){h.value * h.value, 2 * h.value * h.magnitude};
}

static twin_number squared_hinge_slope(loss_element e)
{
    twin_number h = hinge_value(e);

    return (twin_number){-2 * e.t * h.value, 2 * fabsl(e.t) * h.magnitude};
}

/* ---- Likelihoods ----------------------------------------------------------------------------- */

static const long double pi = 3.141592653589793238462643383279502884L;

/* A logarithm of a rounded number is off by a rounding error of 1. */
static twin_number poisson_value(loss_element e)
{
    bool log_input = e.p[0] != 0, full = e.p[1] != 0 && e.t > 1;
    long double eps = e.p[2];
    long double rate = log_input ? expl(e.y) : e.y;
    long double log_rate = log_input ? e.y : logl(e.y + eps);
    long double stirling = full ? e.t * logl(e.t) - e.t + logl(2 * pi * e.t) / 2 : 0;
    long double terms = full ? e.t * logl(e.t) + e.t + fabsl(logl(2 * pi * e.t)) / 2 + 1 : 0;

    return (twin_number){rate - e.t * log_rate + stirling,
                         fabsl(rate) + fabsl(e.t) * (fabsl(log_rate) + 1) + terms};
}

static twin_number poisson_slope(loss_element e)
{
    if (e.p[0] != 0)
        return sum(expl(e.y), -e.t);
    return sum(1, -e.t / (e.y + e.p[2]));
}

static twin_number gaussian_value(loss_element e)
{
    long double variance = fmaxl(e.extra, e.p[1]);
    long double square = powl(e.y - e.t, 2) / variance;
    long double constant = e.p[0] != 0 ? logl(2 * pi) : 0;

    return (twin_number){(logl(variance) + square + constant) / 2,
                         (fabsl(logl(variance)) + square + constant) / 2};
}

static twin_number gaussian_slope(loss_element e)
{
    return plain((e.y - e.t) / fmaxl(e.extra, e.p[1]));
}

/* ---- The table ------------------------------------------------------------------------------- */

static const loss_element_twin twins[GRAD_LOSS_COUNT] = {
    [GRAD_MSE] = {mse_value, mse_slope},
    [GRAD_L1] = {l1_value, l1_slope},
    [GRAD_SMOOTH_L1] = {smooth_l1_value, smooth_l1_slope},
    [GRAD_HUBER] = {huber_value, huber_slope},
    [GRAD_LOG_COSH] = {log_cosh_value, log_cosh_slope},
    [GRAD_BINARY_CROSS_ENTROPY] = {bce_value, bce_slope},
    [GRAD_BCE_WITH_LOGITS] = {logits_value, logits_slope},
    [GRAD_FOCAL] = {focal_value, focal_slope},
    [GRAD_KL_DIV] = {kl_div_value, kl_div_slope},
    [GRAD_HINGE] = {hinge_value, hinge_slope},
    [GRAD_SQUARED_HINGE] = {squared_hinge_value, squared_hinge_slope},
    [GRAD_POISSON_NLL] = {poisson_value, poisson_slope},
    [GRAD_GAUSSIAN_NLL] = {gaussian_value, gaussian_slope},
};

const loss_element_twin *loss_element_twin_of(grad_loss_kind kind)
{
    return twins[kind].value == NULL ? NULL : &twins[kind];
}
