/* Tests of the check by central differences: right gradients of every kind pass, wrong ones of many
 * kinds fail and are named, kinks are told, the samples are the seed's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/checks.h"
#include "support/layers.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const network_recipe varied[] = {
    {GRAD_DENSE, 8, GRAD_SILU, 0.25, 0, false},
    {GRAD_LAYER_NORM, 0, GRAD_TANH, 0, 0, false},
    {GRAD_DENSE, 8, GRAD_PRELU, 0.5, GRAD_RESIDUAL_OF(0), false},
    {GRAD_BATCH_NORM, 0, GRAD_SOFTPLUS, 0, GRAD_RESIDUAL_OF(0), false},
    {GRAD_ELEMENTS, 0, GRAD_SIGMOID, 0, GRAD_RESIDUAL_OF(2), false},
    {GRAD_BATCH_NORM, 0, GRAD_IDENTITY, 0, GRAD_RESIDUAL_INPUT, true},
    {GRAD_RMS_NORM, 0, GRAD_GELU, 0, 0, false},
    {GRAD_GROUP_NORM, 0, GRAD_SILU, 0, 0, false},
    {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};

static network *varied_network(grad_datatype type, grad_loss_kind loss)
{
    return network_of(31, type, 6, 8, loss, COUNT(varied), varied);
}

/* ---- Right gradients ------------------------------------------------------------------------- */

static void every_layer_and_loss_passes(void **state)
{
    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++)
        for (grad_loss_kind loss = GRAD_LOSS_ABSENT; loss < GRAD_LOSS_COUNT; loss++) {
            network *n;

            if (loss == GRAD_BINARY_CROSS_ENTROPY) /* of probabilities, which these are not */
                continue;
            n = varied_network(type, loss);
            check_assert_passes(&n->batch, false,
                                loss == GRAD_LOSS_ABSENT ? "grad_output"
                                                         : grad_loss_info_of(loss)->name);
            network_free(n);
        }
}

static void every_activation_passes(void **state)
{
    (void)state;
    for (grad_activation_kind f = 0; f < GRAD_ACTIVATION_COUNT; f++) {
        const network_recipe two[] = {{GRAD_DENSE, 7, f, 0, 0, false},
                                      {GRAD_DENSE, 3, GRAD_TANH, 0, 0, false}};
        network *n = network_of(32, GRAD_FP64, 5, 4, GRAD_MSE, 2, two);

        check_assert_passes(&n->batch, false, grad_activation_info_of(f)->name);
        network_free(n);
    }
}

/* Layers that give z, with a weight and without; and one that leaves z to its weight. */
static void independent_layers_pass(void **state)
{
    const layer_recipe recipes[] = {{6, 5, 4, GRAD_TANH, true},
                                    {6, 5, 4, GRAD_SOFTMAX, true},
                                    {3, 4, 6, GRAD_GELU, false},
                                    {5, 40, 30, GRAD_SIGMOID, true}};
    grad_batch *batch = batch_of(33, COUNT(recipes), recipes);
    float *z = batch->layers[0].pre_activation.data;

    (void)state;
    batch->layers[0].pre_activation.data = NULL;
    check_assert_passes(batch, true, "independent layers");
    batch->layers[0].pre_activation.data = z;
    batch_free(batch);
}

/* ---- Wrong ones ------------------------------------------------------------------------------ */

static void flip_signs(grad_tensor *tensor)
{
    for (size_t i = 0; i < grad_tensor_count(tensor); i++)
        ((double *)tensor->data)[i] *= -1;
}

static void halve(grad_tensor *tensor)
{
    for (size_t i = 0; i < grad_tensor_count(tensor); i++)
        ((double *)tensor->data)[i] /= 2;
}

static void nudge_one(grad_tensor *tensor)
{
    double *numbers = tensor->data;
    size_t largest = 0;

    for (size_t i = 0; i < grad_tensor_count(tensor); i++)
        if (fabs(numbers[i]) > fabs(numbers[largest]))
            largest = i;
    numbers[largest] *= 1.001;
}

static void transpose(grad_tensor *tensor)
{
    double *numbers = tensor->data;
    size_t n = tensor->shape[tensor->rank - 1];

    for (size_t i = 0; tensor->rank == 2 && i < n; i++)
        for (size_t j = 0; j < i; j++) {
            double kept = numbers[i * n + j];

            numbers[i * n + j] = numbers[j * n + i];
            numbers[j * n + i] = kept;
        }
}

static void drop_to_zero(grad_tensor *tensor)
{
    memset(tensor->data, 0, grad_tensor_count(tensor) * sizeof(double));
}

static void wrong_claims_fail_and_are_named(void **state)
{
    void (*const spoilers[])(grad_tensor *) = {flip_signs, halve, nudge_one, transpose,
                                               drop_to_zero};

    (void)state;
    for (size_t i = 0; i < COUNT(spoilers); i++) {
        network *n = varied_network(GRAD_FP64, GRAD_MSE);
        grad_check_request request = {0};
        grad_run *run = check_make_claims(n, &request);
        grad_check *check = NULL;
        const grad_check_report *report;
        const grad_check_tensor *bad;

        spoilers[i](&request.claims[2].weight_delta); /* 8 x 8 */
        report = check_report_of(&request, &check);
        assert_int_equal(report->verdict, GRAD_CHECK_FAIL);
        bad = check_find(report, 2, GRAD_WEIGHT_DELTA);
        assert_int_equal(bad->claim.verdict, GRAD_CHECK_FAIL);
        assert_int_equal(bad->analytic.verdict, GRAD_CHECK_PASS);
        assert_int_equal(check_find(report, 0, GRAD_WEIGHT_DELTA)->claim.verdict, GRAD_CHECK_PASS);
        assert_int_equal(check_find(report, SIZE_MAX, GRAD_GRAD_INPUT)->claim.verdict,
                         GRAD_CHECK_PASS);
        grad_check_destroy(check);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* One element in 64 that no sample sees: the random direction does. */
static void the_direction_sees_what_no_sample_sees(void **state)
{
    network *n = varied_network(GRAD_FP64, GRAD_HUBER);
    grad_check_request request = {.options = CHECK_OPTIONS(.samples = 1)};
    grad_run *run = check_make_claims(n, &request);
    grad_check *check = NULL;
    const grad_check_report *report;

    (void)state;
    nudge_one(&request.claims[2].weight_delta);
    report = check_report_of(&request, &check);
    assert_int_equal(check_find(report, 2, GRAD_WEIGHT_DELTA)->claim.checked, 2);
    assert_int_equal(check_find(report, 2, GRAD_WEIGHT_DELTA)->claim.verdict, GRAD_CHECK_FAIL);
    assert_true(check_find(report, 2, GRAD_WEIGHT_DELTA)->claim.index == SIZE_MAX);
    grad_check_destroy(check);
    grad_run_destroy(run);
    network_free(n);
}

/* Claims that can be held against nothing are refused, where they stand. */
static void claims_that_fit_nothing_are_refused(void **state)
{
    network *n = varied_network(GRAD_FP64, GRAD_MSE);
    grad_check_request request = {0};
    grad_run *run = check_make_claims(n, &request);
    grad_layer_result *claims = request.claims;
    const struct {
        grad_tensor *claim;
        const char *code, *pointer;
    } cases[] = {{&claims[1].gain_delta, "shape_mismatch", "/layers/1/gain_delta"},
                 {&claims[2].slope_delta, "shape_mismatch", "/layers/2/slope_delta"},
                 {&request.claimed_grad_input, "shape_mismatch", "/grad_input"},
                 {&claims[0].grad_input, "unsupported_value", "/layers/0/grad_input"},
                 {&claims[3].bias_delta, "unsupported_value", "/layers/3/bias_delta"}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        grad_tensor kept = *cases[i].claim;
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure;

        *cases[i].claim = (grad_tensor){claims[0].bias_delta.data, 1, {7}};
        assert_int_equal(grad_check_measure(&request, NULL, &measure, &error), GRAD_INVALID);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(error.pointer, cases[i].pointer);
        *cases[i].claim = kept;
    }
    grad_run_destroy(run);
    network_free(n);
}

/* A claim is checked though its tensor is not among the outputs asked for. */
static void a_claim_is_checked_whatever_the_outputs(void **state)
{
    network *n = varied_network(GRAD_FP64, GRAD_MSE);
    grad_check_request request = {0};
    grad_run *run = check_make_claims(n, &request);
    grad_check *check = NULL;
    const grad_check_report *report;

    (void)state;
    n->batch.outputs = GRAD_OUTPUT_BIAS_DELTA | GRAD_OUTPUT_PREDICTIONS;
    flip_signs(&request.claims[2].weight_delta);
    report = check_report_of(&request, &check);
    assert_int_equal(check_find(report, 2, GRAD_WEIGHT_DELTA)->claim.verdict, GRAD_CHECK_FAIL);
    grad_check_destroy(check);
    grad_run_destroy(run);
    network_free(n);
}

/* ---- Kinks ----------------------------------------------------------------------------------- */

static void kinks_are_told_and_pass(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 3, GRAD_RELU, 0, 0, false}};
    network *n = network_of(34, GRAD_FP64, 2, 2, GRAD_LOSS_ABSENT, 1, one);
    double *W = n->batch.layers[0].weight.data, *b = n->batch.layers[0].bias.data;
    grad_check_request request = {.batch = &n->batch};
    grad_check *check = NULL;
    const grad_check_report *report;

    (void)state;
    W[2] = W[3] = b[1] = 0; /* z of the second unit is 0 */
    report = check_report_of(&request, &check);
    assert_int_equal(report->verdict, GRAD_CHECK_PASS);
    assert_int_equal(check_find(report, 0, GRAD_BIAS_DELTA)->analytic.verdict, GRAD_CHECK_KINK);
    assert_true(check_find(report, 0, GRAD_BIAS_DELTA)->analytic.kinks >= 1);
    grad_check_destroy(check);
    network_free(n);
}

/* ---- Options --------------------------------------------------------------------------------- */

static void the_seed_chooses_the_samples(void **state)
{
    network *n = varied_network(GRAD_FP64, GRAD_MSE);
    grad_check_request request = {.batch = &n->batch,
                                  .options = CHECK_OPTIONS(.samples = 3, .seed = 5)};
    grad_check *checks[3] = {NULL};
    const grad_check_report *reports[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        grad_check_options seeded = {.size = sizeof seeded, .samples = 3, .seed = i == 2 ? 6 : 5};

        request.options = &seeded;
        reports[i] = check_report_of(&request, &checks[i]);
    }
    for (size_t i = 0; i < reports[0]->tensor_count; i++) {
        const grad_check_finding *a = &reports[0]->tensors[i].analytic;

        assert_memory_equal(a, &reports[1]->tensors[i].analytic, sizeof *a);
        assert_true(a->checked <= 4);
    }
    assert_true(reports[0]->tensors[0].analytic.difference !=
                reports[2]->tensors[0].analytic.difference);
    for (size_t i = 0; i < 3; i++)
        grad_check_destroy(checks[i]);
    network_free(n);
}

static void options_without_a_meaning_are_refused(void **state)
{
    network *n = varied_network(GRAD_FP32, GRAD_MSE);
    const grad_batch kept = n->batch;
    static const char *const pointers[] = {"/on_error",        "/check/tolerance", "/clip/value",
                                           "/weight_decay/l2", "/scale",           "/outputs"};

    (void)state;
    for (size_t i = 0; i < COUNT(pointers); i++) {
        grad_check_request request = {.batch = &n->batch};
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure;

        n->batch = kept;
        n->batch.continue_on_error = i == 0;
        request.options = CHECK_OPTIONS(.tolerance = i == 1 ? NAN : 0);
        n->batch.outputs = 0;
        n->batch.clip.value = i == 2 ? -1 : 0;
        n->batch.weight_decay.l2 = i == 3 ? (double)INFINITY : 0;
        n->batch.scale = i == 4 ? NAN : 1;
        if (i == 5) { /* layers that have no such delta */
            n->batch.network = NULL;
            n->batch.outputs = GRAD_OUTPUT_SLOPE_DELTA;
            n->batch.layers[0].input = n->network.input;
            n->batch.layer_count = 1;
            n->batch.layers[0].grad_output = network_tensor(n, 1, 6, 8, 1);
        }
        assert_int_equal(grad_check_measure(&request, NULL, &measure, &error), GRAD_INVALID);
        assert_string_equal(error.pointer, pointers[i]);
    }
    n->batch = kept;
    network_free(n);
}

/* 3.2e8 operations a forward pass, at most 26 of them for each difference. */
static void too_much_work_is_refused(void **state)
{
    const network_recipe two[] = {{GRAD_DENSE, 400, GRAD_TANH, 0, 0, false},
                                  {GRAD_DENSE, 400, GRAD_TANH, 0, 0, false}};
    network *n = network_of(35, GRAD_FP32, 500, 400, GRAD_MSE, 2, two);
    grad_check_request request = {.batch = &n->batch, .options = CHECK_OPTIONS(.samples = 16)};
    grad_limits limits = GRAD_LIMITS_INIT;
    grad_error error = GRAD_ERROR_INIT;
    grad_measure measure;

    (void)state;
    assert_int_equal(grad_check_measure(&request, NULL, &measure, &error), GRAD_OK);
    assert_true(measure.flops > 5 * 17 * 26 * 2 * 2.0 * 500 * 400 * 400);
    error = (grad_error)GRAD_ERROR_INIT;
    limits.max_check_flops = 3000000000;
    assert_int_equal(grad_check_measure(&request, &limits, &measure, &error), GRAD_TOO_LARGE);
    assert_int_equal(error.limit, limits.max_check_flops);
    limits.max_check_flops = 100000000000000;
    request.options = CHECK_OPTIONS(.samples = 100);
    error = (grad_error)GRAD_ERROR_INIT;
    assert_int_equal(grad_check_measure(&request, &limits, &measure, &error), GRAD_OK);
    assert_int_equal(grad_check_measure(&request, NULL, &measure, &error), GRAD_TOO_LARGE);
    assert_string_equal(error.code, "max_check_flops");
    assert_string_equal(error.limit_name, "max_check_flops");
    assert_string_equal(error.pointer, "/check");
    network_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_and_loss_passes),
        cmocka_unit_test(every_activation_passes),
        cmocka_unit_test(independent_layers_pass),
        cmocka_unit_test(wrong_claims_fail_and_are_named),
        cmocka_unit_test(the_direction_sees_what_no_sample_sees),
        cmocka_unit_test(claims_that_fit_nothing_are_refused),
        cmocka_unit_test(a_claim_is_checked_whatever_the_outputs),
        cmocka_unit_test(kinks_are_told_and_pass),
        cmocka_unit_test(the_seed_chooses_the_samples),
        cmocka_unit_test(options_without_a_meaning_are_refused),
        cmocka_unit_test(too_much_work_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
