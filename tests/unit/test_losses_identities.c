/* Tests of what holds between losses: one as the composition or the special case of another, and
 * what their gradients cannot depend on. What holds within each is in test_losses_rows.c. */
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

/* Logits below 8: a probability next to 1 has lost e^8 of its digits in 1 - y, and a quotient by
 * y (1 - y) as many again; a dozen roundings in all. */
#define TOLERANCE_COMPOSED (12 * 2981 * UNIT_FP64)

static loss_case *case_of(grad_loss_kind kind, grad_loss_reduction reduction, grad_datatype type,
                          unsigned options)
{
    return loss_case_of(11 + options,
                        (loss_recipe){kind, reduction, type, SAMPLES, FEATURES, options});
}

static void assert_close(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("found %a, expected %a within %g", found, expected, tolerance);
}

static double *grad64(const loss_case *c)
{
    return c->grad;
}

/* The same y for both. */
static void share_y(loss_case *c, const loss_case *from)
{
    memcpy(c->y, from->y, SAMPLES * FEATURES * grad_datatype_size(c->view.type));
}

/* Both worked out; sums, losses and grad are the same bits. */
static void assert_same_bits(loss_case *c, loss_case *other)
{
    size_t size = grad_datatype_size(c->view.type);

    loss_case_prepare(c);
    loss_case_prepare(other);
    loss_case_run(c);
    loss_case_run(other);
    assert_memory_equal(c->sums, other->sums, SAMPLES * sizeof(double));
    assert_memory_equal(c->losses, other->losses, c->loss_count * size);
    assert_memory_equal(c->grad, other->grad, SAMPLES * FEATURES * size);
}

static void fill(loss_case *c, grad_tensor *tensor, size_t rows, double value)
{
    *tensor = (grad_tensor){loss_case_memory(c, rows * sizeof(double)), 1, {rows}};
    for (size_t i = 0; i < rows; i++)
        grad_real_put(c->view.type, tensor->data, i, value);
}

/* ---- Compositions ---------------------------------------------------------------------------- */

/* bce of sigmoid(z), and its gradient by z, against logits' and the fused one's. */
static void logits_are_a_sigmoid_and_bce(void **state)
{
    loss_case *c = case_of(GRAD_BINARY_CROSS_ENTROPY, GRAD_LOSS_MEAN, GRAD_FP64, 1);
    loss_case *logits = case_of(GRAD_BCE_WITH_LOGITS, GRAD_LOSS_MEAN, GRAD_FP64, 1);
    loss_case *fused = case_of(GRAD_BINARY_CROSS_ENTROPY, GRAD_LOSS_MEAN, GRAD_FP64, 1);
    double *y = c->y, z[SAMPLES * FEATURES];
    random_state random = {3};

    (void)state;
    for (size_t i = 0; i < SAMPLES * FEATURES; i++) {
        z[i] = 8 * random_signed(&random);
        y[i] = 1 / (1 + exp(-z[i]));
    }
    memcpy(logits->y, z, sizeof z);
    memcpy(fused->y, z, sizeof z);
    logits->loss.target = fused->loss.target = c->loss.target;
    logits->loss.sample_weight = fused->loss.sample_weight = c->loss.sample_weight;
    fused->view.fusion = GRAD_BCE_WITH_LOGITS;
    loss_case_run(c);
    assert_same_bits(fused, logits);
    for (size_t b = 0; b < SAMPLES; b++)
        assert_close(logits->sums[b], c->sums[b], 9 * FEATURES * TOLERANCE_COMPOSED);
    for (size_t i = 0; i < SAMPLES * FEATURES; i++)
        assert_close(grad64(logits)[i], grad64(c)[i] * y[i] * (1 - y[i]), TOLERANCE_COMPOSED);
    loss_case_free(c);
    loss_case_free(logits);
    loss_case_free(fused);
}

/* y = log_softmax(z) of one row. */
static void log_softmax(const double *z, double *y)
{
    double sum = 0;

    for (size_t j = 0; j < FEATURES; j++)
        sum += exp(z[j]);
    for (size_t j = 0; j < FEATURES; j++)
        y[j] = z[j] - log(sum);
}

static void cross_entropy_is_log_softmax_and_nll(void **state)
{
    loss_case *c = case_of(GRAD_NLL, GRAD_LOSS_MEAN, GRAD_FP64, CASE_OWN_TENSOR | CASE_IGNORED);
    loss_case *entropy = case_of(GRAD_CROSS_ENTROPY, GRAD_LOSS_MEAN, GRAD_FP64, 0);
    loss_case *fused = case_of(GRAD_NLL, GRAD_LOSS_MEAN, GRAD_FP64, 0);

    (void)state;
    for (size_t b = 0; b < SAMPLES; b++)
        log_softmax((double *)entropy->y + b * FEATURES, (double *)c->y + b * FEATURES);
    share_y(fused, entropy);
    entropy->loss.target = fused->loss.target = c->loss.target;
    entropy->loss.class_weight = fused->loss.class_weight = c->loss.class_weight;
    entropy->loss.parameters[1] = fused->loss.parameters[0] = c->loss.parameters[0];
    fused->view.fusion = GRAD_CROSS_ENTROPY;
    loss_case_run(c);
    assert_same_bits(fused, entropy);
    for (size_t b = 0; b < SAMPLES; b++) {
        double sum = 0;

        for (size_t j = 0; j < FEATURES; j++)
            sum += grad64(c)[b * FEATURES + j];
        for (size_t j = 0; j < FEATURES; j++)
            assert_close(grad64(entropy)[b * FEATURES + j],
                         grad64(c)[b * FEATURES + j] -
                             exp(((double *)c->y)[b * FEATURES + j]) * sum,
                         100 * UNIT_FP64);
        assert_close(entropy->sums[b], c->sums[b], 100 * UNIT_FP64);
    }
    loss_case_free(c);
    loss_case_free(entropy);
    loss_case_free(fused);
}

/* A class is the probabilities that are 1 there, with weights and smoothing too. */
static void a_class_is_a_sure_probability(void **state)
{
    unsigned options = CASE_OWN_TENSOR | CASE_OTHER_PARAMETERS;
    loss_case *class = case_of(GRAD_CROSS_ENTROPY, GRAD_LOSS_SUM, GRAD_FP64, options);
    loss_case *full =
        case_of(GRAD_CROSS_ENTROPY, GRAD_LOSS_SUM, GRAD_FP64, options | CASE_PROBABILITIES);

    (void)state;
    share_y(full, class);
    class->loss.class_weight = full->loss.class_weight;
    class->loss.parameters[1] = -100;
    for (size_t i = 0; i < SAMPLES * FEATURES; i++)
        ((double *)full->loss.target.data)[i] =
            ((double *)class->loss.target.data)[i / FEATURES] == (double)(i % FEATURES);
    loss_case_run(class);
    loss_case_run(full);
    for (size_t b = 0; b < SAMPLES; b++)
        assert_close(class->sums[b], full->sums[b], 200 * UNIT_FP64);
    for (size_t i = 0; i < SAMPLES * FEATURES; i++)
        assert_close(grad64(class)[i], grad64(full)[i], 100 * UNIT_FP64);
    loss_case_free(class);
    loss_case_free(full);
}

static void one_loss_is_a_case_of_another(void **state)
{
    loss_case *l1 = case_of(GRAD_L1, GRAD_LOSS_MEAN, GRAD_FP32, 1);
    loss_case *smooth = case_of(GRAD_SMOOTH_L1, GRAD_LOSS_MEAN, GRAD_FP32, 1);
    loss_case *huber = case_of(GRAD_HUBER, GRAD_LOSS_MEAN, GRAD_FP32, 1);

    (void)state;
    ((float *)l1->y)[0] = ((float *)l1->loss.target.data)[0]; /* a kink of l1's */
    share_y(smooth, l1);
    share_y(huber, l1);
    smooth->loss.target = huber->loss.target = l1->loss.target;
    smooth->loss.sample_weight = huber->loss.sample_weight = l1->loss.sample_weight;
    assert_same_bits(smooth, huber); /* beta = delta = 1 */
    smooth->loss.parameters[0] = 0;
    assert_same_bits(smooth, l1);
    loss_case_free(l1);
    loss_case_free(smooth);
    loss_case_free(huber);
}

static void kl_div_takes_targets_and_their_logarithms(void **state)
{
    loss_case *c = case_of(GRAD_KL_DIV, GRAD_LOSS_MEAN, GRAD_FP64, 0);
    loss_case *logs = case_of(GRAD_KL_DIV, GRAD_LOSS_MEAN, GRAD_FP64, CASE_OTHER_PARAMETERS);

    (void)state;
    share_y(logs, c);
    for (size_t i = 0; i < SAMPLES * FEATURES; i++)
        ((double *)logs->loss.target.data)[i] = log(((double *)c->loss.target.data)[i]);
    loss_case_run(c);
    loss_case_run(logs);
    for (size_t i = 0; i < SAMPLES * FEATURES; i++) {
        assert_close(grad64(logs)[i], grad64(c)[i], 8 * UNIT_FP64);
        assert_close(((double *)logs->losses)[i], ((double *)c->losses)[i], 64 * UNIT_FP64);
    }
    loss_case_free(c);
    loss_case_free(logs);
}

/* Weights of one class or of positives that are all 1 are none. */
static void weights_of_one_change_nothing(void **state)
{
    static const grad_loss_kind kinds[] = {GRAD_CROSS_ENTROPY, GRAD_NLL, GRAD_BCE_WITH_LOGITS};

    (void)state;
    for (size_t k = 0; k < 3; k++)
        for (unsigned options = 0; options < CASE_OPTIONS; options++) {
            unsigned without = options & ~(unsigned)CASE_OWN_TENSOR;
            loss_case *plain = case_of(kinds[k], GRAD_LOSS_MEAN, GRAD_FP64, without);
            loss_case *ones = case_of(kinds[k], GRAD_LOSS_MEAN, GRAD_FP64, without);
            bool is_binary = kinds[k] == GRAD_BCE_WITH_LOGITS;

            fill(ones, is_binary ? &ones->loss.pos_weight : &ones->loss.class_weight, FEATURES, 1);
            assert_same_bits(plain, ones);
            loss_case_free(plain);
            loss_case_free(ones);
        }
}

/* ---- What sums to nothing -------------------------------------------------------------------- */

/* Adding to all logits changes no softmax; lengthening a vector changes no cosine (but for 1e-12 in
 * its norm): the gradient has no part that way. */
static void gradients_know_what_does_not_matter(void **state)
{
    loss_case *entropy = case_of(GRAD_CROSS_ENTROPY, GRAD_LOSS_SUM, GRAD_FP64,
                                 CASE_OWN_TENSOR | CASE_OTHER_PARAMETERS);
    loss_case *cosine = case_of(GRAD_COSINE_EMBEDDING, GRAD_LOSS_SUM, GRAD_FP64, 0);

    (void)state;
    loss_case_run(entropy);
    loss_case_run(cosine);
    for (size_t b = 0; b < SAMPLES; b++) {
        double sum = 0, along = 0;

        for (size_t j = 0; j < FEATURES; j++) {
            sum += grad64(entropy)[b * FEATURES + j];
            along += grad64(cosine)[b * FEATURES + j] * ((double *)cosine->y)[b * FEATURES + j];
        }
        assert_close(sum, 0, 64 * UNIT_FP64);
        assert_close(along, 0, 1e-12 + 64 * UNIT_FP64);
    }
    loss_case_free(entropy);
    loss_case_free(cosine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_a_sigmoid_and_bce),
        cmocka_unit_test(cross_entropy_is_log_softmax_and_nll),
        cmocka_unit_test(a_class_is_a_sure_probability),
        cmocka_unit_test(one_loss_is_a_case_of_another),
        cmocka_unit_test(kl_div_takes_targets_and_their_logarithms),
        cmocka_unit_test(gradients_know_what_does_not_matter),
        cmocka_unit_test(weights_of_one_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
