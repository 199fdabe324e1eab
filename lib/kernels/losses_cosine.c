/* The cosine embedding loss: of a sample y and what it is compared with, o. PyTorch's: 1e-12 is
 * added to the square of each norm. */
#include <math.h>

#include "core/real.h"
#include "kernels/losses_blocks.h"

#define EPSILON 1e-12

/* The products of a row's y and o, and the blocks they are made of. */
typedef struct pair {
    double y[GRAD_LOSS_BLOCK], o[GRAD_LOSS_BLOCK], terms[GRAD_LOSS_BLOCK];
    double yo, yy, oo;
} pair;

static size_t take_block(const grad_loss_sample *sample, size_t begin, pair *p)
{
    const grad_loss_view *v = sample->view;
    size_t first = sample->b * v->N + begin;
    size_t count = v->N - begin < GRAD_LOSS_BLOCK ? v->N - begin : GRAD_LOSS_BLOCK;

    grad_loss_widen(v->type, v->y, first, count, p->y);
    grad_loss_widen(v->type, v->loss->other.data, first, count, p->o);
    return count;
}

static double product(size_t count, const double *x, const double *y, double *terms)
{
    for (size_t i = 0; i < count; i++)
        terms[i] = x[i] * y[i];
    return grad_loss_sum(count, terms);
}

static void take_products(const grad_loss_sample *sample, pair *p)
{
    p->yo = p->yy = p->oo = 0;
    for (size_t begin = 0; begin < sample->view->N; begin += GRAD_LOSS_BLOCK) {
        size_t count = take_block(sample, begin, p);

        p->yo += product(count, p->y, p->o, p->terms);
        p->yy += product(count, p->y, p->y, p->terms);
        p->oo += product(count, p->o, p->o, p->terms);
    }
}

/* ∂L/∂y = slope (o - y (y·o) / (|y|² + ε)) / (|y| |o|), slope being ∂L/∂cos. */
static void put_gradient(const grad_loss_sample *sample, double slope, double norms, pair *p)
{
    const grad_loss_view *v = sample->view;
    double share = p->yo / (p->yy + EPSILON);

    if (sample->grad == NULL)
        return;
    for (size_t begin = 0; begin < v->N; begin += GRAD_LOSS_BLOCK) {
        size_t count = take_block(sample, begin, p);

        for (size_t i = 0; i < count; i++)
            p->terms[i] = slope * ((p->o[i] - p->y[i] * share) / norms);
        grad_loss_narrow(v->type, sample->grad, begin, count, sample->weight / v->divisor,
                         p->terms);
    }
}

/* A target of 1: 1 - cos; of -1: max(0, cos - margin), whose gradient at the margin is 0, as
 * PyTorch's since 2.14. */
static double cosine_embedding_sample(const grad_loss_sample *sample)
{
    const grad_loss_view *v = sample->view;
    double target = grad_real_at(v->type, v->loss->target.data, sample->b);
    double norms, over, loss;
    pair p;

    take_products(sample, &p);
    norms = sqrt(p.yy + EPSILON) * sqrt(p.oo + EPSILON);
    over = p.yo / norms - v->loss->parameters[0];
    if (target > 0) {
        loss = 1 - p.yo / norms;
        put_gradient(sample, -1, norms, &p);
    } else {
        loss = over < 0 ? 0 : over;
        put_gradient(sample, over <= 0 ? 0 : 1, norms, &p);
    }
    grad_loss_narrow(v->type, sample->losses, 0, 1, sample->weight, &loss);
    return sample->weight * loss;
}

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
const grad_loss_row grad_cosine_embedding_loss = {
    .info = {GRAD_COSINE_EMBEDDING, "cosine_embedding",
        "t = 1 ? 1 - c : max(0, c - margin) with c = sum_j y_j * other_j / (p * q), "
        "p^2 = sum_j y_j^2 + 1e-12, q^2 = sum_j other_j^2 + 1e-12",
        "(t = 1 ? -1 : c > margin ? 1 : 0) * (other_j / (p * q) - c * y_j / p^2)",
        GRAD_LOSS_OTHER | GRAD_LOSS_PER_SAMPLE,
        1, {{"margin", 0, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS},
    .sample = cosine_embedding_sample,
    .target = grad_loss_sign_target,
};
/* clang-format on */
