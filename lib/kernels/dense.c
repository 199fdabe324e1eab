/* The dense layer: its forward product and the three of its backward pass. */
#include "kernels/dense.h"

#include "core/real.h"
#include "core/size.h"
#include "gradient.h"
#include "kernels/gemm.h"

/* ---- Forward --------------------------------------------------------------------------------- */

/* The rows of the block, whose corner is z, lie stride apart; b begins at its first column. */
static void add_bias(grad_datatype type, grad_block block, const void *b, void *z, size_t stride)
{
    for (size_t sample = 0; sample < block.rows; sample++)
        if (type == GRAD_FP64)
            for (size_t n = 0; n < block.cols; n++)
                ((double *)z)[sample * stride + n] += ((const double *)b)[n];
        else
            for (size_t n = 0; n < block.cols; n++)
                ((float *)z)[sample * stride + n] += ((const float *)b)[n];
}

void grad_dense_pre_activation(grad_datatype type, size_t K, size_t N, const void *x, const void *W,
                               const void *b, grad_block block, void *z)
{
    grad_factor X = {grad_real_offset_const(type, x, block.row * K), K, false};
    grad_factor Wt = {grad_real_offset_const(type, W, block.col * K), K, true};
    void *corner = grad_real_offset(type, z, block.row * N + block.col);

    grad_gemm(type, block.rows, block.cols, K, X, Wt, corner, N);
    if (b != NULL)
        add_bias(type, block, grad_real_offset_const(type, b, block.col), corner, N);
}

void grad_dense_forward(size_t B, size_t K, size_t N, const float *x, const float *W,
                        const float *b, float *z)
{
    grad_block whole = {0, B, 0, N};

    grad_dense_pre_activation(GRAD_FP32, K, N, x, W, b, whole, z);
}

/* ---- Backward -------------------------------------------------------------------------------- */

static void scale_row(grad_datatype type, size_t count, double factor, void *row)
{
    if (type == GRAD_FP64)
        for (size_t i = 0; i < count; i++)
            ((double *)row)[i] *= factor;
    else
        for (size_t i = 0; i < count; i++)
            ((float *)row)[i] = (float)(factor * ((float *)row)[i]);
}

void grad_dense_weight_delta(grad_datatype type, size_t B, size_t K, size_t N, const void *dz,
                             const void *x, double factor, grad_block block, void *dW)
{
    grad_factor dzt = {grad_real_offset_const(type, dz, block.row), N, true};
    grad_factor X = {grad_real_offset_const(type, x, block.col), K, false};
    void *corner = grad_real_offset(type, dW, block.row * K + block.col);

    grad_gemm(type, block.rows, block.cols, B, dzt, X, corner, K);
    if (factor == 1)
        return;
    for (size_t n = 0; n < block.rows; n++)
        scale_row(type, block.cols, factor, grad_real_offset(type, corner, n * K));
}

static void add_row(grad_datatype type, size_t count, const void *row, double *sum)
{
    if (type == GRAD_FP64)
        for (size_t n = 0; n < count; n++)
            sum[n] += ((const double *)row)[n];
    else
        for (size_t n = 0; n < count; n++)
            sum[n] += ((const float *)row)[n];
}

#define SUMS 128 /* columns summed at once: 1 KiB of stack */

void grad_dense_bias_delta(grad_datatype type, size_t B, size_t N, const void *dz, double factor,
                           size_t begin, size_t end, void *db)
{
    for (size_t first = begin; first < end; first += SUMS) {
        size_t count = grad_size_min(SUMS, end - first);
        double sum[SUMS] = {0};

        for (size_t b = 0; b < B; b++)
            add_row(type, count, grad_real_offset_const(type, dz, b * N + first), sum);
        for (size_t n = 0; n < count; n++)
            sum[n] *= factor;
        grad_real_write(type, count, sum, db, first);
    }
}

void grad_dense_grad_input(grad_datatype type, size_t K, size_t N, const void *dz, const void *W,
                           grad_block block, void *dx)
{
    grad_factor D = {grad_real_offset_const(type, dz, block.row * N), N, false};
    grad_factor Wc = {grad_real_offset_const(type, W, block.col), K, false};

    grad_gemm(type, block.rows, block.cols, N, D, Wc,
              grad_real_offset(type, dx, block.row * K + block.col), K);
}

/* row[K] = scale x[K] */
static void write_multiple(grad_datatype type, size_t K, double scale, const void *x, void *row)
{
    if (type == GRAD_FP64)
        for (size_t k = 0; k < K; k++)
            ((double *)row)[k] = scale * ((const double *)x)[k];
    else
        for (size_t k = 0; k < K; k++)
            ((float *)row)[k] = (float)(scale * ((const float *)x)[k]);
}

void grad_dense_sample_deltas(grad_datatype type, size_t K, size_t N, const void *dz, const void *x,
                              double factor, size_t row, size_t rows, void *dW)
{
    for (size_t b = row; b < row + rows; b++)
        for (size_t n = 0; n < N; n++)
            write_multiple(type, K, factor * grad_real_at(type, dz, b * N + n),
                           grad_real_offset_const(type, x, b * K),
                           grad_real_offset(type, dW, (b * N + n) * K));
}
