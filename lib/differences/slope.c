/* Slopes by central differences D(h) = (L(h) - L(-h)) / 2h, extrapolated to h = 0 over steps that
 * shrink by RATIO (Ridders, Advances in Engineering Software 4 (1982)), until what the
 * extrapolations disagree by is no more than what rounding does, or than anyone asks for. The noise
 * is read off a difference table, as in Moré and Wild, SIAM J. Scientific Computing 33 (2011).
 *
 * A kink at 0 is a jump J of the slope. The bend of a term, t(h) + t(-h) - 2 t(0), is J h there,
 * and h² t'' + O(h⁴) where it is smooth: (RATIO² bend(h / RATIO) - bend(h)) / (RATIO - 1) h is J in
 * the one case and O(h³) in the other. The least of it over all steps is what cannot be
 * excluded. */
#include "differences/slope.h"

#include <math.h>
#include <string.h>

#define FIRST 0x1p-5 /* step, of the scale */
#define RATIO 8.0
#define ROWS 12
#define SEEN 0x1p20              /* a change of so many noises can be told from it */
#define CERTAIN 8                /* deviations, themselves measured, that rounding is taken for */
#define NOISE_STEP (0x1p-34 / 3) /* of the scale, off any grid of rounding; if L does not move, */
#define NOISE_RATIO 0x1p6        /* so many times larger, */
#define NOISE_TRIALS 4           /* so often */
#define NOISE_VALUES 7

/* ---- One step -------------------------------------------------------------------------------- */

/* What is known at one h. */
typedef struct row {
    double slope;
    double change; /* of L, the larger of the two sides */
    bool is_finite;
} row;

static double sum(size_t count, const double *terms)
{
    double total = 0;

    for (size_t i = 0; i < count; i++)
        total += terms[i];
    return total;
}

/* Both sides of h. up[terms] and down[terms] are scratch, bends[terms] is what the sides sum to. */
static grad_status take_row(const grad_curve *curve, double h, double *sides, double *bends, row *r)
{
    double *up = sides, *down = sides + curve->terms;
    double moved_up = h, moved_down = -h, above, below;
    grad_status status = curve->at(curve->context, h, up, &moved_up);

    if (status == GRAD_OK)
        status = curve->at(curve->context, -h, down, &moved_down);
    if (status != GRAD_OK)
        return status;
    above = sum(curve->terms, up);
    below = sum(curve->terms, down);
    for (size_t i = 0; i < curve->terms; i++)
        bends[i] = up[i] + down[i];
    *r = (row){.slope = (above - below) / (moved_up - moved_down),
               .change = fmax(fabs(above), fabs(below))};
    r->is_finite = isfinite(r->slope) && isfinite(r->change);
    return GRAD_OK;
}

/* The jumps of slope that the bends at h and at h / RATIO leave possible. */
static double jumps(const grad_curve *curve, double h, const double *wide, const double *narrow)
{
    double total = 0;

    for (size_t i = 0; i < curve->terms; i++)
        total += fabs(RATIO * RATIO * narrow[i] - wide[i]);
    return total / ((RATIO - 1) * h);
}

/* ---- Extrapolation --------------------------------------------------------------------------- */

typedef struct tableau {
    double last[ROWS]; /* its last row */
    size_t count;
    double best, error, noise; /* the entry that may be trusted most */
} tableau;

static void extend(tableau *t, double slope, double noise)
{
    double next[ROWS] = {slope}, power = 1;

    for (size_t k = 1; k <= t->count; k++) {
        double error;

        power *= RATIO * RATIO;
        next[k] = next[k - 1] + (next[k - 1] - t->last[k - 1]) / (power - 1);
        error = 2 * fmax(fabs(next[k] - next[k - 1]), fabs(next[k] - t->last[k - 1]));
        if (!(error + noise < t->error + t->noise))
            continue;
        t->best = next[k];
        t->error = error;
        t->noise = noise;
    }
    memcpy(t->last, next, sizeof next);
    t->count++;
}

static bool is_settled(const grad_curve *curve, const tableau *t)
{
    double goal = fmax(curve->enough, curve->relative * fabs(t->best));

    return t->count >= 3 && (t->error <= t->noise || t->error + t->noise <= goal);
}

/* The first row: at the scale, or at the unit where L does not move enough to be seen. */
static grad_status begin(const grad_curve *curve, double *sides, double *bends, double *h, row *r)
{
    grad_status status;

    *h = FIRST * curve->scale;
    status = take_row(curve, *h, sides, bends, r);
    if (status != GRAD_OK || !r->is_finite || r->change >= SEEN * curve->noise ||
        curve->scale >= curve->unit)
        return status;
    *h = FIRST * curve->unit;
    return take_row(curve, *h, sides, bends, r);
}

grad_status grad_slope_find(const grad_curve *curve, double *scratch, grad_slope *slope)
{
    double *bends[] = {scratch + 2 * curve->terms, scratch + 3 * curve->terms};
    tableau t = {.best = (double)NAN, .error = (double)INFINITY};
    double h, kink = (double)INFINITY, near_kink = (double)INFINITY;
    row r;
    grad_status status = begin(curve, scratch, bends[0], &h, &r);

    for (size_t n = 0; status == GRAD_OK; n++) {
        if (!r.is_finite)
            t.count = 0;
        else
            extend(&t, r.slope, CERTAIN * curve->noise / h);
        if (t.count >= 2) {
            double jump = jumps(curve, h * RATIO, bends[(n + 1) % 2], bends[n % 2]);

            kink = fmin(kink, jump);
            near_kink = h >= curve->reach || t.count == 2 ? fmin(near_kink, jump) : near_kink;
        }
        if (n + 1 == ROWS || is_settled(curve, &t))
            break;
        h /= RATIO;
        status = take_row(curve, h, scratch, bends[(n + 1) % 2], &r);
    }
    *slope = (grad_slope){t.best, t.error + t.noise, kink, near_kink};
    return status;
}

/* ---- Noise ----------------------------------------------------------------------------------- */

/* The largest estimate of the standard deviation by differences of third to fifth order: those of
 * noise have the variance (2k)! / k!² of its own. */
static double deviation(double *values)
{
    static const double shares[] = {1, 1. / 2, 1. / 6, 1. / 20, 1. / 70, 1. / 252};
    double largest = 0;

    for (size_t k = 1; k <= 5; k++) {
        double squares = 0;

        for (size_t i = 0; i < NOISE_VALUES - k; i++) {
            values[i] = values[i + 1] - values[i];
            squares += values[i] * values[i];
        }
        if (k >= 3)
            largest = fmax(largest, sqrt(squares * shares[k] / (double)(NOISE_VALUES - k)));
    }
    return largest;
}

grad_status grad_noise_find(const grad_curve *curve, double *scratch, double *noise)
{
    double values[NOISE_VALUES], step = NOISE_STEP * curve->scale, found;
    bool has_moved = false;
    size_t trial;

    for (trial = 0; trial < NOISE_TRIALS && !has_moved; trial++, step *= NOISE_RATIO)
        for (size_t i = 0; i < NOISE_VALUES; i++) { /* on one side of a kink */
            double moved;
            grad_status status = curve->at(curve->context, step * (double)(i + 1), scratch, &moved);

            if (status != GRAD_OK)
                return status;
            values[i] = sum(curve->terms, scratch);
            has_moved = has_moved || values[i] != values[0];
        }
    found = deviation(values);
    if (trial > 1) /* a kink may be the cause */
        found = fmin(found, curve->grain);
    *noise = isfinite(found) ? found : 0;
    return GRAD_OK;
}
