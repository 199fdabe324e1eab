/* Layer, group, batch and root mean square normalization: z = γ x̂ + β with
 * x̂ = (x - mean) / √(variance + ε), the variance being the mean of the squares (not the unbiased
 * one). Worked out in double for both datatypes and rounded once. Whole arrays are given, and the
 * part of them to work out. Ba, Kiros and Hinton, Layer Normalization, arXiv:1607.06450; Ioffe and
 * Szegedy, Batch Normalization, arXiv:1502.03167; Zhang and Sennrich, Root Mean Square Layer
 * Normalization, arXiv:1910.07467; Wu and He, Group Normalization, arXiv:1803.08494. */
#ifndef GRAD_KERNELS_NORMS_H
#define GRAD_KERNELS_NORMS_H

#include "gradient.h"

/* Of one normalized set: a sample (layer, rms norm), a group of a sample's features (group norm) or
 * a feature (batch norm). */
typedef struct grad_moments {
    double mean;
    double inverse_deviation; /* 1 / √(variance + ε), about the mean above */
} grad_moments;

typedef struct grad_norm {
    grad_datatype type;
    size_t B, N;
    bool by_sample;           /* moments are [B,groups]; else [N] */
    size_t groups;            /* by sample: that a sample's features are cut into, side by side */
    bool is_uncentred;        /* by sample: the mean is taken for 0 */
    bool moments_depend_on_x; /* false: batch norm's inference form */
    const void *gain, *shift; /* γ, β [N], or NULL: ones, zeros */
    const void *x;            /* [B,N] */
    const grad_moments *moments; /* [B,groups] or [N] */
} grad_norm;

/* moments[row … row + rows) of [B,groups], of norm->x[B,N]; norm->moments is not read. */
void grad_sample_norm_moments(const grad_norm *norm, double epsilon, size_t row, size_t rows,
                              grad_moments *moments);

/* moments[begin … end) of x[B,N], by column; summed in the order of the samples. */
void grad_batch_norm_moments(grad_datatype type, size_t B, size_t N, const void *x, double epsilon,
                             size_t begin, size_t end, grad_moments *moments);

/* moments[N] of given ones. */
void grad_running_moments(grad_datatype type, size_t N, const void *mean, const void *variance,
                          double epsilon, grad_moments *moments);

/* Rows [row, row + rows) of z[B,N]. */
void grad_norm_forward(const grad_norm *norm, size_t row, size_t rows, void *z);

/* Elements [begin, end) of Δγ[N] = factor Σ_b dz x̂. The shift's is a bias delta. */
void grad_norm_gain_delta(const grad_norm *norm, const void *dz, double factor, size_t begin,
                          size_t end, void *dgain);

/* Rows [row, row + rows) of factor dz x̂ [B,N]: Δγ sample by sample. */
void grad_norm_sample_gain_deltas(const grad_norm *norm, const void *dz, double factor, size_t row,
                                  size_t rows, void *dgain);

/* ∂L/∂x[B,N] of a norm by sample: rows [row, row + rows). */
void grad_sample_norm_grad_input(const grad_norm *norm, const void *dz, size_t row, size_t rows,
                                 void *dx);

/* ∂L/∂x[B,N] of a norm by feature: columns [begin, end). */
void grad_batch_norm_grad_input(const grad_norm *norm, const void *dz, size_t begin, size_t end,
                                void *dx);

#endif
