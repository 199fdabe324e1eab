/* Looking for NaNs and infinities: whole runs at once, as they are rare, then the element. */
#include "kernels/finite.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/size.h"

#define RUN ((size_t)1024)

/* find_float and find_double. exponent has the bits of a number's exponent, all of which are set in
 * what is not finite; adding the lowest of them then carries into the sign's place, where it stays.
 * Integers, whose sums and unions the compiler may reorder: any count becomes vector code. */
#define FIND_NON_FINITE(real, word, exponent, lowest)                                              \
    static bool is_##real##_run_finite(size_t count, const real *x)                                \
    {                                                                                              \
        word seen = 0;                                                                             \
                                                                                                   \
        for (size_t i = 0; i < count; i++) {                                                       \
            word bits;                                                                             \
                                                                                                   \
            memcpy(&bits, &x[i], sizeof bits);                                                     \
            seen |= (bits & (exponent)) + (lowest);                                                \
        }                                                                                          \
        return seen <= (exponent);                                                                 \
    }                                                                                              \
                                                                                                   \
    static size_t find_##real(size_t count, const real *x)                                         \
    {                                                                                              \
        size_t i = 0;                                                                              \
                                                                                                   \
        while (i < count && is_##real##_run_finite(grad_size_min(RUN, count - i), x + i))          \
            i += grad_size_min(RUN, count - i);                                                    \
        while (i < count && isfinite(x[i]))                                                        \
            i++;                                                                                   \
        return i;                                                                                  \
    }

FIND_NON_FINITE(float, uint32_t, 0x7F800000U, 0x00800000U)
FIND_NON_FINITE(double, uint64_t, 0x7FF0000000000000U, 0x0010000000000000U)

size_t grad_find_non_finite(grad_datatype type, size_t count, const void *x)
{
    return type == GRAD_FP64 ? find_double(count, x) : find_float(count, x);
}
