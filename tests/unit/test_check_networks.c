/* Tests of the check on networks that are hard to judge: gradients that are zero but for rounding,
 * units that start at their kinks, states given without what they were made with, sums that cancel.
 * All of them are right, and pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/real.h"
#include "support/checks.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static double get(const network *n, const grad_tensor *tensor, size_t i)
{
    return grad_real_at(n->batch.datatype, tensor->data, i);
}

static void put(const network *n, const grad_tensor *tensor, size_t i, double value)
{
    grad_real_put(n->batch.datatype, tensor->data, i, value);
}

/* ---- Zeros ----------------------------------------------------------------------------------- */

/* A bias in front of batch_norm changes nothing: its gradient is what rounding leaves of 0. With
 * two samples, or layer_norm over two features, hardly anything changes anything. */
static void zeros_but_for_rounding_pass(void **state)
{
    const network_recipe narrow[] = {{GRAD_DENSE, 1, GRAD_IDENTITY, 0, 0, false},
                                     {GRAD_BATCH_NORM, 0, GRAD_TANH, 0, 0, false},
                                     {GRAD_DENSE, 2, GRAD_IDENTITY, 0, 0, false}};
    const network_recipe batch_norm[] = {{GRAD_DENSE, 8, GRAD_IDENTITY, 0, 0, false},
                                         {GRAD_BATCH_NORM, 0, GRAD_RELU, 0, 0, false},
                                         {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};
    const network_recipe layer_norm[] = {{GRAD_DENSE, 2, GRAD_TANH, 0, 0, false},
                                         {GRAD_LAYER_NORM, 0, GRAD_GELU, 0, 0, false},
                                         {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};

    (void)state;
    for (int i = 0; i < 2 * 4 * 8; i++) {
        grad_datatype type = i % 2 == 0 ? GRAD_FP32 : GRAD_FP64;
        size_t B = (size_t)2 << i / 2 % 4;
        uint64_t seed = 1000 + (uint64_t)i;
        network *n = network_of(seed, type, B, 6, GRAD_CROSS_ENTROPY, 3, batch_norm);

        check_assert_passes(&n->batch, true, "batch_norm");
        network_free(n);
        n = network_of(seed, type, B, 6, GRAD_MSE, 3, layer_norm);
        check_assert_passes(&n->batch, true, "layer_norm");
        network_free(n);
        n = network_of(seed, type, B, 3, GRAD_MSE, 3, narrow);
        check_assert_passes(&n->batch, true, "batch_norm of one feature");
        network_free(n);
    }
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

/* ---- States ---------------------------------------------------------------------------------- */

/* Gives the layers their z, worked out here, and takes the bias away; x only where asked for. */
static void give_states(network *n, size_t B, size_t K, bool with_inputs)
{
    grad_tensor x = n->network.input;

    for (size_t l = 0; l < n->batch.layer_count; l++) {
        grad_layer *layer = &n->batch.layers[l];
        size_t N = layer->weight.shape[0];
        grad_tensor z = network_tensor(n, 1, B, N, 1), y = network_tensor(n, 1, B, N, 1);

        for (size_t e = 0; e < B * N; e++) {
            double sum = get(n, &layer->bias, e % N);

            for (size_t k = 0; k < K; k++)
                sum += get(n, &x, e / N * K + k) * get(n, &layer->weight, e % N * K + k);
            put(n, &z, e, sum);
            put(n, &y, e, l + 1 < n->batch.layer_count ? tanh(sum) : sum);
        }
        layer->pre_activation = z;
        layer->bias = (grad_tensor){0};
        if (with_inputs)
            layer->input = x;
        x = y;
        K = N;
    }
    if (with_inputs)
        n->network.input = (grad_tensor){0};
}

/* Where z is given, b need not be: it is in z. */
static void states_stand_for_biases(void **state)
{
    const network_recipe tanhs[] = {{GRAD_DENSE, 8, GRAD_TANH, 0, 0, false},
                                    {GRAD_DENSE, 7, GRAD_TANH, 0, 0, false},
                                    {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};

    (void)state;
    for (int i = 0; i < 8; i++) {
        network *n = network_of(3000, i % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 6, 5, GRAD_MSE, 3, tanhs);

        give_states(n, 6, 5, i / 2 % 2 == 0);
        if (i / 4 == 1)
            n->batch.layers[0].weight = (grad_tensor){0};
        check_assert_passes(&n->batch, true, "states");
        network_free(n);
    }
}

/* No gradient goes through a layer without a weight; what lies before it gives it its x. */
static void an_inner_layer_without_weight_passes(void **state)
{
    const network_recipe three[] = {{GRAD_ELEMENTS, 0, GRAD_TANH, 0, 0, false},
                                    {GRAD_DENSE, 4, GRAD_SILU, 0, 0, false},
                                    {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};

    (void)state;
    for (grad_datatype type = GRAD_FP32; type <= GRAD_FP64; type++) {
        network *n = network_of(3100, type, 5, 6, GRAD_MSE, 3, three);

        n->batch.layers[1].pre_activation = network_tensor(n, 9, 5, 4, 1);
        n->batch.layers[1].weight = (grad_tensor){0};
        n->batch.outputs = GRAD_OUTPUT_WEIGHT_DELTA | GRAD_OUTPUT_BIAS_DELTA;
        check_assert_passes(&n->batch, true, "no weight");
        network_free(n);
    }
}

/* ---- Scales ---------------------------------------------------------------------------------- */

static const network_recipe two_tanhs[] = {{GRAD_DENSE, 6, GRAD_TANH, 0, 0, false},
                                           {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};

/* Inputs of 10⁴ ± 1, whose products a bias takes down to numbers around 0. */
static network *offset_inputs(grad_datatype type)
{
    network *n = network_of(4000, type, 4, 6, GRAD_MSE, 2, two_tanhs);
    grad_layer *layer = &n->batch.layers[0];

    for (size_t i = 0; i < 24; i++)
        put(n, &n->network.input, i, 1e4 + get(n, &n->network.input, i));
    for (size_t i = 0; i < 6; i++) {
        double sum = 0;

        for (size_t k = 0; k < 6; k++)
            sum += get(n, &layer->weight, i * 6 + k);
        put(n, &layer->bias, i, -1e4 * sum);
    }
    return n;
}

/* Targets beside the predictions: a loss of 10⁻¹² and gradients of 10⁻⁶, from numbers of 1. */
static network *nearly_trained(grad_datatype type)
{
    network *n = network_of(4001, type, 4, 6, GRAD_MSE, 2, two_tanhs);
    grad_run *run;

    n->batch.outputs = GRAD_OUTPUT_PREDICTIONS;
    run = network_run(n);
    n->batch.outputs = 0;
    for (size_t i = 0; i < 12; i++)
        put(n, &n->network.loss.target, i,
            get(n, &grad_run_reply(run)->predictions, i) * (1 + 1e-6));
    grad_run_destroy(run);
    return n;
}

static network *norm_of_offset(grad_datatype type)
{
    const network_recipe two[] = {{GRAD_LAYER_NORM, 0, GRAD_TANH, 0, 0, false},
                                  {GRAD_DENSE, 3, GRAD_IDENTITY, 0, 0, false}};
    network *n = network_of(4002, type, 4, 6, GRAD_MSE, 2, two);

    for (size_t i = 0; i < 24; i++)
        put(n, &n->network.input, i, 1000 + 0.01 * get(n, &n->network.input, i));
    return n;
}

/* Weights that are hardly there. */
static network *tiny_weights(grad_datatype type)
{
    network *n = network_of(4003, type, 4, 6, GRAD_MSE, 2, two_tanhs);

    check_scale(n, &n->batch.layers[0].weight, 1e-20);
    check_scale(n, &n->batch.layers[1].weight, 1e10);
    return n;
}

static network *saturated(grad_datatype type)
{
    network *n = network_of(4004, type, 4, 6, GRAD_CROSS_ENTROPY, 2, two_tanhs);

    check_scale(n, &n->batch.layers[1].weight, 40);
    return n;
}

static void numbers_of_any_scale_pass(void **state)
{
    network *(*const makers[])(grad_datatype) = {offset_inputs, nearly_trained, norm_of_offset,
                                                 tiny_weights, saturated};

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(makers); i++) {
        network *n = makers[i / 2](i % 2 == 0 ? GRAD_FP32 : GRAD_FP64);
        char what[40];

        snprintf(what, sizeof what, "scale %zu, datatype %zu", i / 2, i % 2);
        check_assert_passes(&n->batch, true, what);
        network_free(n);
    }
}

/* ---- The mean -------------------------------------------------------------------------------- */

static void add_weights(network *n, const grad_loss_info *info, size_t B, size_t N)
{
    grad_loss *loss = &n->network.loss;

    loss->sample_weight = network_tensor(n, 5, 0, B, 1);
    if ((info->tensors & GRAD_LOSS_CLASS_WEIGHT) != 0)
        loss->class_weight = network_tensor(n, 6, 0, N, 1);
    if ((info->tensors & GRAD_LOSS_POS_WEIGHT) != 0)
        loss->pos_weight = network_tensor(n, 7, 0, N, 1);
    for (size_t i = 0; i < B; i++)
        put(n, &loss->sample_weight, i, fabs(get(n, &loss->sample_weight, i)));
    for (size_t i = 0; i < N; i++) {
        if (loss->class_weight.data != NULL)
            put(n, &loss->class_weight, i, fabs(get(n, &loss->class_weight, i)));
        if (loss->pos_weight.data != NULL)
            put(n, &loss->pos_weight, i, fabs(get(n, &loss->pos_weight, i)));
    }
    for (size_t i = 0; i < info->parameter_count; i++) {
        if (strcmp(info->parameters[i].name, "label_smoothing") == 0)
            loss->parameters[i] = 0.1;
        if (strcmp(info->parameters[i].name, "ignore_index") == 0)
            put(n, &loss->target, 1, loss->parameters[i]);
    }
}

/* Every loss with every weight it takes, under every reduction: the differences divide as the
 * header says, and the gradient must. */
static void every_reduction_of_every_loss_passes(void **state)
{
    const network_recipe probabilities[] = {{GRAD_DENSE, 4, GRAD_SIGMOID, 0, 0, false}};
    const network_recipe numbers[] = {{GRAD_DENSE, 4, GRAD_IDENTITY, 0, 0, false}};
    const network_recipe logarithms[] = {{GRAD_DENSE, 4, GRAD_LOG_SOFTMAX, 0, 0, false}};

    (void)state;
    for (grad_loss_kind kind = GRAD_MSE; kind < GRAD_LOSS_COUNT; kind++)
        for (grad_loss_reduction r = GRAD_LOSS_MEAN; r <= GRAD_LOSS_NONE; r++) {
            const network_recipe *recipe = kind == GRAD_BINARY_CROSS_ENTROPY         ? probabilities
                                           : kind == GRAD_NLL || kind == GRAD_KL_DIV ? logarithms
                                                                                     : numbers;
            network *n = network_of(5000, GRAD_FP64, 5, 3, kind, 1, recipe);

            add_weights(n, grad_loss_info_of(kind), 5, 4);
            n->network.loss.reduction = r;
            check_assert_passes(&n->batch, true, grad_loss_info_of(kind)->name);
            network_free(n);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_but_for_rounding_pass),
        cmocka_unit_test(units_at_their_kinks_are_told),
        cmocka_unit_test(a_state_rounded_to_its_kink_is_at_it),
        cmocka_unit_test(many_kinks_nearby_are_no_kinks),
        cmocka_unit_test(states_stand_for_biases),
        cmocka_unit_test(an_inner_layer_without_weight_passes),
        cmocka_unit_test(numbers_of_any_scale_pass),
        cmocka_unit_test(every_reduction_of_every_loss_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
