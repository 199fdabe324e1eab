/* What the files of the losses share: one sample, its blocks of doubles, and the functions that
 * work out a sample. The library's view of the losses is losses.h. */
#ifndef GRAD_KERNELS_LOSSES_ROW_H
#define GRAD_KERNELS_LOSSES_ROW_H

#include "kernels/losses.h"

#define GRAD_LOSS_BLOCK 256 /* a multiple of the lanes of grad_loss_sum */

/* One sample. Its outputs are the sample's own, not the batch's. */
typedef struct grad_loss_row {
    const grad_loss_view *view;
    size_t b;
    double weight; /* the sample's; 1 where it has none */
    void *losses;  /* [1] or [N], or NULL */
    void *grad;    /* [N], or NULL */
} grad_loss_row;

/* Each works out one sample, writes its losses and grad, weighted, and returns its weighted sum. */
double grad_loss_elements_row(const grad_loss_row *row);
double grad_loss_cross_entropy_row(const grad_loss_row *row);
double grad_loss_nll_row(const grad_loss_row *row);
double grad_loss_cosine_row(const grad_loss_row *row);

/* The sum of count <= GRAD_LOSS_BLOCK terms, in an order that depends on count alone. */
double grad_loss_sum(size_t count, const double *terms);

/* out[i] = data[begin + i], widened. */
void grad_loss_widen(grad_datatype type, const void *data, size_t begin, size_t count, double *out);

/* data[begin + i] = factor terms[i], rounded once; nothing where data is NULL. */
void grad_loss_narrow(grad_datatype type, void *data, size_t begin, size_t count, double factor,
                      const double *terms);

/* The weight of a class: 1 where there are none. */
double grad_loss_class_weight(const grad_loss_view *view, size_t class);

#endif
