/* The slope of a function of one variable by differences, with a measure of how far it may be
 * trusted. What the function is made of does not live here. Internal to differences/. */
#ifndef GRAD_DIFFERENCES_SLOPE_H
#define GRAD_DIFFERENCES_SLOPE_H

#include "gradient_core.h"

/* L(h), a sum of terms, around h = 0. The terms are kept apart until their changes are known, so
 * that those that do not change bring no rounding, and that kinks in them cannot cancel. */
typedef struct grad_curve {
    /* changes[terms] = terms(h) - terms(0); *moved is how far it really went, h but for rounding.
     * Called for h != 0. A status but GRAD_OK ends the search and is passed on. */
    grad_status (*at)(void *context, double h, double *changes, double *moved);
    void *context;
    size_t terms;
    double scale;  /* steps begin at a part of it */
    double unit;   /* or of this, where nothing is to be seen at scale; 0: never */
    double noise;  /* standard deviation of L by rounding */
    double grain;  /* what L may move by at once, at most, where it rounds numbers larger than it */
    double reach;  /* of kinks that may be at 0 for all that is known */
    double enough; /* an uncertainty that need not be lowered, */
    double relative; /* or this part of the slope */
} grad_curve;

/* At most so many times does grad_slope_find call curve.at; grad_noise_find. */
#define GRAD_SLOPE_CALLS 26
#define GRAD_NOISE_CALLS 28

/* Numbers of scratch memory that either needs. */
#define GRAD_SLOPE_SCRATCH(terms) (4 * (terms))

/* A kink: how much of a jump of the slope the steps cannot exclude, Σ over the terms. Infinite
 * where value is NaN. */
typedef struct grad_slope {
    double value;       /* NaN: L is not finite on both sides, however near */
    double uncertainty; /* of value, by the steps and by rounding */
    double kink;        /* at 0 */
    double near_kink;   /* within reach of it */
} grad_slope;

grad_status grad_slope_find(const grad_curve *curve, double *scratch, grad_slope *slope);

/* curve.noise of that curve, from its values at equal steps too small for anything but rounding to
 * leave differences of higher order; where L only moves at larger steps, grain at most. 0 where L
 * is not finite, or does not move at all. */
grad_status grad_noise_find(const grad_curve *curve, double *scratch, double *noise);

#endif
