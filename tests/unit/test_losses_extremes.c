/* Tests of the losses where numbers are huge, tiny or exactly at a kink, where everything is
 * ignored, and where y is not finite. Ordinary numbers are in test_losses.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "core/real.h"
#include "support/loss_cases.h"

/* ---- All pairs of y and t -------------------------------------------------------------------- */

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define LIST(list) COUNT(list), list

static const double numbers[] = {0,   -0.0, 0x1p-140, -1e-30, 1e-8, -1e-4, 0.1,  -0.7,   1,
                                 1.3, -2,   30,       -88,    710,  -1e4,  1e30, -3.4e38};
static const double bits[] = {0, 1};
static const double signs[] = {-1, 1};
static const double probabilities[] = {0,    0x1p-140, 1e-30, 1e-13, 1e-12,       1.0000001e-12,
                                       1e-6, 0.3,      0.5,   0.8,   1 - 0x1p-24, 1};
static const double logarithms[] = {-1e4, -88, -1, -1e-30, 0, 5};
static const double counts[] = {0, 1, 1 + 0x1p-23, 2, 7, 1e6};
static const double sizes[] = {0, 0x1p-140, 1e-8, 1, 1e30};
static const double any_targets[] = {0, 1, 0.5, 2, -1};

static const struct pairing {
    grad_loss_kind kind;
    size_t y_count;
    const double *y;
    size_t t_count;
    const double *t;
    double parameters[GRAD_MAX_LOSS_PARAMETERS];
} pairings[] = {
    {GRAD_MSE, LIST(numbers), LIST(numbers), {0}},
    {GRAD_L1, LIST(numbers), LIST(numbers), {0}},
    {GRAD_SMOOTH_L1, LIST(numbers), LIST(numbers), {1}},
    {GRAD_SMOOTH_L1, LIST(numbers), LIST(numbers), {0}},
    {GRAD_SMOOTH_L1, LIST(numbers), LIST(numbers), {1e-30}},
    {GRAD_HUBER, LIST(numbers), LIST(numbers), {1}},
    {GRAD_HUBER, LIST(numbers), LIST(numbers), {1e6}},
    {GRAD_LOG_COSH, LIST(numbers), LIST(numbers), {0}},
    {GRAD_BINARY_CROSS_ENTROPY, LIST(probabilities), LIST(probabilities), {0}},
    {GRAD_BCE_WITH_LOGITS, LIST(numbers), LIST(probabilities), {0}},
    {GRAD_BCE_WITH_LOGITS, LIST(numbers), LIST(any_targets), {0}},
    {GRAD_FOCAL, LIST(numbers), LIST(bits), {0.25, 2}},
    {GRAD_FOCAL, LIST(numbers), LIST(bits), {0.75, 0.5}},
    {GRAD_FOCAL, LIST(numbers), LIST(bits), {1, 0}},
    {GRAD_KL_DIV, LIST(logarithms), LIST(probabilities), {0}},
    {GRAD_KL_DIV, LIST(logarithms), LIST(logarithms), {1}},
    {GRAD_HINGE, LIST(numbers), LIST(signs), {1}},
    {GRAD_HINGE, LIST(numbers), LIST(signs), {0}},
    {GRAD_SQUARED_HINGE, LIST(numbers), LIST(signs), {1}},
    {GRAD_POISSON_NLL, LIST(numbers), LIST(counts), {1, 1, 1e-8}},
    {GRAD_POISSON_NLL, LIST(sizes), LIST(counts), {0, 1, 1e-8}},
    {GRAD_GAUSSIAN_NLL, LIST(numbers), LIST(numbers), {1, 1e-6}},
};

static void put(const loss_case *c, void *data, size_t i, double value)
{
    grad_real_put(c->view.type, data, i, value);
}

static void every_pair_is_right(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(pairings); k++)
        for (int type = GRAD_FP32; type <= GRAD_FP64; type++) {
            const struct pairing *p = &pairings[k];
            loss_recipe recipe = {p->kind,    GRAD_LOSS_SUM, (grad_datatype)type,
                                  p->y_count, p->t_count,    0};
            loss_case *c = loss_case_of(k, recipe);

            for (size_t i = 0; i < GRAD_MAX_LOSS_PARAMETERS; i++)
                c->loss.parameters[i] = p->parameters[i];
            for (size_t i = 0; i < p->y_count * p->t_count; i++) {
                put(c, c->y, i, p->y[i / p->t_count]);
                put(c, c->loss.target.data, i, p->t[i % p->t_count]);
                if (c->loss.variance.data != NULL)
                    put(c, c->loss.variance.data, i, sizes[i % COUNT(sizes)]);
            }
            loss_case_check(c);
            loss_case_free(c);
        }
}

/* ---- Rows of extreme logits ------------------------------------------------------------------ */

/* Every third number of these rows is one of the list's, the others are ordinary. */
static void every_row_of_extreme_logits_is_right(void **state)
{
    static const double logits[] = {1e4, -1e4, 0, 40, 1e4, -709, 745, -1e30, 3e38};

    (void)state;
    for (unsigned options = 0; options < 2 * CASE_OPTIONS; options++) {
        bool is_nll = options >= CASE_OPTIONS;
        loss_recipe recipe = {is_nll ? GRAD_NLL : GRAD_CROSS_ENTROPY,
                              GRAD_LOSS_MEAN,
                              options % 3 == 0 ? GRAD_FP32 : GRAD_FP64,
                              9,
                              6,
                              options};
        loss_case *c = loss_case_of(options, recipe);

        c->view.fusion = is_nll ? GRAD_CROSS_ENTROPY : GRAD_LOSS_ABSENT;
        for (size_t i = options % 3; i < 9 * 6; i += 3)
            put(c, c->y, i, logits[(i / 3 + i / 6) % 9]);
        loss_case_check(c);
        loss_case_free(c);
    }
}

/* A batch of one sample: its loss, and its gradient [N]. */
static double one_sample(loss_recipe recipe, grad_loss_kind fusion, const double *y, double t,
                         double *grad)
{
    loss_case *c = loss_case_of(1, recipe);
    double sum;

    c->view.fusion = fusion;
    for (size_t j = 0; j < recipe.N; j++)
        put(c, c->y, j, y[j]);
    put(c, c->loss.target.data, 0, t);
    loss_case_prepare(c);
    loss_case_run(c);
    for (size_t j = 0; j < recipe.N; j++)
        grad[j] = grad_real_at(c->view.type, c->grad, j);
    sum = c->sums[0];
    loss_case_free(c);
    return sum;
}

static void assert_close(double found, double expected, double relative)
{
    if (!(fabs(found - expected) <= relative * fabs(expected)))
        fail_msg("found %a, expected %a", found, expected);
}

/* Next to a probability of 1 nothing is lost: the gradient at the right class is not y - 1. */
static void a_confident_right_answer_keeps_its_digits(void **state)
{
    static const loss_recipe classes = {GRAD_CROSS_ENTROPY, GRAD_LOSS_SUM, GRAD_FP64, 1, 3, 0};
    static const loss_recipe binary = {
        GRAD_BINARY_CROSS_ENTROPY, GRAD_LOSS_SUM, GRAD_FP64, 1, 1, 0};
    static const double z[] = {50, 0, 0};
    double grad[3];

    (void)state;
    assert_close(one_sample(classes, GRAD_LOSS_ABSENT, z, 0, grad), 2 * exp(-50), 1e-15);
    assert_close(grad[0], -2 * exp(-50), 1e-15);
    assert_close(grad[1], exp(-50), 1e-15);
    assert_close(one_sample(binary, GRAD_BCE_WITH_LOGITS, z, 1, grad), exp(-50), 1e-15);
    assert_close(grad[0], -exp(-50), 1e-15);
    assert_close(one_sample(binary, GRAD_BCE_WITH_LOGITS, z, 0, grad), 50,
                 1e-15); /* no clamp at 100 … */
    assert_close(one_sample(binary, GRAD_BCE_WITH_LOGITS, (double[]){1e4}, 0, grad), 1e4,
                 0); /* … above */
    assert_close(grad[0], 1, 0);
}

static void extreme_logits_overflow_nothing(void **state)
{
    static const loss_recipe classes = {GRAD_CROSS_ENTROPY, GRAD_LOSS_SUM, GRAD_FP32, 1, 3, 0};
    static const double z[] = {1e4, -1e4, 0};
    double grad[3];

    (void)state;
    assert_close(one_sample(classes, GRAD_LOSS_ABSENT, z, 1, grad), 2e4, 0);
    assert_true(grad[0] == 1 && grad[1] == -1 && grad[2] == 0);
    assert_close(one_sample(classes, GRAD_LOSS_ABSENT, z, 0, grad), 0, 0);
    assert_true(grad[0] == 0 && grad[1] == 0 && grad[2] == 0);
}

/* A class that is out of the question (z = -inf) does no harm where it is not the target. */
static void masked_logits_are_right(void **state)
{
    static const loss_recipe classes = {GRAD_CROSS_ENTROPY, GRAD_LOSS_SUM, GRAD_FP64, 1, 3, 0};
    const double z[] = {0, -INFINITY, 0};
    double grad[3];

    (void)state;
    assert_close(one_sample(classes, GRAD_LOSS_ABSENT, z, 0, grad), log(2), 1e-15);
    assert_true(grad[0] == -0.5 && grad[1] == 0 && grad[2] == 0.5);
    assert_true(isinf(one_sample(classes, GRAD_LOSS_ABSENT, z, 1, grad)));
    assert_true(isnan(one_sample(classes, GRAD_LOSS_ABSENT, (double[]){0, INFINITY, 0}, 0, grad)));
    assert_true(isnan(grad[0]) && isnan(grad[1]) && isnan(grad[2]));
}

/* ---- Kinks ----------------------------------------------------------------------------------- */

static double slope_at(grad_loss_kind kind, double parameter, double y, double t)
{
    loss_case *c = loss_case_of(1, (loss_recipe){kind, GRAD_LOSS_SUM, GRAD_FP32, 1, 1, 0});
    double slope;

    c->loss.parameters[0] = parameter;
    put(c, c->y, 0, y);
    put(c, c->loss.target.data, 0, t);
    loss_case_run(c);
    slope = grad_real_at(GRAD_FP32, c->grad, 0);
    loss_case_free(c);
    return slope;
}

static void slopes_at_kinks_are_pytorchs(void **state)
{
    (void)state;
    assert_true(slope_at(GRAD_L1, 0, 3, 3) == 0);
    assert_true(slope_at(GRAD_SMOOTH_L1, 0, 3, 3) == 0);
    assert_true(slope_at(GRAD_SMOOTH_L1, 0, 3 + 0x1p-20, 3) == 1);
    assert_true(slope_at(GRAD_SMOOTH_L1, 0.5, 3.5, 3) == 1);
    assert_true(slope_at(GRAD_SMOOTH_L1, 0.5, 2.5, 3) == -1);
    assert_true(slope_at(GRAD_HUBER, 0.5, 3.5, 3) == 0.5);
    assert_true(slope_at(GRAD_HUBER, 0.5, 2.5, 3) == -0.5);
    assert_true(slope_at(GRAD_HINGE, 1, 1, 1) == 0);
    assert_true(slope_at(GRAD_HINGE, 1, -1, -1) == 0);
    assert_true(slope_at(GRAD_HINGE, 1, 1 - 0x1p-24, 1) == -1);
    assert_true(slope_at(GRAD_SQUARED_HINGE, 1, 1, 1) == 0);
    assert_true(slope_at(GRAD_LOG_COSH, 0, 3, 3) == 0);
    assert_true(slope_at(GRAD_BINARY_CROSS_ENTROPY, 0, 0, 1) == (double)-1e12f);
    assert_true(slope_at(GRAD_BINARY_CROSS_ENTROPY, 0, 1, 1) == 0);
}

/* Two vectors at a right angle: at a margin of 0, the kink, there is no gradient; below it there is
 * that of the cosine. */
static void a_cosine_at_the_margin_has_no_gradient(void **state)
{
    loss_recipe recipe = {GRAD_COSINE_EMBEDDING, GRAD_LOSS_SUM, GRAD_FP32, 1, 2, 0};
    loss_case *c = loss_case_of(1, recipe);
    const double y[] = {1, 0}, o[] = {0, 1};

    (void)state;
    for (size_t j = 0; j < 2; j++) {
        put(c, c->y, j, y[j]);
        put(c, c->loss.other.data, j, o[j]);
    }
    put(c, c->loss.target.data, 0, -1);
    loss_case_check(c);
    assert_true(c->sums[0] == 0 && ((float *)c->grad)[0] == 0 && ((float *)c->grad)[1] == 0);
    c->loss.parameters[0] = -0x1p-20;
    loss_case_check(c);
    assert_true(((float *)c->grad)[1] == 1);
    c->loss.parameters[0] = 0;
    for (size_t j = 0; j < 2; j++)
        put(c, c->y, j, 0); /* a zero vector is at every right angle too */
    loss_case_check(c);
    assert_true(c->sums[0] == 0 && ((float *)c->grad)[1] == 0);
    /* only the 1e-12 in the norm is left */
    put(c, c->loss.target.data, 0, 1);
    loss_case_check(c);
    assert_true(c->sums[0] == 1 && fabsf(((float *)c->grad)[1] + 1e6f) <= 1);
    loss_case_free(c);
}

/* ---- Ignored, and not finite ----------------------------------------------------------------- */

static void all_ignored_is_a_mean_of_nothing(void **state)
{
    (void)state;
    for (int kind = GRAD_CROSS_ENTROPY; kind <= GRAD_NLL; kind++) {
        loss_case *c = loss_case_of(1, (loss_recipe){(grad_loss_kind)kind, GRAD_LOSS_MEAN,
                                                     GRAD_FP32, 3, 4, CASE_SAMPLE_WEIGHTS});

        for (size_t b = 0; b < 3; b++)
            put(c, c->loss.target.data, b, -100);
        loss_case_prepare(c);
        loss_case_run(c);
        assert_true(isnan(grad_loss_total(&c->view, c->sums)));
        for (size_t i = 0; i < 12; i++)
            assert_true(((float *)c->grad)[i] == 0);
        for (size_t b = 0; b < 3; b++)
            assert_true(((float *)c->losses)[b] == 0);
        c->loss.reduction = GRAD_LOSS_SUM;
        loss_case_prepare(c);
        assert_true(grad_loss_total(&c->view, c->sums) == 0);
        loss_case_free(c);
    }
}

static void an_ignored_row_may_hold_anything(void **state)
{
    const double wild[] = {NAN, INFINITY, -INFINITY, 1e38};

    (void)state;
    for (int kind = GRAD_CROSS_ENTROPY; kind <= GRAD_NLL; kind++)
        for (unsigned options = CASE_IGNORED; options < CASE_OPTIONS; options++) {
            loss_case *c = loss_case_of(options, (loss_recipe){(grad_loss_kind)kind, GRAD_LOSS_MEAN,
                                                               GRAD_FP32, 5, 4, options});

            for (size_t j = 0; j < 4 && !(options & CASE_PROBABILITIES); j++)
                put(c, c->y, 4 + j, wild[j]); /* row 1 is ignored */
            loss_case_check(c);
            loss_case_free(c);
        }
}

/* No comparison swallows a NaN: it is in the sum, and in the element's loss. */
static void a_nan_comes_out_as_one(void **state)
{
    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        loss_recipe recipe = {(grad_loss_kind)kind, GRAD_LOSS_MEAN, GRAD_FP32, 2, 3, 0};
        loss_case *c = loss_case_of(7, recipe);

        if (kind == GRAD_NLL || kind == GRAD_CROSS_ENTROPY)
            put(c, c->loss.target.data, 1, 2);
        put(c, c->y, 5, NAN);
        loss_case_run(c);
        assert_true(isfinite(c->sums[0]));
        assert_true(isnan(c->sums[1]));
        assert_true(isnan(((float *)c->losses)[c->loss_count - 1]));
        loss_case_free(c);
    }
}

/* Not ignored, but of weight 0: PyTorch divides 0 by 0 in the gradient too. */
static void a_divisor_of_zero_is_nan(void **state)
{
    loss_case *c = loss_case_of(
        1, (loss_recipe){GRAD_CROSS_ENTROPY, GRAD_LOSS_MEAN, GRAD_FP64, 2, 3, CASE_OWN_TENSOR});

    (void)state;
    for (size_t j = 0; j < 3; j++)
        put(c, c->loss.class_weight.data, j, 0);
    loss_case_prepare(c);
    loss_case_run(c);
    assert_true(c->view.divisor == 0);
    assert_true(isnan(grad_loss_total(&c->view, c->sums)));
    assert_true(isnan(((double *)c->grad)[0]));
    loss_case_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_right),
        cmocka_unit_test(every_row_of_extreme_logits_is_right),
        cmocka_unit_test(a_confident_right_answer_keeps_its_digits),
        cmocka_unit_test(extreme_logits_overflow_nothing),
        cmocka_unit_test(masked_logits_are_right),
        cmocka_unit_test(slopes_at_kinks_are_pytorchs),
        cmocka_unit_test(a_cosine_at_the_margin_has_no_gradient),
        cmocka_unit_test(all_ignored_is_a_mean_of_nothing),
        cmocka_unit_test(an_ignored_row_may_hold_anything),
        cmocka_unit_test(a_nan_comes_out_as_one),
        cmocka_unit_test(a_divisor_of_zero_is_nan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
