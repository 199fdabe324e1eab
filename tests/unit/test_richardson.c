/* Tests of slopes by differences on curves whose slopes are known: smooth ones of many scales,
 * kinks beside 0, features narrower than the steps, rounding that is put in, ends of the domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "gradcheck/richardson.h"
#include "support/random.h"

/* L(h) of a test, a random number of size rough added to each change. */
typedef struct fixture {
    double (*curve)(double h);
    double rough;
    random_state random;
    size_t calls, fails_at;
} fixture;

static grad_status at(void *context, double h, double *change, double *moved)
{
    fixture *f = context;

    if (++f->calls == f->fails_at)
        return GRAD_OUT_OF_MEMORY;
    *moved = h;
    *change = f->curve(h) - f->curve(0) + f->rough * random_signed(&f->random);
    return GRAD_OK;
}

static grad_slope find(fixture *f, double expected, double radius)
{
    grad_curve curve = {.at = at,
                        .context = f,
                        .scale = 1,
                        .noise = f->rough + DBL_EPSILON,
                        .expected = expected,
                        .radius = radius,
                        .tolerance = 1e-6,
                        .floor = 1e-4};
    grad_slope slope;

    assert_int_equal(grad_slope_find(&curve, &slope), GRAD_OK);
    return slope;
}

static grad_slope slope_of(double (*curve)(double), double rough, double expected)
{
    fixture f = {.curve = curve, .rough = rough};

    return find(&f, expected, 0);
}

/* ---- Smooth curves --------------------------------------------------------------------------- */

static double line(double h)
{
    return 3 * h;
}

static double exponentials(double h)
{
    return exp(h) + exp(2 * h) + exp(3 * h);
}

/* Nothing to be seen of it at steps of 1/100. */
static double steep(double h)
{
    return tanh(1e5 * h);
}

static double flat(double h)
{
    (void)h;
    return 7;
}

static double bump(double h)
{
    return sin(30 * h) + h * h * h;
}

static const struct {
    double (*curve)(double);
    double slope;
    size_t most_calls;
} smooth[] = {{line, 3, 4}, {exponentials, 6, 8}, {steep, 1e5, 20}, {flat, 0, 4}, {bump, 30, 8}};

static void right_slopes_are_confirmed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof smooth / sizeof *smooth; i++) {
        fixture f = {.curve = smooth[i].curve};
        grad_slope s = find(&f, smooth[i].slope, 0);

        assert_false(s.contradicts);
        assert_true(fabs(s.value - smooth[i].slope) <= s.uncertainty);
        assert_true(s.uncertainty <= 1e-6 * fmax(smooth[i].slope, 1e-4));
        assert_true(f.calls <= smooth[i].most_calls);
    }
}

/* Off by ten thousandths of a per cent, by a little, by a sign, by much. */
static void wrong_slopes_are_contradicted(void **state)
{
    static const double factors[] = {1 + 1e-5, 1 - 1e-5, 1.001, 0, -1, 2, 1e6};

    (void)state;
    for (size_t i = 0; i < sizeof smooth / sizeof *smooth; i++)
        for (size_t k = 0; k < sizeof factors / sizeof *factors; k++) {
            double expected =
                smooth[i].slope == 0 ? 1e-9 * (double)(k + 1) : smooth[i].slope * factors[k];
            grad_slope s = slope_of(smooth[i].curve, 0, expected);

            if (!s.contradicts)
                fail_msg("curve %zu, factor %zu: %.12g for %.12g", i, k, s.value, expected);
            assert_true(fabs(s.value - smooth[i].slope) <= s.uncertainty + 1e-9 * smooth[i].slope);
        }
}

/* Anything within the radius will do, and nothing beyond it. */
static void radii_are_allowed_for(void **state)
{
    fixture f = {.curve = line};

    (void)state;
    assert_false(find(&f, 4, 1.001).contradicts);
    assert_false(find(&f, 2, 1.001).contradicts);
    assert_true(find(&f, 4, 0.999).contradicts);
    assert_true(find(&f, 2, 0.999).contradicts);
}

/* ---- Kinks ----------------------------------------------------------------------------------- */

static double kink_at_0(double h)
{
    return (h > 0 ? 2 * h : 0) + h * h;
}

static void at_a_kink_the_slope_lies_between_both_sides(void **state)
{
    fixture f = {.curve = kink_at_0};
    grad_slope s = find(&f, 1, 1);

    (void)state;
    assert_false(s.contradicts);
    assert_true(fabs(s.value - 1) < 1e-5);
    assert_true(find(&f, -1.5, 1).contradicts);
    assert_true(find(&f, 3.5, 1).contradicts);
}

static double kink_place;

static double kink_beside(double h)
{
    return fmax(h - kink_place, 0) - fmax(-kink_place, 0) + 2 * sin(h);
}

/* Wherever a kink lies beside 0, also at a third of a step, where D(h) and D(h/2) say nothing. */
static void kinks_beside_are_stepped_over(void **state)
{
    (void)state;
    for (int i = 1; i < 60; i++) {
        double right;

        kink_place = (i % 2 ? 1 : -1) * pow(0.75, i);
        right = kink_place < 0 ? 3 : 2;
        if (slope_of(kink_beside, 0, right).contradicts)
            fail_msg("kink at %g", kink_place);
        assert_true(slope_of(kink_beside, 0, right + 0.5).contradicts);
        assert_true(slope_of(kink_beside, 0, 5 - right).contradicts);
    }
}

/* Straight to either side, and steep in between: wide steps agree on a slope that is none. */
static double narrow_step(double h)
{
    return h + 1e-12 * tanh(1e13 * h);
}

static void narrow_features_are_looked_at_from_closer_by(void **state)
{
    (void)state;
    assert_false(slope_of(narrow_step, 0, 11).contradicts);
    assert_true(slope_of(narrow_step, 0, 5).contradicts);
}

static double jump_at_0(double h)
{
    return h + (h > 0 ? 1e-9 : 0);
}

/* Wide steps hardly see the jump, and what closer ones see is no slope. */
static void jumps_contradict_nothing(void **state)
{
    (void)state;
    assert_false(slope_of(jump_at_0, 0, 5).contradicts);
}

static double slope_within(double h)
{
    return h + 0.2 * fmax(fmin(h, 2e-9), -2e-9);
}

/* One difference alone lies within: all closer ones are lost in rounding. */
static void a_difference_that_arrives_is_believed(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        fixture f = {.curve = slope_within, .rough = 1e-11, .random = {seed}};

        assert_false(find(&f, 1.2, 0).contradicts);
        assert_true(find(&f, 1.4, 0).contradicts);
    }
}

/* ---- Rounding -------------------------------------------------------------------------------- */

static void noise_is_allowed_for(void **state)
{
    (void)state;
    for (double rough = 1e-15; rough < 1e-4; rough *= 10)
        for (uint64_t seed = 0; seed < 20; seed++) {
            fixture f = {.curve = exponentials, .rough = rough, .random = {seed}};

            assert_false(find(&f, 6, 0).contradicts);
            if (rough < 1e-10) /* beyond, no slope is as certain as the tolerance */
                assert_true(find(&f, 7, 0).contradicts);
        }
}

/* Where all that moves is noise, it contradicts nothing. */
static void noise_says_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        fixture f = {.curve = flat, .rough = 1e-3, .random = {seed}};

        assert_false(find(&f, 1e-4, 0).contradicts);
    }
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static double logarithm(double h)
{
    return log(h + 1e-4);
}

static double half_line(double h)
{
    return sqrt(h);
}

static void ends_of_the_domain_are_kept_from(void **state)
{
    grad_slope s = slope_of(logarithm, 0, 1e4);

    (void)state;
    assert_true(!s.contradicts && fabs(s.value - 1e4) < 1e-1);
    assert_true(slope_of(logarithm, 0, 1.1e4).contradicts);
    s = slope_of(half_line, 0, 1);
    assert_true(isnan(s.value) && isinf(s.uncertainty) && !s.contradicts);
}

static void failures_are_passed_on(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 4; n++) {
        fixture f = {.curve = exponentials, .fails_at = n};
        grad_curve curve = {.at = at, .context = &f, .scale = 1, .tolerance = 1e-6};
        grad_slope slope;

        assert_int_equal(grad_slope_find(&curve, &slope), GRAD_OUT_OF_MEMORY);
        assert_int_equal(f.calls, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_slopes_are_confirmed),
        cmocka_unit_test(wrong_slopes_are_contradicted),
        cmocka_unit_test(radii_are_allowed_for),
        cmocka_unit_test(at_a_kink_the_slope_lies_between_both_sides),
        cmocka_unit_test(kinks_beside_are_stepped_over),
        cmocka_unit_test(narrow_features_are_looked_at_from_closer_by),
        cmocka_unit_test(jumps_contradict_nothing),
        cmocka_unit_test(a_difference_that_arrives_is_believed),
        cmocka_unit_test(noise_is_allowed_for),
        cmocka_unit_test(noise_says_nothing),
        cmocka_unit_test(ends_of_the_domain_are_kept_from),
        cmocka_unit_test(failures_are_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
