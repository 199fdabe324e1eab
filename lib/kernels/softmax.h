/* The activations over the features of each sample, path by path: one table for each kind of
 * processor, compiled from softmax_rows.h. */
#ifndef GRAD_KERNELS_SOFTMAX_H
#define GRAD_KERNELS_SOFTMAX_H

#include "kernels/loops.h"

#define GRAD_ROW_FUNCTIONS(path)                                                                   \
    grad_forward_function grad_softmax_forward_##path, grad_softmin_forward_##path,                \
        grad_log_softmax_forward_##path;                                                           \
    grad_backward_function grad_softmax_backward_##path, grad_softmin_backward_##path,             \
        grad_log_softmax_backward_##path

GRAD_ROW_FUNCTIONS(portable);
GRAD_ROW_FUNCTIONS(avx2);
GRAD_ROW_FUNCTIONS(avx512);

#endif
