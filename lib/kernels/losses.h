/* The losses of gradient_network.h: value and gradient, sample by sample. Worked out in double for
 * both datatypes and rounded once. What a loss is applied to, and what becomes of its gradient, is
 * batch/'s. */
#ifndef GRAD_KERNELS_LOSSES_H
#define GRAD_KERNELS_LOSSES_H

#include "gradient_network.h"

/* A last activation and a loss that are one function of z. */
typedef enum grad_loss_fusion {
    GRAD_NOT_FUSED,
    GRAD_FUSED_SIGMOID,    /* sigmoid, then binary_cross_entropy: bce_with_logits of z */
    GRAD_FUSED_LOG_SOFTMAX /* log_softmax, then nll: cross_entropy of z */
} grad_loss_fusion;

/* How that activation and that loss go together. */
grad_loss_fusion grad_loss_fusion_of(grad_activation_kind f, grad_loss_kind loss);

/* A loss over a batch whose shapes and parameters have been checked. */
typedef struct grad_loss_view {
    const grad_loss *loss;
    grad_datatype type;
    grad_loss_fusion fusion;
    size_t B, N;
    size_t sample_axes; /* of y, in front of its last axis: 0 of a vector, 1 of [B,N] … */
    const void *y;      /* [B,N]: the network's output; where fused, z of its last layer */
    double divisor;     /* grad_loss_divisor's; what the gradient is divided by */
} grad_loss_view;

/* Whether the target is one class a sample, [B], rather than a number an element, [B,N]. A target
 * [1] of a batch of one is a class where the loss takes classes and N > 1. Of the view neither y
 * nor divisor is read. */
bool grad_loss_has_classes(const grad_loss_view *view);

/* Whether a class is the ignore_index of a loss that takes classes (cross_entropy, nll): its sample
 * has no loss and no gradient. Both are compared as numbers of that datatype. */
bool grad_loss_ignores(const grad_loss *loss, grad_datatype type, double target);

/* What the reduction divides by: 1 but for the mean. Reads no y, and of the view neither y nor
 * divisor; 0 where all samples are ignored, which makes a NaN of the mean, as PyTorch's. */
double grad_loss_divisor(const grad_loss_view *view);

/* Samples [row, row + rows), each array being the whole batch's and any of them NULL: sums[B], a
 * sample's loss, weighted and not divided; losses[B] or [B,N], the same a sample or an element;
 * grad[B,N], ∂L/∂y (where fused ∂L/∂z), divided by the divisor. */
void grad_loss_rows(const grad_loss_view *view, size_t row, size_t rows, double *sums, void *losses,
                    void *grad);

/* The loss under mean or sum: the samples' sums, added in order, over the divisor. */
double grad_loss_total(const grad_loss_view *view, const double *sums);

#endif
