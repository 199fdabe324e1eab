/* Tests of the orders of convergence of a check: 2 of right gradients, 1 of wrong ones however
 * little they are off, and said to be unknown where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/real.h"
#include "support/checks.h"

static const network_recipe smooth[] = {{GRAD_DENSE, 8, GRAD_TANH, 0.25, 0, false},
                                        {GRAD_LAYER_NORM, 0, GRAD_SILU, 0, 0, false},
                                        {GRAD_DENSE, 6, GRAD_PRELU, 0, 0, false},
                                        {GRAD_DENSE, 4, GRAD_SOFTMAX, 0, 0, false}};

/* The orders of our gradients and of claims that are a factor off them. */
static void expect_orders(network *n, double factor, double ours, double claims)
{
    grad_check_request request = {0};
    grad_check *check = NULL;
    const grad_check_report *report;
    grad_run *run = check_make_claims(n, &request);

    for (size_t i = 0; i < n->batch.layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            check_scale(n, grad_layer_result_tensor(&request.claims[i], k),
                        k == GRAD_GRAD_INPUT ? 1 : factor);
    check_scale(n, &request.claimed_grad_input, factor);
    report = check_report_of(&request, &check);
    for (size_t i = 0; i < report->tensor_count; i++) {
        const grad_check_tensor *t = &report->tensors[i];

        if (t->analytic.taylor.state != GRAD_ORDER_FOUND ||
            fabs(t->analytic.taylor.order - ours) > 0.1 ||
            t->claim.taylor.state != GRAD_ORDER_FOUND || fabs(t->claim.taylor.order - claims) > 0.1)
            fail_msg("factor %g, %s of layer %zu: %d %g, claim %d %g", factor,
                     grad_output_name(t->output), t->layer, t->analytic.taylor.state,
                     t->analytic.taylor.order, t->claim.taylor.state, t->claim.taylor.order);
    }
    grad_check_destroy(check);
    grad_run_destroy(run);
}

static void right_ones_are_2_and_wrong_ones_1(void **state)
{
    static const double factors[] = {0, -1, 2, 0.5, 1.01, 1 + 1e-4};

    (void)state;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        network *n = network_of(7000, GRAD_FP64, 6, 5, GRAD_MSE, 4, smooth);

        expect_orders(n, factors[i], 2, 1);
        network_free(n);
    }
}

static void right_claims_are_2(void **state)
{
    network *n = network_of(7001, GRAD_FP64, 6, 5, GRAD_LOG_COSH, 4, smooth);

    (void)state;
    expect_orders(n, 1, 2, 2);
    network_free(n);
}

/* The state of the first tensor's order, ours and of a claim that is twice it. */
static void expect_states(network *n, grad_order_state ours, grad_order_state claims)
{
    grad_check_request request = {0};
    grad_check *check = NULL;
    const grad_check_report *report;
    grad_run *run = check_make_claims(n, &request);

    check_scale(n, &request.claims[0].weight_delta, 2);
    report = check_report_of(&request, &check);
    assert_int_equal(report->tensors[0].analytic.taylor.state, ours);
    assert_int_equal(report->tensors[0].claim.taylor.state, claims);
    grad_check_destroy(check);
    grad_run_destroy(run);
    network_free(n);
}

static const network_recipe one[] = {{GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};
static const network_recipe one_relu[] = {{GRAD_DENSE, 3, GRAD_RELU, 0, 0, false}};

/* Nothing remains of a right gradient, and of a wrong one what it is off by. */
static void a_linear_loss_has_no_order(void **state)
{
    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++)
        expect_states(network_of(7002, type, 4, 5, GRAD_LOSS_ABSENT, 1, one), GRAD_ORDER_LINEAR,
                      GRAD_ORDER_FOUND);
}

static void kinks_have_no_order(void **state)
{
    network *n = network_of(7003, GRAD_FP64, 4, 5, GRAD_MSE, 1, one_relu);

    (void)state;
    check_scale(n, &n->batch.layers[0].weight, 0);
    check_scale(n, &n->batch.layers[0].bias, 0);
    expect_states(n, GRAD_ORDER_KINK, GRAD_ORDER_KINK);
}

/* L jumps where z passes hardshrink's ends, and no step is so small that it does not. */
static void jumps_have_no_order(void **state)
{
    const network_recipe jump[] = {{GRAD_DENSE, 1, GRAD_HARDSHRINK, 0, 0, false}};
    network *n = network_of(7004, GRAD_FP64, 1, 1, GRAD_MSE, 1, jump);

    (void)state;
    grad_real_put(GRAD_FP64, n->network.input.data, 0, 1);
    grad_real_put(GRAD_FP64, n->batch.layers[0].weight.data, 0, 0.5);
    grad_real_put(GRAD_FP64, n->batch.layers[0].bias.data, 0, 0);
    expect_states(n, GRAD_ORDER_KINK, GRAD_ORDER_KINK);
}

/* A kink so near that all steps go past it: to one side the slope is another one, which looks like
 * a wrong gradient, but not to the other. */
static void kinks_beside_have_no_order(void **state)
{
    const network_recipe leaky[] = {{GRAD_DENSE, 1, GRAD_LEAKY_RELU, 0, 0, false}};
    network *n = network_of(7006, GRAD_FP64, 1, 1, GRAD_LOSS_ABSENT, 1, leaky);
    size_t kinks = 0;

    (void)state;
    grad_real_put(GRAD_FP64, n->network.input.data, 0, 1);
    grad_real_put(GRAD_FP64, n->batch.layers[0].weight.data, 0, 1);
    for (uint64_t seed = 0; seed < 16; seed++) {
        grad_check_request request = {.batch = &n->batch, .options = CHECK_OPTIONS(.seed = seed)};
        grad_check *check = NULL;
        const grad_check_report *report;

        grad_real_put(GRAD_FP64, n->batch.layers[0].bias.data, 0, -1 + (seed < 8 ? 1e-13 : 5e-10));
        report = check_report_of(&request, &check);
        assert_int_equal(report->verdict, GRAD_CHECK_PASS);
        assert_int_not_equal(report->tensors[0].analytic.taylor.state, GRAD_ORDER_FOUND);
        kinks += report->tensors[0].analytic.taylor.state == GRAD_ORDER_KINK;
        grad_check_destroy(check);
    }
    assert_true(kinks > 8);
    network_free(n);
}

/* Kinks to both sides, past which all of the larger steps go and none of the smaller ones: there a
 * wrong gradient would be wrong by as much. */
static void what_smaller_steps_refute_is_no_order(void **state)
{
    const network_recipe leaky[] = {{GRAD_DENSE, 2, GRAD_LEAKY_RELU, 0, 0, false}};
    network *n = network_of(7007, GRAD_FP64, 1, 1, GRAD_LOSS_ABSENT, 1, leaky);
    size_t wrong = 0;

    (void)state;
    grad_real_put(GRAD_FP64, n->network.input.data, 0, 1);
    for (size_t i = 0; i < 2; i++) {
        grad_real_put(GRAD_FP64, n->batch.layers[0].weight.data, i, 1);
        grad_real_put(GRAD_FP64, n->batch.layers[0].bias.data, i, -1 - 8e-4);
        grad_real_put(GRAD_FP64, n->network.grad_output.data, i, i == 0 ? 1 : -1);
    }
    for (uint64_t seed = 0; seed < 16; seed++) {
        grad_check_request request = {.options = CHECK_OPTIONS(.seed = seed)};
        grad_check *check = NULL;
        grad_run *run = check_make_claims(n, &request);
        const grad_check_tensor *t;

        grad_real_put(GRAD_FP64, request.claims[0].weight_delta.data, 0, 0.011);
        t = &check_report_of(&request, &check)->tensors[0];
        assert_int_equal(t->analytic.verdict, GRAD_CHECK_PASS);
        assert_int_not_equal(t->analytic.taylor.state, GRAD_ORDER_FOUND);
        wrong += t->claim.taylor.state == GRAD_ORDER_FOUND && t->claim.taylor.order < 1.1;
        grad_check_destroy(check);
        grad_run_destroy(run);
    }
    assert_true(wrong >= 4); /* to the others L does not move */
    network_free(n);
}

/* A second derivative that the rounding of a gradient in float32 hides looks like none. */
static void what_drowns_in_rounding_has_no_order(void **state)
{
    static const struct {
        double size;
        grad_order_state order;
    } cases[] = {{1e-7, GRAD_ORDER_LINEAR}, {1, GRAD_ORDER_FOUND}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        network *n = network_of(7005, GRAD_FP32, 4, 5, GRAD_MSE, 1, one);

        check_scale(n, &n->network.input, cases[i].size);
        expect_states(n, cases[i].order, GRAD_ORDER_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_are_2_and_wrong_ones_1),
        cmocka_unit_test(right_claims_are_2),
        cmocka_unit_test(a_linear_loss_has_no_order),
        cmocka_unit_test(kinks_have_no_order),
        cmocka_unit_test(jumps_have_no_order),
        cmocka_unit_test(kinks_beside_have_no_order),
        cmocka_unit_test(what_smaller_steps_refute_is_no_order),
        cmocka_unit_test(what_drowns_in_rounding_has_no_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
