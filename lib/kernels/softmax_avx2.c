/* softmax_rows.h for processors with AVX2. */
#include <math.h>

#include "kernels/single.h"
#include "kernels/softmax.h"

#if defined(__x86_64__)
#pragma GCC target("avx2")
#endif

#define GRAD_ROW_FUNCTION(name) grad_##name##_avx2
#include "kernels/softmax_rows.h"
