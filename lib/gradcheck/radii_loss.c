/* Losses among the radii: where the backward pass of radii starts. Those of elements by their
 * slopes around y; those that couple the features of a sample by what they are. */
#include <float.h>
#include <math.h>

#include "gradcheck/radii.h"

static bool is_cross_entropy(const grad_radii *r)
{
    grad_loss_kind loss = r->objective->network.loss.kind;

    return loss == GRAD_CROSS_ENTROPY ||
           (loss == GRAD_NLL && r->loss.activation.kind == GRAD_LOG_SOFTMAX);
}

static double number_of(const grad_tensor *tensor, size_t i, double otherwise)
{
    return tensor->data == NULL ? otherwise : ((const double *)tensor->data)[i];
}

/* Σ q of a sample at most, weighted and divided. */
static double weight_of(const grad_radii *r, const grad_stage *s, size_t row)
{
    const grad_loss *loss = &r->objective->network.loss;
    double most = loss->class_weight.data == NULL ? 1 : 0, targets = 1;

    for (size_t n = 0; n < s->N && loss->class_weight.data != NULL; n++)
        most = fmax(most, number_of(&loss->class_weight, n, 1));
    if (grad_tensor_count(&loss->target) == s->B * s->N && s->N > 1) {
        targets = 0;
        for (size_t n = 0; n < s->N; n++)
            targets += fabs(number_of(&loss->target, row * s->N + n, 0));
        targets = fmax(targets, 1);
    }
    return most * targets * number_of(&loss->sample_weight, row, 1) / r->objective->divisor;
}

/* ∂l/∂y_n = p_n Q - q_n, which p's error moves. */
static void cross_entropy_row(grad_radii *r, grad_stage *s, size_t row)
{
    double weight = weight_of(r, s, row), largest = -(double)INFINITY, sum = 0, mean = 0, size = 0;
    size_t first = row * s->N;

    for (size_t i = first; i < first + s->N; i++) {
        largest = fmax(largest, s->y[i]);
        size = fmax(size, fabs(s->dy.middle[i]));
    }
    for (size_t i = first; i < first + s->N; i++)
        sum += exp(s->y[i] - largest);
    for (size_t i = first; i < first + s->N; i++)
        mean += exp(s->y[i] - largest) / sum * s->ey[i];
    for (size_t i = first; i < first + s->N; i++) {
        double p = exp(s->y[i] - largest) / sum, c = fabs(s->dy.middle[i]);

        s->dy.kink[i] = 0;
        s->dy.rounding[i] = weight * p * (s->ey[i] + mean + 16 * DBL_EPSILON) +
                            (r->unit + 16 * DBL_EPSILON) * c + r->least;
    }
    if (size > 0)
        r->objective->noise += 4 * DBL_EPSILON * weight * (1 + fabs(largest));
}

/* s = y·o / √(a c) with a = y·y + κ, c = o·o + κ: ∂s/∂y = o / √(a c) - s y / a. */
static void cosine_row(grad_radii *r, grad_stage *s, size_t row)
{
    const grad_loss *loss = &r->objective->network.loss;
    const double *o = (const double *)loss->other.data + row * s->N, *y = s->y + row * s->N;
    double a = 1e-12, c = 1e-12, product = 0, errors = 0, reach = 0, cosine;
    double weight = number_of(&loss->sample_weight, row, 1) / r->objective->divisor;
    bool is_at_margin;

    for (size_t n = 0; n < s->N; n++) {
        a += y[n] * y[n];
        c += o[n] * o[n];
        product += y[n] * o[n];
        errors = hypot(errors, s->ey[row * s->N + n]);
    }
    cosine = product / sqrt(a * c);
    for (size_t n = 0; n < s->N; n++)
        reach += fabs(o[n] / sqrt(a * c) - cosine * y[n] / a) * s->ey[row * s->N + n];
    is_at_margin = number_of(&loss->target, row, 1) < 0 &&
                   fabs(cosine - loss->parameters[0]) <= reach + 8 * r->unit;
    for (size_t n = 0; n < s->N; n++) {
        size_t i = row * s->N + n;
        double slope = weight * (o[n] / sqrt(a * c) - cosine * y[n] / a);

        s->dy.kink[i] = is_at_margin ? fabs(slope) / 2 : 0;
        if (is_at_margin)
            s->dy.middle[i] = slope / 2;
        s->dy.rounding[i] =
            weight * 3 * errors / a + r->unit * fabs(s->dy.middle[i]) + r->least +
            16 * DBL_EPSILON * weight * (fabs(o[n]) / sqrt(a * c) + fabs(cosine * y[n]) / a);
    }
    r->objective->noise += 8 * DBL_EPSILON * weight;
}

/* The middles of dy, as the library has them. */
static grad_status take_gradient(const grad_radii *r, grad_stage *s, const grad_network *network,
                                 grad_error *error)
{
    grad_layer alone = r->loss;
    grad_run *run = NULL;
    grad_status status = grad_run_network(1, &alone, network, GRAD_OUTPUT_GRAD_INPUT, &run, error);

    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++)
        s->dy.middle[i] =
            ((const double *)grad_run_reply(run)->grad_input.data)[i] / r->objective->divisor;
    grad_run_destroy(run);
    return status;
}

static grad_status start_rows(grad_radii *r, grad_stage *s, const grad_network *network,
                              grad_error *error)
{
    grad_status status = take_gradient(r, s, network, error);

    for (size_t b = 0; b < s->B && status == GRAD_OK; b++)
        if (is_cross_entropy(r))
            cross_entropy_row(r, s, b);
        else
            cosine_row(r, s, b);
    return status;
}

static grad_status start_elements(const grad_radii *r, grad_stage *s, const grad_network *network,
                                  grad_error *error)
{
    grad_status status = grad_radii_slopes(r, &r->loss, network, s, s->y, s->ey, &s->dy, error);

    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++) {
        s->dy.middle[i] /= r->objective->divisor;
        s->dy.kink[i] /= r->objective->divisor;
        s->dy.rounding[i] = s->dy.rounding[i] / r->objective->divisor +
                            8 * r->unit * fabs(s->dy.middle[i]) + r->least;
    }
    return status;
}

/* By how much rounding in double moves L: where y moves it, of the request's datatype what double
 * has of that. */
static void add_noise(const grad_radii *r, const grad_stage *s)
{
    for (size_t i = 0; i < s->B * s->N; i++)
        r->objective->noise += (fabs(s->dy.middle[i]) + s->dy.kink[i]) *
                               (s->ey[i] + r->unit * fabs(s->y[i])) * (DBL_EPSILON / r->unit);
}

grad_status grad_radii_start(grad_radii *r, grad_error *error)
{
    grad_stage *s = &r->stages[r->objective->batch.layer_count];
    grad_network network = r->objective->network;
    grad_status status = GRAD_OK;

    network.input = grad_radii_state(r, s->y, s->N);
    if (network.loss.kind == GRAD_LOSS_ABSENT)
        for (size_t i = 0; i < s->B * s->N; i++)
            s->dy.middle[i] = ((const double *)network.grad_output.data)[i];
    else if (is_cross_entropy(r) || network.loss.kind == GRAD_COSINE_EMBEDDING)
        status = start_rows(r, s, &network, error);
    else
        status = start_elements(r, s, &network, error);
    if (status == GRAD_OK)
        add_noise(r, s);
    return status;
}
