/* Tests of what is said of a loss that has no number: which sample, why, and where in the request;
 * before the run where the request alone can tell, behind it where the network's output is to
 * blame. Right losses are test_losses*.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradient_network.h"

enum { MOST = 6 };

/* y[B,N], which the network gives as it is (or f makes of z, which it then is), and a loss. */
typedef struct wrong_loss {
    grad_activation_kind f;
    grad_loss_kind loss;
    grad_loss_reduction reduction;
    size_t B, N;    /* B 0: one sample, as vectors */
    double y[MOST]; /* [B,N] */
    double t[MOST]; /* the target, [B,N]; classes [B] */
    size_t weights; /* how many class weights of 0 there are */
    double parameter;
    const char *code, *pointer, *detail;
} wrong_loss;

#define MEAN GRAD_LOSS_MEAN
#define SUM GRAD_LOSS_SUM
#define NONE GRAD_LOSS_NONE
#define IS GRAD_IDENTITY
#define NEVER -100

/* clang-format off */
static const wrong_loss cases[] = {
    /* Told before the run. */
    {IS, GRAD_CROSS_ENTROPY, MEAN, 2, 3, {0}, {NEVER, NEVER}, 0,
     0, "non_finite", "/loss/target",
     "every class of loss/target is ignored, being ignore_index (-100), expected one that is "
     "not: the mean is NaN"},
    {GRAD_LOG_SOFTMAX, GRAD_NLL, MEAN, 1, 3, {0}, {NEVER}, 0,
     0, "non_finite", "/loss/target",
     "every class of loss/target is ignored, being ignore_index (-100), expected one that is "
     "not: the mean is NaN"},
    {IS, GRAD_CROSS_ENTROPY, MEAN, 2, 3, {0}, {NEVER, 1}, 3, 0, "non_finite",
     "/loss/class_weight",
     "every class of loss/target that counts has the weight 0, expected a positive one: the mean "
     "divides by 0"},
    {IS, GRAD_KL_DIV, MEAN, 2, 2, {0}, {0.5, 0, 1, -0.5}, 0, 0, "bad_parameter",
     "/loss/target/1/1",
     "loss/target/1/1 is -0.5, expected a number that is not negative, log_target being false"},
    {IS, GRAD_KL_DIV, NONE, 0, 2, {0}, {0.5, -0.1}, 0, 0, "bad_parameter",
     "/loss/target/1",
     "loss/target/1 is -0.1, expected a number that is not negative, log_target being false"},
    {IS, GRAD_SQUARED_HINGE, SUM, 2, 2, {0}, {1, -1, 1, 0.1}, 0, 1, "bad_parameter",
     "/loss/target/1/1",
     "loss/target/1/1 is 0.1, expected -1 or 1"},
    {IS, GRAD_BINARY_CROSS_ENTROPY, MEAN, 2, 2, {0.5, 0.5, 0.5, 0.5}, {0, 1, 1.5, 0}, 0, 0,
     "bad_parameter", "/loss/target/1/0",
     "loss/target/1/0 is 1.5, expected a probability from 0 to 1"},
    {GRAD_SIGMOID, GRAD_BINARY_CROSS_ENTROPY, MEAN, 0, 2, {0.5, 0.5}, {1, -0.5}, 0, 0,
     "bad_parameter", "/loss/target/1",
     "loss/target/1 is -0.5, expected a probability from 0 to 1"},
    /* Told by the run: what the network gives is no probability, no rate. */
    {IS, GRAD_BINARY_CROSS_ENTROPY, MEAN, 3, 2, {0, 1, 0.5, 0.5, 0.5, 1.5}, {0, 1, 1, 0, 1, 0}, 0,
     0, "non_finite", "/loss/target/2",
     "loss of sample 2 is NaN, expected a finite number: output 1 of it is 1.5, expected a "
     "probability from 0 to 1"},
    {IS, GRAD_BINARY_CROSS_ENTROPY, NONE, 3, 2, {0, 1, 0.5, -0.5, 0.5, 1.5}, {0, 1, 1, 0, 1, 0}, 0,
     0, "non_finite", "/loss/target/1/1",
     "loss of sample 1 at output 1 is NaN, expected a finite number: that output is -0.5, "
     "expected a probability from 0 to 1"},
    {IS, GRAD_BINARY_CROSS_ENTROPY, NONE, 0, 2, {1, 2}, {0, 1}, 0,
     0, "non_finite", "/loss/target/1",
     "loss of sample 0 at output 1 is NaN, expected a finite number: that output is 2, "
     "expected a probability from 0 to 1"},
    {IS, GRAD_BINARY_CROSS_ENTROPY, SUM, 0, 2, {-1, 0.5}, {0, 1}, 0,
     0, "non_finite", "/loss/target",
     "loss of sample 0 is NaN, expected a finite number: output 0 of it is -1, expected a "
     "probability from 0 to 1"},
    {IS, GRAD_POISSON_NLL, SUM, 2, 2, {1, 2, 3, -4}, {1, 1, 1, 1}, 0,
     0, "non_finite", "/loss/target/1",
     "loss of sample 1 is NaN, expected a finite number: output 1 of it is -4, expected a rate "
     "that is not negative, log_input being false"},
    /* What is too large for a double, or for a float where it is answered as one. */
    {IS, GRAD_POISSON_NLL, SUM, 2, 1, {1, 1000}, {1, 1}, 0, 1, "non_finite",
     "/loss/target/1",
     "loss of sample 1 is Infinity, expected a finite number: its outputs and targets are too "
     "large"},
    {IS, GRAD_MSE, NONE, 2, 2, {0, 0, 1e30, 0}, {0, 0, 0, 0}, 0,
     0, "non_finite", "/loss/target/1/0",
     "loss of sample 1 at output 0 is Infinity, expected a finite number: its outputs and "
     "targets are too large"},
    {IS, GRAD_CROSS_ENTROPY, NONE, 2, 2, {0, 0, 3e38, -3e38}, {0, 1}, 0,
     0, "non_finite", "/loss/target/1",
     "loss of sample 1 is Infinity, expected a finite number: its outputs and targets are too "
     "large"},
    {IS, GRAD_CROSS_ENTROPY, NONE, 0, 2, {3e38, -3e38}, {0, 1}, 0,
     0, "non_finite", "/loss/target",
     "loss of sample 0 is Infinity, expected a finite number: its outputs and targets are too "
     "large"},
    /* What is not finite before it comes to the loss. */
    {GRAD_EXP, GRAD_MSE, MEAN, 2, 2, {0, 0, 0, 100}, {0, 0, 0, 0}, 0,
     0, "non_finite", "/loss/target/1",
     "loss of sample 1 is Infinity, expected a finite number: output 1 of it is Infinity, "
     "expected a finite number"},
};
/* clang-format on */

/* A tensor of float32 numbers; rows 0: a vector. */
static grad_tensor tensor_of(const double *numbers, size_t rows, size_t cols, float *memory)
{
    grad_tensor tensor = {memory, rows == 0 ? 1U : 2U, {rows == 0 ? cols : rows, cols}};

    for (size_t i = 0; i < (rows == 0 ? 1 : rows) * cols; i++)
        memory[i] = (float)numbers[i];
    return tensor;
}

/* Everything that a case needs, at a fixed address. */
typedef struct problem {
    grad_batch batch;
    grad_layer layer;
    grad_network network;
    float y[MOST], t[MOST], weights[MOST];
} problem;

static void set_up(const wrong_loss *c, problem *p)
{
    grad_loss *loss = &p->network.loss;
    bool has_classes = (c->loss == GRAD_CROSS_ENTROPY || c->loss == GRAD_NLL) && c->B > 0;

    *p = (problem){0};
    p->layer = (grad_layer){.kind = GRAD_ELEMENTS, .activation = grad_activation_default(c->f)};
    p->batch =
        (grad_batch){.scale = 1, .layer_count = 1, .layers = &p->layer, .network = &p->network};
    p->network.input = tensor_of(c->y, c->B, c->N, p->y);
    *loss = grad_loss_default(c->loss);
    loss->reduction = c->reduction;
    if (c->loss == GRAD_POISSON_NLL || c->loss == GRAD_SQUARED_HINGE)
        loss->parameters[0] = c->parameter;
    loss->target = has_classes ? tensor_of(c->t, 0, c->B, p->t) : tensor_of(c->t, c->B, c->N, p->t);
    if (c->weights > 0)
        loss->class_weight = (grad_tensor){p->weights, 1, {c->weights}};
}

static grad_status compute(const grad_batch *batch, grad_run **run, grad_error *error)
{
    grad_plan *plan;
    grad_status status = grad_plan_create(batch, NULL, &plan, error);

    if (status == GRAD_OK)
        status = grad_run_create(plan, run, error);
    return status == GRAD_OK ? grad_run_all(*run, error) : status;
}

static void assert_told(const wrong_loss *c, const grad_batch *batch, bool before)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_run *run = NULL;

    assert_int_equal(compute(batch, &run, &error), GRAD_INVALID);
    assert_string_equal(error.detail, c->detail);
    assert_string_equal(error.code, c->code);
    assert_string_equal(error.pointer, c->pointer);
    assert_true(before == (run == NULL));
    grad_run_destroy(run);
}

static bool is_told_before(const wrong_loss *c)
{
    return strstr(c->detail, "loss of sample") == NULL;
}

static void the_sample_and_the_cause_are_told(void **state)
{
    problem p;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_up(&cases[i], &p);
        assert_told(&cases[i], &p.batch, is_told_before(&cases[i]));
    }
}

/* The error is the whole's, for every layer of a network stands on the others. */
static void a_network_that_continues_on_errors_is_told_the_same(void **state)
{
    problem p;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_up(&cases[i], &p);
        p.batch.continue_on_error = true;
        assert_told(&cases[i], &p.batch, is_told_before(&cases[i]));
    }
}

/* The answers are then as they come; but a target that is no sign, or no probability, is wrong
 * whatever the policy. */
static void what_is_not_finite_may_be_allowed(void **state)
{
    problem p;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_error error = GRAD_ERROR_INIT;
        grad_run *run = NULL;
        bool is_wrong = strcmp(cases[i].code, "bad_parameter") == 0 && cases[i].loss != GRAD_KL_DIV;
        const grad_reply *reply;

        set_up(&cases[i], &p);
        p.batch.non_finite = GRAD_ALLOW_NON_FINITE;
        assert_int_equal(compute(&p.batch, &run, &error), is_wrong ? GRAD_INVALID : GRAD_OK);
        reply = run == NULL ? NULL : grad_run_reply(run);
        if (reply != NULL && cases[i].reduction != GRAD_LOSS_NONE)
            assert_true(isfinite(reply->loss) == 0);
        grad_run_destroy(run);
    }
}

/* All classes ignored, or without a weight, are nothing but a mean's trouble. */
static void a_sum_over_no_class_is_0(void **state)
{
    problem p;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        grad_error error = GRAD_ERROR_INIT;
        grad_run *run = NULL;

        set_up(&cases[i], &p);
        p.network.loss.reduction = GRAD_LOSS_SUM;
        assert_int_equal(compute(&p.batch, &run, &error), GRAD_OK);
        assert_true(grad_run_reply(run)->loss == 0);
        grad_run_destroy(run);
    }
}

/* Smoothing gives a part of the loss to classes that have a weight, and the divisor none of it. */
static void a_smoothed_mean_over_weights_of_0_is_infinite(void **state)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_run *run = NULL;
    problem p;

    (void)state;
    set_up(&cases[2], &p);
    p.weights[0] = 1;
    p.network.loss.parameters[0] = 0.5;
    assert_told(&cases[2], &p.batch, true);
    p.batch.non_finite = GRAD_ALLOW_NON_FINITE;
    assert_int_equal(compute(&p.batch, &run, &error), GRAD_OK);
    assert_true(isinf(grad_run_reply(run)->loss) && grad_run_reply(run)->loss > 0);
    grad_run_destroy(run);
}

/* log t is what a negative target is, with log_target. */
static void logarithms_may_be_negative(void **state)
{
    grad_run *run = NULL;
    problem p;

    (void)state;
    set_up(&cases[3], &p);
    p.network.loss.parameters[0] = 1;
    assert_int_equal(compute(&p.batch, &run, NULL), GRAD_OK);
    grad_run_destroy(run);
}

/* Sums of doubles that are finite one by one. */
static void losses_that_do_not_add_up_are_told(void **state)
{
    double y[2] = {1.1e154, 1.1e154}, t[2] = {0, 0};
    grad_layer layer = {.kind = GRAD_ELEMENTS};
    grad_network network = {.input = {y, 2, {2, 1}}, .loss = grad_loss_default(GRAD_MSE)};
    grad_batch batch = {
        .datatype = GRAD_FP64, .scale = 1, .layer_count = 1, .layers = &layer, .network = &network};
    grad_error error = GRAD_ERROR_INIT;
    grad_run *run = NULL;

    (void)state;
    layer.activation = grad_activation_default(GRAD_IDENTITY);
    network.loss.target = (grad_tensor){t, 2, {2, 1}};
    assert_int_equal(compute(&batch, &run, &error), GRAD_INVALID);
    assert_string_equal(error.detail, "loss is Infinity, expected a finite number: the losses of "
                                      "its samples are too large to add up");
    assert_string_equal(error.pointer, "/loss/target");
    assert_string_equal(error.code, "non_finite");
    grad_run_destroy(run);
}

/* Where f and the loss are one function of z, there is no y to speak of. */
static void a_fused_loss_tells_of_z(void **state)
{
    float x[4] = {0, 1, 2, 100}, t[4] = {0, 1, 1, 0};
    grad_layer layers[2] = {{.kind = GRAD_ELEMENTS}, {.kind = GRAD_ELEMENTS}};
    grad_network network = {.input = {x, 2, {2, 2}},
                            .loss = grad_loss_default(GRAD_BINARY_CROSS_ENTROPY)};
    grad_batch batch = {.scale = 1, .layer_count = 2, .layers = layers, .network = &network};
    grad_error error = GRAD_ERROR_INIT;
    grad_run *run = NULL;

    (void)state;
    layers[0].activation = grad_activation_default(GRAD_EXP);
    layers[1].activation = grad_activation_default(GRAD_SIGMOID);
    network.loss.target = (grad_tensor){t, 2, {2, 2}};
    assert_int_equal(compute(&batch, &run, &error), GRAD_INVALID);
    assert_string_equal(error.detail, "loss of sample 1 is Infinity, expected a finite number: "
                                      "pre_activation 1 of it is Infinity, expected a finite "
                                      "number");
    assert_string_equal(error.pointer, "/loss/target/1");
    grad_run_destroy(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_and_the_cause_are_told),
        cmocka_unit_test(a_network_that_continues_on_errors_is_told_the_same),
        cmocka_unit_test(what_is_not_finite_may_be_allowed),
        cmocka_unit_test(a_sum_over_no_class_is_0),
        cmocka_unit_test(a_smoothed_mean_over_weights_of_0_is_infinite),
        cmocka_unit_test(logarithms_may_be_negative),
        cmocka_unit_test(a_fused_loss_tells_of_z),
        cmocka_unit_test(losses_that_do_not_add_up_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
