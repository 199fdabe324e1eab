/* Matrix products, of float or of double. */
#ifndef GRAD_KERNELS_GEMM_H
#define GRAD_KERNELS_GEMM_H

#include "gradient_core.h"

/* A factor: a row-major matrix whose rows lie stride numbers apart, read transposed if so
 * marked. */
typedef struct grad_factor {
    const void *data;
    size_t stride;
    bool transposed;
} grad_factor;

/* C[rows,cols] = A[rows,depth] B[depth,cols], the sizes being those after transposition. The rows
 * of C lie stride numbers apart; what C held is not read. Overlaps nothing. Any sizes > 0. */
void grad_gemm(grad_datatype type, size_t rows, size_t cols, size_t depth, grad_factor A,
               grad_factor B, void *C, size_t stride);

/* Whether the BLAS beneath says that several threads may call it at once. */
bool grad_blas_is_thread_safe(void);

#endif
