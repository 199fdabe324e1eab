/* The backward pass of radii, layer by layer. Beside each number of a pass in double goes how far
 * it may be moved: `kink`, by any slope between left and right at the kinks of f and of the loss,
 * and `rounding`, by the rounding of either pass in the request's datatype. Through f goes the
 * product of intervals, c s ± (|c| r_s + |s| r + r r_s) of c ± r and s ± r_s; behind it the radii
 * take the ways of the numbers, through |W|ᵀ and |x|. Internal to gradcheck/. */
#ifndef GRAD_GRADCHECK_RADII_H
#define GRAD_GRADCHECK_RADII_H

#include "gradcheck/state.h"
#include "gradcheck/tensors.h"

/* A layer and its states. That before the first stands for the network's input: it has y and ∂L/∂y
 * only. The errors e are forward: what rounding may have made of the number. */
typedef struct grad_stage {
    grad_layer layer;
    const grad_layer *given;
    size_t B, K, N;
    double *x, *ex;              /* [B,K] */
    double *z, *ez, *y, *ey;     /* [B,N] */
    double *slope, *jump, *bend; /* [B,N] of f at z: in the middle, and to either side */
    grad_intervals dy, dz;       /* [B,N] */
    double *values, *moved;      /* [5,B,N], [B,N]: scratch */
    double *in, *size;           /* [B,K]: scratch */
    double *W, *b;               /* |W|, |b| */
} grad_stage;

typedef struct grad_radii {
    grad_check *check;
    grad_objective *objective;
    grad_stage *stages; /* [layers + 1] */
    grad_layer loss;    /* what turns the last y into the loss */
    grad_tensor input;  /* the axes of all states */
    double unit;        /* of rounding; doubled where both passes are in double */
    double least;       /* number that has all its digits */
} grad_radii;

/* A state of the pass's axes, of so many columns. */
grad_tensor grad_radii_state(const grad_radii *r, double *data, size_t columns);

/* Where the radii of that gradient go, or NULL where nobody asks. (radii.c) */
grad_intervals *grad_radii_of(const grad_radii *r, const grad_stage *s, grad_output_kind output);

/* A factor of the unit: the roundings of a sum of so many products, by how far they walk. */
double grad_radii_growth(const grad_radii *r, size_t terms);

/* y and ey of f from z and ez, and the slopes. (radii_function.c) */
grad_status grad_radii_forward_function(const grad_radii *r, grad_stage *s, grad_error *error);

/* dz of dy. (radii_function.c) */
grad_status grad_radii_backward_function(const grad_radii *r, grad_stage *s, grad_error *error);

/* dy of the last layer, and what rounding does to the loss. (radii_loss.c) */
grad_status grad_radii_start(grad_radii *r, grad_error *error);

/* The slopes of a function of elements, f or a loss, around numbers; s holds the scratch memory.
 * network.input is what is put in. (radii_function.c) */
grad_status grad_radii_slopes(const grad_radii *r, const grad_layer *f, const grad_network *network,
                              grad_stage *s, const double *at, const double *error_at,
                              grad_intervals *slopes, grad_error *error);

/* ez of a norm. (radii_norm.c) */
void grad_radii_forward_norm(const grad_radii *r, grad_stage *s);

/* The radii behind a norm: dx, in the dy of the layer before it, and those of its parameters; the
 * middles are known. (radii_norm.c) */
void grad_radii_backward_norm(const grad_radii *r, grad_stage *s, const double *dx,
                              grad_intervals *before);

#endif
