/* How far every f and f' is from its twin, in units of the last place, over a stripe of all finite
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
#include "support/accuracy.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define PATTERNS 0x100000000 /* of 32 bits */
#define STRIPE 16411         /* a prime */
#define BLOCK 4096

static const char *only;

/* What is compared: f, or f'. */
typedef struct subject {
    const char *name;
    void (*compute)(const grad_activation *f, size_t count, const float *z, float *found);
    long double (*twin)(const grad_activation *f, long double z);
    bool has_zeros; /* those of zero_of_derivative */
} subject;

typedef struct worst {
    long double ulps, near_a_zero; /* the latter an absolute error */
    float ulps_at, near_at;
    bool is_wrong;
    float wrong_at, wrong;
} worst;

/* Away from a zero, in units of the last place that the second has as a float32. */
static long double ulps_between(float found, long double expected)
{
    int exponent;

    frexpl(expected, &exponent);
    return fabsl(found - expected) / ldexpl(1, exponent - FLT_MANT_DIG);
}

static void fail_at(worst *w, float z, float found)
{
    if (!w->is_wrong) {
        w->is_wrong = true;
        w->wrong_at = z;
        w->wrong = found;
    }
}

static void measure_element(bool is_near, float z, float found, long double expected, worst *w)
{
    long double error = fabsl(found - expected), ulps;

    if (isinf(found) && fabsl(expected) >= ALMOST_INFINITE)
        return;
    if (is_near) {
        if (!(error <= TOLERANCE_NEAR_ZERO))
            fail_at(w, z, found);
        if (error > w->near_a_zero) {
            w->near_a_zero = error;
            w->near_at = z;
        }
        return;
    }
    if (fabsl(expected) < (long double)FLT_MIN) {
        if (!(error <= (long double)FLT_MIN))
            fail_at(w, z, found);
        return;
    }
    if (!(ulps_between(found, (float)expected) <= ACTIVATION_ULPS))
        fail_at(w, z, found);
    ulps = ulps_between(found, expected);
    if (ulps > w->ulps) {
        w->ulps = ulps;
        w->ulps_at = z;
    }
}

static void compute_value(const grad_activation *f, size_t count, const float *z, float *found)
{
    grad_activation_forward(f, 1, count, z, found);
}

static void compute_slope(const grad_activation *f, size_t count, const float *z, float *found)
{
    float ones[BLOCK];

    for (size_t i = 0; i < BLOCK; i++)
        ones[i] = 1;
    grad_activation_backward(f, 1, count, z, ones, found);
}

static void measure_block(const subject *s, const grad_activation *f, size_t count, const float *z,
                          worst *w)
{
    float found[BLOCK];

    s->compute(f, count, z, found);
    for (size_t i = 0; i < count; i++)
        measure_element(s->has_zeros && is_near_zero_of_derivative(f->kind, z[i]), z[i], found[i],
                        s->twin(f, z[i]), w);
}

static worst measure(const subject *s, const grad_activation *f, uint64_t step)
{
    float z[BLOCK];
    worst w = {0};
    size_t count = 0;

    for (uint64_t pattern = 0; pattern < PATTERNS; pattern += step) {
        uint32_t bits = (uint32_t)pattern;

        memcpy(&z[count], &bits, sizeof bits);
        count += isfinite(z[count]) ? 1 : 0;
        if (count == BLOCK) {
            measure_block(s, f, count, z, &w);
            count = 0;
        }
    }
    measure_block(s, f, count, z, &w);
    return w;
}

/* Whether it is within its bounds; says how far it is from right. */
static bool is_accurate(const subject *s, const grad_activation *f, uint64_t step)
{
    const char *name = grad_activation_info_of(f->kind)->name;
    worst w = measure(s, f, step);

    print_message("%-12s %s at most %.3Lf ulp (at %a), next to a zero %.2Le (at %a)\n", name,
                  s->name, w.ulps, (double)w.ulps_at, w.near_a_zero, (double)w.near_at);
    if (w.is_wrong)
        print_error("%s of %s at %a: found %a, expected %La\n", s->name, name, (double)w.wrong_at,
                    (double)w.wrong, s->twin(f, w.wrong_at));
    return !w.is_wrong;
}

static void check_every(const subject *s)
{
    const char *is_long = getenv("GRADIENTD_LONG");
    uint64_t step = is_long != NULL && strcmp(is_long, "1") == 0 ? 1 : STRIPE;
    bool are_accurate = true;

    for (grad_activation_kind kind = 0; kind < GRAD_SOFTMAX; kind++) {
        grad_activation f = grad_activation_default(kind);

        if (only == NULL || strcmp(only, grad_activation_info_of(kind)->name) == 0)
            are_accurate = is_accurate(s, &f, step) && are_accurate;
    }
    assert_true(are_accurate);
}

static void every_value_is_accurate(void **state)
{
    static const subject value = {"f ", compute_value, twin_activation, false};

    (void)state;
    check_every(&value);
}

static void every_derivative_is_accurate(void **state)
{
    static const subject slope = {"f'", compute_slope, twin_derivative, true};

    (void)state;
    check_every(&slope);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_accurate),
        cmocka_unit_test(every_derivative_is_accurate),
    };

    only = argc > 1 ? argv[1] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
