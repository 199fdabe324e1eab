/* Activations among the radii: the slopes of those of elements from their values around z, which
 * show kinks and bends alike; softmax and its kin by what they are. */
#include <math.h>

#include "gradcheck/radii.h"

#define OFFSETS 5
#define REACH_FP64 0x1p-34
#define REACH_FP32 0x1p-19

/* ---- Slopes ---------------------------------------------------------------------------------- */

/* Over a width of 1 and of 1/8, a bend differs by an eighth, and a kink by as much or nothing. */
static void take_slopes(const double *values, size_t stride, double *middle, double *jump,
                        double *bend)
{
    double low = values[0], high = low, near_low = values[stride], near_high = near_low, size = 0;

    for (size_t o = 0; o < OFFSETS; o++) {
        double value = values[o * stride];

        low = fmin(low, value);
        high = fmax(high, value);
        if (o > 0 && o + 1 < OFFSETS) {
            near_low = fmin(near_low, value);
            near_high = fmax(near_high, value);
        }
        size = fmax(size, fabs(value));
    }
    *middle = values[OFFSETS / 2 * stride];
    *jump = 0;
    *bend = (high - low) / 2;
    if (!(fabs(high - low - 8 * (near_high - near_low)) > *bend && *bend > 0x1p-46 * size))
        return;
    *middle = low + *bend;
    *jump = *bend;
    *bend = 0;
}

/* What a number may be off by, and how far a kink may be from it for differences not to see that it
 * lies beside: a part of the numbers' typical size. */
static double own_width(const grad_radii *r, double at, double error_at)
{
    return error_at + 8 * r->unit * fabs(at) + 0x1p-1000;
}

static double reach_of(const grad_radii *r, double mean_size, double error_at)
{
    double part = r->check->batch.datatype == GRAD_FP64 ? REACH_FP64 : REACH_FP32;

    return part * (mean_size + error_at / (4 * r->unit)); /* of terms that cancelled, too */
}

static double mean_size(size_t count, const double *at)
{
    double size = 0;

    for (size_t i = 0; i < count; i++)
        size += fabs(at[i]) / (double)count;
    return size;
}

grad_status grad_radii_slopes(const grad_radii *r, const grad_layer *f, const grad_network *network,
                              grad_stage *s, const double *at, const double *error_at,
                              grad_intervals *slopes, grad_error *error)
{
    static const double offsets[OFFSETS] = {-1, -0.125, 0, 0.125, 1};
    size_t count = s->B * s->N;
    double size = mean_size(count, at);

    for (size_t o = 0; o < OFFSETS; o++) {
        grad_layer alone = *f;
        grad_network moved = *network;
        grad_run *run = NULL;
        grad_status status;

        for (size_t i = 0; i < count; i++)
            s->moved[i] = at[i] + offsets[o] * (own_width(r, at[i], error_at[i]) +
                                                reach_of(r, size, error_at[i]));
        moved.input = grad_radii_state(r, s->moved, s->N);
        status = grad_run_network(1, &alone, &moved, GRAD_OUTPUT_GRAD_INPUT, &run, error);
        for (size_t i = 0; i < count && status == GRAD_OK; i++)
            s->values[o * count + i] = ((const double *)grad_run_reply(run)->grad_input.data)[i];
        grad_run_destroy(run);
        if (status != GRAD_OK)
            return status;
    }
    for (size_t i = 0; i < count; i++) {
        double own = own_width(r, at[i], error_at[i]);
        double reach = reach_of(r, size, error_at[i]);

        take_slopes(s->values + i, count, &slopes->middle[i], &slopes->kink[i],
                    &slopes->rounding[i]);
        slopes->rounding[i] *= own / (own + reach);
    }
    return GRAD_OK;
}

/* ---- Softmax and its kin --------------------------------------------------------------------- */

static bool is_coupled(const grad_stage *s)
{
    grad_activation_kind f = s->layer.activation.kind;

    return f == GRAD_SOFTMAX || f == GRAD_LOG_SOFTMAX || f == GRAD_SOFTMIN;
}

static bool is_logarithm(const grad_stage *s)
{
    return s->layer.activation.kind == GRAD_LOG_SOFTMAX;
}

/* The probabilities p go to slope, and what they may be off by to bend. */
static void forward_row(const grad_radii *r, grad_stage *s, size_t first)
{
    double mean = 0;

    for (size_t i = first; i < first + s->N; i++) {
        s->slope[i] = is_logarithm(s) ? exp(s->y[i]) : s->y[i];
        mean += s->slope[i] * s->ez[i];
    }
    for (size_t i = first; i < first + s->N; i++) {
        s->bend[i] = s->slope[i] * (s->ez[i] + mean + 4 * r->unit);
        s->ey[i] = is_logarithm(s) ? s->ez[i] + mean + 4 * r->unit * (fabs(s->y[i]) + fabs(s->z[i]))
                                   : s->bend[i] + r->least;
    }
}

/* δ_j = p_j (g_j - ḡ), ḡ = Σ p g; of log_softmax g_j - p_j Σ g. The middles are known. */
static void backward_row(const grad_radii *r, grad_stage *s, const grad_intervals *g, size_t first)
{
    bool is_log = is_logarithm(s);
    double mean = 0, kink = 0, rounding = 0, size = 0, off = 0;

    for (size_t i = first; i < first + s->N; i++) {
        double share = is_log ? 1 : s->slope[i];

        mean += share * g->middle[i];
        kink += share * g->kink[i];
        rounding += share * g->rounding[i];
    }
    for (size_t i = first; i < first + s->N; i++) {
        double from_mean = fabs(is_log ? g->middle[i] : g->middle[i] - mean) + g->kink[i];

        size += (is_log ? 1 : s->slope[i]) * from_mean;
        off += is_log ? 0 : s->bend[i] * from_mean;
    }
    for (size_t i = first; i < first + s->N; i++) {
        double p = s->slope[i], share = is_log ? 1 : p;
        double others = is_log ? p : 1;
        double here = fabs(is_log ? g->middle[i] : g->middle[i] - mean) + g->kink[i] + kink;

        s->dz.kink[i] = share * (fabs(1 - p) * g->kink[i] + others * (kink - share * g->kink[i]));
        s->dz.rounding[i] =
            share * (fabs(1 - p) * g->rounding[i] + others * (rounding - share * g->rounding[i])) +
            s->bend[i] * (is_log ? fabs(mean) + kink : here) + p * off +
            16 * r->unit * share * (here + others * size) + r->least;
    }
}

/* ---- Functions ------------------------------------------------------------------------------- */

/* The layer without anything but its f. */
static grad_layer function_of(const grad_stage *s)
{
    return (grad_layer){.kind = GRAD_PLAIN_LAYER_KIND,
                        .activation = s->layer.activation,
                        .slope = s->layer.slope,
                        .epsilon = s->layer.epsilon};
}

grad_status grad_radii_forward_function(const grad_radii *r, grad_stage *s, grad_error *error)
{
    grad_layer f = function_of(s);
    grad_network network = {.input = grad_radii_state(r, s->z, s->N)};
    grad_intervals slopes = {s->slope, s->jump, s->bend};
    size_t count = s->B * s->N;
    grad_run *run = NULL;
    grad_status status = grad_run_network(1, &f, &network, GRAD_OUTPUT_PREDICTIONS, &run, error);

    for (size_t i = 0; i < count && status == GRAD_OK; i++)
        s->y[i] = ((const double *)grad_run_reply(run)->predictions.data)[i];
    grad_run_destroy(run);
    if (status != GRAD_OK)
        return status;
    for (size_t b = 0; b < s->B && is_coupled(s); b++)
        forward_row(r, s, b * s->N);
    if (is_coupled(s))
        return GRAD_OK;
    for (size_t i = 0; i < count; i++)
        s->dz.kink[i] = 1;
    network.grad_output = grad_radii_state(r, s->dz.kink, s->N);
    status = grad_radii_slopes(r, &f, &network, s, s->z, s->ez, &slopes, error);
    for (size_t i = 0; i < count && status == GRAD_OK; i++)
        s->ey[i] = (fabs(s->slope[i]) + s->jump[i] + s->bend[i]) * s->ez[i] +
                   4 * r->unit * fabs(s->y[i]) + r->least;
    return status;
}

/* Σ_b ∂L/∂y z, where z is below 0. */
static void add_slope_delta(const grad_radii *r, grad_stage *s)
{
    grad_intervals *delta = grad_radii_of(r, s, GRAD_SLOPE_DELTA);
    double growth = grad_radii_growth(r, s->B * s->N);
    size_t columns = s->layer.slope.data == NULL ? 1 : s->layer.slope.shape[0];

    for (size_t i = 0; i < s->B * s->N && delta != NULL; i++) {
        double c = s->dy.middle[i], k = s->dy.kink[i], z = s->z[i];

        if (z > s->ez[i])
            continue;
        delta->middle[i % columns] += z < 0 ? c * z : 0;
        delta->kink[i % columns] += k * fabs(z);
        delta->rounding[i % columns] += (s->dy.rounding[i] + growth * fabs(c)) * fabs(z) +
                                        (fabs(c) + k + s->dy.rounding[i]) * s->ez[i];
    }
}

static grad_status backward_rows(const grad_radii *r, grad_stage *s, grad_error *error)
{
    grad_layer f = function_of(s);
    grad_network network = {.input = grad_radii_state(r, s->z, s->N),
                            .grad_output = grad_radii_state(r, s->dy.middle, s->N)};
    grad_run *run = NULL;
    grad_status status = grad_run_network(1, &f, &network, GRAD_OUTPUT_GRAD_INPUT, &run, error);

    for (size_t i = 0; i < s->B * s->N && status == GRAD_OK; i++)
        s->dz.middle[i] = ((const double *)grad_run_reply(run)->grad_input.data)[i];
    for (size_t b = 0; b < s->B && status == GRAD_OK; b++)
        backward_row(r, s, &s->dy, b * s->N);
    grad_run_destroy(run);
    return status;
}

grad_status grad_radii_backward_function(const grad_radii *r, grad_stage *s, grad_error *error)
{
    if (is_coupled(s))
        return backward_rows(r, s, error);
    for (size_t i = 0; i < s->B * s->N; i++) {
        double c = s->dy.middle[i], k = s->dy.kink[i], slope = s->slope[i];
        double size = fabs(slope) + s->jump[i] + s->bend[i];

        s->dz.middle[i] = c == 0 ? 0 : c * slope;
        s->dz.kink[i] = fabs(c) * s->jump[i] + (fabs(slope) + s->jump[i]) * k;
        s->dz.rounding[i] = (fabs(c) + k) * s->bend[i] + size * s->dy.rounding[i] +
                            8 * r->unit * fabs(c) * fabs(slope) + r->least * (1 + fabs(c));
    }
    if (s->layer.activation.kind == GRAD_PRELU)
        add_slope_delta(r, s);
    return GRAD_OK;
}
