/* How far every f and f' is from its twin, in units of the last place, over a stripe of all finite
 * float32. With GRADIENTD_LONG=1 over all of them: seconds to minutes an activation, on all
 * processors; the argument is the name of one, or nothing, which is all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gradient.h"
#include "support/accuracy.h"
#include "support/slices.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define STRIPE 16411 /* a prime */
#define BLOCK 4096
#define CLEARLY 0.98

static const char *only;

/* What is compared: f, or f'. */
typedef struct subject {
    const char *name;
    void (*compute)(const grad_activation *f, size_t count, const float *z, float *found);
    long double (*twin)(const grad_activation *f, long double z);
    void (*fast_twin)(const grad_activation *f, size_t count, const float *z, double *expected);
    bool has_zeros; /* those of zero_of_derivative */
} subject;

typedef struct worst {
    double ulps;
    long double near_a_zero; /* an absolute error */
    float ulps_at, near_at;
    bool is_wrong, is_fast_wrong; /* the latter: the fast twin is far from the other */
    float wrong_at, wrong, fast_wrong_at;
} worst;

/* The measurement of one subject and activation. */
typedef struct sweep {
    const subject *s;
    const grad_activation *f;
    uint64_t step; /* 1: all float32 */
    pthread_mutex_t lock;
    worst found;
} sweep;

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

static void note_ulps(double ulps, float z, worst *w)
{
    if (ulps > w->ulps) {
        w->ulps = ulps;
        w->ulps_at = z;
    }
}

static void measure_element(bool is_near, float z, float found, long double expected, worst *w)
{
    long double error = fabsl(found - expected);

    if (isinf(found) && fabsl(expected) >= ALMOST_INFINITE && signbit(found) == signbit(expected))
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
    note_ulps((double)ulps_between(found, expected), z, w);
}

/* A unit in the last place that a float32 of that size has. */
static double unit_of(double size)
{
    uint64_t bits;

    memcpy(&bits, &size, sizeof bits);
    bits &= 0x7FF0000000000000; /* the exponent: the power of two below */
    memcpy(&size, &bits, sizeof size);
    return size * FLT_EPSILON;
}

/* Whether the fast twin is enough to see that it is within its bounds, which are taken narrower for
 * that: by half a unit, as it is compared unrounded, and by much more than the twin's own error. */
static bool is_clearly_right(float z, float found, double expected, worst *w)
{
    double size = fabs(expected), error = fabs((double)found - expected), unit;

    if (isinf(found))
        return size > 2 * (double)FLT_MAX && signbit(found) == signbit(expected);
    if (size < CLEARLY * (double)FLT_MIN)
        return error <= CLEARLY * (double)FLT_MIN;
    unit = unit_of(size);
    if (!(error <= CLEARLY * (ACTIVATION_ULPS - 0.5) * unit))
        return false;
    if (error > w->ulps * unit)
        note_ulps(error / unit, z, w);
    return true;
}

/* The fast twin errs by a few 2^-53: this is far above it, and far below what CLEARLY leaves. */
static void check_fast_twin(float z, double fast, long double expected, worst *w)
{
    long double size = fmaxl(fabsl(expected), FLT_MIN);
    bool are_both_beyond = fabsl(expected) > FLT_MAX && fabs(fast) > (double)FLT_MAX;

    if (!are_both_beyond && !(fabsl(fast - expected) <= 0x1p-40L * size)) {
        w->is_fast_wrong = true;
        w->fast_wrong_at = z;
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

/* By the twin in long double in the stripe, and where the fast one does not settle it. */
static void measure_block(const sweep *sw, size_t count, const float *z, worst *w)
{
    float found[BLOCK];
    double expected[BLOCK];

    sw->s->compute(sw->f, count, z, found);
    sw->s->fast_twin(sw->f, count, z, expected);
    for (size_t i = 0; i < count; i++) {
        bool is_near = sw->s->has_zeros && is_near_zero_of_derivative(sw->f->kind, z[i]);
        long double exact;

        if (sw->step == 1 && !is_near && is_clearly_right(z[i], found[i], expected[i], w))
            continue;
        exact = sw->s->twin(sw->f, z[i]);
        measure_element(is_near, z[i], found[i], exact, w);
        if (!is_near)
            check_fast_twin(z[i], expected[i], exact, w);
    }
}

static void join(const worst *part, worst *whole)
{
    note_ulps(part->ulps, part->ulps_at, whole);
    if (part->near_a_zero > whole->near_a_zero) {
        whole->near_a_zero = part->near_a_zero;
        whole->near_at = part->near_at;
    }
    if (part->is_wrong)
        fail_at(whole, part->wrong_at, part->wrong);
    if (part->is_fast_wrong) {
        whole->is_fast_wrong = true;
        whole->fast_wrong_at = part->fast_wrong_at;
    }
}

static void measure_slice(void *context, uint64_t begin, uint64_t end)
{
    sweep *sw = context;
    float z[BLOCK];
    worst w = {0};
    size_t count = 0;

    for (uint64_t pattern = (begin + sw->step - 1) / sw->step * sw->step; pattern < end;
         pattern += sw->step) {
        uint32_t bits = (uint32_t)pattern;

        memcpy(&z[count], &bits, sizeof bits);
        count += isfinite(z[count]) ? 1 : 0;
        if (count == BLOCK) {
            measure_block(sw, count, z, &w);
            count = 0;
        }
    }
    measure_block(sw, count, z, &w);
    pthread_mutex_lock(&sw->lock);
    join(&w, &sw->found);
    pthread_mutex_unlock(&sw->lock);
}

/* Whether it is within its bounds; says how far it is from right. */
static bool is_accurate(const subject *s, const grad_activation *f, uint64_t step)
{
    const char *name = grad_activation_info_of(f->kind)->name;
    sweep sw = {.s = s, .f = f, .step = step, .lock = PTHREAD_MUTEX_INITIALIZER};
    const worst *w = &sw.found;

    for_every_slice(measure_slice, &sw);
    print_message("%-12s %s at most %.3f ulp (at %a), next to a zero %.2Le (at %a)\n", name,
                  s->name, w->ulps, (double)w->ulps_at, w->near_a_zero, (double)w->near_at);
    if (w->is_wrong)
        print_error("%s of %s at %a: found %a, expected %La\n", s->name, name, (double)w->wrong_at,
                    (double)w->wrong, s->twin(f, w->wrong_at));
    if (w->is_fast_wrong)
        print_error("%s of %s at %a: the twins differ\n", s->name, name, (double)w->fast_wrong_at);
    return !w->is_wrong && !w->is_fast_wrong;
}

/* All with their defaults; softplus besides where its threshold is met while it still bends. */
static size_t activations_to_measure(grad_activation *f)
{
    size_t count = 0;

    for (grad_activation_kind kind = 0; kind < GRAD_SOFTMAX; kind++)
        f[count++] = grad_activation_default(kind);
    f[count++] = (grad_activation){GRAD_SOFTPLUS, {2, 3}};
    return count;
}

static void check_every(const subject *s)
{
    const char *is_long = getenv("GRADIENTD_LONG");
    uint64_t step = is_long != NULL && strcmp(is_long, "1") == 0 ? 1 : STRIPE;
    grad_activation f[GRAD_ACTIVATION_COUNT + 1];
    size_t count = activations_to_measure(f), measured = 0;
    bool are_accurate = true;

    for (size_t i = 0; i < count; i++)
        if (only == NULL || strcmp(only, grad_activation_info_of(f[i].kind)->name) == 0) {
            are_accurate = is_accurate(s, &f[i], step) && are_accurate;
            measured++;
        }
    assert_true(are_accurate);
    assert_true(measured > 0);
}

static void every_value_is_accurate(void **state)
{
    static const subject value = {"f ", compute_value, twin_activation, twin_activations_fast,
                                  false};

    (void)state;
    check_every(&value);
}

static void every_derivative_is_accurate(void **state)
{
    static const subject slope = {"f'", compute_slope, twin_derivative, twin_derivatives_fast,
                                  true};

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
