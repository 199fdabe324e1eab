/* What the files of kernels/ and batch/ need to know of the activations beyond gradient.h. The
 * formulae are in the .c files. */
#ifndef GRAD_KERNELS_ACTIVATIONS_H
#define GRAD_KERNELS_ACTIVATIONS_H

#include "gradient.h"

/* Whether f mixes the features of a sample (softmax), so that a row of z is not to be cut. */
bool grad_activation_couples_features(grad_activation_kind kind);

/* Softmax's two functions in the table; p is not read. */
void grad_softmax_forward(const float *p, size_t B, size_t N, const float *z, float *y);
void grad_softmax_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                           float *dz);

#endif
