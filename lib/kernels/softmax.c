/* The tables of softmax, softmin and log_softmax. The loops are in softmax_rows.h, compiled by
 * softmax_portable.c, softmax_avx2.c and softmax_avx512.c. */
#include "kernels/softmax.h"

#include "kernels/activations.h"

#define LOOPS(prefix)                                                                              \
    const grad_loops grad_##prefix##_loops = {                                                     \
        {grad_##prefix##_forward_portable, grad_##prefix##_forward_avx2,                           \
         grad_##prefix##_forward_avx512},                                                          \
        {grad_##prefix##_backward_portable, grad_##prefix##_backward_avx2,                         \
         grad_##prefix##_backward_avx512}}

LOOPS(softmax);
LOOPS(softmin);
LOOPS(log_softmax);
