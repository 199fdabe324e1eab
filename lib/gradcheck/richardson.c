/* Slopes by central differences D(h) = (L(h) - L(-h)) / 2h, extrapolated to h = 0 over steps that
 * shrink by RATIO: a Richardson table, whose neighbours say how far an entry may be trusted
 * (Ridders, Advances in Engineering Software 4 (1982)).
 *
 * Entries may agree by chance, and where L has features that are narrower than the steps. So one
 * that is as certain as the tolerance and confirms what is expected ends the search, and one that
 * contradicts it counts until a closer look, whose uncertainty is less than a part of what is
 * amiss, sees nothing of it, or differences leave it. */
#include "gradcheck/richardson.h"

#include <math.h>
#include <string.h>

#define FIRST 0x1p-5 /* step, of the scale */
#define RATIO 8.0
#define ROWS (GRAD_SLOPE_CALLS / 2)
#define CLOSER_ROWS 12 /* more, while there is a contradiction that rounding does not hide */
#define HIDDEN 0.25    /* of a contradiction, at most, in a look that takes it back */
#define JUMP 16        /* times what is amiss, that differences leave a slope by where L jumps */
#define TRUST 8        /* uncertainties that a contradiction is beyond */
#define NOISE 2 /* deviations of rounding in L, over the step, that a difference may be off */

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

/* What the rows up to now say. */
typedef struct search {
    grad_slope found;
    double miss;  /* of a contradiction: by how much it is beyond what is allowed; else 0 */
    double drift; /* of its row: how far the difference itself was from the slope */
} search;

/* Whether a closer difference takes a contradiction back: it has left its slope by more than
 * rounding can, for what is expected, or for no slope at all, since L jumps. */
static bool is_left(const grad_curve *curve, const search *s, double difference, double rounding)
{
    double way = fabs(difference - s->found.value), size = fabs(curve->expected);
    bool arrives = fabs(difference - curve->expected) <=
                   curve->radius + curve->tolerance * fmax(size, curve->floor) + rounding;

    return way > s->drift + TRUST * s->found.uncertainty + 2 * rounding &&
           (arrives || way > JUMP * s->miss);
}

/* What a row's difference and its best entry say. True: it confirms what is expected, and there is
 * no more to see. */
static bool weigh(const grad_curve *curve, double difference, double rounding,
                  const grad_slope *seen, search *s)
{
    double size = fmax(fmax(fabs(seen->value), fabs(curve->expected)), curve->floor);
    double distance = fabs(seen->value - curve->expected);
    double allowed = curve->radius + curve->tolerance * size;
    bool is_certain = seen->uncertainty <= curve->tolerance * size;
    bool is_contrary = is_certain && distance > allowed + TRUST * seen->uncertainty;
    bool is_consistent = distance <= allowed + seen->uncertainty;

    if (is_contrary) {
        s->miss = distance - allowed;
        s->drift = fabs(difference - seen->value);
    } else if (s->miss > 0 && ((is_consistent && seen->uncertainty < HIDDEN * s->miss) ||
                               is_left(curve, s, difference, rounding)))
        s->miss = 0;
    if (is_contrary || s->miss == 0)
        s->found = *seen;
    return is_consistent && is_certain && s->miss == 0;
}

/* Whether there is another row to take. */
static bool is_open(size_t row, double rounding, const search *s)
{
    return row < ROWS || (row < ROWS + CLOSER_ROWS && rounding < s->miss);
}

grad_status grad_slope_find(const grad_curve *curve, grad_slope *slope)
{
    search s = {.found = {.value = (double)NAN, .uncertainty = (double)INFINITY}};
    double h = FIRST * curve->scale;
    table t = {.count = 0};
    grad_status status = GRAD_OK;

    for (size_t n = 0; is_open(n, NOISE * curve->noise / h, &s); n++, h /= RATIO) {
        double difference, rounding = NOISE * curve->noise / h;
        grad_slope seen;

        status = take_row(curve, h, &difference);
        if (status != GRAD_OK)
            return status;
        if (!isfinite(difference)) {
            t.count = 0;
            continue;
        }
        extend(&t, difference);
        seen = (grad_slope){.value = t.best, .uncertainty = t.error + rounding};
        if (t.count >= 2 && weigh(curve, difference, rounding, &seen, &s))
            break;
    }
    s.found.contradicts = s.miss > 0;
    *slope = s.found;
    return GRAD_OK;
}
