/* The slope of a function of one variable by differences, held against what it should be. Internal
 * to gradcheck/. */
#ifndef GRAD_GRADCHECK_RICHARDSON_H
#define GRAD_GRADCHECK_RICHARDSON_H

#include "gradient_core.h"

/* L(h) - L(0) around h = 0, and what its slope is expected to be. */
typedef struct grad_curve {
    /* *moved is how far L really went, h but for rounding. Called for h != 0. A status but GRAD_OK
     * ends the search and is passed on. */
    grad_status (*at)(void *context, double h, double *change, double *moved);
    void *context;
    double scale;            /* steps begin at a part of it */
    double noise;            /* standard deviation of L's rounding */
    double expected, radius; /* of the slope */
    double tolerance, floor; /* relative to the larger of both slopes, or to the floor */
} grad_curve;

/* At most so many times does grad_slope_find call curve.at. */
#define GRAD_SLOPE_CALLS 24

typedef struct grad_slope {
    double value;       /* NaN: L is not finite on both sides, however near */
    double uncertainty; /* of value, by the steps and by rounding */
    bool contradicts;   /* what was expected, and no closer look takes it back */
} grad_slope;

grad_status grad_slope_find(const grad_curve *curve, grad_slope *slope);

#endif
