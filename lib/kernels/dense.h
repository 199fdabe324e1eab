/* The backward products of a dense layer, on any block of their result: blocks of one result may be
 * worked out in any order and at once. The forward product is in gradient.h.
 *
 *     ΔW = factor δᵀ x [N,K]      Δb = factor Σ_b δ [N]      ∂L/∂x = δ W [B,K]
 *
 * factor is the request's scale, over B for a mean. It is applied in double to the finished sum and
 * rounded once; folded into sgemm's alpha it would be rounded to float32 first. */
#ifndef GRAD_KERNELS_DENSE_H
#define GRAD_KERNELS_DENSE_H

#include <stddef.h>

/* A block of a matrix: rows [row, row + rows) of columns [col, col + cols). */
typedef struct grad_block {
    size_t row, rows;
    size_t col, cols;
} grad_block;

/* That block of dW[N,K], from dz[B,N] and x[B,K]. */
void grad_dense_weight_delta(size_t B, size_t K, size_t N, const float *dz, const float *x,
                             double factor, grad_block block, float *dW);

/* Elements [begin, end) of db[N], from dz[B,N]. Summed in double in the order of the samples, so
 * that the bits depend neither on the range nor on B. */
void grad_dense_bias_delta(size_t B, size_t N, const float *dz, double factor, size_t begin,
                           size_t end, float *db);

/* That block of dx[B,K], from dz[B,N] and W[N,K]. */
void grad_dense_grad_input(size_t K, size_t N, const float *dz, const float *W, grad_block block,
                           float *dx);

#endif
