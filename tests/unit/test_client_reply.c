/* What the client takes for a right reply to a batch: all that the library itself answers, for
 * every kind of layer, reduction and option; and nothing in which a tensor is missing, too many or
 * of another shape. */
#include "call.h"
#include "response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LAYERS = 4 };

static float numbers[64] = {0.5F, -1, 2, 0.25F, 1, -0.5F, 0.75F, 1.5F};
static float ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static grad_tensor vector(size_t n)
{
    return (grad_tensor){numbers, 1, {n}};
}

static grad_tensor matrix(size_t rows, size_t columns)
{
    return (grad_tensor){numbers, 2, {rows, columns}};
}

/* Dense with prelu, a norm of each kind, dense: 3 -> 2 -> 2 -> 2 -> 4, two samples. */
static void make_layers(grad_layer layers[LAYERS])
{
    grad_activation prelu = grad_activation_default(GRAD_PRELU);
    layers[0] = (grad_layer){.name = "first",
                             .kind = GRAD_DENSE,
                             .activation = prelu,
                             .weight = matrix(2, 3),
                             .slope = vector(2)};
    layers[1] = (grad_layer){.kind = GRAD_LAYER_NORM,
                             .gain = vector(2),
                             .shift = vector(2),
                             .epsilon = GRAD_DEFAULT_EPSILON};
    layers[2] = (grad_layer){.name = "norm",
                             .kind = GRAD_BATCH_NORM,
                             .activation = prelu,
                             .gain = vector(2),
                             .running_mean = vector(2),
                             .running_variance = {ones, 1, {2}},
                             .epsilon = GRAD_DEFAULT_EPSILON};
    layers[3] = (grad_layer){.name = "last",
                             .kind = GRAD_DENSE,
                             .activation = grad_activation_default(GRAD_TANH),
                             .weight = matrix(4, 2),
                             .bias = vector(4)};
}

/* A network over those layers, with its mean squared error. */
typedef struct problem {
    grad_layer layers[LAYERS];
    grad_network network;
    grad_batch batch;
    grad_run *run;
    grad_reply reply; /* a copy whose tensors can be changed */
    grad_layer_result results[LAYERS];
} problem;

static void make_network(problem *p)
{
    *p = (problem){.network = {.input = matrix(2, 3), .loss = grad_loss_default(GRAD_MSE)}};
    p->network.loss.target = matrix(2, 4);
    make_layers(p->layers);
    p->batch = (grad_batch){
        .scale = 1, .layer_count = LAYERS, .layers = p->layers, .network = &p->network};
}

/* The same layers, each with states of its own. */
static void make_independent(problem *p, bool vectors)
{
    static const size_t widths[LAYERS][2] = {{3, 2}, {2, 2}, {2, 2}, {2, 4}};
    make_network(p);
    p->batch.network = NULL;
    for (size_t l = 0; l < LAYERS; l++) {
        p->layers[l].input = vectors ? vector(widths[l][0]) : matrix(2, widths[l][0]);
        p->layers[l].grad_output = vectors ? vector(widths[l][1]) : matrix(2, widths[l][1]);
    }
}

static void solve(problem *p)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_status status = grad_plan_create(&p->batch, NULL, &plan, &error);
    if (status == GRAD_OK)
        status = grad_run_create(plan, &p->run, &error);
    if (status == GRAD_OK)
        status = grad_run_all(p->run, &error);
    if (status != GRAD_OK)
        fail_msg("%s: %s", error.code, error.detail);
    p->reply = *grad_run_reply(p->run);
    memcpy(p->results, p->reply.layers, sizeof p->results);
    p->reply.layers = p->results;
}

static gradient_client_status verdict(const problem *p)
{
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client_status status = client_reply_check(&p->batch, &p->reply, &error);
    assert_int_equal(error.status, status);
    return status;
}

static void assert_right(const problem *p)
{
    assert_int_equal(verdict(p), GRADIENT_CLIENT_OK);
}

static void assert_wrong(const problem *p)
{
    assert_int_equal(verdict(p), GRADIENT_CLIENT_PROTOCOL);
}

/* A tensor of the reply, missing, too many, of another rank, of another size. */
static void assert_held(const problem *p, grad_tensor *tensor)
{
    const grad_tensor right = *tensor;
    if (right.data == NULL) {
        *tensor = vector(2);
        assert_wrong(p);
    } else {
        tensor->data = NULL;
        assert_wrong(p);
        for (size_t d = 0; d < right.rank; d++) {
            *tensor = right;
            tensor->shape[d]++;
            assert_wrong(p);
        }
        *tensor = right;
        tensor->rank = right.rank == GRAD_MAX_RANK ? right.rank - 1 : right.rank + 1;
        tensor->shape[tensor->rank - 1] = 1;
        assert_wrong(p);
    }
    *tensor = right;
    assert_right(p);
}

/* The library's own answer is right, and each of its tensors counts. */
static void assert_every_tensor_held(problem *p)
{
    solve(p);
    assert_right(p);
    for (size_t l = 0; l < LAYERS; l++) {
        grad_layer_result *r = &p->results[l];
        grad_tensor *const tensors[] = {&r->weight_delta, &r->bias_delta, &r->grad_input,
                                        &r->slope_delta,  &r->gain_delta, &r->shift_delta};
        for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
            assert_held(p, tensors[i]);
    }
    assert_held(p, &p->reply.losses);
    assert_held(p, &p->reply.predictions);
    assert_held(p, &p->reply.grad_input);
    p->reply.has_loss = !p->reply.has_loss;
    assert_wrong(p);
    grad_run_destroy(p->run);
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void test_independent_layers(void **state)
{
    (void)state;
    for (int reduction = GRAD_SUM; reduction <= GRAD_PER_SAMPLE; reduction++) {
        for (int vectors = 0; vectors < 2; vectors++) {
            problem p;
            make_independent(&p, vectors);
            p.batch.reduction = (grad_reduction)reduction;
            assert_every_tensor_held(&p);
        }
    }
}

static void test_outputs_that_were_chosen(void **state)
{
    (void)state;
    for (unsigned outputs = 1; outputs < 1U << GRAD_OUTPUT_COUNT; outputs++) {
        problem p;
        make_independent(&p, false);
        p.batch.outputs = outputs;
        assert_every_tensor_held(&p);
    }
}

static void test_networks(void **state)
{
    (void)state;
    for (int reduction = GRAD_SUM; reduction <= GRAD_PER_SAMPLE; reduction++) {
        for (int loss = GRAD_LOSS_MEAN; loss <= GRAD_LOSS_NONE; loss++) {
            problem p;
            make_network(&p);
            p.batch.reduction = (grad_reduction)reduction;
            p.network.loss.reduction = (grad_loss_reduction)loss;
            assert_every_tensor_held(&p);
            make_network(&p);
            p.batch.outputs = GRAD_OUTPUT_PREDICTIONS | GRAD_OUTPUT_BIAS_DELTA;
            p.network.loss.reduction = (grad_loss_reduction)loss;
            assert_every_tensor_held(&p);
        }
    }
}

static void test_networks_of_one_sample_given_as_a_vector(void **state)
{
    (void)state;
    problem p;
    make_network(&p);
    p.network.input = vector(3);
    p.network.loss.target = vector(4);
    p.network.loss.reduction = GRAD_LOSS_NONE;
    p.batch.reduction = GRAD_PER_SAMPLE;
    p.batch.outputs = GRAD_OUTPUT_PREDICTIONS | GRAD_OUTPUT_GRAD_INPUT | GRAD_OUTPUT_WEIGHT_DELTA;
    assert_every_tensor_held(&p);
}

/* Samples in two axes, [1,2]; batch_norm takes one. */
static void test_sequences(void **state)
{
    (void)state;
    static float classes[] = {1, 3};
    for (int reduction = GRAD_SUM; reduction <= GRAD_PER_SAMPLE; reduction++) {
        for (int by_sample = 0; by_sample < 2; by_sample++) {
            problem p;
            make_network(&p);
            p.layers[2].kind = GRAD_LAYER_NORM;
            p.layers[2].running_mean.data = p.layers[2].running_variance.data = NULL;
            p.network.input = (grad_tensor){numbers, 3, {1, 2, 3}};
            p.network.loss.target = (grad_tensor){numbers, 3, {1, 2, 4}};
            if (by_sample) {
                p.network.loss = grad_loss_default(GRAD_CROSS_ENTROPY);
                p.network.loss.target = (grad_tensor){classes, 2, {1, 2}};
            }
            p.network.loss.reduction = GRAD_LOSS_NONE;
            p.batch.reduction = (grad_reduction)reduction;
            p.batch.outputs = GRAD_OUTPUT_PREDICTIONS | GRAD_OUTPUT_GRAD_INPUT |
                              GRAD_OUTPUT_WEIGHT_DELTA | GRAD_OUTPUT_BIAS_DELTA |
                              GRAD_OUTPUT_SLOPE_DELTA;
            assert_every_tensor_held(&p);
        }
    }
}

static void test_networks_without_a_loss(void **state)
{
    (void)state;
    problem p;
    make_network(&p);
    p.network.loss = (grad_loss){.kind = GRAD_LOSS_ABSENT};
    p.network.grad_output = matrix(2, 4);
    assert_every_tensor_held(&p);
}

/* cross_entropy has one loss a sample. */
static void test_losses_by_sample(void **state)
{
    (void)state;
    static float classes[] = {1, 3};
    problem p;
    make_network(&p);
    p.network.loss = grad_loss_default(GRAD_CROSS_ENTROPY);
    p.network.loss.target = (grad_tensor){classes, 1, {2}};
    p.network.loss.reduction = GRAD_LOSS_NONE;
    assert_every_tensor_held(&p);
}

/* A first layer that brings its states and no weight has no ∂L/∂x. */
static void test_networks_that_bring_their_states(void **state)
{
    (void)state;
    problem p;
    make_network(&p);
    p.layers[0].weight.data = NULL;
    p.layers[0].input = p.network.input;
    p.layers[0].pre_activation = matrix(2, 2);
    p.network.input.data = NULL;
    assert_every_tensor_held(&p);
}

/* ---- Members --------------------------------------------------------------------------------- */

static void test_names_statistics_and_errors(void **state)
{
    (void)state;
    grad_error error = GRAD_ERROR_INIT;
    problem p;
    make_network(&p);
    p.batch.statistics = true;
    solve(&p);
    assert_right(&p);
    p.results[2].has_statistics = false;
    assert_wrong(&p);
    p.results[2].has_statistics = true;
    p.results[2].name = "other";
    assert_wrong(&p);
    p.results[2].name = NULL;
    assert_wrong(&p);
    p.results[2].name = "norm";
    p.reply.id = "x";
    assert_wrong(&p);
    p.reply.id = NULL;
    p.reply.layer_count--;
    assert_wrong(&p);
    p.reply.layer_count++;
    assert_right(&p);
    p.results[2] = (grad_layer_result){.name = "norm", .error = &error};
    assert_wrong(&p); /* not one that was asked to continue on errors */
    grad_run_destroy(p.run);
}

static void test_layers_answered_with_their_errors(void **state)
{
    (void)state;
    problem p;
    make_independent(&p, false);
    p.batch.continue_on_error = true;
    p.layers[1].grad_output.shape[0] = 1; /* two samples come in */
    p.layers[3].input.data = NULL;
    solve(&p);
    assert_non_null(p.results[1].error);
    assert_non_null(p.results[3].error);
    assert_right(&p);
    assert_held(&p, &p.results[1].gain_delta);
    assert_held(&p, &p.results[2].gain_delta);
    p.results[3].error = NULL;
    assert_wrong(&p);
    grad_run_destroy(p.run);
}

static void test_the_cap_grows_with_the_answer(void **state)
{
    (void)state;
    problem p;
    make_network(&p);
    const grad_measure measure = {.result_numbers = 1000};
    client_expectation plain = client_reply_expect(&p.batch, &measure);
    assert_int_equal(plain.form, CLIENT_REPLY);
    assert_int_equal(plain.datatype, GRAD_FP32);
    assert_int_equal(plain.limits.max_numbers, 1000);
    assert_true(plain.max_bytes > 32 * 1000 && plain.max_bytes < 200000);
    p.batch.datatype = GRAD_FP64;
    p.batch.continue_on_error = true;
    client_expectation wide = client_reply_expect(&p.batch, &measure);
    assert_int_equal(wide.datatype, GRAD_FP64);
    assert_true(wide.bytes > plain.bytes);
    assert_true(wide.limits.max_envelope > plain.limits.max_envelope);
    const grad_measure endless = {.result_numbers = SIZE_MAX / 2};
    assert_true(client_reply_expect(&p.batch, &endless).max_bytes == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_independent_layers),
        cmocka_unit_test(test_outputs_that_were_chosen),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_networks_of_one_sample_given_as_a_vector),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_networks_without_a_loss),
        cmocka_unit_test(test_losses_by_sample),
        cmocka_unit_test(test_networks_that_bring_their_states),
        cmocka_unit_test(test_names_statistics_and_errors),
        cmocka_unit_test(test_layers_answered_with_their_errors),
        cmocka_unit_test(test_the_cap_grows_with_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
