/* The dense layer: its forward product and the three of its backward pass. Activations, and what
 * is a good block, do not live here. */
#include "kernels/dense.h"

#include "core/size.h"
#include "gradient.h"
#include "kernels/gemm.h"

/* z[B,N] = x[B,K] W[N,K]ᵀ + b[N] */
void grad_dense_forward(size_t B, size_t K, size_t N, const float *x, const float *W,
                        const float *b, float *z)
{
    grad_factor A = {x, K, false}, Wt = {W, K, true};

    grad_gemm(B, N, K, A, Wt, z, N);
    if (b == NULL)
        return;
    for (size_t sample = 0; sample < B; sample++, z += N)
        for (size_t n = 0; n < N; n++)
            z[n] += b[n];
}

static void scale_row(size_t count, double factor, float *row)
{
    for (size_t i = 0; i < count; i++)
        row[i] = (float)(factor * row[i]);
}

void grad_dense_weight_delta(size_t B, size_t K, size_t N, const float *dz, const float *x,
                             double factor, grad_block block, float *dW)
{
    grad_factor dzt = {dz + block.row, N, true}, X = {x + block.col, K, false};
    float *corner = dW + block.row * K + block.col;

    grad_gemm(block.rows, block.cols, B, dzt, X, corner, K);
    if (factor == 1)
        return;
    for (size_t n = 0; n < block.rows; n++)
        scale_row(block.cols, factor, corner + n * K);
}

#define SUMS 128 /* columns summed at once: 1 KiB of stack */

void grad_dense_bias_delta(size_t B, size_t N, const float *dz, double factor, size_t begin,
                           size_t end, float *db)
{
    for (size_t first = begin; first < end; first += SUMS) {
        size_t count = grad_size_min(SUMS, end - first);
        double sum[SUMS] = {0};

        for (size_t b = 0; b < B; b++)
            for (size_t n = 0; n < count; n++)
                sum[n] += dz[b * N + first + n];
        for (size_t n = 0; n < count; n++)
            db[first + n] = (float)(factor * sum[n]);
    }
}

void grad_dense_grad_input(size_t K, size_t N, const float *dz, const float *W, grad_block block,
                           float *dx)
{
    grad_factor D = {dz + block.row * N, N, false}, Wc = {W + block.col, K, false};

    grad_gemm(block.rows, block.cols, N, D, Wc, dx + block.row * K + block.col, K);
}
