/* Looking for NaNs and infinities: whole runs at once, as they are rare, then the element. */
#include "kernels/finite.h"

#include <math.h>

#define RUN 1024
#define LANES 8

/* find_float and find_double. A NaN or infinity times zero is NaN, and so is the sum; finite
 * numbers leave it at zero. Several sums, so that the loop vectorises without reordering one. */
#define FIND_NON_FINITE(real)                                                                      \
    static bool is_##real##_run_finite(const real *x)                                              \
    {                                                                                              \
        real sum[LANES] = {0};                                                                     \
                                                                                                   \
        for (size_t i = 0; i < RUN; i += LANES)                                                    \
            for (size_t lane = 0; lane < LANES; lane++)                                            \
                sum[lane] += x[i + lane] * (real)0;                                                \
        for (size_t lane = 1; lane < LANES; lane++)                                                \
            sum[0] += sum[lane];                                                                   \
        return sum[0] == 0;                                                                        \
    }                                                                                              \
                                                                                                   \
    static size_t find_##real(size_t count, const real *x)                                         \
    {                                                                                              \
        size_t i = 0;                                                                              \
                                                                                                   \
        while (count - i >= RUN && is_##real##_run_finite(x + i))                                  \
            i += RUN;                                                                              \
        while (i < count && isfinite(x[i]))                                                        \
            i++;                                                                                   \
        return i;                                                                                  \
    }

FIND_NON_FINITE(float)
FIND_NON_FINITE(double)

size_t grad_find_non_finite(grad_datatype type, size_t count, const void *x)
{
    return type == GRAD_FP64 ? find_double(count, x) : find_float(count, x);
}
