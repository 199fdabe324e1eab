/* softmax_rows.h for processors with AVX-512. */
#include <math.h>

#include "kernels/single.h"
#include "kernels/softmax.h"

#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")
#endif

#define GRAD_ROW_FUNCTION(name) grad_##name##_avx512
#include "kernels/softmax_rows.h"
