/* Looking for NaNs and infinities: whole runs at once, as they are rare, then the element. */
#include "kernels/finite.h"

#include <math.h>

#include "core/size.h"

#define RUN 1024

/* A NaN or infinity times zero is NaN, and so is the sum; finite numbers leave it at zero. Several
 * sums, so that the loop vectorises without reordering one. */
static int is_run_finite(const float *x)
{
    float sum[8] = {0};

    for (size_t i = 0; i < RUN; i += 8)
        for (size_t lane = 0; lane < 8; lane++)
            sum[lane] += x[i + lane] * 0.0f;
    for (size_t lane = 1; lane < 8; lane++)
        sum[0] += sum[lane];
    return sum[0] == 0;
}

size_t grad_find_non_finite(size_t count, const float *x)
{
    size_t i = 0;

    while (count - i >= RUN && is_run_finite(x + i))
        i += RUN;
    while (i < count && isfinite(x[i]))
        i++;
    return i;
}
