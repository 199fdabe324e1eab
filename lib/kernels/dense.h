/* The dense layer's products for either datatype, on any block of their result. Blocks of one
 * result may be worked out in any order and at once. The last bits of a product may depend on how
 * it is cut, as small blocks are summed by other loops than large ones: a cut must follow from the
 * sizes alone.
 *
 *     z = x Wᵀ + b [B,N]              ΔW = factor δᵀ x [N,K]
 *     Δb = factor Σ_b δ [N]           ∂L/∂x = δ W [B,K]
 *
 * factor is the request's scale, over B for a mean. It is applied in double to the finished sum and
 * rounded once; folded into sgemm's alpha it would be rounded to float32 first. */
#ifndef GRAD_KERNELS_DENSE_H
#define GRAD_KERNELS_DENSE_H

#include "gradient_core.h"

/* A block of a matrix: rows [row, row + rows) of columns [col, col + cols). */
typedef struct grad_block {
    size_t row, rows;
    size_t col, cols;
} grad_block;

/* That block of z[B,N], from x[B,K], W[N,K] and b[N] or NULL. */
void grad_dense_pre_activation(grad_datatype type, size_t K, size_t N, const void *x, const void *W,
                               const void *b, grad_block block, void *z);

/* That block of dW[N,K], from dz[B,N] and x[B,K]. */
void grad_dense_weight_delta(grad_datatype type, size_t B, size_t K, size_t N, const void *dz,
                             const void *x, double factor, grad_block block, void *dW);

/* Elements [begin, end) of db[N], from dz[B,N]. Summed in double in the order of the samples, so
 * that the bits depend neither on the range nor on B. */
void grad_dense_bias_delta(grad_datatype type, size_t B, size_t N, const void *dz, double factor,
                           size_t begin, size_t end, void *db);

/* That block of dx[B,K], from dz[B,N] and W[N,K]. */
void grad_dense_grad_input(grad_datatype type, size_t K, size_t N, const void *dz, const void *W,
                           grad_block block, void *dx);

/* Samples [row, row + rows) of dW[B,N,K]: factor times the outer product of each sample's dz and x,
 * in double, rounded once. */
void grad_dense_sample_deltas(grad_datatype type, size_t K, size_t N, const void *dz, const void *x,
                              double factor, size_t row, size_t rows, void *dW);

#endif
