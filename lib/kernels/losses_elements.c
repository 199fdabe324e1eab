/* The losses that are sums over the elements of y: each is a function of one element, y_j, its
 * target t_j and, for some, one number more. Worked out in double, in blocks, in loops that the
 * compiler makes vector code of. What is taken over a sample as a whole is elsewhere. */
#include "kernels/elementary.h"

#include <float.h>
#include <math.h>

#include "core/real.h"
#include "kernels/losses_blocks.h"

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

static void fill(size_t count, double value, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = value;
}

/* The variance [B,N] or [B,1], pos_weight [N], or ones. */
static void take_extra(const grad_loss_sample *sample, size_t begin, block *e)
{
    const grad_loss_view *v = sample->view;
    const grad_tensor *variance = &v->loss->variance, *pos_weight = &v->loss->pos_weight;

    if (variance->data != NULL && grad_tensor_count(variance) == v->B * v->N)
        grad_loss_widen(v->type, variance->data, sample->b * v->N + begin, e->count, e->extra);
    else if (variance->data != NULL)
        fill(e->count, grad_real_at(v->type, variance->data, sample->b), e->extra);
    else if (pos_weight->data != NULL)
        grad_loss_widen(v->type, pos_weight->data, begin, e->count, e->extra);
    else
        fill(e->count, 1, e->extra);
}

static void take_block(const grad_loss_sample *sample, size_t begin, block *e)
{
    const grad_loss_view *v = sample->view;
    size_t first = sample->b * v->N + begin;

    e->count = v->N - begin < GRAD_LOSS_BLOCK ? v->N - begin : GRAD_LOSS_BLOCK;
    grad_loss_widen(v->type, v->y, first, e->count, e->y);
    grad_loss_widen(v->type, v->loss->target.data, first, e->count, e->t);
    take_extra(sample, begin, e);
}

static double sum_of_elements(const grad_loss_sample *sample, void (*work_out)(block *))
{
    const grad_loss_view *v = sample->view;
    double sum = 0;
    block e;

    e.parameters = v->loss->parameters;
    for (size_t begin = 0; begin < v->N; begin += GRAD_LOSS_BLOCK) {
        take_block(sample, begin, &e);
        work_out(&e);
        sum += grad_loss_sum(e.count, e.value);
        grad_loss_narrow(v->type, sample->losses, begin, e.count, sample->weight, e.value);
        grad_loss_narrow(v->type, sample->grad, begin, e.count, sample->weight / v->divisor,
                         e.slope);
    }
    return sample->weight * sum;
}

/* f_sample, from f(y, t, extra, a, b, c), a b c being the loss's parameters. */
#define SAMPLE_OF(f)                                                                               \
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
    }                                                                                              \
                                                                                                   \
    static double f##_sample(const grad_loss_sample *sample)                                       \
    {                                                                                              \
        return sum_of_elements(sample, f##_block);                                                 \
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

SAMPLE_OF(mse)
SAMPLE_OF(l1)
SAMPLE_OF(smooth_l1)
SAMPLE_OF(huber)
SAMPLE_OF(log_cosh)

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

/* Lin et al., Focal Loss for Dense Object Detection, arXiv:1708.02002. a is alpha, b gamma. With
 * u = -y of the class 1 and y of the class 0 the loss is σ(u)^gamma log(1 + e^u), times the class's
 * part of alpha. */
GRAD_INLINE term focal(ELEMENT)
{
    bool is_class = t != 0;
    double u = is_class ? -y : y, weight = is_class ? a : 1 - a;
    double e = grad_exp(-fabs(u)), rest = grad_log1p(e);
    double major = 1 / (1 + e), minor = e / (1 + e);
    double cost = (u > 0 ? u : 0) + rest;      /* log(1 + e^u) */
    double surprise = (u < 0 ? -u : 0) + rest; /* -log σ(u) */
    double power = b != 0 ? grad_exp(-b * surprise) : 1;
    double held = cost > DBL_MAX ? DBL_MAX : cost; /* 0 times it is 0 */
    double inner = b * ((u >= 0 ? minor : major) * held) + (u >= 0 ? major : minor);
    double slope = weight * (power * inner);

    (void)extra;
    (void)c;
    return (term){weight * (power * cost), is_class ? -slope : slope};
}

/* a: the target is log t. t log t is 0 at t = 0. */
GRAD_INLINE term kl_div(ELEMENT)
{
    double log_of_t = a != 0 ? t : t == 0 ? 0 : log(t);
    double t_itself = a != 0 ? exp(t) : t;

    UNUSED;
    return (term){t_itself * (log_of_t - y), -t_itself};
}

SAMPLE_OF(binary_cross_entropy)
SAMPLE_OF(bce_with_logits)
SAMPLE_OF(focal)
SAMPLE_OF(kl_div)

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

SAMPLE_OF(hinge)
SAMPLE_OF(squared_hinge)

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

SAMPLE_OF(poisson_nll)
SAMPLE_OF(gaussian_nll)

/* ---- What targets and outputs may be --------------------------------------------------------- */

static const char *probability_target(const double *p, double t, bool must_be_finite)
{
    (void)p;
    (void)must_be_finite;
    return t >= 0 && t <= 1 ? NULL : "a probability from 0 to 1";
}

static const char *binary_target(const double *p, double t, bool must_be_finite)
{
    (void)p;
    (void)must_be_finite;
    return t == 0 || t == 1 ? NULL : "0 or 1";
}

static const char *probability_output(const double *p, double y)
{
    return probability_target(p, y, true);
}

/* The logarithm of a negative number is a NaN, which may be allowed. */
static const char *divergence_target(const double *p, double t, bool must_be_finite)
{
    bool is_logarithm = p[0] != 0;

    return !must_be_finite || is_logarithm || !(t < 0)
               ? NULL
               : "a number that is not negative, log_target being false";
}

static const char *rate_output(const double *p, double y)
{
    bool is_logarithm = p[0] != 0;

    if (is_logarithm || y + p[2] > 0)
        return NULL;
    return y == 0 ? "a positive rate, log_input being false and eps 0"
                  : "a rate that is not negative, log_input being false";
}

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
const grad_loss_row grad_mse_loss = {
    .info = {GRAD_MSE, "mse",
        "(y - t)^2",
        "2 * (y - t)",
        GRAD_LOSS_FULL, 0, {{0}},
        GRAD_SYNONYMS("mean_squared_error", "squared_error")},
    .sample = mse_sample,
};

const grad_loss_row grad_l1_loss = {
    .info = {GRAD_L1, "l1",
        "abs(y - t)",
        "sign(y - t)",
        GRAD_LOSS_FULL, 0, {{0}},
        GRAD_SYNONYMS("mae",
                      "mean_absolute_error",
                      "absolute_difference")},
    .sample = l1_sample,
};

const grad_loss_row grad_smooth_l1_loss = {
    .info = {GRAD_SMOOTH_L1, "smooth_l1",
        "abs(y - t) < beta ? (y - t)^2 / (2 * beta) : abs(y - t) - beta / 2",
        "abs(y - t) < beta ? (y - t) / beta : sign(y - t)",
        GRAD_LOSS_FULL, 1, {{"beta", 1, GRAD_NOT_NEGATIVE}}, GRAD_NO_SYNONYMS},
    .sample = smooth_l1_sample,
};

const grad_loss_row grad_huber_loss = {
    .info = {GRAD_HUBER, "huber",
        "abs(y - t) <= delta ? (y - t)^2 / 2 : delta * (abs(y - t) - delta / 2)",
        "abs(y - t) <= delta ? y - t : delta * sign(y - t)",
        GRAD_LOSS_FULL, 1, {{"delta", 1, GRAD_POSITIVE}}, GRAD_NO_SYNONYMS},
    .sample = huber_sample,
};

const grad_loss_row grad_log_cosh_loss = {
    .info = {GRAD_LOG_COSH, "log_cosh",
        "log(cosh(y - t))",
        "tanh(y - t)",
        GRAD_LOSS_FULL, 0, {{0}}, GRAD_NO_SYNONYMS},
    .sample = log_cosh_sample,
};

const grad_loss_row grad_binary_cross_entropy_loss = {
    .info = {GRAD_BINARY_CROSS_ENTROPY, "binary_cross_entropy",
        "-t * max(log(y), -100) - (1 - t) * max(log(1 - y), -100)",
        "(y - t) / max(y * (1 - y), 1e-12)",
        GRAD_LOSS_FULL, 0, {{0}}, GRAD_SYNONYMS("bce")},
    .sample = binary_cross_entropy_sample,
    .target = probability_target,
    .output = probability_output,
    .fuses_with = GRAD_SIGMOID,
    .fused = GRAD_BCE_WITH_LOGITS,
};

const grad_loss_row grad_bce_with_logits_loss = {
    .info = {GRAD_BCE_WITH_LOGITS, "bce_with_logits",
        "pos_weight * t * log(1 + exp(-y)) + (1 - t) * log(1 + exp(y))",
        "(1 - t) / (1 + exp(-y)) - pos_weight * t / (1 + exp(y))",
        GRAD_LOSS_FULL | GRAD_LOSS_POS_WEIGHT, 0, {{0}},
        GRAD_SYNONYMS("binary_cross_entropy_with_logits",
                      "sigmoid_cross_entropy",
                      "sigmoid_cross_entropy_with_logits",
                      "sigmoid_binary_cross_entropy")},
    .sample = bce_with_logits_sample,
    .has_own = "sigmoid",
};

const grad_loss_row grad_focal_loss = {
    .info = {GRAD_FOCAL, "focal",
        "t = 1 ? alpha * (1 - p)^gamma * log(1 + exp(-y)) : "
        "(1 - alpha) * p^gamma * log(1 + exp(y)) with p = 1 / (1 + exp(-y))",
        "t = 1 ? -alpha * (1 - p)^gamma * (gamma * p * log(1 + exp(-y)) + 1 - p) : "
        "(1 - alpha) * p^gamma * (gamma * (1 - p) * log(1 + exp(y)) + p)",
        GRAD_LOSS_FULL, 2, {{"alpha", 0.25, GRAD_FRACTION}, {"gamma", 2, GRAD_NOT_NEGATIVE}},
        GRAD_SYNONYMS("sigmoid_focal")},
    .sample = focal_sample,
    .target = binary_target,
    .has_own = "sigmoid",
};

const grad_loss_row grad_kl_div_loss = {
    .info = {GRAD_KL_DIV, "kl_div",
        "log_target ? exp(t) * (t - y) : t * (log(t) - y), where t * log(t) = 0 at t = 0",
        "log_target ? -exp(t) : -t",
        GRAD_LOSS_FULL, 1, {{"log_target", 0, GRAD_FLAG}}, GRAD_NO_SYNONYMS},
    .sample = kl_div_sample,
    .target = divergence_target,
    .takes_logarithms = true,
    .has_batch_mean = true,
    .target_is_distribution = true,
};

const grad_loss_row grad_hinge_loss = {
    .info = {GRAD_HINGE, "hinge",
        "max(0, margin - t * y)",
        "t * y < margin ? -t : 0",
        GRAD_LOSS_FULL, 1, {{"margin", 1, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS},
    .sample = hinge_sample,
    .target = grad_loss_sign_target,
};

const grad_loss_row grad_squared_hinge_loss = {
    .info = {GRAD_SQUARED_HINGE, "squared_hinge",
        "max(0, margin - t * y)^2",
        "-2 * t * max(0, margin - t * y)",
        GRAD_LOSS_FULL, 1, {{"margin", 1, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS},
    .sample = squared_hinge_sample,
    .target = grad_loss_sign_target,
};

const grad_loss_row grad_poisson_nll_loss = {
    .info = {GRAD_POISSON_NLL, "poisson_nll",
        "(log_input ? exp(y) - t * y : y - t * log(y + eps)) + "
        "(full and t > 1 ? t * log(t) - t + log(2 pi t) / 2 : 0)",
        "log_input ? exp(y) - t : 1 - t / (y + eps)",
        GRAD_LOSS_FULL,
        3, {{"log_input", 1, GRAD_FLAG}, {"full", 0, GRAD_FLAG}, {"eps", 1e-8, GRAD_NOT_NEGATIVE}},
        GRAD_NO_SYNONYMS},
    .sample = poisson_nll_sample,
    .output = rate_output,
};

const grad_loss_row grad_gaussian_nll_loss = {
    .info = {GRAD_GAUSSIAN_NLL, "gaussian_nll",
        "(log(v) + (y - t)^2 / v) / 2 + (full ? log(2 pi) / 2 : 0) with v = max(variance, eps)",
        "(y - t) / v",
        GRAD_LOSS_FULL | GRAD_LOSS_VARIANCE,
        2, {{"full", 0, GRAD_FLAG}, {"eps", 1e-6, GRAD_NOT_NEGATIVE}}, GRAD_NO_SYNONYMS},
    .sample = gaussian_nll_sample,
};
/* clang-format on */
