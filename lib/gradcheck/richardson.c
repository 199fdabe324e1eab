/* Slopes by central differences D(h) = (L(h) - L(-h)) / 2h, extrapolated to h = 0 over steps that
 * shrink by RATIO: a Richardson table, whose neighbours say how far an entry may be trusted
 * (Ridders, Advances in Engineering Software 4 (1982)).
 *
 * Entries may agree by chance, and where L has features that are narrower than the steps. So one
 * that is as certain as the tolerance and confirms what is expected ends the search, and one that
 * contradicts it counts until a closer look, whose uncertainty is less than a part of what is
 * amiss, sees nothing of it. */
#include "gradcheck/richardson.h"

#include <math.h>
#include <string.h>

#define FIRST 0x1p-5 /* step, of the scale */
#define RATIO 8.0
#define ROWS (GRAD_SLOPE_CALLS / 2)
#define CLOSER_ROWS 12  /* more, while there is a contradiction that rounding does not hide */
#define HIDDEN 0.25     /* of a contradiction, at most, in a look that takes it back */
#define TRUST 8         /* uncertainties that a contradiction is beyond */
#define NOISE (1. / 16) /* of the bound on it: roundings do not all go one way */

typedef struct table {
    double last[ROWS + CLOSER_ROWS]; /* its last row */
    size_t count;
    double best, error; /* of that row: the entry that neighbours agree with most */
} table;

static void extend(table *t, double slope)
{
    double next[ROWS + CLOSER_ROWS] = {slope}, power = 1;

    t->best = slope;
    t->error = (double)INFINITY;
    for (size_t k = 1; k <= t->count; k++) {
        double error;

        power *= RATIO * RATIO;
        next[k] = next[k - 1] + (next[k - 1] - t->last[k - 1]) / (power - 1);
        error = 2 * fmax(fabs(next[k] - next[k - 1]), fabs(next[k] - t->last[k - 1]));
        if (!(error < t->error))
            continue;
        t->best = next[k];
        t->error = error;
    }
    memcpy(t->last, next, sizeof next);
    t->count++;
}

static grad_status take_row(const grad_curve *curve, double h, double *slope)
{
    double above, below, up = h, down = -h;
    grad_status status = curve->at(curve->context, h, &above, &up);

    if (status == GRAD_OK)
        status = curve->at(curve->context, -h, &below, &down);
    if (status == GRAD_OK)
        *slope = (above - below) / (up - down);
    return status;
}

/* What a row's best entry says. True: it confirms what is expected, and there is no more to see. */
static bool weigh(const grad_curve *curve, const grad_slope *seen, double *miss, grad_slope *slope)
{
    double size = fmax(fmax(fabs(seen->value), fabs(curve->expected)), curve->floor);
    double distance = fabs(seen->value - curve->expected);
    double allowed = curve->radius + curve->tolerance * size;
    bool is_certain = seen->uncertainty <= curve->tolerance * size;
    bool is_contrary = is_certain && distance > allowed + TRUST * seen->uncertainty;
    bool is_consistent = distance <= allowed + seen->uncertainty;

    if (is_contrary)
        *miss = distance - allowed;
    else if (is_consistent && seen->uncertainty < HIDDEN * *miss)
        *miss = 0;
    if (is_contrary || *miss == 0)
        *slope = *seen;
    return is_consistent && is_certain && *miss == 0;
}

/* Whether there is another row to take. */
static bool is_open(const grad_curve *curve, size_t row, double h, double miss)
{
    return row < ROWS || (row < ROWS + CLOSER_ROWS && NOISE * curve->noise / h < miss);
}

grad_status grad_slope_find(const grad_curve *curve, grad_slope *slope)
{
    grad_slope found = {.value = (double)NAN, .uncertainty = (double)INFINITY};
    double h = FIRST * curve->scale, miss = 0;
    table t = {.count = 0};
    grad_status status = GRAD_OK;

    for (size_t n = 0; is_open(curve, n, h, miss); n++, h /= RATIO) {
        double value;
        grad_slope seen;

        status = take_row(curve, h, &value);
        if (status != GRAD_OK)
            return status;
        if (!isfinite(value)) {
            t.count = 0;
            continue;
        }
        extend(&t, value);
        seen = (grad_slope){.value = t.best, .uncertainty = t.error + NOISE * curve->noise / h};
        if (t.count >= 2 && weigh(curve, &seen, &miss, &found))
            break;
    }
    found.contradicts = miss > 0;
    *slope = found;
    return GRAD_OK;
}
