/* Tests of the check on gradients that are a little wrong: errors of a few tolerances in networks
 * as they are trained, and what is forgotten when a backward pass is written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "support/checks.h"

static const network_recipe trained[] = {{GRAD_DENSE, 40, GRAD_TANH, 0.25, 0, false},
                                         {GRAD_DENSE, 20, GRAD_SILU, 0, 0, false},
                                         {GRAD_DENSE, 10, GRAD_IDENTITY, 0, 0, false}};

static grad_check_verdict verdict_of_claims(const grad_check_request *request)
{
    grad_check *check = NULL;
    const grad_check_report *report = check_report_of(request, &check);
    grad_check_verdict verdict = report->verdict;

    for (size_t i = 0; i < report->tensor_count; i++)
        assert_int_equal(report->tensors[i].analytic.verdict, GRAD_CHECK_PASS);
    grad_check_destroy(check);
    return verdict;
}

/* Networks as they are trained, gradients of 10⁻³ from a mean loss of 2: errors of a few times the
 * tolerance are found. */
static void errors_above_the_tolerance_fail(void **state)
{
    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        double error = type == GRAD_FP64 ? 4e-6 : 4e-4;
        network *n = network_of(6000, type, 32, 30, GRAD_CROSS_ENTROPY, 3, trained);
        grad_check_request request = {.options = CHECK_OPTIONS(.samples = 64)};
        grad_run *run = check_make_claims(n, &request);

        assert_int_equal(verdict_of_claims(&request), GRAD_CHECK_PASS);
        for (size_t layer = 0; layer < 3; layer++)
            for (grad_output_kind k = GRAD_WEIGHT_DELTA; k <= GRAD_BIAS_DELTA; k++) {
                const grad_tensor *claim = grad_layer_result_tensor(&request.claims[layer], k);

                check_scale(n, claim, 1 + error);
                assert_int_equal(verdict_of_claims(&request), GRAD_CHECK_FAIL);
                check_scale(n, claim, 1 / (1 + error));
            }
        check_scale(n, &request.claimed_grad_input, 1 + error);
        assert_int_equal(verdict_of_claims(&request), GRAD_CHECK_FAIL);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* An element far below the others of its tensor is held to itself, down to a part of them. */
static void small_elements_are_held_to_themselves(void **state)
{
    network *n = network_of(6050, GRAD_FP64, 32, 30, GRAD_CROSS_ENTROPY, 3, trained);
    grad_check_request request = {.options = CHECK_OPTIONS(.samples = 1000)};
    grad_run *run = check_make_claims(n, &request);
    double *claim = request.claims[1].weight_delta.data, squares = 0;
    size_t count = grad_tensor_count(&request.claims[1].weight_delta), small = 0;

    (void)state;
    for (size_t i = 0; i < count; i++)
        squares += claim[i] * claim[i] / (double)count;
    while (
        !(fabs(claim[small]) < 0.06 * sqrt(squares) && fabs(claim[small]) > 0.04 * sqrt(squares)))
        small++;
    claim[small] *= 1 + 4e-6;
    assert_int_equal(verdict_of_claims(&request), GRAD_CHECK_FAIL);
    grad_run_destroy(run);
    network_free(n);
}

/* What is forgotten when a backward pass is written by hand: the mean, the mask, the mask's rate,
 * the smoothing of the labels, f'. */
static void forgotten_factors_fail(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * 5; i++) {
        network *n = network_of(6100, i % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 8, 30, GRAD_CROSS_ENTROPY,
                                3, trained);
        network right;
        grad_layer layers[3];
        grad_check_request request = {0};
        grad_run *run;

        n->network.loss.parameters[0] = 0.2;
        memcpy(layers, n->batch.layers, sizeof layers);
        right = *n;
        right.batch.network = &right.network;
        right.batch.layers = layers;
        if (i / 2 == 0)
            right.network.loss.reduction = GRAD_LOSS_SUM;
        if (i / 2 == 1)
            layers[0].dropout_mask = (grad_tensor){0};
        if (i / 2 == 2)
            layers[0].dropout_rate = 0;
        if (i / 2 == 3)
            right.network.loss.parameters[0] = 0;
        if (i / 2 == 4)
            layers[0].activation = grad_activation_default(GRAD_IDENTITY);
        run = check_make_claims(&right, &request);
        request.batch = &n->batch;
        assert_int_equal(verdict_of_claims(&request), GRAD_CHECK_FAIL);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* Where f and the loss are worked out as one, too. */
static void errors_before_a_fused_loss_fail(void **state)
{
    const network_recipe fused[] = {{GRAD_DENSE, 8, GRAD_TANH, 0, 0, false},
                                    {GRAD_DENSE, 5, GRAD_LOG_SOFTMAX, 0, 0, false}};

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        double error = type == GRAD_FP64 ? 4e-6 : 4e-4;
        network *n = network_of(6200, type, 8, 6, GRAD_NLL, 2, fused);
        grad_check_request request = {.options = CHECK_OPTIONS(.samples = 64)};
        grad_run *run = check_make_claims(n, &request);

        for (size_t layer = 0; layer < 2; layer++) {
            check_scale(n, &request.claims[layer].weight_delta, 1 + error);
            assert_int_equal(verdict_of_claims(&request), GRAD_CHECK_FAIL);
            check_scale(n, &request.claims[layer].weight_delta, 1 / (1 + error));
        }
        grad_run_destroy(run);
        network_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_above_the_tolerance_fail),
        cmocka_unit_test(small_elements_are_held_to_themselves),
        cmocka_unit_test(forgotten_factors_fail),
        cmocka_unit_test(errors_before_a_fused_loss_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
