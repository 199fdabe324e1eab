/* Tests of slopes by differences on curves whose slopes are known: smooth ones of many scales,
 * kinks at 0 and beside it, kinks that cancel in the sum, rounding that is put in, ends of the
 * domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "differences/slope.h"
#include "support/random.h"

#define TERMS 3

/* terms[i](h) of a test's function; a random number of size rough is added to each. */
typedef struct fixture {
    double (*term)(size_t i, double h);
    double rough;
    random_state random;
    size_t calls, fails_at;
} fixture;

static grad_status at(void *context, double h, double *changes, double *moved)
{
    fixture *f = context;

    if (++f->calls == f->fails_at)
        return GRAD_OUT_OF_MEMORY;
    *moved = h;
    for (size_t i = 0; i < TERMS; i++)
        changes[i] = f->term(i, h) - f->term(i, 0) + f->rough * random_signed(&f->random);
    return GRAD_OK;
}

static grad_curve curve_of(fixture *f, double noise)
{
    return (grad_curve){.at = at,
                        .context = f,
                        .terms = TERMS,
                        .scale = 1,
                        .unit = 1,
                        .noise = noise,
                        .grain = 0x1p-45,
                        .relative = 1e-8};
}

static grad_slope slope_of(double (*term)(size_t, double), double noise, size_t *calls)
{
    fixture f = {.term = term, .rough = noise};
    grad_curve curve = curve_of(&f, noise);
    double scratch[GRAD_SLOPE_SCRATCH(TERMS)];
    grad_slope slope;

    assert_int_equal(grad_slope_find(&curve, scratch, &slope), GRAD_OK);
    assert_true(f.calls <= GRAD_SLOPE_CALLS);
    if (calls != NULL)
        *calls = f.calls;
    return slope;
}

/* ---- Smooth curves --------------------------------------------------------------------------- */

static double line(size_t i, double h)
{
    return (double)i * h;
}

static double exponentials(size_t i, double h)
{
    return exp((double)(i + 1) * h);
}

/* Nothing to be seen of it at steps of 1/100. */
static double steep(size_t i, double h)
{
    return i == 0 ? tanh(1e5 * h) : 0;
}

static double flat(size_t i, double h)
{
    (void)h;
    return (double)i;
}

static double bump(size_t i, double h)
{
    return i == 0 ? sin(30 * h) : h * h * h;
}

static void smooth_curves_have_their_slopes(void **state)
{
    static const struct {
        double (*term)(size_t, double);
        double slope;
        size_t most_calls;
    } cases[] = {
        {line, 3, 6}, {exponentials, 6, 8}, {steep, 1e5, 26}, {flat, 0, 6}, {bump, 30, 10}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t calls;
        grad_slope s = slope_of(cases[i].term, DBL_EPSILON, &calls);
        double size = fmax(cases[i].slope, 1e-4);

        assert_true(fabs(s.value - cases[i].slope) <= s.uncertainty);
        assert_true(s.uncertainty <= 2e-8 * size);
        assert_true(s.kink <= 1e-6 * size);
        assert_true(calls <= cases[i].most_calls);
    }
}

/* A tensor whose numbers are 1e-30: at steps of that size nothing moves. */
static void unseen_changes_are_looked_for_at_the_unit(void **state)
{
    fixture f = {.term = exponentials};
    grad_curve curve = curve_of(&f, DBL_EPSILON);
    double scratch[GRAD_SLOPE_SCRATCH(TERMS)];
    grad_slope slope;

    (void)state;
    curve.scale = 0x1p-100;
    assert_int_equal(grad_slope_find(&curve, scratch, &slope), GRAD_OK);
    assert_true(fabs(slope.value - 6) <= slope.uncertainty);
    assert_true(slope.uncertainty <= 1e-7);
}

/* ---- Kinks ----------------------------------------------------------------------------------- */

static double kink_at_0(size_t i, double h)
{
    return i == 0 ? (h > 0 ? 2 * h : 0) + h * h : h;
}

/* The slopes to the two sides of the sum are both 1: the kinks cancel, but not one by one. */
static double kinks_that_cancel(size_t i, double h)
{
    return i == 0 ? fmax(h, 0) : i == 1 ? -fmax(-h, 0) : 0;
}

static void kinks_are_seen(void **state)
{
    grad_slope s = slope_of(kink_at_0, DBL_EPSILON, NULL);

    (void)state;
    assert_true(fabs(s.kink - 2) < 1e-3 && fabs(s.near_kink - 2) < 1e-3);
    assert_true(fabs(s.value - 3) < 1e-3); /* between the sides', 2 and 4 */
    s = slope_of(kinks_that_cancel, DBL_EPSILON, NULL);
    assert_true(fabs(s.kink - 2) < 1e-6);
}

static double kink_place;

static double kink_beside(size_t i, double h)
{
    return i == 0 ? fmax(h - kink_place, 0) - fmax(-kink_place, 0) : sin(h);
}

/* Wherever a kink lies beside 0, also at a third of a step, where D(h) and D(h/2) say nothing. */
static void kinks_beside_are_stepped_over(void **state)
{
    (void)state;
    for (int i = 1; i < 60; i++) {
        grad_slope s;

        kink_place = (i % 2 ? 1 : -1) * pow(0.75, i);
        s = slope_of(kink_beside, DBL_EPSILON, NULL);
        if (!(fabs(s.value - (kink_place < 0 ? 3 : 2)) <= s.uncertainty))
            fail_msg("kink at %g: %.17g +- %g", kink_place, s.value, s.uncertainty);
        assert_true(s.uncertainty <= 4e-6); /* 8 units of rounding over a step of 2e-9 */
        assert_true(s.kink <= 1e-6);
    }
}

static void a_kink_within_reach_is_told(void **state)
{
    double scratch[GRAD_SLOPE_SCRATCH(TERMS)];

    (void)state;
    for (int i = 0; i < 2; i++) {
        fixture f = {.term = kink_beside};
        grad_curve curve = curve_of(&f, DBL_EPSILON);
        grad_slope slope;

        kink_place = 1e-6;
        curve.reach = i == 0 ? 0 : 0x1p-14;
        assert_int_equal(grad_slope_find(&curve, scratch, &slope), GRAD_OK);
        assert_true(slope.kink < 1e-6);
        assert_true(i == 0 ? slope.near_kink < 1e-6 : slope.near_kink > 0.1);
    }
}

/* ---- Rounding -------------------------------------------------------------------------------- */

static void noise_is_measured(void **state)
{
    double scratch[GRAD_SLOPE_SCRATCH(TERMS)];

    (void)state;
    for (double rough = 1e-15; rough < 1e-6; rough *= 10) {
        double total = 0, noise;

        for (uint64_t seed = 0; seed < 20; seed++) {
            fixture f = {.term = exponentials, .rough = rough, .random = {seed}};
            grad_curve curve = curve_of(&f, 0);

            assert_int_equal(grad_noise_find(&curve, scratch, &noise), GRAD_OK);
            assert_int_equal(f.calls, 7); /* L moves at once */
            assert_true(noise > rough / 10 && noise < 5 * rough);
            total += noise / 20;
        }
        assert_true(total > rough / 2 && total < 3 * rough); /* √(3 · 1/3) = 1 */
    }
}

/* With that noise known, the slope is as certain as it says, and no kink is made of it. */
static void noise_is_allowed_for(void **state)
{
    (void)state;
    for (double rough = 1e-15; rough < 1e-6; rough *= 10) {
        grad_slope s = slope_of(exponentials, rough, NULL);

        assert_true(fabs(s.value - 6) <= s.uncertainty);
        assert_true(s.uncertainty <= 5e4 * rough + 1e-6);
        assert_true(s.kink < 1e5 * rough + 1e-6);
    }
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static double logarithm(size_t i, double h)
{
    return i == 0 ? log(h + 1e-4) : 0;
}

static double half_line(size_t i, double h)
{
    return i == 0 ? sqrt(h) : 0;
}

static void ends_of_the_domain_are_kept_from(void **state)
{
    grad_slope s = slope_of(logarithm, 10 * DBL_EPSILON, NULL);

    (void)state;
    assert_true(fabs(s.value - 1e4) <= s.uncertainty && s.uncertainty < 1e-3);
    s = slope_of(half_line, DBL_EPSILON, NULL);
    assert_true(isnan(s.value) && isinf(s.uncertainty) && isinf(s.kink));
}

static double grains(size_t i, double h)
{
    return i == 0 ? 1 + rint(1e-9 * h * 0x1p52) * 0x1p-52 : 0;
}

/* A slope of 10⁻⁹ of a number of 1, which moves by grains: the smallest steps say that it is 0. */
static void grains_are_noise(void **state)
{
    fixture f = {.term = grains};
    grad_curve curve = curve_of(&f, 0);
    double scratch[GRAD_SLOPE_SCRATCH(TERMS)];
    grad_slope slope;

    (void)state;
    assert_int_equal(grad_noise_find(&curve, scratch, &curve.noise), GRAD_OK);
    assert_true(f.calls <= GRAD_NOISE_CALLS);
    assert_true(curve.noise > 0x1p-56 && curve.noise < 0x1p-50);
    assert_int_equal(grad_slope_find(&curve, scratch, &slope), GRAD_OK);
    assert_true(fabs(slope.value - 1e-9) <= slope.uncertainty && slope.uncertainty < 1e-10);
}

static double far_kink(size_t i, double h)
{
    return i == 0 ? fmax(h - 0x1p-15, 0) : 0;
}

/* What lies beyond a flat stretch is no rounding. */
static void kinks_are_not_noise(void **state)
{
    fixture f = {.term = far_kink};
    grad_curve curve = curve_of(&f, 0);
    double scratch[GRAD_SLOPE_SCRATCH(TERMS)];
    grad_slope slope;

    (void)state;
    assert_int_equal(grad_noise_find(&curve, scratch, &curve.noise), GRAD_OK);
    assert_true(curve.noise <= curve.grain);
    assert_int_equal(grad_slope_find(&curve, scratch, &slope), GRAD_OK);
    assert_true(fabs(slope.value) <= slope.uncertainty && slope.uncertainty < 1e-5);
}

static void failures_are_passed_on(void **state)
{
    double scratch[GRAD_SLOPE_SCRATCH(TERMS)];

    (void)state;
    for (size_t n = 1; n <= 6; n++) {
        fixture f = {.term = exponentials, .fails_at = n};
        grad_curve curve = curve_of(&f, 0);
        grad_slope slope;
        double noise;

        assert_int_equal(grad_slope_find(&curve, scratch, &slope), GRAD_OUT_OF_MEMORY);
        assert_int_equal(f.calls, n);
        f.calls = 0;
        assert_int_equal(grad_noise_find(&curve, scratch, &noise), GRAD_OUT_OF_MEMORY);
        assert_int_equal(f.calls, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_curves_have_their_slopes),
        cmocka_unit_test(unseen_changes_are_looked_for_at_the_unit),
        cmocka_unit_test(kinks_are_seen),
        cmocka_unit_test(kinks_beside_are_stepped_over),
        cmocka_unit_test(a_kink_within_reach_is_told),
        cmocka_unit_test(noise_is_measured),
        cmocka_unit_test(noise_is_allowed_for),
        cmocka_unit_test(ends_of_the_domain_are_kept_from),
        cmocka_unit_test(grains_are_noise),
        cmocka_unit_test(kinks_are_not_noise),
        cmocka_unit_test(failures_are_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
