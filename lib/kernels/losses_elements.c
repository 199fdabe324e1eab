/* The losses that are sums over the elements of y: each is a function of one element, y_j, its
 * target t_j and, for some, one number more. Worked out in double, in blocks, in loops that the
 * compiler makes vector code of. What is taken over a sample as a whole is elsewhere. */
#include "kernels/elementary.h"

#include <math.h>

#include "core/real.h"
#include "kernels/losses_row.h"

/* The loss of one element, and its derivative by y. */
typedef struct term {
    double value;
    double slope;
} term;

/* A part of a row, widened. */
typedef struct block {
    size_t count;
    const double *parameters;
    double y[GRAD_LOSS_BLOCK], t[GRAD_LOSS_BLOCK];
    double extra[GRAD_LOSS_BLOCK]; /* the variance, or pos_weight (1 where there is none) */
    double value[GRAD_LOSS_BLOCK], slope[GRAD_LOSS_BLOCK];
} block;

/* f_block, from f(y, t, extra, a, b, c), a b c being the loss's parameters. */
#define BLOCK_OF(f)                                                                                \
    static void f##_block(block *e)                                                                \
    {                                                                                              \
        const double a = e->parameters[0], b = e->parameters[1], c = e->parameters[2];             \
                                                                                                   \
        for (size_t i = 0; i < e->count; i++) {                                                    \
            term found = f(e->y[i], e->t[i], e->extra[i], a, b, c);                                \
                                                                                                   \
            e->value[i] = found.value;                                                             \
            e->slope[i] = found.slope;                                                             \
        }                                                                                          \
    }

/* The arguments that every term function takes, and the voids of those that it has no use for. */
#define ELEMENT double y, double t, double extra, double a, double b, double c
#define UNUSED (void)extra, (void)a, (void)b, (void)c

/* ---- Distances ------------------------------------------------------------------------------- */

/* -1, 0 or 1; 0 for a NaN, as PyTorch's sign. */
GRAD_INLINE double sign_of(double d)
{
    return (d > 0 ? 1.0 : 0.0) - (d < 0 ? 1.0 : 0.0);
}

GRAD_INLINE term mse(ELEMENT)
{
    double d = y - t;

    UNUSED;
    return (term){d * d, 2 * d};
}

GRAD_INLINE term l1(ELEMENT)
{
    double d = y - t;

    UNUSED;
    return (term){fabs(d), sign_of(d)};
}

/* a is beta; 0 makes it l1. */
GRAD_INLINE term smooth_l1(ELEMENT)
{
    double d = y - t, size = fabs(d);
    bool is_near = size < a;
    double far_slope = size >= a ? sign_of(d) : d; /* a NaN passes */

    UNUSED;
    return (term){is_near ? 0.5 * d * (d / a) : size - 0.5 * a, is_near ? d / a : far_slope};
}

/* a is delta. */
GRAD_INLINE term huber(ELEMENT)
{
    double d = y - t, size = fabs(d);
    bool is_near = size <= a;

    UNUSED;
    return (term){is_near ? 0.5 * d * d : a * (size - 0.5 * a),
                  size > a ? a * sign_of(d) : d}; /* a NaN passes */
}

/* log cosh d = log(1 + 2 sinh²(d/2)) while cosh d < 2, which keeps the digits near 0, and
 * |d| + log(1 + e^(-2|d|)) - log 2 from there on, which never overflows. */
GRAD_INLINE term log_cosh(ELEMENT)
{
    double d = y - t, size = fabs(d);
    grad_exponential e = grad_exponential_of(-size);
    double power = e.power + e.power * e.rest;      /* e^-|d| */
    double less = (e.power - 1) + e.power * e.rest; /* e^-|d| - 1 */
    double near_1 = less * less / (2 * (1 + less)); /* 2 sinh²(d/2) */
    bool is_near = size < 1;
    double log_of = grad_log1p(is_near ? near_1 : power * power);
    double tanh_of = -less * (2 + less) / (1 + power * power);

    UNUSED;
    return (term){is_near ? log_of : (size - M_LN2) + log_of, d < 0 ? -tanh_of : tanh_of};
}

BLOCK_OF(mse)
BLOCK_OF(l1)
BLOCK_OF(smooth_l1)
BLOCK_OF(huber)
BLOCK_OF(log_cosh)

/* ---- Probabilities --------------------------------------------------------------------------- */

/* PyTorch's clamps: a logarithm is -100 at least, y (1 - y) is 1e-12 at least; a NaN passes. */
GRAD_INLINE double held_log(double log_of)
{
    return log_of < -100 ? -100 : log_of;
}

/* log(1 - y) is the logarithm of the rounded 1 - y, less what the rounding added (which is exact):
 * as good as log1p here, in half the time. */
GRAD_INLINE term binary_cross_entropy(ELEMENT)
{
    double no = 1 - y, both = y * no;
    double log_of_no = log(no) - (y - (1 - no));

    UNUSED;
    return (term){(t - 1) * held_log(log_of_no) - t * held_log(log(y)),
                  (y - t) / (both < 1e-12 ? 1e-12 : both)};
}

/* With L = log(1 + e^-|y|): log(1 + e^-y) is L, less y where y < 0; log(1 + e^y) is L, plus y where
 * y > 0. Of the products the one that has no such y is left out, not multiplied by 0. */
GRAD_INLINE term bce_with_logits(ELEMENT)
{
    double yes = extra * t, no = 1 - t;
    double e = grad_exp(-fabs(y));
    double major = 1 / (1 + e), minor = e / (1 + e); /* sigmoid of |y| and of -|y| */
    bool is_up = y >= 0;

    UNUSED;
    return (term){(is_up ? no * y : -yes * y) + (no + yes) * grad_log1p(e),
                  no * (is_up ? major : minor) - yes * (is_up ? minor : major)};
}

/* a: the target is log t. t log t is 0 at t = 0. */
GRAD_INLINE term kl_div(ELEMENT)
{
    double log_of_t = a != 0 ? t : t == 0 ? 0 : log(t);
    double t_itself = a != 0 ? exp(t) : t;

    UNUSED;
    return (term){t_itself * (log_of_t - y), -t_itself};
}

BLOCK_OF(binary_cross_entropy)
BLOCK_OF(bce_with_logits)
BLOCK_OF(kl_div)

/* ---- Margins --------------------------------------------------------------------------------- */

/* a is the margin. The slope at the hinge is 0, as relu's at 0. */
GRAD_INLINE term hinge(ELEMENT)
{
    double missing = a - t * y;
    bool is_met = missing <= 0;

    UNUSED;
    return (term){is_met ? 0 : missing, is_met ? 0 : -t};
}

GRAD_INLINE term squared_hinge(ELEMENT)
{
    double missing = a - t * y;
    bool is_met = missing <= 0;

    UNUSED;
    return (term){is_met ? 0 : missing * missing, is_met ? 0 : -2 * t * missing};
}

BLOCK_OF(hinge)
BLOCK_OF(squared_hinge)

/* ---- Likelihoods ----------------------------------------------------------------------------- */

/* log t! by Stirling, for t > 1; 0 below, as PyTorch has it. */
GRAD_INLINE double stirling(double t)
{
    return t <= 1 ? 0 : t * log(t) - t + 0.5 * log(2 * M_PI * t);
}

/* a: y is the logarithm of the rate; b: with Stirling's term; c is eps. */
GRAD_INLINE term poisson_nll(ELEMENT)
{
    double rest = b != 0 ? stirling(t) : 0;

    (void)extra;
    if (a != 0) {
        double rate = exp(y);

        return (term){rate - t * y + rest, rate - t};
    }
    return (term){y - t * log(y + c) + rest, 1 - t / (y + c)};
}

/* extra is the variance, a: with the constant, b is eps. */
GRAD_INLINE term gaussian_nll(ELEMENT)
{
    double d = y - t, variance = extra < b ? b : extra;
    double constant = a != 0 ? 0.5 * log(2 * M_PI) : 0;

    (void)c;
    return (term){0.5 * (log(variance) + d * (d / variance)) + constant, d / variance};
}

BLOCK_OF(poisson_nll)
BLOCK_OF(gaussian_nll)

/* ---- A sample -------------------------------------------------------------------------------- */

static void (*const blocks[GRAD_LOSS_COUNT])(block *) = {
    [GRAD_MSE] = mse_block,
    [GRAD_L1] = l1_block,
    [GRAD_SMOOTH_L1] = smooth_l1_block,
    [GRAD_HUBER] = huber_block,
    [GRAD_LOG_COSH] = log_cosh_block,
    [GRAD_BINARY_CROSS_ENTROPY] = binary_cross_entropy_block,
    [GRAD_BCE_WITH_LOGITS] = bce_with_logits_block,
    [GRAD_KL_DIV] = kl_div_block,
    [GRAD_HINGE] = hinge_block,
    [GRAD_SQUARED_HINGE] = squared_hinge_block,
    [GRAD_POISSON_NLL] = poisson_nll_block,
    [GRAD_GAUSSIAN_NLL] = gaussian_nll_block,
};

static void fill(size_t count, double value, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = value;
}

/* The variance [B,N] or [B,1], pos_weight [N], or ones. */
static void take_extra(const grad_loss_row *row, size_t begin, block *e)
{
    const grad_loss_view *v = row->view;
    const grad_tensor *variance = &v->loss->variance, *pos_weight = &v->loss->pos_weight;

    if (v->loss->kind == GRAD_GAUSSIAN_NLL && grad_tensor_count(variance) == v->B * v->N)
        grad_loss_widen(v->type, variance->data, row->b * v->N + begin, e->count, e->extra);
    else if (v->loss->kind == GRAD_GAUSSIAN_NLL)
        fill(e->count, grad_real_at(v->type, variance->data, row->b), e->extra);
    else if (v->loss->kind == GRAD_BCE_WITH_LOGITS && pos_weight->data != NULL)
        grad_loss_widen(v->type, pos_weight->data, begin, e->count, e->extra);
    else
        fill(e->count, 1, e->extra);
}

static void take_block(const grad_loss_row *row, size_t begin, block *e)
{
    const grad_loss_view *v = row->view;
    size_t first = row->b * v->N + begin;

    e->count = v->N - begin < GRAD_LOSS_BLOCK ? v->N - begin : GRAD_LOSS_BLOCK;
    grad_loss_widen(v->type, v->y, first, e->count, e->y);
    grad_loss_widen(v->type, v->loss->target.data, first, e->count, e->t);
    take_extra(row, begin, e);
}

double grad_loss_elements_row(const grad_loss_row *row)
{
    const grad_loss_view *v = row->view;
    bool is_fused = v->fusion == GRAD_FUSED_SIGMOID;
    void (*work_out)(block *) = blocks[is_fused ? GRAD_BCE_WITH_LOGITS : v->loss->kind];
    double sum = 0;
    block e;

    e.parameters = v->loss->parameters;
    for (size_t begin = 0; begin < v->N; begin += GRAD_LOSS_BLOCK) {
        take_block(row, begin, &e);
        work_out(&e);
        sum += grad_loss_sum(e.count, e.value);
        grad_loss_narrow(v->type, row->losses, begin, e.count, row->weight, e.value);
        grad_loss_narrow(v->type, row->grad, begin, e.count, row->weight / v->divisor, e.slope);
    }
    return row->weight * sum;
}
