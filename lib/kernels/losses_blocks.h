/* What the families of losses share: a sample in blocks of doubles. */
#ifndef GRAD_KERNELS_LOSSES_BLOCKS_H
#define GRAD_KERNELS_LOSSES_BLOCKS_H

#include "core/foreign.h"
#include "kernels/losses.h"

#define GRAD_LOSS_BLOCK 256 /* a multiple of the lanes of grad_loss_sum */

/* The sum of count <= GRAD_LOSS_BLOCK terms, in an order that depends on count alone. */
double grad_loss_sum(size_t count, const double *terms);

/* out[i] = data[begin + i], widened. */
void grad_loss_widen(grad_datatype type, const void *data, size_t begin, size_t count, double *out);

/* data[begin + i] = factor terms[i], rounded once; nothing where data is NULL. */
void grad_loss_narrow(grad_datatype type, void *data, size_t begin, size_t count, double factor,
                      const double *terms);

/* The weight of a class: 1 where there are none. */
double grad_loss_class_weight(const grad_loss_view *view, size_t class);

/* The target of losses with a margin: -1 or 1. */
const char *grad_loss_sign_target(const double *p, double t, bool must_be_finite);

#endif
