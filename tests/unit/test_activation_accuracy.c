/* How far every f' is from its twin, in units of the last place, over a stripe of all finite
 * float32. With GRADIENTD_LONG=1 over all of them: that takes hours and is run by hand, one
 * activation at a time, whose name is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradient.h"
#include "support/twins.h"

#define PATTERNS 0x100000000 /* of 32 bits */
#define STRIPE 16411         /* a prime */
#define BLOCK 4096
#define ULP_MAX 0.6L /* half an ulp is the last rounding; double's errors next to a zero of f' */

static const char *only;

typedef struct worst {
    long double ulps;
    float z, found;
} worst;

/* The distance in units of the last place that the right value has as a float32. */
static long double ulps_between(float found, long double expected)
{
    int exponent;

    frexpl(expected, &exponent);
    if (isinf(found) && fabsl(expected) >= 0x1.ffffffp127L)
        return 0;
    return fabsl(found - expected) / ldexpl(1, exponent < -125 ? -149 : exponent - 24);
}

static void measure_block(const grad_activation *f, size_t count, const float *z, worst *w)
{
    float ones[BLOCK], slopes[BLOCK];

    for (size_t i = 0; i < BLOCK; i++)
        ones[i] = 1;
    grad_activation_backward(f, 1, count, z, ones, slopes);
    for (size_t i = 0; i < count; i++) {
        long double ulps = ulps_between(slopes[i], twin_derivative(f, z[i]));

        if (!(ulps <= w->ulps)) /* a NaN too */
            *w = (worst){ulps, z[i], slopes[i]};
    }
}

static worst measure(const grad_activation *f, uint64_t step)
{
    float z[BLOCK];
    worst w = {0};
    size_t count = 0;

    for (uint64_t pattern = 0; pattern < PATTERNS; pattern += step) {
        uint32_t bits = (uint32_t)pattern;

        memcpy(&z[count], &bits, sizeof bits);
        count += isfinite(z[count]) ? 1 : 0;
        if (count == BLOCK) {
            measure_block(f, count, z, &w);
            count = 0;
        }
    }
    measure_block(f, count, z, &w);
    return w;
}

static void every_derivative_is_accurate(void **state)
{
    const char *is_long = getenv("GRADIENTD_LONG");
    uint64_t step = is_long != NULL && strcmp(is_long, "1") == 0 ? 1 : STRIPE;

    (void)state;
    for (grad_activation_kind kind = 0; kind < GRAD_SOFTMAX; kind++) {
        grad_activation f = grad_activation_default(kind);
        const char *name = grad_activation_info_of(kind)->name;
        worst w;

        if (only != NULL && strcmp(only, name) != 0)
            continue;
        w = measure(&f, step);
        print_message("%-12s at most %.4Lf ulp, at %a\n", name, w.ulps, (double)w.z);
        if (!(w.ulps <= ULP_MAX))
            fail_msg("%s at %a: found %a, expected %La", name, (double)w.z, (double)w.found,
                     twin_derivative(&f, w.z));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_derivative_is_accurate)};

    only = argc > 1 ? argv[1] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
