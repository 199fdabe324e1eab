/* Arrays of either datatype for tests. Which numbers are right does not live here. */
#include "support/reals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/real.h"

void *reals_new(grad_datatype type, size_t count)
{
    void *x = calloc(count, type == GRAD_FP64 ? sizeof(double) : sizeof(float));

    if (x == NULL)
        abort();
    return x;
}

void reals_fill(random_state *random, grad_datatype type, size_t count, double size, void *x)
{
    for (size_t i = 0; i < count; i++)
        grad_real_put(type, x, i, size * random_signed(random));
}

void *reals_random(random_state *random, grad_datatype type, size_t count, double size)
{
    void *x = reals_new(type, count);

    reals_fill(random, type, count, size, x);
    return x;
}

void reals_check(grad_datatype type, const char *what, size_t index, double found,
                 long double expected, long double tolerance)
{
    long double most = type == GRAD_FP64 ? DBL_MAX : FLT_MAX;
    double least = type == GRAD_FP64 ? DBL_TRUE_MIN : (double)FLT_TRUE_MIN;

    if (isinf(found) && (found > 0) == (expected > 0) && fabsl(expected) + tolerance >= most)
        return;
    if (!(fabsl(found - expected) <= tolerance + least))
        fail_msg("%s[%zu]: found %a, expected %La within %Lg", what, index, found, expected,
                 tolerance);
}
