/* The losses of gradient_network.h: value and gradient, sample by sample. Worked out in double for
 * both datatypes and rounded once. */
#ifndef GRAD_KERNELS_LOSSES_H
#define GRAD_KERNELS_LOSSES_H

#include "gradient_network.h"

/* A loss over a batch whose shapes and parameters have been checked. */
typedef struct grad_loss_view {
    const grad_loss *loss;
    grad_datatype type;
    grad_loss_kind fusion; /* the loss of z that is worked out instead; GRAD_LOSS_ABSENT: none */
    size_t B, N;
    size_t sample_axes; /* of y, in front of its last axis: 0 of a vector, 1 of [B,N] … */
    const void *y;      /* [B,N]: the network's output; where fused, z of its last layer */
    double divisor;     /* grad_loss_divisor's; what the gradient is divided by */
} grad_loss_view;

/* One sample of it, whose outputs are its own, not the batch's. */
typedef struct grad_loss_sample {
    const grad_loss_view *view;
    size_t b;
    double weight; /* the sample's; 1 where it has none */
    void *losses;  /* [1] or [N], or NULL */
    void *grad;    /* [N], or NULL */
} grad_loss_sample;

/* All there is of a loss. To add one: a line of GRAD_LOSSES in gradient_network.h, and in the file
 * of its family the function of a sample and the row. Of what is left out none is meant. */
typedef struct grad_loss_row {
    grad_loss_info info;
    /* Works out one sample, writes its losses and grad, weighted, and returns its weighted sum. */
    double (*sample)(const grad_loss_sample *sample);
    /* What a target that is no class, or an output, must be, given the parameters p; NULL where t,
     * y is that. */
    const char *(*target)(const double *p, double t, bool must_be_finite);
    const char *(*output)(const double *p, double y);
    const char *has_own;         /* "softmax": it is part of the loss, and y are logits */
    bool takes_logarithms;       /* y are logarithms of probabilities */
    bool has_batch_mean;         /* it takes GRAD_LOSS_BATCH_MEAN; targets are as y */
    bool target_is_distribution; /* a sample's targets that are no class add up to 1 */
    size_t ignore_index;         /* of losses that take classes: which parameter that is */
    grad_activation_kind fuses_with;
    grad_loss_kind fused; /* what it then is; GRAD_LOSS_ABSENT: it fuses with none */
} grad_loss_row;

#define GRAD_LOSS_ROW_DECLARED(KIND, name) extern const grad_loss_row grad_##name##_loss;
GRAD_LOSSES(GRAD_LOSS_ROW_DECLARED)
#undef GRAD_LOSS_ROW_DECLARED

const grad_loss_row *grad_loss_row_of(grad_loss_kind kind);

/* Whether the target is one class a sample, [B], rather than a number an element, [B,N]. A target
 * [1] of a batch of one is a class where the loss takes classes and N > 1. Of the view neither y
 * nor divisor is read. */
bool grad_loss_has_classes(const grad_loss_view *view);

/* Whether a class is the ignore_index of a loss that takes classes (cross_entropy, nll): its sample
 * has no loss and no gradient. Both are compared as numbers of that datatype. */
bool grad_loss_ignores(const grad_loss *loss, grad_datatype type, double target);

/* What the reduction divides by: 1 but for the means. Reads no y, and of the view neither y nor
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
