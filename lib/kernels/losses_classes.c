/* The losses of a sample over its classes: cross_entropy and nll. The largest logit is taken off
 * first, and what is near 1 is written as 1 less the rest. No other loss lives here. */
#include <math.h>

#include "core/real.h"
#include "kernels/losses_row.h"

/* A sample's logits, and how its loss weighs their logarithms: -Σ_j c_j log p_j. */
typedef struct sample {
    const grad_loss_view *view;
    size_t first; /* of y, and of a full target */
    bool has_class;
    size_t class;
    double smoothing;
    size_t m;    /* where the largest logit is */
    double top;  /* that logit */
    double rest; /* Σ_{j≠m} e^(y_j - top): the whole sum is 1 + rest */
} sample;

static double logit(const sample *s, size_t j)
{
    return grad_real_at(s->view->type, s->view->y, s->first + j);
}

/* c_j. PyTorch's: the weight of a class enters its share of the smoothing too. */
static double coefficient(const sample *s, size_t j)
{
    double t = s->has_class ? (j == s->class ? 1 : 0)
                            : grad_real_at(s->view->type, s->view->loss->target.data, s->first + j);
    double share = (1 - s->smoothing) * t + s->smoothing / (double)s->view->N;

    return share == 0 ? 0 : share * grad_loss_class_weight(s->view, j);
}

static void take_sample(const grad_loss_row *row, sample *s)
{
    const grad_loss_view *v = row->view;

    *s = (sample){.view = v, .first = row->b * v->N};
    s->has_class = grad_loss_has_classes(v->loss, v->B, v->N);
    if (s->has_class)
        s->class = (size_t)grad_real_at(v->type, v->loss->target.data, row->b);
    if (v->loss->kind == GRAD_CROSS_ENTROPY)
        s->smoothing = v->loss->parameters[0];
    s->top = logit(s, 0);
    for (size_t j = 1; j < v->N; j++)
        if (logit(s, j) > s->top) {
            s->top = logit(s, j);
            s->m = j;
        }
    for (size_t j = 0; j < v->N; j++)
        if (j != s->m)
            s->rest += exp(logit(s, j) - s->top);
}

/* ∂L/∂y_j = p_j Σ_i c_i - c_j; at m, where p may be near 1, Σ_{i≠m} c_i - (1 - p_m) Σ_i c_i. */
static void put_gradient(const grad_loss_row *row, const sample *s, double others)
{
    const grad_loss_view *v = row->view;
    double whole = others + coefficient(s, s->m), factor = row->weight / v->divisor;

    for (size_t j = 0; j < v->N; j++) {
        double p = exp(logit(s, j) - s->top) / (1 + s->rest);
        double slope =
            j == s->m ? others - s->rest / (1 + s->rest) * whole : p * whole - coefficient(s, j);

        grad_real_put(v->type, row->grad, j, factor * slope);
    }
}

static double put_nothing(const grad_loss_row *row)
{
    for (size_t j = 0; row->grad != NULL && j < row->view->N; j++)
        grad_real_put(row->view->type, row->grad, j, 0);
    if (row->losses != NULL)
        grad_real_put(row->view->type, row->losses, 0, 0);
    return 0;
}

static bool is_ignored(const grad_loss_row *row)
{
    const grad_loss_view *v = row->view;

    return grad_loss_has_classes(v->loss, v->B, v->N) &&
           grad_loss_ignores(v->loss, v->type, grad_real_at(v->type, v->loss->target.data, row->b));
}

double grad_loss_cross_entropy_row(const grad_loss_row *row)
{
    const grad_loss_view *v = row->view;
    double log_of_sum, others = 0, loss = 0;
    sample s;

    if (is_ignored(row))
        return put_nothing(row);
    take_sample(row, &s);
    log_of_sum = log1p(s.rest);
    for (size_t j = 0; j < v->N; j++) {
        double c = coefficient(&s, j);

        if (j != s.m)
            others += c;
        if (c != 0)
            loss += c * (log_of_sum + (s.top - logit(&s, j)));
    }
    if (row->grad != NULL)
        put_gradient(row, &s, others);
    loss *= row->weight;
    if (row->losses != NULL)
        grad_real_put(v->type, row->losses, 0, loss);
    return loss;
}

double grad_loss_nll_row(const grad_loss_row *row)
{
    const grad_loss_view *v = row->view;
    double weight, loss;
    size_t class;

    put_nothing(row);
    if (is_ignored(row))
        return 0;
    class = (size_t)grad_real_at(v->type, v->loss->target.data, row->b);
    weight = row->weight * grad_loss_class_weight(v, class);
    loss = -weight * grad_real_at(v->type, v->y, row->b * v->N + class);
    if (row->grad != NULL)
        grad_real_put(v->type, row->grad, class, -weight / v->divisor);
    if (row->losses != NULL)
        grad_real_put(v->type, row->losses, 0, loss);
    return loss;
}
