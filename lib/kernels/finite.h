/* Looking for NaNs and infinities. */
#ifndef GRAD_KERNELS_FINITE_H
#define GRAD_KERNELS_FINITE_H

#include "gradient_core.h"

/* Index of the first element of x[count] that is not finite, or count. */
size_t grad_find_non_finite(grad_datatype type, size_t count, const void *x);

#endif
