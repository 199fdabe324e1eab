/* The backward pass of radii, layer by layer. Beside each number of a pass in double goes how far
 * it may be moved: `kink`, by any slope between left and right at the kinks of f and of the loss,
 * and `rounding`, by the rounding of either pass in the request's datatype. One rule serves every
 * step, the product of intervals c s ± (|c| r_s + |s| r + r r_s) of c ± r and s ± r_s; sums add
 * radii up. Internal to gradcheck/. */
#ifndef GRAD_GRADCHECK_RADII_H
#define GRAD_GRADCHECK_RADII_H

#include <math.h>

#include "gradcheck/state.h"

/* A layer and its states. That before the first stands for the network's input: it has y and dy. */
typedef struct grad_radii_stage {
    grad_layer *layer;
    const grad_layer *given;
    grad_layer f; /* its function alone, as a layer */
    size_t B, K, N;
    grad_interval *x;                       /* [B,K] */
    grad_interval *z, *y, *slope, *dy, *dz; /* [B,N]; of a coupled f slope is p */
    double *scratch;                        /* [9,B,N] */
} grad_radii_stage;

typedef struct grad_radii_pass {
    grad_check *check;
    grad_objective *objective;
    grad_radii_stage *stages; /* [layers + 1] */
    grad_layer loss;          /* what turns the last y into the loss */
    double unit;              /* of rounding; doubled where both passes are in double */
    double least;             /* number that has all its digits */
} grad_radii_pass;

/* ---- Intervals ------------------------------------------------------------------------------- */

static inline grad_interval exactly(double number)
{
    return (grad_interval){number, 0, 0};
}

static inline grad_interval times(grad_interval c, grad_interval s)
{
    double size = fabs(c.middle) + c.kink, slope = fabs(s.middle) + s.kink;

    return (grad_interval){c.middle * s.middle, fabs(c.middle) * s.kink + slope * c.kink,
                           size * s.rounding + (slope + s.rounding) * c.rounding};
}

/* Adds an interval, or takes it off, times a positive factor. */
static inline void add(grad_interval *sum, grad_interval addend, double factor)
{
    sum->middle += factor * addend.middle;
    sum->kink += fabs(factor) * addend.kink;
    sum->rounding += fabs(factor) * addend.rounding;
}

/* The roundings of a sum of so many products, by how far they walk. */
static inline double growth_of(const grad_radii_pass *p, size_t terms)
{
    return p->unit * (4 + sqrt((double)terms));
}

/* Where the intervals of that gradient go, or NULL where nobody asks. */
grad_interval *grad_radii_asked(const grad_radii_pass *p, const grad_radii_stage *s,
                                grad_output_kind output);

/* ---- Through f ------------------------------------------------------------------------------- */

/* The slopes around numbers [B,N] of f, a function of elements or of coupled ones, or of the loss
 * of a network behind it. */
grad_status grad_radii_find_slopes(const grad_radii_pass *p, const grad_radii_stage *s,
                                   const grad_layer *f, const grad_network *network,
                                   const grad_interval *at, bool is_coupled, grad_interval *slopes,
                                   grad_error *error);

/* y of z, and dz of dy; the slopes are kept from one to the other. */
grad_status grad_radii_forward_function(const grad_radii_pass *p, const grad_radii_stage *s,
                                        grad_error *error);
grad_status grad_radii_backward_function(const grad_radii_pass *p, const grad_radii_stage *s,
                                         grad_error *error);

/* ---- Through maps ---------------------------------------------------------------------------- */

/* What makes z of x; and adds dx, unless it is NULL, and the deltas of dz. */
typedef struct grad_radii_map {
    void (*forward)(const grad_radii_pass *p, const grad_radii_stage *s);
    void (*backward)(const grad_radii_pass *p, const grad_radii_stage *s, grad_interval *dx);
} grad_radii_map;

/* That of a layer. */
const grad_radii_map *grad_radii_map_of(const grad_layer *layer);

#endif
