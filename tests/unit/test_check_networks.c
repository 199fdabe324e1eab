/* Tests of the check on networks that are hard to judge: gradients that are zero but for rounding,
 * states given without what they were made with, sums that cancel, numbers of any scale. All of
 * them are right, and pass. */
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

/* 1 - cos is rounded as 1 is, however little of it is left: of a gradient of 1e-7 two differences
 * came out the same by chance. */
static void losses_that_cancel_are_rounded_all_the_same(void **state)
{
    const network_recipe recipes[] = {{GRAD_BATCH_NORM, 0, GRAD_SELU, 0, 0, false},
                                      {GRAD_DENSE, 2, GRAD_TANH, 0, 0, false},
                                      {GRAD_ELEMENTS, 0, GRAD_PRELU, 0, 0, false}};
    network *n =
        network_of(UINT64_C(4294972808000), GRAD_FP64, 2, 2, GRAD_COSINE_EMBEDDING, 3, recipes);

    (void)state;
    check_assert_passes(&n->batch, true, "cosine_embedding");
    network_free(n);
}

/* Softmin of nearly equal numbers turns rounded numbers of 1 into gradients of nothing, as does the
 * fused log_softmax behind batch_norm: the rounding is that of numbers between the layers. */
static void roundings_between_layers_are_allowed_for(void **state)
{
    const network_recipe softmin[] = {{GRAD_DENSE, 11, GRAD_SOFTMIN, 0, 0, false}};
    const network_recipe fused[] = {{GRAD_BATCH_NORM, 0, GRAD_MISH, 0, 0, false},
                                    {GRAD_DENSE, 5, GRAD_SELU, 0, 0, false},
                                    {GRAD_BATCH_NORM, 0, GRAD_LOG_SOFTMAX, 0, 0, false}};

    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        bool is_fused = seed % 2 == 0;
        network *n = is_fused ? network_of(seed, GRAD_FP32, 2, 5, GRAD_NLL, 3, fused)
                              : network_of(seed, GRAD_FP32, 3, 5, GRAD_MSE, 1, softmin);

        check_scale(n, &n->network.input, 1e-3);
        for (size_t i = 0; i < n->batch.layer_count; i++) {
            check_scale(n, &n->batch.layers[i].weight, 1e-3);
            check_scale(n, &n->batch.layers[i].bias, 1e-3);
        }
        check_assert_passes(&n->batch, true, is_fused ? "fused" : "softmin");
        network_free(n);
    }
}

/* A dense layer in float whose outputs are what rounding leaves of sums that cancel, but for the
 * first of them, which is exact; then a norm. z is x d, beside which x 10^4 was added and taken
 * away. */
static network *norm_of_cancelled_sums(grad_layer_kind norm, uint64_t seed, const double d[4])
{
    const network_recipe two[] = {{GRAD_DENSE, 4, GRAD_IDENTITY, 0, 0, false},
                                  {norm, 0, GRAD_IDENTITY, 0, 0, false}};
    network *n = network_of(seed, GRAD_FP32, 1, 2, GRAD_LOSS_ABSENT, 2, two);
    const grad_tensor *W = &n->batch.layers[0].weight;
    double x = get(n, &n->network.input, 0);

    put(n, &n->network.input, 1, x);
    n->batch.layers[0].bias = (grad_tensor){0};
    n->batch.layers[1].gain = n->batch.layers[1].shift = (grad_tensor){0};
    n->batch.layers[1].epsilon = 1e-12;
    for (size_t i = 0; i < 4; i++) {
        double size = i == 0 ? 0 : 1e4 + 777 * (double)(seed % 16 + i);

        put(n, W, 2 * i, size + d[i]);
        put(n, W, 2 * i + 1, -size);
    }
    return n;
}

/* An exact number is moved by the mean of rounded ones: its x̂, of which the gain's delta is. */
static void an_exact_number_among_rounded_ones_passes(void **state)
{
    static const double d[] = {0.0001, 0.03, -0.03, 0};

    (void)state;
    for (uint64_t seed = 1100; seed < 1130; seed++) {
        network *n = norm_of_cancelled_sums(GRAD_LAYER_NORM, seed, d);

        n->batch.layers[1].gain = network_tensor(n, seed, 0, 4, 1);
        check_assert_passes(&n->batch, false, "an exact number among rounded ones");
        network_free(n);
    }
}

/* Where ∂L/∂x̂ has no part along 1 and x̂, ∂L/∂x is off by what the scale is off by. */
static void the_scale_of_rounded_numbers_is_rounded(void **state)
{
    static const double d[] = {0.001, 0.5, -0.5, 0.001}, dy[] = {1, 0, 0, -1};

    (void)state;
    for (uint64_t seed = 1100; seed < 1130; seed++) {
        network *n = norm_of_cancelled_sums(GRAD_LAYER_NORM, seed, d);

        for (size_t i = 0; i < 4; i++)
            put(n, &n->network.grad_output, i, dy[i]);
        check_assert_passes(&n->batch, false, "a scale of rounded numbers");
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

/* ---- Classes --------------------------------------------------------------------------------- */

/* A float32 target spells 2³¹ - 1 as 2³¹: both stand for the class that is ignored. */
static void an_ignored_class_may_be_any_integer(void **state)
{
    const network_recipe one[] = {{GRAD_DENSE, 3, GRAD_LOG_SOFTMAX, 0, 0, false}};
    const double ignored[] = {2147483647, 16777217, -2147483647, -100};

    (void)state;
    for (size_t i = 0; i < 4 * COUNT(ignored); i++) {
        grad_loss_kind kind = i % 2 == 0 ? GRAD_CROSS_ENTROPY : GRAD_NLL;
        const grad_loss_info *info = grad_loss_info_of(kind);
        network *n = network_of(3200, i / 2 % 2 == 0 ? GRAD_FP32 : GRAD_FP64, 4, 5, kind, 1, one);
        size_t parameter = 0;

        while (strcmp(info->parameters[parameter].name, "ignore_index") != 0)
            parameter++;
        n->network.loss.parameters[parameter] = ignored[i / 4];
        put(n, &n->network.loss.target, 1, ignored[i / 4]);
        check_assert_passes(&n->batch, true, "ignored class");
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

/* Every weight that the loss takes, but those of classes only where asked for. */
static void add_weights(network *n, const grad_loss_info *info, size_t B, size_t N,
                        bool with_classes)
{
    grad_loss *loss = &n->network.loss;

    loss->sample_weight = network_tensor(n, 5, 0, B, 1);
    if ((info->tensors & GRAD_LOSS_CLASS_WEIGHT) != 0 && with_classes)
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
    for (int i = 0; i < 2 * 3 * GRAD_LOSS_COUNT; i++) {
        grad_loss_kind kind = (grad_loss_kind)(i / 6);
        bool takes_logarithms = kind == GRAD_NLL || kind == GRAD_KL_DIV;
        network *n;

        if (kind == GRAD_LOSS_ABSENT)
            continue;
        n = network_of(5000, GRAD_FP64, 5, 3, kind, 1,
                       kind == GRAD_BINARY_CROSS_ENTROPY ? probabilities
                       : takes_logarithms                ? logarithms
                                                         : numbers);
        add_weights(n, grad_loss_info_of(kind), 5, 4, i % 2 == 0);
        n->network.loss.reduction = (grad_loss_reduction)(i / 2 % 3);
        if (kind == GRAD_KL_DIV && i / 2 % 3 == GRAD_LOSS_NONE && i % 2 == 1)
            n->network.loss.reduction = GRAD_LOSS_BATCH_MEAN;
        check_assert_passes(&n->batch, true, grad_loss_info_of(kind)->name);
        network_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_but_for_rounding_pass),
        cmocka_unit_test(losses_that_cancel_are_rounded_all_the_same),
        cmocka_unit_test(roundings_between_layers_are_allowed_for),
        cmocka_unit_test(an_exact_number_among_rounded_ones_passes),
        cmocka_unit_test(the_scale_of_rounded_numbers_is_rounded),
        cmocka_unit_test(states_stand_for_biases),
        cmocka_unit_test(an_inner_layer_without_weight_passes),
        cmocka_unit_test(an_ignored_class_may_be_any_integer),
        cmocka_unit_test(numbers_of_any_scale_pass),
        cmocka_unit_test(every_reduction_of_every_loss_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
