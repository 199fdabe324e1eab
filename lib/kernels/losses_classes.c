/* The losses over classes: cross_entropy, of logits, and nll, of log-probabilities. A sample's
 * cross entropy is Σ_j c_j (log Σ_k e^(z_k) - z_j), whatever gave its coefficients c:
 *
 *     class t               c_j = (1 - s) w_t [j = t] + s/N w_j
 *     probabilities t       c_j = w_j ((1 - s) t_j + s/N)
 *
 * with class weights w and label smoothing s, as PyTorch has them. The gradient is
 * C softmax(z)_j - c_j with C = Σ c. */
#include "kernels/elementary.h"

#include <math.h>

#include "core/real.h"
#include "kernels/losses_blocks.h"

/* A row of logits, its exponentials and its coefficients. One block of both is kept, so that a
 * short row has them worked out once. */
typedef struct class_row {
    const grad_loss_sample *sample;
    size_t N;
    bool has_class; /* c has a term at the class t */
    bool has_full;  /* c has a term at every j */
    size_t t;
    double hit;    /* (1 - s) w_t */
    double kept;   /* 1 - s */
    double spread; /* s/N */
    size_t m;      /* where the largest z is */
    double top;    /* that z */
    double rest;   /* Σ_{j≠m} e^(z_j - top); the whole sum is 1 + rest */
    double others; /* Σ_{j≠m} c_j */
    double at_top; /* c_m */
    double gap;    /* Σ c_j (top - z_j) */
    size_t begin, count;
    double z[GRAD_LOSS_BLOCK], e[GRAD_LOSS_BLOCK], c[GRAD_LOSS_BLOCK];
} class_row;

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* c of the block, but for the term at the class. */
static void take_coefficients(class_row *r)
{
    const grad_loss_view *v = r->sample->view;

    if (!r->has_full)
        return;
    if (r->has_class)
        for (size_t i = 0; i < r->count; i++)
            r->c[i] = r->spread;
    else {
        grad_loss_widen(v->type, v->loss->target.data, r->sample->b * r->N + r->begin, r->count,
                        r->c);
        for (size_t i = 0; i < r->count; i++)
            r->c[i] = r->kept * r->c[i] + r->spread;
    }
    if (v->loss->class_weight.data != NULL)
        for (size_t i = 0; i < r->count; i++)
            r->c[i] *= grad_loss_class_weight(v, r->begin + i);
}

/* Makes the block at begin the one that is kept, and says whether there is one. */
static bool take_block(class_row *r, size_t begin)
{
    const grad_loss_view *v = r->sample->view;

    if (begin >= r->N)
        return false;
    if (r->begin == begin && r->count > 0)
        return true;
    r->begin = begin;
    r->count = r->N - begin < GRAD_LOSS_BLOCK ? r->N - begin : GRAD_LOSS_BLOCK;
    grad_loss_widen(v->type, v->y, r->sample->b * r->N + begin, r->count, r->z);
    for (size_t i = 0; i < r->count; i++)
        r->e[i] = grad_exp(r->z[i] - r->top);
    take_coefficients(r);
    return true;
}

/* Where j is in the block, or count where it is in another. */
static size_t place_in_block(const class_row *r, size_t j)
{
    return j >= r->begin && j - r->begin < r->count ? j - r->begin : r->count;
}

/* The sum of the block's terms, without that of m. */
static double sum_without_top(const class_row *r, double *terms)
{
    size_t at = place_in_block(r, r->m);
    double sum, kept;

    if (at == r->count)
        return grad_loss_sum(r->count, terms);
    kept = terms[at];
    terms[at] = 0;
    sum = grad_loss_sum(r->count, terms);
    terms[at] = kept;
    return sum;
}

/* ---- The sums -------------------------------------------------------------------------------- */

static void find_top(class_row *r)
{
    const grad_loss_view *v = r->sample->view;
    size_t first = r->sample->b * r->N;

    r->m = 0;
    r->top = grad_real_at(v->type, v->y, first);
    for (size_t j = 1; j < r->N; j++) {
        double z = grad_real_at(v->type, v->y, first + j);

        if (z > r->top) {
            r->top = z;
            r->m = j;
        }
    }
}

static void add_block_coefficients(class_row *r)
{
    double terms[GRAD_LOSS_BLOCK];
    size_t at = place_in_block(r, r->m);

    r->others += sum_without_top(r, r->c);
    if (at < r->count)
        r->at_top = r->c[at];
    for (size_t i = 0; i < r->count; i++)
        terms[i] = r->c[i] * (r->top - r->z[i]);
    /* cppcheck-suppress uninitvar ; 2.17 does not see that a block is never empty */
    r->gap += grad_loss_sum(r->count, terms);
}

static void add_class(class_row *r)
{
    const grad_loss_view *v = r->sample->view;
    double z = grad_real_at(v->type, v->y, r->sample->b * r->N + r->t);

    if (r->t == r->m)
        r->at_top += r->hit;
    else
        r->others += r->hit;
    r->gap += r->hit * (r->top - z);
}

/* An infinite or NaN top makes everything NaN, as PyTorch's: top - top is 0 otherwise. */
static void take_sums(class_row *r)
{
    find_top(r);
    r->rest = r->top - r->top;
    r->others = r->at_top = r->gap = 0;
    r->count = 0;
    for (size_t begin = 0; take_block(r, begin); begin += GRAD_LOSS_BLOCK) {
        r->rest += sum_without_top(r, r->e);
        if (r->has_full)
            add_block_coefficients(r);
    }
    if (r->has_class)
        add_class(r);
}

/* ---- The gradient ---------------------------------------------------------------------------- */

/* C e_j / S - c_j; at the largest z, where it would be a difference of nearly equal numbers once
 * the network is sure and right, (others - c_m rest) / S, which is the same. */
static void put_gradient(class_row *r)
{
    const grad_loss_sample *sample = r->sample;
    double terms[GRAD_LOSS_BLOCK], sum = 1 + r->rest;
    double factor = (r->at_top + r->others) / sum;

    if (sample->grad == NULL)
        return;
    for (size_t begin = 0; take_block(r, begin); begin += GRAD_LOSS_BLOCK) {
        size_t at_class = place_in_block(r, r->t), at_top = place_in_block(r, r->m);

        for (size_t i = 0; i < r->count; i++)
            terms[i] = r->e[i] * factor - (r->has_full ? r->c[i] : 0);
        if (r->has_class && at_class < r->count)
            terms[at_class] -= r->hit;
        if (at_top < r->count)
            terms[at_top] = (r->others - r->at_top * r->rest) / sum;
        grad_loss_narrow(sample->view->type, sample->grad, begin, r->count,
                         sample->weight / sample->view->divisor, terms);
    }
}

/* ---- A sample -------------------------------------------------------------------------------- */

/* The gradient's row with zeros, but for value at j (j == N: zeros). */
static void put_one(const grad_loss_sample *sample, size_t j, double value)
{
    const grad_loss_view *v = sample->view;

    if (sample->grad == NULL)
        return;
    for (size_t i = 0; i < v->N; i++)
        grad_real_put(v->type, sample->grad, i, i == j ? value : 0);
}

static double put_ignored(const grad_loss_sample *sample)
{
    double nothing = 0;

    put_one(sample, sample->view->N, 0);
    grad_loss_narrow(sample->view->type, sample->losses, 0, 1, 1, &nothing);
    return 0;
}

/* The coefficients' parts. nll, with log_softmax, comes here too: it has no smoothing. */
static void begin_row(class_row *r, const grad_loss_sample *sample, double target)
{
    const grad_loss_view *v = sample->view;
    double smoothing = v->loss->kind == GRAD_CROSS_ENTROPY ? v->loss->parameters[0] : 0;

    r->sample = sample;
    r->N = v->N;
    r->has_class = grad_loss_has_classes(v);
    r->has_full = !r->has_class || smoothing > 0;
    r->kept = 1 - smoothing;
    r->spread = smoothing / (double)v->N;
    r->t = r->has_class ? (size_t)target : 0;
    r->hit = r->has_class ? r->kept * grad_loss_class_weight(v, r->t) : 0;
}

static double cross_entropy_sample(const grad_loss_sample *sample)
{
    const grad_loss_view *v = sample->view;
    bool has_class = grad_loss_has_classes(v);
    double target = has_class ? grad_real_at(v->type, v->loss->target.data, sample->b) : 0;
    double loss;
    class_row r;

    if (has_class && grad_loss_ignores(v->loss, v->type, target))
        return put_ignored(sample);
    begin_row(&r, sample, target);
    take_sums(&r);
    loss = r.gap + (r.at_top + r.others) * log1p(r.rest);
    grad_loss_narrow(v->type, sample->losses, 0, 1, sample->weight, &loss);
    put_gradient(&r);
    return sample->weight * loss;
}

static double nll_sample(const grad_loss_sample *sample)
{
    const grad_loss_view *v = sample->view;
    double target = grad_real_at(v->type, v->loss->target.data, sample->b);
    double weight, loss;
    size_t t;

    if (grad_loss_ignores(v->loss, v->type, target))
        return put_ignored(sample);
    t = (size_t)target;
    weight = grad_loss_class_weight(v, t);
    loss = -weight * grad_real_at(v->type, v->y, sample->b * v->N + t);
    put_one(sample, t, sample->weight / v->divisor * -weight);
    grad_loss_narrow(v->type, sample->losses, 0, 1, sample->weight, &loss);
    return sample->weight * loss;
}

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
const grad_loss_row grad_cross_entropy_loss = {
    .info = {GRAD_CROSS_ENTROPY, "cross_entropy",
        "sum_j c_j * (log(sum_k exp(y_k)) - y_j) with s = label_smoothing, w = class_weight and, "
        "of a class t, c_j = (1 - s) * w_t * (j = t) + s / N * w_j; of probabilities, "
        "c_j = w_j * ((1 - s) * t_j + s / N)",
        "exp(y_j) / sum_k exp(y_k) * sum_k c_k - c_j",
        GRAD_LOSS_CLASSES | GRAD_LOSS_FULL | GRAD_LOSS_CLASS_WEIGHT | GRAD_LOSS_PER_SAMPLE,
        2, {{"label_smoothing", 0, GRAD_FRACTION}, {"ignore_index", -100, GRAD_INTEGER}},
        GRAD_SYNONYMS("softmax_cross_entropy",
                      "softmax_cross_entropy_with_logits",
                      "softmax_cross_entropy_with_integer_labels",
                      "sparse_softmax_cross_entropy_with_logits")},
    .sample = cross_entropy_sample,
    .has_own = "softmax",
    .target_is_distribution = true,
    .ignore_index = 1,
};

const grad_loss_row grad_nll_loss = {
    .info = {GRAD_NLL, "nll",
        "-class_weight_t * y_t",
        "j = t ? -class_weight_t : 0",
        GRAD_LOSS_CLASSES | GRAD_LOSS_CLASS_WEIGHT | GRAD_LOSS_PER_SAMPLE,
        1, {{"ignore_index", -100, GRAD_INTEGER}}, GRAD_SYNONYMS("negative_log_likelihood")},
    .sample = nll_sample,
    .takes_logarithms = true,
    .fuses_with = GRAD_LOG_SOFTMAX,
    .fused = GRAD_CROSS_ENTROPY,
};
/* clang-format on */
