/* Tests of layer, group, rms and batch normalization, both datatypes, against naive twins in long
 * double and central differences: odd shapes, one sample, one feature, constant sets, data of any
 * scale, parts in any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"
#include "support/norm_problem.h"
#include "support/reals.h"
#include "support/tolerances.h"

#define MOST NORM_PROBLEM_MOST

/* How far x̂ may be off in units of 1 + |x̂|: the sums of n terms in double (n u), and what is lost
 * in x - mean where x is large beside the deviation. Everything else is a few roundings. */
static long double uncertainty(const norm_problem *p, size_t i)
{
    const norm_twin *t = &p->twin;
    size_t n = t->by_sample ? t->N / t->groups : t->B;
    long double mean, deviation;

    norm_twin_moments(t, i / t->N, i % t->N, &mean, &deviation);
    return (long double)(n + 16) * UNIT_64 * (1 + (fabsl(mean) + fabsl(t->x[i])) / deviation);
}

static long double worst_uncertainty(const norm_problem *p)
{
    long double worst = 0;

    for (size_t i = 0; i < p->twin.B * p->twin.N; i++)
        worst = fmaxl(worst, uncertainty(p, i));
    return worst;
}

static long double absolute_hat(const norm_problem *p, size_t i)
{
    long double mean, deviation;

    norm_twin_moments(&p->twin, i / p->twin.N, i % p->twin.N, &mean, &deviation);
    return fabsl((p->twin.x[i] - mean) / deviation);
}

/* ---- What each function gives ---------------------------------------------------------------- */

static void check_forward(const norm_problem *p)
{
    static long double expected[MOST];
    const grad_norm *n = &p->norm;
    void *z = reals_new(n->type, n->B * n->N);

    norm_twin_forward(&p->twin, expected);
    grad_norm_forward(n, 0, n->B, z);
    for (size_t i = 0; i < n->B * n->N; i++) {
        long double size = (1 + absolute_hat(p, i)) * fabsl(p->twin.gain[i % n->N]);

        reals_check(n->type, "z", i, grad_real_at(n->type, z, i), expected[i],
                    UNIT_OF(n->type) * fabsl(expected[i]) + uncertainty(p, i) * size +
                        4 * UNIT_64 * fabsl(p->twin.shift[i % n->N]));
    }
    free(z);
}

static void check_grad_input(const norm_problem *p)
{
    static long double expected[MOST], magnitude[MOST];
    const grad_norm *n = &p->norm;
    void *dx = reals_new(n->type, n->B * n->N);
    long double doubt = worst_uncertainty(p), hat = 0;

    norm_twin_grad_input(&p->twin, p->wide[1], expected, magnitude);
    if (n->by_sample)
        grad_sample_norm_grad_input(n, p->dz, 0, n->B, dx);
    else
        grad_batch_norm_grad_input(n, p->dz, 0, n->N, dx);
    for (size_t i = 0; i < n->B * n->N; i++)
        hat = fmaxl(hat, absolute_hat(p, i));
    for (size_t i = 0; i < n->B * n->N; i++)
        reals_check(n->type, "dx", i, grad_real_at(n->type, dx, i), expected[i],
                    UNIT_OF(n->type) * fabsl(expected[i]) +
                        2 * doubt * (1 + hat) * (1 + hat) * magnitude[i]);
    free(dx);
}

static void check_gain_delta(const norm_problem *p)
{
    const grad_norm *n = &p->norm;
    void *dgain = reals_new(n->type, n->N), *each = reals_new(n->type, n->B * n->N);
    long double doubt = worst_uncertainty(p), magnitude;

    grad_norm_gain_delta(n, p->dz, -0.3, 0, n->N, dgain);
    grad_norm_sample_gain_deltas(n, p->dz, -0.3, 0, n->B, each);
    for (size_t i = 0; i < n->N; i++) {
        long double expected = -0.3 * norm_twin_gain_delta(&p->twin, p->wide[1], i, &magnitude);

        reals_check(n->type, "dgain", i, grad_real_at(n->type, dgain, i), expected,
                    UNIT_OF(n->type) * fabsl(expected) +
                        (long double)(n->B + 2) * UNIT_64 * magnitude +
                        doubt * (magnitude + (long double)n->B));
    }
    for (size_t i = 0; i < n->B * n->N; i++) {
        norm_twin one = p->twin;
        long double mean, deviation, expected;

        norm_twin_moments(&one, i / n->N, i % n->N, &mean, &deviation);
        expected = -0.3 * p->wide[1][i] * ((one.x[i] - mean) / deviation);
        reals_check(n->type, "dgain of a sample", i, grad_real_at(n->type, each, i), expected,
                    UNIT_OF(n->type) * fabsl(expected) + doubt * (1 + absolute_hat(p, i)));
    }
    free(dgain);
    free(each);
}

static void check_problem(norm_problem *p)
{
    check_forward(p);
    check_grad_input(p);
    check_gain_delta(p);
    norm_problem_free(p);
}

static void check_shape(size_t B, size_t N, double offset, double size)
{
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++)
        for (int form = 0; form < FORM_COUNT; form++)
            for (int has_gain = 0; has_gain < 2; has_gain++)
                check_problem(norm_problem_new((grad_datatype)type, (norm_form)form, B, N, offset,
                                               size, has_gain));
}

/* ---- The tests ------------------------------------------------------------------------------- */

static void odd_shapes_are_right(void **state)
{
    static const size_t shapes[][2] = {{1, 1},   {1, 7},   {7, 1},   {2, 3},  {13, 17}, {3, 131},
                                       {131, 3}, {2, 129}, {2, 128}, {5, 12}, {2, 390}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_shape(shapes[i][0], shapes[i][1], 0.5, 3);
}

static void data_of_any_scale_is_right(void **state)
{
    static const double scales[][2] = {{1e6, 1},   {-1e4, 1e-3}, {0, 1e-6},    {0, 1e-18},
                                       {3, 1e-12}, {0, 1e18},    {1e15, 1e14}, {0, 1e-30}};

    (void)state;
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        check_shape(7, 11, scales[i][0], scales[i][1]);
}

/* A set of equal numbers: x̂ is 0 to the bit, whatever the number. */
static void constant_sets_give_the_shift(void **state)
{
    static const double constants[] = {0, -0.0, 0.1, 1e30, -3.7e-30, 12345.678};

    (void)state;
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++)
        for (int form = 0; form < RUNNING; form++)
            for (size_t c = 0; c < sizeof constants / sizeof *constants; c++) {
                norm_problem *p = norm_problem_new((grad_datatype)type, (norm_form)form, 7, 11,
                                                   constants[c], 0, true);
                void *z = reals_new(p->norm.type, 77);

                grad_norm_forward(&p->norm, 0, 7, z);
                for (size_t i = 0; i < 77; i++)
                    assert_true(grad_real_at(p->norm.type, z, i) ==
                                grad_real_at(p->norm.type, p->shift, i % 11));
                free(z);
                if (fabs(constants[c]) < 1) /* beyond, 1e-5 is nothing beside it: no digits */
                    check_problem(p);
                else
                    norm_problem_free(p);
            }
}

/* Doubles whose squares overflow have a deviation all the same. */
static void huge_doubles_are_right(void **state)
{
    (void)state;
    for (int form = 0; form < FORM_COUNT; form++)
        for (double size = 1e150; size < 1e308; size *= 1e37)
            check_problem(norm_problem_new(GRAD_FP64, (norm_form)form, 5, 13, 0, size, true));
}

/* Beside an epsilon that is no less huge. */
static void huge_epsilons_count(void **state)
{
    (void)state;
    for (int form = 0; form < FORM_COUNT; form++) {
        norm_problem *p = norm_problem_new(GRAD_FP64, (norm_form)form, 5, 13, 0, 2e154, true);

        p->epsilon = 1e308;
        p->twin.epsilon = 1e308;
        norm_problem_take_moments(p, (norm_form)form);
        check_problem(p);
    }
}

/* The first mean of many large numbers is off by more than their deviation: the second pass must
 * mend that. The deviations of these from any double near them are exact. */
static void deviations_survive_a_large_mean(void **state)
{
    (void)state;
    for (int form = 0; form < RUNNING; form += form == BY_SAMPLE ? 2 : 1) {
        bool is_by_sample = norm_form_is_by_sample((norm_form)form);
        size_t B = is_by_sample ? 1 : 1031, N = is_by_sample ? 1031 : 1;
        norm_problem *p = norm_problem_new(GRAD_FP64, (norm_form)form, B, N, 1e15, 2, true);
        long double mean, deviation;

        norm_twin_moments(&p->twin, 0, 0, &mean, &deviation);
        assert_true(fabsl(p->moments->mean - mean) < 0.07); /* half a unit */
        assert_true(fabsl(p->moments->inverse_deviation * deviation - 1) < 1e-6L);
        norm_problem_free(p);
    }
}

static void what_is_not_finite_stays_so(void **state)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++)
        for (int form = 0; form < FORM_COUNT; form += form + 1 == RUNNING ? 2 : 1)
            for (size_t i = 0; i < 3; i++) {
                norm_problem *p =
                    norm_problem_new((grad_datatype)type, (norm_form)form, 4, 4, 0, 1, true);
                void *z = reals_new(p->norm.type, 16);
                double neighbour;

                grad_real_put(p->norm.type, p->x, 5, bad[i]);
                norm_problem_take_moments(p, (norm_form)form);
                grad_norm_forward(&p->norm, 0, 4, z);
                assert_true(isnan(grad_real_at(p->norm.type, z, 5)));
                neighbour = grad_real_at(p->norm.type, z, p->norm.by_sample ? 4 : 1);
                /* nothing finite is left beside an infinite mean square */
                assert_true(form == UNCENTRED && isinf(bad[i])
                                ? neighbour == grad_real_at(p->norm.type, p->shift, 0)
                                : isnan(neighbour));
                assert_true(isfinite(grad_real_at(p->norm.type, z, 15)));
                free(z);
                norm_problem_free(p);
            }
}

/* L = Σ dz ⊙ z at x + h v: what central differences are taken of. */
static long double loss(const norm_problem *p, const long double *v, long double h)
{
    static long double moved[MOST], z[MOST];
    norm_twin twin = p->twin;
    long double sum = 0;

    for (size_t i = 0; i < twin.B * twin.N; i++)
        moved[i] = twin.x[i] + h * v[i];
    twin.x = moved;
    norm_twin_forward(&twin, z);
    for (size_t i = 0; i < twin.B * twin.N; i++)
        sum += z[i] * p->wide[1][i];
    return sum;
}

static void central_differences_agree(void **state)
{
    static long double v[MOST];
    const long double h = 0x1p-18L; /* h² is below float's u; h u_long_double far below it */
    random_state random = {71};

    (void)state;
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++)
        for (int form = 0; form < FORM_COUNT; form++) {
            norm_problem *p =
                norm_problem_new((grad_datatype)type, (norm_form)form, 9, 10, 0.25, 2, true);
            void *dx = reals_new(p->norm.type, 90);
            long double product = 0, difference;

            for (size_t i = 0; i < 90; i++)
                v[i] = random_signed(&random);
            if (p->norm.by_sample)
                grad_sample_norm_grad_input(&p->norm, p->dz, 0, 9, dx);
            else
                grad_batch_norm_grad_input(&p->norm, p->dz, 0, 10, dx);
            for (size_t i = 0; i < 90; i++)
                product += v[i] * (long double)grad_real_at(p->norm.type, dx, i);
            difference = (loss(p, v, h) - loss(p, v, -h)) / (2 * h);
            assert_true(fabsl(difference - product) <= (90 * UNIT_OF(p->norm.type) + 50 * h * h));
            free(dx);
            norm_problem_free(p);
        }
}

/* ---- Parts ----------------------------------------------------------------------------------- */

/* All results of a problem, its moments first, with the rows and columns worked out `step` at a
 * time. */
static void work_out(norm_problem *p, norm_form form, size_t step, void *const results[4])
{
    grad_norm *n = &p->norm;
    size_t across = n->by_sample ? n->B : n->N;

    for (size_t i = 0; i < across && form != RUNNING; i += step) {
        size_t end = i + step < across ? i + step : across;

        if (n->by_sample)
            grad_sample_norm_moments(n, p->epsilon, i, end - i, p->moments);
        else
            grad_batch_norm_moments(n->type, n->B, n->N, p->x, p->epsilon, i, end, p->moments);
    }
    for (size_t b = 0; b < n->B; b += step) {
        size_t rows = b + step < n->B ? step : n->B - b;

        grad_norm_forward(n, b, rows, results[0]);
        grad_norm_sample_gain_deltas(n, p->dz, 3, b, rows, results[1]);
        if (n->by_sample)
            grad_sample_norm_grad_input(n, p->dz, b, rows, results[2]);
    }
    for (size_t i = 0; i < n->N; i += step) {
        size_t end = i + step < n->N ? i + step : n->N;

        grad_norm_gain_delta(n, p->dz, 3, i, end, results[3]);
        if (!n->by_sample)
            grad_batch_norm_grad_input(n, p->dz, i, end, results[2]);
    }
}

static void parts_in_any_cut_give_the_same_bits(void **state)
{
    const size_t B = 5, N = 211, steps[] = {1, 2, 3, 64, 129, 210};

    (void)state;
    for (int type = GRAD_FP32; type <= GRAD_FP64; type++)
        for (int form = 0; form < FORM_COUNT; form++) {
            norm_problem *p =
                norm_problem_new((grad_datatype)type, (norm_form)form, B, N, 1, 2, true);
            size_t bytes = B * N * (type == GRAD_FP64 ? sizeof(double) : sizeof(float));
            void *whole[4], *parts[4];

            for (size_t r = 0; r < 4; r++) {
                whole[r] = reals_new(p->norm.type, B * N);
                parts[r] = reals_new(p->norm.type, B * N);
            }
            work_out(p, (norm_form)form, B * N, whole);
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
                work_out(p, (norm_form)form, steps[s], parts);
                for (size_t r = 0; r < 4; r++)
                    assert_memory_equal(parts[r], whole[r], bytes);
            }
            for (size_t r = 0; r < 4; r++) {
                free(whole[r]);
                free(parts[r]);
            }
            norm_problem_free(p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_shapes_are_right),
        cmocka_unit_test(data_of_any_scale_is_right),
        cmocka_unit_test(constant_sets_give_the_shift),
        cmocka_unit_test(huge_doubles_are_right),
        cmocka_unit_test(huge_epsilons_count),
        cmocka_unit_test(deviations_survive_a_large_mean),
        cmocka_unit_test(what_is_not_finite_stays_so),
        cmocka_unit_test(central_differences_agree),
        cmocka_unit_test(parts_in_any_cut_give_the_same_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
