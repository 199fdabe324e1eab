/* The cosine embedding loss: of a sample y and what it is compared with, o. PyTorch's: 1e-12 is
 * added to the square of each norm. No other loss lives here. */
#include <math.h>

#include "core/real.h"
#include "kernels/losses_row.h"

#define EPSILON 1e-12

/* The products of a row's y and o, and the blocks they are made of. */
typedef struct pair {
    double y[GRAD_LOSS_BLOCK], o[GRAD_LOSS_BLOCK], terms[GRAD_LOSS_BLOCK];
    double yo, yy, oo;
} pair;

static size_t take_block(const grad_loss_row *row, size_t begin, pair *p)
{
    const grad_loss_view *v = row->view;
    size_t first = row->b * v->N + begin;
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

static void take_products(const grad_loss_row *row, pair *p)
{
    p->yo = p->yy = p->oo = 0;
    for (size_t begin = 0; begin < row->view->N; begin += GRAD_LOSS_BLOCK) {
        size_t count = take_block(row, begin, p);

        p->yo += product(count, p->y, p->o, p->terms);
        p->yy += product(count, p->y, p->y, p->terms);
        p->oo += product(count, p->o, p->o, p->terms);
    }
}

/* ∂L/∂y = slope (o - y (y·o) / (|y|² + ε)) / (|y| |o|), slope being ∂L/∂cos. */
static void put_gradient(const grad_loss_row *row, double slope, double norms, pair *p)
{
    const grad_loss_view *v = row->view;
    double share = p->yo / (p->yy + EPSILON);

    if (row->grad == NULL)
        return;
    for (size_t begin = 0; begin < v->N; begin += GRAD_LOSS_BLOCK) {
        size_t count = take_block(row, begin, p);

        for (size_t i = 0; i < count; i++)
            p->terms[i] = slope * ((p->o[i] - p->y[i] * share) / norms);
        grad_loss_narrow(v->type, row->grad, begin, count, row->weight / v->divisor, p->terms);
    }
}

/* A target of 1: 1 - cos; of -1: max(0, cos - margin), whose gradient at the margin is 0, as
 * PyTorch's since 2.14. */
double grad_loss_cosine_row(const grad_loss_row *row)
{
    const grad_loss_view *v = row->view;
    double target = grad_real_at(v->type, v->loss->target.data, row->b);
    double norms, over, loss;
    pair p;

    take_products(row, &p);
    norms = sqrt(p.yy + EPSILON) * sqrt(p.oo + EPSILON);
    over = p.yo / norms - v->loss->parameters[0];
    if (target > 0) {
        loss = 1 - p.yo / norms;
        put_gradient(row, -1, norms, &p);
    } else {
        loss = over < 0 ? 0 : over;
        put_gradient(row, over <= 0 ? 0 : 1, norms, &p);
    }
    grad_loss_narrow(v->type, row->losses, 0, 1, row->weight, &loss);
    return row->weight * loss;
}
