/* Looking for NaNs and infinities. */
#ifndef GRAD_KERNELS_FINITE_H
#define GRAD_KERNELS_FINITE_H

#include <stddef.h>

/* Index of the first element of x[count] that is not finite, or count. */
size_t grad_find_non_finite(size_t count, const float *x);

#endif
