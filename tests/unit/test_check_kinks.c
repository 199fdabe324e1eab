/* Tests of the check where L has kinks, and features narrower than the first steps: what is right
 * is told as a kink or passes, and what is wrong fails all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/real.h"
#include "support/checks.h"

static void put(const network *n, const grad_tensor *tensor, size_t i, double value)
{
    grad_real_put(n->batch.datatype, tensor->data, i, value);
}

/* ---- Kinks ----------------------------------------------------------------------------------- */

static const network_recipe relus[] = {{GRAD_DENSE, 8, GRAD_RELU, 0, 0, false},
                                       {GRAD_DENSE, 8, GRAD_RELU, 0, 0, false},
                                       {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};

/* Weights of zero put every unit at its kink, for every sample; the jumps have either sign. */
static void units_at_their_kinks_are_told(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        grad_datatype type = seed % 2 == 0 ? GRAD_FP32 : GRAD_FP64;
        network *n = network_of(2000 + seed, type, 6, 5, GRAD_CROSS_ENTROPY, 3, relus);
        grad_check_request request = {0};
        grad_check *check = NULL;
        const grad_check_report *report;
        grad_run *run;

        check_scale(n, &n->batch.layers[0].weight, 0);
        check_scale(n, &n->batch.layers[0].bias, 0);
        run = check_make_claims(n, &request);
        put(n, &request.claims[0].bias_delta, 2, 100);
        report = check_report_of(&request, &check);
        assert_int_equal(check_find(report, 0, GRAD_WEIGHT_DELTA)->analytic.verdict,
                         GRAD_CHECK_KINK);
        assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_KINK);
        assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->analytic.kinks, 9);
        assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->claim.verdict, GRAD_CHECK_FAIL);
        assert_int_equal(check_find(report, 2, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_PASS);
        grad_check_destroy(check);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* A z that was rounded to relu's kink, where x Wᵀ + b is a little beside it: no slope in double is
 * wrong about the gradient that was worked out from z. */
static void a_state_rounded_to_its_kink_is_at_it(void **state)
{
    const network_recipe two[] = {{GRAD_DENSE, 1, GRAD_RELU, 0, 0, false},
                                  {GRAD_DENSE, 1, GRAD_IDENTITY, 0, 0, false}};
    network *n = network_of(2200, GRAD_FP32, 2, 1, GRAD_LOSS_ABSENT, 2, two);
    grad_layer *layer = &n->batch.layers[0];
    grad_check_request request = {.batch = &n->batch};
    grad_check *check = NULL;
    const grad_check_report *report;

    (void)state;
    layer->pre_activation = network_tensor(n, 1, 2, 1, 0);
    put(n, &layer->pre_activation, 1, 0.25);
    put(n, &n->network.input, 0, 0.5);
    put(n, &n->network.input, 1, 1);
    put(n, &layer->weight, 0, 0.5);
    put(n, &layer->bias, 0, -0.25 + 0x1p-20);
    report = check_report_of(&request, &check);
    assert_int_equal(check_find(report, 0, GRAD_WEIGHT_DELTA)->analytic.verdict, GRAD_CHECK_KINK);
    assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_KINK);
    assert_int_equal(report->verdict, GRAD_CHECK_PASS);
    grad_check_destroy(check);
    network_free(n);
}

/* A sum of many equal terms in float, one after the other, has drifted across relu's kink: further
 * than sums in any other order may, and right all the same. */
static void a_state_that_drifted_to_its_kink_is_at_it(void **state)
{
    enum { TERMS = 16384 };
    const network_recipe two[] = {{GRAD_DENSE, 1, GRAD_RELU, 0, 0, false},
                                  {GRAD_DENSE, 1, GRAD_IDENTITY, 0, 0, false}};
    network *n = network_of(2201, GRAD_FP32, 1, TERMS, GRAD_MSE, 2, two);
    grad_layer *layer = &n->batch.layers[0];
    float sum = 0;

    (void)state;
    for (size_t i = 0; i < TERMS; i++) {
        put(n, &n->network.input, i, 1);
        put(n, &layer->weight, i, (double)0.1F);
        sum += 0.1F;
    }
    assert_true(fabs((double)sum - TERMS * (double)0.1F) > 0.1);
    put(n, &layer->bias, 0, -((double)sum + TERMS * (double)0.1F) / 2);
    layer->pre_activation = network_tensor(n, 1, 1, 1, 0);
    put(n, &layer->pre_activation, 0, (double)(sum + ((const float *)layer->bias.data)[0]));
    check_assert_passes(&n->batch, false, "a sum that drifted");
    network_free(n);
}

/* Thousands of kinks around, none of them where the network is. */
static void many_kinks_nearby_are_no_kinks(void **state)
{
    const network_recipe large[] = {{GRAD_DENSE, 60, GRAD_RELU, 0, 0, false},
                                    {GRAD_DENSE, 60, GRAD_HARD_TANH, 0, 0, false},
                                    {GRAD_DENSE, 10, GRAD_IDENTITY, 0, 0, false}};

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        network *n = network_of(2100, type, 48, 60, GRAD_CROSS_ENTROPY, 3, large);

        check_assert_passes(&n->batch, true, "many kinks");
        network_free(n);
    }
}

/* ---- Kinks that cancel ----------------------------------------------------------------------- */

/* relu(x) - relu(-x) = x: nothing to be seen of the two kinks in L, but there they are. */
static void kinks_that_cancel_are_told(void **state)
{
    const network_recipe two[] = {{GRAD_DENSE, 2, GRAD_RELU, 0, 0, false},
                                  {GRAD_DENSE, 1, GRAD_IDENTITY, 0, 0, false}};

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        network *n = network_of(2300, type, 1, 1, GRAD_LOSS_ABSENT, 2, two);
        grad_check_request request = {0};
        grad_check *check = NULL;
        const grad_check_report *report;
        grad_run *run;

        for (size_t i = 0; i < 2; i++) {
            put(n, &n->batch.layers[0].weight, i, i == 0 ? 1 : -1);
            put(n, &n->batch.layers[0].bias, i, 0);
            put(n, &n->batch.layers[1].weight, i, i == 0 ? 1 : -1);
        }
        put(n, &n->network.input, 0, 0);
        put(n, &n->network.grad_output, 0, 1);
        run = check_make_claims(n, &request);
        put(n, &request.claims[0].weight_delta, 0, 3);
        put(n, &request.claimed_grad_input, 0, 5);
        report = check_report_of(&request, &check);
        assert_int_equal(check_find(report, SIZE_MAX, GRAD_GRAD_INPUT)->analytic.verdict,
                         GRAD_CHECK_KINK);
        assert_int_equal(check_find(report, SIZE_MAX, GRAD_GRAD_INPUT)->claim.verdict,
                         GRAD_CHECK_FAIL);
        assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_KINK);
        assert_int_equal(check_find(report, 0, GRAD_WEIGHT_DELTA)->analytic.verdict,
                         GRAD_CHECK_PASS);
        assert_int_equal(check_find(report, 0, GRAD_WEIGHT_DELTA)->claim.verdict, GRAD_CHECK_FAIL);
        assert_int_equal(check_find(report, 1, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_PASS);
        grad_check_destroy(check);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* The verdict on a claim of ∂L/∂x of a network whose first element it is. */
static grad_check_verdict verdict_on(network *n, double claim)
{
    grad_check_request request = {0};
    grad_check *check = NULL;
    grad_run *run = check_make_claims(n, &request);
    const grad_check_report *report;
    grad_check_verdict verdict;

    put(n, &request.claimed_grad_input, 0, claim);
    report = check_report_of(&request, &check);
    assert_int_equal(check_find(report, SIZE_MAX, GRAD_GRAD_INPUT)->analytic.verdict,
                     GRAD_CHECK_KINK);
    verdict = check_find(report, SIZE_MAX, GRAD_GRAD_INPUT)->claim.verdict;
    grad_check_destroy(check);
    grad_run_destroy(run);
    return verdict;
}

/* x̂ of -1, 0 and 1 is 0 in the middle, where relu is: 1/σ of it goes to all three. */
static void kinks_behind_norms_are_told(void **state)
{
    const network_recipe one[] = {{GRAD_BATCH_NORM, 0, GRAD_RELU, 0, 0, false}};
    network *n = network_of(2350, GRAD_FP64, 3, 1, GRAD_LOSS_ABSENT, 1, one);
    double scale = 1 / sqrt(2. / 3 + n->batch.layers[0].epsilon);

    (void)state;
    put(n, &n->batch.layers[0].gain, 0, 1);
    put(n, &n->batch.layers[0].shift, 0, 0);
    for (size_t i = 0; i < 3; i++) {
        put(n, &n->network.input, i, (double)i - 1);
        put(n, &n->network.grad_output, i, i == 1 ? 1 : 0);
    }
    assert_int_equal(verdict_on(n, 0), GRAD_CHECK_KINK);
    assert_int_equal(verdict_on(n, -scale / 3), GRAD_CHECK_KINK);
    assert_int_equal(verdict_on(n, -scale / 2), GRAD_CHECK_FAIL);
    assert_int_equal(verdict_on(n, scale / 3), GRAD_CHECK_FAIL);
    network_free(n);
}

/* relu of x + x: what goes back by both ways is 0 to 2. */
static void kinks_go_back_by_residuals(void **state)
{
    const network_recipe two[] = {{GRAD_ELEMENTS, 0, GRAD_IDENTITY, 0, GRAD_RESIDUAL_INPUT, false},
                                  {GRAD_ELEMENTS, 0, GRAD_RELU, 0, 0, false}};
    network *n = network_of(2360, GRAD_FP64, 1, 1, GRAD_LOSS_ABSENT, 2, two);

    (void)state;
    put(n, &n->network.input, 0, 0);
    put(n, &n->network.grad_output, 0, 1);
    assert_int_equal(verdict_on(n, 0), GRAD_CHECK_KINK);
    assert_int_equal(verdict_on(n, 2), GRAD_CHECK_KINK);
    assert_int_equal(verdict_on(n, 2.1), GRAD_CHECK_FAIL);
    assert_int_equal(verdict_on(n, -0.1), GRAD_CHECK_FAIL);
    network_free(n);
}

/* The first step of many: biases of zero, and one sample that is all zeros. */
static void untrained_networks_pass(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 32; seed++) {
        const network_recipe two[] = {
            {GRAD_DENSE, 8, seed % 2 == 0 ? GRAD_RELU : GRAD_LEAKY_RELU, 0, 0, false},
            {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};
        network *n = network_of(2400 + seed, seed / 2 % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 2, 4,
                                GRAD_CROSS_ENTROPY, 2, two);
        grad_check_request request = {0};
        grad_check *check = NULL;
        const grad_check_report *report;
        grad_run *run;

        check_scale(n, &n->batch.layers[0].bias, 0);
        check_scale(n, &n->batch.layers[1].bias, 0);
        for (size_t i = 0; i < 4; i++)
            put(n, &n->network.input, i, 0);
        run = check_make_claims(n, &request);
        check_scale(n, &request.claims[1].bias_delta, 1.01);
        report = check_report_of(&request, &check);
        for (size_t i = 0; i < report->tensor_count; i++)
            assert_int_not_equal(report->tensors[i].analytic.verdict, GRAD_CHECK_FAIL);
        assert_int_equal(check_find(report, 1, GRAD_BIAS_DELTA)->claim.verdict, GRAD_CHECK_FAIL);
        assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->claim.verdict, GRAD_CHECK_KINK);
        grad_check_destroy(check);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* cosine_embedding turns around within 10⁻⁶ of an output of zeros: what is jolted less stays
 * there. */
static void kinks_in_narrow_features_are_told(void **state)
{
    const network_recipe two[] = {{GRAD_DENSE, 2, GRAD_RELU, 0, 0, false},
                                  {GRAD_DENSE, 2, GRAD_IDENTITY, 0, 0, false}};
    const double first[] = {1.1, -1.2}, second[] = {1.5, 1.2, 1, -0.2};

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        network *n = network_of(2700, type, 1, 1, GRAD_COSINE_EMBEDDING, 2, two);
        grad_check_request request = {.batch = &n->batch};
        grad_check *check = NULL;
        const grad_check_report *report;

        for (size_t i = 0; i < 4; i++) {
            put(n, &n->batch.layers[i / 2].bias, i % 2, 0);
            put(n, &n->batch.layers[1].weight, i, second[i]);
        }
        for (size_t i = 0; i < 2; i++) {
            put(n, &n->batch.layers[0].weight, i, first[i]);
            put(n, &n->network.loss.other, i, (double)i + 1);
        }
        put(n, &n->network.input, 0, 0);
        put(n, &n->network.loss.target, 0, 1);
        report = check_report_of(&request, &check);
        assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_KINK);
        assert_int_equal(report->verdict, GRAD_CHECK_PASS);
        grad_check_destroy(check);
        network_free(n);
    }
}

/* ---- Narrow features ------------------------------------------------------------------------- */

/* layer_norm of a row of zeros has turned within 10⁻⁶: whoever steps further sees a smooth slope
 * half as large. The zeros are those of units that no input and no bias moves off their kinks. */
static void kinks_narrower_than_the_steps_are_told(void **state)
{
    const network_recipe three[] = {{GRAD_ELEMENTS, 0, GRAD_HARDSHRINK, 0, 0, false},
                                    {GRAD_DENSE, 5, GRAD_RELU, 0, 0, false},
                                    {GRAD_LAYER_NORM, 0, GRAD_IDENTITY, 0, 0, false}};

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        network *n = network_of(2500, type, 2, 3, GRAD_HINGE, 3, three);
        grad_check_request request = {.batch = &n->batch};
        grad_check *check = NULL;
        const grad_check_report *report;

        check_scale(n, &n->network.input, 0);
        n->batch.layers[1].bias = (grad_tensor){0};
        n->batch.layers[2].epsilon = 1e-12;
        report = check_report_of(&request, &check);
        assert_int_equal(check_find(report, 1, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_KINK);
        assert_int_equal(report->verdict, GRAD_CHECK_PASS);
        grad_check_destroy(check);
        network_free(n);
    }
}

/* gelu of 10⁶ times a number far smaller than its tensor: to either side it is straight, so that
 * wide steps agree with each other on a slope that is none. */
static void bends_narrower_than_the_steps_are_found(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 1, GRAD_GELU, 0, 0, false}};

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        network *n = network_of(2600, type, 1, 2, GRAD_LOSS_ABSENT, 1, one);
        grad_check_request request = {0};
        grad_check *check = NULL;
        const grad_check_report *report;
        grad_run *run;

        for (size_t i = 0; i < 2; i++) {
            put(n, &n->network.input, i, i == 0 ? 0x1p10 : 0x1p-20);
            put(n, &n->batch.layers[0].weight, i, i == 0 ? 0x1p-20 : 0x1p20);
        }
        put(n, &n->batch.layers[0].bias, 0, 0);
        run = check_make_claims(n, &request);
        put(n, &request.claimed_grad_input, 1,
            grad_real_at(type, n->network.grad_output.data, 0) * 0x1p19);
        report = check_report_of(&request, &check);
        assert_int_equal(check_find(report, SIZE_MAX, GRAD_GRAD_INPUT)->analytic.verdict,
                         GRAD_CHECK_PASS);
        if (type == GRAD_FP64) /* rounded to float32 it might be at a kink, for all that is known */
            assert_int_equal(check_find(report, SIZE_MAX, GRAD_GRAD_INPUT)->claim.verdict,
                             GRAD_CHECK_FAIL);
        grad_check_destroy(check);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* ---- Coarse numbers -------------------------------------------------------------------------- */

/* Steps below the unit in the last place of a z of 100 move nothing, and say nothing, whatever is
 * claimed. */
static void steps_lost_in_rounding_say_nothing(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 2, GRAD_IDENTITY, 0, 0, false}};
    const double inputs[][2] = {{100, 90}, {70, 69}, {100, 40}, {1000, 999.5}};

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        network *n =
            network_of(2800, i % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 1, 2, GRAD_CROSS_ENTROPY, 1, one);
        grad_check_request request = {.options = CHECK_OPTIONS(.seed = i / 8)};
        grad_check *check = NULL;
        const grad_check_report *report;
        grad_run *run;

        for (size_t k = 0; k < 4; k++)
            put(n, &n->batch.layers[0].weight, k, k % 3 == 0 ? 1 : 0);
        check_scale(n, &n->batch.layers[0].bias, 0);
        for (size_t k = 0; k < 2; k++)
            put(n, &n->network.input, k, inputs[i / 2 % 4][k]);
        put(n, &n->network.loss.target, 0, 0);
        n->batch.outputs = GRAD_OUTPUT_BIAS_DELTA;
        run = check_make_claims(n, &request);
        check_scale(n, &request.claims[0].bias_delta, 0);
        report = check_report_of(&request, &check);
        assert_int_equal(report->tensors[0].analytic.verdict, GRAD_CHECK_PASS);
        assert_int_equal(report->tensors[0].claim.verdict, GRAD_CHECK_FAIL);
        grad_check_destroy(check);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* Biases of 10⁻¹¹ beside a z of 1: steps of their own size show nothing, larger ones all there
 * is. */
static void tiny_numbers_are_held_to_the_tolerance(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 2, GRAD_IDENTITY, 0, 0, false}};
    const double claims[] = {1.01, 0.99, 0, -1};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        network *n =
            network_of(2900, i % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 1, 2, GRAD_CROSS_ENTROPY, 1, one);
        grad_check_request request = {0};
        grad_check *check = NULL;
        const grad_check_report *report;
        grad_run *run;

        check_scale(n, &n->batch.layers[0].bias, 1e-11);
        n->batch.outputs = GRAD_OUTPUT_BIAS_DELTA;
        run = check_make_claims(n, &request);
        check_scale(n, &request.claims[0].bias_delta, claims[i / 2]);
        report = check_report_of(&request, &check);
        assert_int_equal(report->tensors[0].analytic.verdict, GRAD_CHECK_PASS);
        assert_int_equal(report->tensors[0].claim.verdict, GRAD_CHECK_FAIL);
        assert_true(report->tensors[0].claim.largest_error > 0.009);
        grad_check_destroy(check);
        grad_run_destroy(run);
        network_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_at_their_kinks_are_told),
        cmocka_unit_test(a_state_rounded_to_its_kink_is_at_it),
        cmocka_unit_test(a_state_that_drifted_to_its_kink_is_at_it),
        cmocka_unit_test(many_kinks_nearby_are_no_kinks),
        cmocka_unit_test(kinks_that_cancel_are_told),
        cmocka_unit_test(kinks_behind_norms_are_told),
        cmocka_unit_test(kinks_go_back_by_residuals),
        cmocka_unit_test(untrained_networks_pass),
        cmocka_unit_test(kinks_in_narrow_features_are_told),
        cmocka_unit_test(kinks_narrower_than_the_steps_are_told),
        cmocka_unit_test(bends_narrower_than_the_steps_are_found),
        cmocka_unit_test(steps_lost_in_rounding_say_nothing),
        cmocka_unit_test(tiny_numbers_are_held_to_the_tolerance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
