/* Tests of what is asked of a network, its layers of every kind and its loss: each wrong one is
 * refused with code, place, and what was expected and found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "support/networks.h"

/* 5 samples of 6 numbers -> dense 4 -> layer norm 4 -> batch norm 4 -> dense 3 */
static const network_recipe recipe[] = {
    {GRAD_DENSE, 4, GRAD_RELU, 0.5, 0, false},
    {GRAD_LAYER_NORM, 0, GRAD_PRELU, 0, 0, false},
    {GRAD_BATCH_NORM, 0, GRAD_TANH, 0, GRAD_RESIDUAL_OF(0), true},
    {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};
#define LAYERS (sizeof recipe / sizeof *recipe)

typedef struct wrong_network {
    grad_loss_kind loss;
    void (*spoil)(network *n);
    const char *code, *pointer, *detail;
} wrong_network;

static void set(grad_tensor *tensor, size_t i, float value)
{
    ((float *)tensor->data)[i] = value;
}

static void no_input(network *n)
{
    n->network.input = (grad_tensor){0};
}

static void input_of_rank_3(network *n)
{
    n->network.input.rank = 6;
}

static void input_without_columns(network *n)
{
    n->network.input.shape[1] = 0;
}

static void no_weight_in_the_middle(network *n)
{
    n->batch.layers[3].weight = (grad_tensor){0};
}

static void no_weight_but_a_state(network *n)
{
    n->batch.layers[3].pre_activation = network_tensor(n, 1, 5, 3, 1);
    n->batch.layers[3].weight = (grad_tensor){0};
}

static void weight_of_another_width(network *n)
{
    n->batch.layers[3].weight.shape[1] = 5;
}

static void bias_too_long(network *n)
{
    n->batch.layers[0].bias = network_tensor(n, 1, 0, 7, 1);
}

static void bias_is_a_matrix(network *n)
{
    n->batch.layers[0].bias = network_tensor(n, 1, 1, 4, 1);
}

static void gain_of_a_dense_layer(network *n)
{
    n->batch.layers[0].gain = network_tensor(n, 1, 0, 4, 1);
}

static void grad_output_in_a_layer(network *n)
{
    n->batch.layers[0].grad_output = network_tensor(n, 1, 5, 4, 1);
}

static void slope_of_two(network *n)
{
    n->batch.layers[1].slope = network_tensor(n, 1, 0, 2, 1);
}

static void epsilon_below_zero(network *n)
{
    n->batch.layers[1].epsilon = -1;
}

static void rate_of_one(network *n)
{
    n->batch.layers[0].dropout_rate = 1;
}

static void mask_of_another_width(network *n)
{
    n->batch.layers[0].dropout_mask = network_tensor(n, 1, 5, 3, 1);
}

static void mean_without_variance(network *n)
{
    n->batch.layers[2].running_variance = (grad_tensor){0};
}

static void negative_variance(network *n)
{
    set(&n->batch.layers[2].running_variance, 2, -0.5F);
}

static void residual_of_itself(network *n)
{
    n->batch.layers[2].residual = GRAD_RESIDUAL_OF(2);
}

static void residual_of_another_width(network *n)
{
    n->batch.layers[3].residual = GRAD_RESIDUAL_OF(0);
}

static void residual_of_the_wide_input(network *n)
{
    n->batch.layers[2].residual = GRAD_RESIDUAL_INPUT;
}

static void state_of_another_width(network *n)
{
    n->batch.layers[1].input = network_tensor(n, 1, 5, 9, 1);
}

static void state_with_other_rows(network *n)
{
    n->batch.layers[1].pre_activation = network_tensor(n, 1, 4, 4, 1);
}

static void state_is_a_vector(network *n)
{
    n->batch.layers[1].input = network_tensor(n, 1, 0, 4, 1);
}

static void unknown_kind(network *n)
{
    n->batch.layers[1].kind = GRAD_LAYER_KIND_COUNT;
}

static void neither_loss_nor_gradient(network *n)
{
    n->network.loss = (grad_loss){0};
}

static void both_loss_and_gradient(network *n)
{
    n->network.grad_output = network_tensor(n, 1, 5, 3, 1);
}

static void gradient_of_another_shape(network *n)
{
    n->network.grad_output = network_tensor(n, 1, 5, 4, 1);
}

static void no_target(network *n)
{
    n->network.loss.target = (grad_tensor){0};
}

static void target_of_another_width(network *n)
{
    n->network.loss.target = network_tensor(n, 1, 5, 2, 1);
}

static void class_beyond_the_last(network *n)
{
    set(&n->network.loss.target, 3, 3);
}

static void half_a_class(network *n)
{
    set(&n->network.loss.target, 0, 0.5F);
}

static void sign_of_zero(network *n)
{
    set(&n->network.loss.target, 1, 0);
}

static void no_variance(network *n)
{
    n->network.loss.variance = (grad_tensor){0};
}

static void class_weight_of_mse(network *n)
{
    n->network.loss.class_weight = network_tensor(n, 1, 0, 3, 1);
}

static void negative_sample_weight(network *n)
{
    n->network.loss.sample_weight = network_tensor(n, 1, 0, 5, 1);
    for (size_t i = 0; i < 5; i++)
        set(&n->network.loss.sample_weight, i, i == 4 ? -1 : 1);
}

static void sample_weight_too_short(network *n)
{
    n->network.loss.sample_weight = network_tensor(n, 1, 0, 4, 1);
}

static void smoothing_of_two(network *n)
{
    n->network.loss.parameters[0] = 2;
}

static void delta_of_zero(network *n)
{
    n->network.loss.parameters[0] = 0;
}

static void nan_in_target(network *n)
{
    set(&n->network.loss.target, 4, NAN);
}

static void infinity_in_mask(network *n)
{
    set(&n->batch.layers[0].dropout_mask, 5, INFINITY);
}

static void decay_without_weight(network *n)
{
    n->batch.weight_decay.l2 = 1;
    n->batch.layers[0].pre_activation = network_tensor(n, 1, 5, 4, 1);
    n->batch.layers[0].weight = (grad_tensor){0};
}

static const wrong_network cases[] = {
    {GRAD_MSE, no_input, "missing_field", "",
     "expected a field \"input\", or one in the first layer, found none"},
    {GRAD_MSE, input_of_rank_3, "shape_mismatch", "/input",
     "input has rank 6, expected 1 (one sample) to 5, the last axis being the features"},
    {GRAD_MSE, input_without_columns, "empty_tensor", "/input",
     "input has 5 rows of 0 columns, expected at least one column"},
    {GRAD_MSE, no_weight_in_the_middle, "missing_field", "/layers/3",
     "layers/3 has no pre_activation, expected one, or the weight that it can be worked out with"},
    {GRAD_MSE, no_weight_but_a_state, "missing_field", "/layers/3",
     "layers/3 has no weight, expected one for the gradient of the layers before"},
    {GRAD_MSE, weight_of_another_width, "shape_mismatch", "/layers/3/weight",
     "layers/3/weight has 5 columns, the layer before has 4"},
    {GRAD_MSE, bias_too_long, "shape_mismatch", "/layers/0/bias",
     "layers/0/bias has 7 numbers, the layer has 4 outputs"},
    {GRAD_MSE, bias_is_a_matrix, "shape_mismatch", "/layers/0/bias",
     "layers/0/bias has rank 2, expected 1; [4] is spelled [1,2,3,4] or {\"shape\": [4], "
     "\"data\": [1,2,3,4]}"},
    {GRAD_MSE, gain_of_a_dense_layer, "unknown_field", "/layers/0/gain",
     "layers/0/gain is no part of dense, expected none"},
    {GRAD_MSE, grad_output_in_a_layer, "unknown_field", "/layers/0/grad_output",
     "layers/0/grad_output is no part of a network's layer, expected none"},
    {GRAD_MSE, slope_of_two, "shape_mismatch", "/layers/1/activation/slope",
     "layers/1/activation/slope has 2 numbers, the layer has 4 outputs"},
    {GRAD_MSE, epsilon_below_zero, "bad_parameter", "/layers/1/epsilon",
     "layers/1/epsilon is -1, expected a finite number that is not negative"},
    {GRAD_MSE, rate_of_one, "bad_parameter", "/layers/0/dropout/rate",
     "layers/0/dropout/rate is 1, expected a number from 0 to below 1"},
    {GRAD_MSE, mask_of_another_width, "shape_mismatch", "/layers/0/dropout/mask",
     "layers/0/dropout/mask has 3 columns, the layer has 4 outputs"},
    {GRAD_MSE, mean_without_variance, "missing_field", "/layers/2",
     "layers/2 has no running_variance, expected one beside running_mean"},
    {GRAD_MSE, negative_variance, "bad_parameter", "/layers/2/running_variance/2",
     "layers/2/running_variance/2 is -0.5, expected a number that is not negative"},
    {GRAD_MSE, residual_of_itself, "unsupported_value", "/layers/2/residual",
     "layers/2/residual is of layers/2, expected an earlier layer"},
    {GRAD_MSE, residual_of_another_width, "shape_mismatch", "/layers/3/residual",
     "layers/3/residual brings 4 columns, expected 3 as the layer's output has"},
    {GRAD_MSE, residual_of_the_wide_input, "shape_mismatch", "/layers/2/residual",
     "layers/2/residual brings 6 columns, expected 4 as the layer's output has"},
    {GRAD_MSE, state_of_another_width, "shape_mismatch", "/layers/1/input",
     "layers/1/input has 9 columns, the output of the layer before has 4"},
    {GRAD_MSE, state_with_other_rows, "shape_mismatch", "/layers/1/pre_activation",
     "layers/1/pre_activation has 4 rows, the network's input has 5"},
    {GRAD_MSE, state_is_a_vector, "shape_mismatch", "/layers/1",
     "layers/1 has states of another rank than the network's input, which is a matrix"},
    {GRAD_MSE, unknown_kind, "unknown_name", "/layers/1/type",
     "layers/1/type is of kind 6, expected one below 6"},
    {GRAD_MSE, neither_loss_nor_gradient, "missing_field", "",
     "expected either a loss or a grad_output, found none"},
    {GRAD_MSE, both_loss_and_gradient, "missing_field", "",
     "expected either a loss or a grad_output, found both"},
    {GRAD_LOSS_ABSENT, gradient_of_another_shape, "shape_mismatch", "/grad_output",
     "grad_output has rank 2 with 5 rows of 4 columns, expected that of the network's output: rank "
     "2 with 5 of 3"},
    {GRAD_MSE, no_target, "missing_field", "/loss", "loss has no target, expected one"},
    {GRAD_MSE, target_of_another_width, "shape_mismatch", "/loss/target",
     "loss/target has shape [5, 2], expected the output's, the network's output being [5, 3]"},
    {GRAD_CROSS_ENTROPY, class_beyond_the_last, "bad_parameter", "/loss/target/3",
     "loss/target/3 is 3, expected a class from 0 to 2, or ignore_index"},
    {GRAD_NLL, half_a_class, "bad_parameter", "/loss/target/0",
     "loss/target/0 is 0.5, expected a class from 0 to 2, or ignore_index"},
    {GRAD_HINGE, sign_of_zero, "bad_parameter", "/loss/target/0/1",
     "loss/target/0/1 is 0, expected -1 or 1"},
    {GRAD_GAUSSIAN_NLL, no_variance, "missing_field", "/loss",
     "loss has no variance, expected one for gaussian_nll"},
    {GRAD_MSE, class_weight_of_mse, "unknown_field", "/loss/class_weight",
     "loss/class_weight is no part of mse, expected none"},
    {GRAD_MSE, negative_sample_weight, "bad_parameter", "/loss/sample_weight/4",
     "loss/sample_weight/4 is -1, expected a number that is not negative"},
    {GRAD_MSE, sample_weight_too_short, "shape_mismatch", "/loss/sample_weight",
     "loss/sample_weight has shape [4], expected one number a sample, the network's output being "
     "[5, 3]"},
    {GRAD_CROSS_ENTROPY, smoothing_of_two, "bad_parameter", "/loss/label_smoothing",
     "loss/label_smoothing is 2, expected a number from 0 to 1"},
    {GRAD_HUBER, delta_of_zero, "bad_parameter", "/loss/delta",
     "loss/delta is 0, expected a finite positive number"},
    {GRAD_MSE, nan_in_target, "non_finite", "/loss/target/1/1",
     "loss/target/1/1 is NaN, expected a finite number"},
    {GRAD_MSE, infinity_in_mask, "non_finite", "/layers/0/dropout/mask/1/1",
     "layers/0/dropout/mask/1/1 is Infinity, expected a finite number"},
    {GRAD_MSE, decay_without_weight, "missing_field", "/layers/0",
     "layers/0 has no weight, expected one for weight_decay"},
};

static void wrong_networks_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        network *n = network_of(21, GRAD_FP32, 5, 6, cases[i].loss, LAYERS, recipe);
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure;

        assert_int_equal(grad_batch_measure(&n->batch, NULL, &measure, NULL), GRAD_OK);
        cases[i].spoil(n);
        assert_int_equal(grad_batch_measure(&n->batch, NULL, &measure, &error), GRAD_INVALID);
        assert_string_equal(error.detail, cases[i].detail);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(error.pointer, cases[i].pointer);
        network_free(n);
    }
}

/* An error that only the arithmetic brings. */
static void losses_that_are_not_finite_are_told(void **state)
{
    network *n = network_of(22, GRAD_FP32, 5, 6, GRAD_MSE, LAYERS, recipe);
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_run *run;

    (void)state;
    for (size_t i = 0; i < 15; i++)
        set(&n->network.loss.target, i, 1e38F);
    for (size_t i = 0; i < 3; i++)
        set(&n->batch.layers[3].bias, i, -3e38F);
    assert_int_equal(grad_plan_create(&n->batch, NULL, &plan, NULL), GRAD_OK);
    assert_int_equal(grad_run_create(plan, &run, NULL), GRAD_OK);
    assert_int_equal(grad_run_all(run, &error), GRAD_INVALID);
    assert_string_equal(error.code, "non_finite");
    grad_run_destroy(run);
    network_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_networks_are_refused),
        cmocka_unit_test(losses_that_are_not_finite_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
