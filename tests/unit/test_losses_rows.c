/* Tests of what holds for each loss, option and datatype, whatever the formula: rows may be worked
 * out in any cut and in parts of a batch, and reductions and sample weights do nothing but scale.
 * Where it says bits, the numbers must be the same, not close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"
#include "support/loss_cases.h"
#include "support/tolerances.h"

#define SAMPLES 6
#define FEATURES 5

static void assert_close(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("found %a, expected %a within %g", found, expected, tolerance);
}

static void fill(loss_case *c, grad_tensor *tensor, size_t rows, double value)
{
    *tensor = (grad_tensor){loss_case_memory(c, rows * sizeof(double)), 1, {rows}};
    for (size_t i = 0; i < rows; i++)
        grad_real_put(c->view.type, tensor->data, i, value);
}

typedef void property(loss_case *c);

/* The property of every loss, datatype and option, with or without fusion. */
static void for_every_case(property *holds)
{
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++)
        for (unsigned options = 0; options < 4 * CASE_OPTIONS; options++) {
            loss_recipe recipe = {(grad_loss_kind)kind,
                                  GRAD_LOSS_MEAN,
                                  options & CASE_OPTIONS ? GRAD_FP32 : GRAD_FP64,
                                  SAMPLES,
                                  FEATURES,
                                  options % CASE_OPTIONS};
            loss_case *c = loss_case_of(options, recipe);

            if (options / CASE_OPTIONS >= 2 && kind == GRAD_BINARY_CROSS_ENTROPY)
                c->view.fusion = GRAD_BCE_WITH_LOGITS;
            if (options / CASE_OPTIONS >= 2 && kind == GRAD_NLL)
                c->view.fusion = GRAD_CROSS_ENTROPY;
            holds(c);
            loss_case_free(c);
        }
}

typedef struct results {
    double sums[SAMPLES], losses[SAMPLES * FEATURES], grad[SAMPLES * FEATURES];
} results;

static results results_of(const loss_case *c)
{
    size_t size = grad_datatype_size(c->view.type);
    results r = {{0}, {0}, {0}};

    memcpy(r.sums, c->sums, sizeof r.sums);
    memcpy(r.losses, c->losses, c->loss_count * size);
    memcpy(r.grad, c->grad, SAMPLES * FEATURES * size);
    return r;
}

/* One row at a time, last first; two parts; each result alone. What is not asked for is left. */
static void any_cut_gives_the_same_bits(loss_case *c)
{
    results whole, cut = {{0}, {0}, {0}}, none = {{0}, {0}, {0}};

    loss_case_run(c);
    whole = results_of(c);
    for (size_t b = SAMPLES; b-- > 0;)
        grad_loss_rows(&c->view, b, 1, cut.sums, cut.losses, cut.grad);
    assert_memory_equal(&cut, &whole, sizeof whole);
    memset(&cut, 0, sizeof cut);
    grad_loss_rows(&c->view, 0, 2, cut.sums, NULL, NULL);
    grad_loss_rows(&c->view, 2, SAMPLES - 2, cut.sums, NULL, NULL);
    grad_loss_rows(&c->view, 0, SAMPLES, NULL, NULL, cut.grad);
    grad_loss_rows(&c->view, 0, SAMPLES, NULL, cut.losses, NULL);
    assert_memory_equal(&cut, &whole, sizeof whole);
    memset(&cut, 0, sizeof cut);
    grad_loss_rows(&c->view, 1, 0, cut.sums, cut.losses, cut.grad);
    assert_memory_equal(&cut, &none, sizeof none);
    grad_loss_rows(&c->view, SAMPLES - 1, 1, cut.sums, cut.losses, cut.grad);
    assert_memory_equal(cut.sums, none.sums, (SAMPLES - 1) * sizeof(double));
    assert_memory_equal(cut.grad, none.grad,
                        (SAMPLES - 1) * FEATURES * grad_datatype_size(c->view.type));
}

static void rows_may_be_cut_anywhere(void **state)
{
    (void)state;
    for_every_case(any_cut_gives_the_same_bits);
}

/* Sum and none have one gradient; the mean's is that over the divisor, twice rounded. */
static void reductions_differ_by_the_divisor(loss_case *c)
{
    double unit = c->view.type == GRAD_FP32 ? UNIT : UNIT_FP64, divisor = c->view.divisor;
    results mean, sum;

    loss_case_run(c);
    mean = results_of(c);
    c->loss.reduction = GRAD_LOSS_SUM;
    loss_case_prepare(c);
    assert_true(c->view.divisor == 1);
    loss_case_run(c);
    sum = results_of(c);
    assert_memory_equal(mean.sums, sum.sums, sizeof sum.sums);
    assert_memory_equal(mean.losses, sum.losses, sizeof sum.losses);
    for (size_t i = 0; i < SAMPLES * FEATURES; i++) {
        double whole = grad_real_at(c->view.type, sum.grad, i);

        assert_close(grad_real_at(c->view.type, mean.grad, i) * divisor, whole,
                     4 * unit * fabs(whole));
    }
    c->loss.reduction = GRAD_LOSS_NONE;
    loss_case_prepare(c);
    loss_case_run(c);
    mean = results_of(c);
    assert_memory_equal(&mean, &sum, sizeof sum);
}

static void the_mean_is_the_sum_over_the_divisor(void **state)
{
    (void)state;
    for_every_case(reductions_differ_by_the_divisor);
}

/* Weights of 1 are no weights, those of 2 double each number, of 0 leave nothing of a sample; none
 * of them is in the divisor. */
static void weights_of_samples_only_scale(loss_case *c)
{
    double divisor = c->view.divisor;
    results plain, weighted;

    c->loss.sample_weight.data = NULL;
    loss_case_run(c);
    plain = results_of(c);
    for (int weight = 2; weight >= 0; weight--) {
        fill(c, &c->loss.sample_weight, SAMPLES, weight);
        loss_case_prepare(c);
        assert_true(c->view.divisor == divisor);
        loss_case_run(c);
        weighted = results_of(c);
        for (size_t b = 0; b < SAMPLES; b++)
            assert_true(weighted.sums[b] == weight * plain.sums[b]);
        for (size_t i = 0; i < SAMPLES * FEATURES; i++)
            assert_true(grad_real_at(c->view.type, weighted.grad, i) ==
                        weight * grad_real_at(c->view.type, plain.grad, i));
        for (size_t i = 0; i < c->loss_count; i++)
            assert_true(grad_real_at(c->view.type, weighted.losses, i) ==
                        weight * grad_real_at(c->view.type, plain.losses, i));
    }
}

static void sample_weights_scale_a_sample(void **state)
{
    (void)state;
    for_every_case(weights_of_samples_only_scale);
}

/* The sums of two halves, each a batch of its own, are those of the whole. */
static void halves_are_the_whole(loss_case *c)
{
    size_t size = grad_datatype_size(c->view.type), half = SAMPLES / 2;
    grad_loss loss = c->loss;
    grad_loss_view view = c->view;
    bool by_sample = loss.target.rank == 1;
    results whole, part = {{0}, {0}, {0}};

    loss.reduction = c->loss.reduction = GRAD_LOSS_SUM;
    loss_case_prepare(c);
    loss_case_run(c);
    whole = results_of(c);
    view.loss = &loss;
    view.B = half;
    view.divisor = grad_loss_divisor(&view);
    view.y = (char *)c->y + half * FEATURES * size;
    loss.target.data = (char *)loss.target.data + half * (by_sample ? 1 : FEATURES) * size;
    loss.target.shape[0] = loss.variance.shape[0] = half;
    if (loss.sample_weight.data != NULL)
        loss.sample_weight.data = (char *)loss.sample_weight.data + half * size;
    if (loss.kind == GRAD_GAUSSIAN_NLL)
        loss.variance.data = (char *)loss.variance.data + half * loss.variance.shape[1] * size;
    if (loss.kind == GRAD_COSINE_EMBEDDING)
        loss.other.data = (char *)loss.other.data + half * FEATURES * size;
    grad_loss_rows(&view, 0, half, part.sums, part.losses, part.grad);
    assert_memory_equal(part.sums, whole.sums + half, half * sizeof(double));
    assert_memory_equal(part.grad, (char *)whole.grad + half * FEATURES * size,
                        half * FEATURES * size);
}

static void a_batch_may_be_split_in_two(void **state)
{
    (void)state;
    for_every_case(halves_are_the_whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_may_be_cut_anywhere),
        cmocka_unit_test(the_mean_is_the_sum_over_the_divisor),
        cmocka_unit_test(sample_weights_scale_a_sample),
        cmocka_unit_test(a_batch_may_be_split_in_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
