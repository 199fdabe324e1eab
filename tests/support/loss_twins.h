/* Naive twins of the losses: PyTorch's formulae in long double, one number at a time, written
 * without looking at the kernels. */
#ifndef TESTS_SUPPORT_LOSS_TWINS_H
#define TESTS_SUPPORT_LOSS_TWINS_H

#include "gradient_network.h"

/* A loss with its tensors, and y in long double, so that it can be moved by very little. */
typedef struct loss_twin {
    const grad_loss *loss;
    grad_datatype type; /* of the loss's tensors */
    size_t B, N;
    bool has_classes;
    const long double *y; /* [B,N] */
} loss_twin;

/* A number, and the magnitude of what it is made of: the sum of the absolute values of its terms,
 * each times how much more than its own rounding error a function of doubles has there. */
typedef struct twin_number {
    long double value;
    long double magnitude;
} twin_number;

/* Whether a sample is one that ignore_index takes out. */
bool twin_is_ignored(const loss_twin *twin, size_t b);

/* The loss of one element, for the losses that are sums of such. Not weighted, not divided. */
twin_number twin_element_loss(const loss_twin *twin, size_t b, size_t j);

/* The loss of a sample, any loss. Not weighted, not divided. */
twin_number twin_sample_loss(const loss_twin *twin, size_t b);

/* Its derivative by y[b,j]. */
twin_number twin_loss_slope(const loss_twin *twin, size_t b, size_t j);

/* What the reduction divides by. */
long double twin_loss_divisor(const loss_twin *twin);

/* The weight of a sample, and Σ weight loss / divisor over the batch. */
long double twin_sample_weight(const loss_twin *twin, size_t b);
twin_number twin_loss_total(const loss_twin *twin);

#endif
