/* One slope by central differences, and how far it may be trusted.
 *
 * With D(h) = (L(θ + h) - L(θ - h)) / 2h the two steps h and h/2 give (4 D(h/2) - D(h)) / 3
 * (Richardson), whose truncation error is of fourth order, and |D(h/2) - D(h)| bounds it. Rounding
 * brings a few units of L over h.
 *
 * At a kink the one-sided slopes differ by a jump that does not shrink with h; for a smooth L their
 * gap is h L'', and halves with h. Where it does not, a smaller step may leave a kink that lies
 * beside θ; one that lies in θ stays. */
#include <float.h>
#include <math.h>

#include "differences/state.h"

#define FIRST_STEP 0x1p-16 /* of the tensor's scale: between truncation, rounding and kinks */
#define SMALLER 0x1p-4
#define ATTEMPTS 3
#define ROUNDINGS 64 /* of the forward pass, in units of the value's terms */

/* L at θ ± h and θ ± h/2. */
typedef struct points {
    double up, half_up, half_down, down;
    double magnitude;
} points;

static grad_status evaluate(const grad_check *check, const grad_variable *v, grad_sample *s,
                            double h, points *p)
{
    const double steps[] = {h, h / 2, -h / 2, -h};
    double *values[] = {&p->up, &p->half_up, &p->half_down, &p->down};

    p->magnitude = v->function->magnitude;
    for (size_t i = 0; i < 4; i++) {
        double magnitude;
        grad_status status =
            grad_check_evaluate(check, v->function, v, s, steps[i], values[i], &magnitude, NULL);

        if (status != GRAD_OK)
            return status;
        p->magnitude = fmax(p->magnitude, magnitude);
    }
    return GRAD_OK;
}

static void read_slopes(const points *p, double middle, double h, grad_sample *s)
{
    double rounding = ROUNDINGS * DBL_EPSILON * p->magnitude / h;
    double whole = (p->up - p->down) / (2 * h), half = (p->half_up - p->half_down) / h;
    double gap = (p->up - middle) / h - (middle - p->down) / h;

    s->up = (p->half_up - middle) / (h / 2);
    s->down = (middle - p->half_down) / (h / 2);
    s->slope = (4 * half - whole) / 3;
    s->uncertainty = rounding + fabs(half - whole);
    s->at_kink = fabs(gap - 2 * (s->up - s->down)) > 4 * rounding + 1e-2 * fabs(gap);
}

void grad_check_estimate(grad_check *check, grad_sample *sample)
{
    const grad_variable *v = &check->variables[sample->variable];
    double h = FIRST_STEP * v->value_scale;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++, h *= SMALLER) {
        points p;

        sample->status = evaluate(check, v, sample, h, &p);
        if (sample->status != GRAD_OK)
            return;
        read_slopes(&p, v->function->value, h, sample);
        if (!sample->at_kink)
            return;
    }
}
