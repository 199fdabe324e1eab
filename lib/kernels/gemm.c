/* Matrix products: OpenBLAS's where it pays, plain loops where it does not. */
#include "kernels/gemm.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

#define SMALL_PRODUCT (16 * 16 * 16) /* multiply-adds; below, the call costs more than the work */

/* plain_float and plain_double: sums in the order of depth, in the datatype. Inner loops run along
 * rows of B and C: they vectorise. */
#define PLAIN_PRODUCT(real)                                                                        \
    static void plain_##real(size_t rows, size_t cols, size_t depth, grad_factor A, grad_factor B, \
                             real *C, size_t stride)                                               \
    {                                                                                              \
        const real *left = A.data;                                                                 \
                                                                                                   \
        for (size_t i = 0; i < rows; i++, C += stride) {                                           \
            memset(C, 0, cols * sizeof *C);                                                        \
            for (size_t d = 0; d < depth; d++) {                                                   \
                real a = A.transposed ? left[d * A.stride + i] : left[i * A.stride + d];           \
                const real *b = (const real *)B.data + (B.transposed ? d : d * B.stride);          \
                                                                                                   \
                if (B.transposed)                                                                  \
                    for (size_t j = 0; j < cols; j++)                                              \
                        C[j] += a * b[j * B.stride];                                               \
                else                                                                               \
                    for (size_t j = 0; j < cols; j++)                                              \
                        C[j] += a * b[j];                                                          \
            }                                                                                      \
        }                                                                                          \
    }

PLAIN_PRODUCT(float)
PLAIN_PRODUCT(double)

/* BLAS copies both factors into panels before it multiplies: for a single row, or the outer product
 * of two vectors, that is more than the work. */
static bool is_plain_better(size_t rows, size_t cols, size_t depth, bool strided)
{
    if (!strided && (rows == 1 || depth <= 2))
        return true;
    return rows <= SMALL_PRODUCT && cols <= SMALL_PRODUCT / rows &&
           depth <= SMALL_PRODUCT / (rows * cols);
}

/* cblas counts in int. */
static bool fits_blas(size_t size)
{
    return size <= INT_MAX;
}

static CBLAS_TRANSPOSE blas_transposition(grad_factor factor)
{
    return factor.transposed ? CblasTrans : CblasNoTrans;
}

void grad_gemm(grad_datatype type, size_t rows, size_t cols, size_t depth, grad_factor A,
               grad_factor B, void *C, size_t stride)
{
    bool is_plain = is_plain_better(rows, cols, depth, B.transposed) || !fits_blas(rows) ||
                    !fits_blas(cols) || !fits_blas(depth) || !fits_blas(A.stride) ||
                    !fits_blas(B.stride) || !fits_blas(stride);

    if (type == GRAD_FP64 && is_plain)
        plain_double(rows, cols, depth, A, B, C, stride);
    else if (type == GRAD_FP64)
        cblas_dgemm(CblasRowMajor, blas_transposition(A), blas_transposition(B), (int)rows,
                    (int)cols, (int)depth, 1, A.data, (int)A.stride, B.data, (int)B.stride, 0, C,
                    (int)stride);
    else if (is_plain)
        plain_float(rows, cols, depth, A, B, C, stride);
    else
        cblas_sgemm(CblasRowMajor, blas_transposition(A), blas_transposition(B), (int)rows,
                    (int)cols, (int)depth, 1, A.data, (int)A.stride, B.data, (int)B.stride, 0, C,
                    (int)stride);
}

bool grad_blas_is_thread_safe(void)
{
    return openblas_get_parallel() != OPENBLAS_SEQUENTIAL;
}
