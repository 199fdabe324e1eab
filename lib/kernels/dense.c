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

void grad_dense_weight_delta(grad_datatype type, size_t B, size_t K, size_t N, const void *dz,
                             const void *x, double factor, grad_block block, void *dW)
{
    grad_factor dzt = {(const float *)dz + block.row, N, true};
    grad_factor X = {(const float *)x + block.col, K, false};
    float *corner = (float *)dW + block.row * K + block.col;

    (void)type;

    grad_gemm(block.rows, block.cols, B, dzt, X, corner, K);
    if (factor == 1)
        return;
    for (size_t n = 0; n < block.rows; n++)
        scale_row(block.cols, factor, corner + n * K);
}

#define SUMS 128 /* columns summed at once: 1 KiB of stack */

void grad_dense_bias_delta(grad_datatype type, size_t B, size_t N, const void *dz, double factor,
                           size_t begin, size_t end, void *db)
{
    (void)type;
    for (size_t first = begin; first < end; first += SUMS) {
        size_t count = grad_size_min(SUMS, end - first);
        double sum[SUMS] = {0};

        for (size_t b = 0; b < B; b++)
            for (size_t n = 0; n < count; n++)
                sum[n] += ((const float *)dz)[b * N + first + n];
        for (size_t n = 0; n < count; n++)
            ((float *)db)[first + n] = (float)(factor * sum[n]);
    }
}

void grad_dense_grad_input(grad_datatype type, size_t K, size_t N, const void *dz, const void *W,
                           grad_block block, void *dx)
{
    grad_factor D = {(const float *)dz + block.row * N, N, false};
    grad_factor Wc = {(const float *)W + block.col, K, false};

    (void)type;
    grad_gemm(block.rows, block.cols, N, D, Wc, (float *)dx + block.row * K + block.col, K);
}
