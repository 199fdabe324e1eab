/* Loops over the elements of an array, either datatype: what stands around an activation, and what
 * is done to finished deltas. */
#ifndef GRAD_KERNELS_ELEMENTS_H
#define GRAD_KERNELS_ELEMENTS_H

#include "gradient.h"

/* y = factor mask ⊙ x, multiplied in the datatype. y may be x. */
void grad_elements_mask(grad_datatype type, size_t count, const void *mask, double factor,
                        const void *x, void *y);

/* sum += x */
void grad_elements_add(grad_datatype type, size_t count, const void *x, void *sum);

/* Holds x within [-limit, limit] (a NaN stays); returns how many it changed. */
size_t grad_elements_clip(grad_datatype type, size_t count, double limit, void *x);

/* x *= factor, in double, rounded once. */
void grad_elements_scale(grad_datatype type, size_t count, double factor, void *x);

/* dW = scale (factor dW + l1 sign(W) + l2 W), in double, rounded once. sign(0) = 0. */
void grad_elements_decay(grad_datatype type, size_t count, double factor, grad_decay decay,
                         double scale, const void *W, void *dW);

/* Of those elements. No overflow on the way to a norm that is finite. */
grad_statistics grad_elements_statistics(grad_datatype type, size_t count, const void *x);

/* Adds those of more elements: norms by hypot. */
void grad_statistics_add(grad_statistics *total, const grad_statistics *more);

#endif
