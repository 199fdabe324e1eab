/* Tests of networks: the same bits as layer by layer and in any order of the tiles, states given
 * and worked out, slopes along random directions, residual connections, what is not asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/networks.h"
#include "support/random.h"

static const network_recipe plain[] = {{GRAD_DENSE, 37, GRAD_TANH, 0, 0, false},
                                       {GRAD_DENSE, 19, GRAD_PRELU, 0, 0, false},
                                       {GRAD_DENSE, 7, GRAD_IDENTITY, 0, 0, false}};

/* Every kind of layer, dropout, and residual connections that overlap. */
static const network_recipe varied[] = {
    {GRAD_DENSE, 24, GRAD_SILU, 0.25, 0, false},
    {GRAD_LAYER_NORM, 0, GRAD_TANH, 0, 0, false},
    {GRAD_DENSE, 24, GRAD_PRELU, 0.5, GRAD_RESIDUAL_OF(0), false},
    {GRAD_BATCH_NORM, 0, GRAD_SOFTPLUS, 0, GRAD_RESIDUAL_OF(0), false},
    {GRAD_ELEMENTS, 0, GRAD_SIGMOID, 0, GRAD_RESIDUAL_OF(2), false},
    {GRAD_BATCH_NORM, 0, GRAD_IDENTITY, 0, GRAD_RESIDUAL_INPUT, true},
    {GRAD_RMS_NORM, 0, GRAD_GELU, 0, 0, false},
    {GRAD_GROUP_NORM, 0, GRAD_SILU, 0, 0, false},
    {GRAD_DENSE, 5, GRAD_IDENTITY, 0, 0, false}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static network *varied_network(grad_datatype type, grad_loss_kind loss)
{
    return network_of(7, type, 11, 24, loss, COUNT(varied), varied);
}

static void assert_same(grad_datatype type, const grad_tensor *a, const grad_tensor *b)
{
    assert_non_null(a->data);
    assert_non_null(b->data);
    assert_int_equal(grad_tensor_count(a), grad_tensor_count(b));
    assert_memory_equal(a->data, b->data, grad_tensor_count(a) * grad_datatype_size(type));
}

static void assert_same_replies(grad_datatype type, const grad_reply *a, const grad_reply *b)
{
    for (size_t i = 0; i < a->layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++) {
            const grad_tensor *left = grad_layer_result_tensor(&a->layers[i], k);
            const grad_tensor *right = grad_layer_result_tensor(&b->layers[i], k);

            assert_int_equal(left->data != NULL, right->data != NULL);
            if (left->data != NULL)
                assert_same(type, left, right);
        }
    assert_same(type, &a->grad_input, &b->grad_input);
}

/* ---- Layer by layer -------------------------------------------------------------------------- */

/* Runs one layer alone, on the states given. */
static grad_run *run_alone(grad_datatype type, grad_layer layer, grad_tensor x, grad_tensor dy)
{
    static grad_layer kept;
    network one = {.batch = {.datatype = type, .scale = 1, .layer_count = 1, .layers = &kept}};

    kept = layer;
    kept.input = x;
    kept.grad_output = dy;
    return network_run(&one);
}

/* y of the first `count` layers. */
static grad_run *run_beginning(const network *n, size_t count)
{
    network part = *n;

    part.batch.network = &part.network;
    part.batch.layer_count = count;
    part.batch.outputs = GRAD_OUTPUT_PREDICTIONS;
    part.network.loss = (grad_loss){0};
    part.network.grad_output = part.network.input; /* of the right shape in these networks */
    return network_run(&part);
}

static void check_chain(grad_datatype type)
{
    /* all widths are the same, so that any tensor may stand for ∂L/∂y where it isn't used */
    const network_recipe chain[] = {{GRAD_DENSE, 16, GRAD_TANH, 0, 0, false},
                                    {GRAD_LAYER_NORM, 0, GRAD_RELU, 0, 0, false},
                                    {GRAD_DENSE, 16, GRAD_GELU, 0.5, 0, false},
                                    {GRAD_BATCH_NORM, 0, GRAD_PRELU, 0, 0, false},
                                    {GRAD_ELEMENTS, 0, GRAD_SOFTMAX, 0, 0, false},
                                    {GRAD_DENSE, 16, GRAD_SIGMOID, 0, 0, false}};
    network *n = network_of(5, type, 9, 16, GRAD_LOSS_ABSENT, COUNT(chain), chain);
    grad_run *whole = network_run(n), *below = NULL, *above = NULL;
    grad_tensor dy = n->network.grad_output;

    for (size_t i = COUNT(chain); i-- > 0;) {
        grad_run *alone;
        const grad_layer_result *expected, *found = &grad_run_reply(whole)->layers[i];

        below = i > 0 ? run_beginning(n, i) : NULL;
        alone = run_alone(type, n->batch.layers[i],
                          i > 0 ? grad_run_reply(below)->predictions : n->network.input, dy);
        expected = &grad_run_reply(alone)->layers[0];
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (k != GRAD_GRAD_INPUT && grad_layer_result_tensor(expected, k)->data != NULL)
                assert_same(type, grad_layer_result_tensor(expected, k),
                            grad_layer_result_tensor(found, k));
        dy = expected->grad_input;
        grad_run_destroy(above);
        grad_run_destroy(below);
        above = alone;
    }
    assert_same(type, &dy, &grad_run_reply(whole)->grad_input);
    grad_run_destroy(above);
    grad_run_destroy(whole);
    network_free(n);
}

static void a_chain_is_its_layers_one_by_one(void **state)
{
    (void)state;
    check_chain(GRAD_FP32);
    check_chain(GRAD_FP64);
}

/* ---- Any order ------------------------------------------------------------------------------- */

static void run_shuffled(grad_run *run, random_state *random)
{
    for (size_t stage = 0; stage < grad_run_stage_count(run); stage++) {
        size_t count = grad_run_tile_count(run, stage);
        size_t *order = malloc(count * sizeof *order);

        assert_true(count > 0);
        assert_non_null(order);
        random_permutation(random, count, order);
        for (size_t i = 0; i < count; i++)
            grad_run_tile(run, stage, order[i]);
        free(order);
    }
    assert_int_equal(grad_run_finish(run, NULL), GRAD_OK);
}

static void the_order_of_tiles_does_not_matter(void **state)
{
    const network_recipe wide[] = {{GRAD_DENSE, 300, GRAD_RELU, 0.5, 0, false},
                                   {GRAD_BATCH_NORM, 0, GRAD_GELU, 0, 0, false},
                                   {GRAD_LAYER_NORM, 0, GRAD_PRELU, 0, GRAD_RESIDUAL_OF(0), false},
                                   {GRAD_DENSE, 200, GRAD_LOG_SOFTMAX, 0, 0, false}};
    random_state random = {8};
    network *n = network_of(6, GRAD_FP32, 400, 130, GRAD_NLL, COUNT(wide), wide);
    grad_run *in_order, *shuffled = NULL;
    grad_plan *plan;

    (void)state;
    n->batch.clip = (grad_clip){1e-4, 1e-3, 2e-3};
    n->batch.weight_decay = (grad_decay){1e-5, 1e-4};
    n->batch.statistics = true;
    in_order = network_run(n);
    assert_int_equal(grad_plan_create(&n->batch, NULL, &plan, NULL), GRAD_OK);
    assert_int_equal(grad_run_create(plan, &shuffled, NULL), GRAD_OK);
    run_shuffled(shuffled, &random);
    assert_same_replies(GRAD_FP32, grad_run_reply(in_order), grad_run_reply(shuffled));
    assert_true(grad_run_reply(in_order)->loss == grad_run_reply(shuffled)->loss);
    assert_true(grad_run_reply(in_order)->clipping.norm == grad_run_reply(shuffled)->clipping.norm);
    assert_true(grad_run_reply(in_order)->statistics.l2_norm ==
                grad_run_reply(shuffled)->statistics.l2_norm);
    grad_run_destroy(in_order);
    grad_run_destroy(shuffled);
    network_free(n);
}

/* ---- States ---------------------------------------------------------------------------------- */

/* z of that layer: y of the network that ends there, its last activation taken away. */
static grad_run *run_pre_activation(const network *n, size_t layer)
{
    static grad_layer layers[COUNT(plain)];
    network part = *n;

    memcpy(layers, n->batch.layers, sizeof layers);
    layers[layer].activation = grad_activation_default(GRAD_IDENTITY);
    layers[layer].slope = (grad_tensor){0};
    part.batch.layers = layers;
    part.batch.network = &part.network;
    part.batch.layer_count = layer + 1;
    part.batch.outputs = GRAD_OUTPUT_PREDICTIONS;
    part.network.loss = grad_loss_default(GRAD_MSE);
    part.network.loss.target = network_tensor((network *)(uintptr_t)n, 1, n->network.input.shape[0],
                                              n->batch.layers[layer].weight.shape[0], 1);
    return network_run(&part);
}

static void states_given_are_states_worked_out(void **state)
{
    network *n = network_of(9, GRAD_FP32, 13, 11, GRAD_CROSS_ENTROPY, COUNT(plain), plain);
    grad_run *computed = network_run(n), *given, *z[COUNT(plain)], *y[COUNT(plain)] = {NULL};

    (void)state;
    for (size_t i = 0; i < COUNT(plain); i++) {
        z[i] = run_pre_activation(n, i);
        y[i] = NULL;
    }
    for (size_t i = 0; i < COUNT(plain); i++) {
        n->batch.layers[i].pre_activation = grad_run_reply(z[i])->predictions;
        if (i > 0) {
            network part = *n;

            part.batch.network = &part.network;
            part.batch.layer_count = i;
            part.batch.outputs = GRAD_OUTPUT_PREDICTIONS;
            part.network.loss = grad_loss_default(GRAD_MSE);
            part.network.loss.target = grad_run_reply(z[i - 1])->predictions;
            y[i] = network_run(&part);
            n->batch.layers[i].input = grad_run_reply(y[i])->predictions;
        }
    }
    given = network_run(n);
    assert_same_replies(GRAD_FP32, grad_run_reply(computed), grad_run_reply(given));
    assert_true(grad_run_reply(computed)->loss == grad_run_reply(given)->loss);
    assert_true(grad_run_stage_count(given) < grad_run_stage_count(computed));
    for (size_t i = 0; i < COUNT(plain); i++) {
        grad_run_destroy(z[i]);
        grad_run_destroy(y[i]);
    }
    grad_run_destroy(given);
    grad_run_destroy(computed);
    network_free(n);
}

/* ---- Slopes ---------------------------------------------------------------------------------- */

static double loss_of(const network *n)
{
    network forward = *n;
    grad_run *run;
    double loss;

    forward.batch.network = &forward.network;
    forward.batch.outputs = GRAD_OUTPUT_PREDICTIONS;
    run = network_run(&forward);
    loss = grad_run_reply(run)->loss;
    grad_run_destroy(run);
    return loss;
}

/* The slope of the loss along a random direction of one tensor against the gradient's. */
static void check_slope(const network *n, const grad_tensor *tensor, const grad_tensor *gradient,
                        const char *what, size_t layer)
{
    const double h = 0x1p-14;
    random_state random = {layer + 17};
    size_t count = grad_tensor_count(tensor);
    double *values = tensor->data, *kept = malloc(count * sizeof *kept), expected = 0;
    double *direction = malloc(count * sizeof *direction), size = 0, slope;

    assert_non_null(kept);
    assert_non_null(direction);
    assert_int_equal(count, grad_tensor_count(gradient));
    for (size_t i = 0; i < count; i++) {
        kept[i] = values[i];
        direction[i] = random_signed(&random);
        expected += direction[i] * ((const double *)gradient->data)[i];
        size += fabs(direction[i] * ((const double *)gradient->data)[i]);
        values[i] = kept[i] + h * direction[i];
    }
    slope = loss_of(n);
    for (size_t i = 0; i < count; i++)
        values[i] = kept[i] - h * direction[i];
    slope = (slope - loss_of(n)) / (2 * h);
    memcpy(values, kept, count * sizeof *kept);
    /* truncation: h² = 4e-9 of the third derivatives; rounding: 1e-16 / h = 2e-12 */
    if (!(fabs(slope - expected) <= 1e-5 * size + 1e-9))
        fail_msg("%s of layer %zu: the loss rises by %.12g, the gradient says %.12g", what, layer,
                 slope, expected);
    free(direction);
    free(kept);
}

static void check_slopes(grad_loss_kind loss)
{
    network *n = varied_network(GRAD_FP64, loss);
    grad_run *run = network_run(n);
    const grad_reply *reply = grad_run_reply(run);

    for (size_t i = 0; i < COUNT(varied); i++) {
        const grad_layer *l = &n->batch.layers[i];
        const grad_tensor *tensors[GRAD_OUTPUT_COUNT] = {[GRAD_WEIGHT_DELTA] = &l->weight,
                                                         [GRAD_BIAS_DELTA] = &l->bias,
                                                         [GRAD_SLOPE_DELTA] = &l->slope,
                                                         [GRAD_GAIN_DELTA] = &l->gain,
                                                         [GRAD_SHIFT_DELTA] = &l->shift};

        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (tensors[k] != NULL && tensors[k]->data != NULL)
                check_slope(n, tensors[k], grad_layer_result_tensor(&reply->layers[i], k),
                            grad_output_name(k), i);
    }
    check_slope(n, &n->network.input, &reply->grad_input, "grad_input", 0);
    grad_run_destroy(run);
    network_free(n);
}

static void gradients_are_the_slopes_of_every_loss(void **state)
{
    (void)state;
    for (grad_loss_kind loss = GRAD_MSE; loss < GRAD_LOSS_COUNT; loss++)
        if (loss != GRAD_BINARY_CROSS_ENTROPY) /* of probabilities: see the fused ones */
            check_slopes(loss);
}

static void fused_losses_have_their_slopes(void **state)
{
    const struct {
        grad_activation_kind activation;
        grad_loss_kind loss;
    } pairs[] = {{GRAD_SIGMOID, GRAD_BINARY_CROSS_ENTROPY}, {GRAD_LOG_SOFTMAX, GRAD_NLL}};

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        network_recipe recipe[] = {{GRAD_DENSE, 6, GRAD_TANH, 0, 0, false},
                                   {GRAD_DENSE, 4, pairs[i].activation, 0, 0, false}};
        network *n = network_of(12, GRAD_FP64, 5, 3, pairs[i].loss, 2, recipe);
        grad_run *run = network_run(n);

        check_slope(n, &n->batch.layers[1].weight, &grad_run_reply(run)->layers[1].weight_delta,
                    "weight_delta", 1);
        check_slope(n, &n->network.input, &grad_run_reply(run)->grad_input, "grad_input", 0);
        grad_run_destroy(run);
        network_free(n);
    }
}

/* ---- What is asked for ----------------------------------------------------------------------- */

static void only_what_was_asked_for_is_there(void **state)
{
    network *n = varied_network(GRAD_FP32, GRAD_MSE);
    grad_run *run;
    const grad_reply *reply;

    (void)state;
    n->batch.outputs = GRAD_OUTPUT_GAIN_DELTA | GRAD_OUTPUT_PREDICTIONS;
    run = network_run(n);
    reply = grad_run_reply(run);
    assert_non_null(reply->predictions.data);
    assert_null(reply->grad_input.data);
    for (size_t i = 0; i < COUNT(varied); i++) {
        assert_null(reply->layers[i].weight_delta.data);
        assert_int_equal(reply->layers[i].gain_delta.data != NULL,
                         grad_layer_info_of(varied[i].kind)->map == GRAD_MAP_NORM);
    }
    grad_run_destroy(run);
    network_free(n);
}

static void a_network_may_be_one_vector(void **state)
{
    network *n = network_of(14, GRAD_FP32, 1, 11, GRAD_MSE, COUNT(plain), plain);
    grad_run *matrices = network_run(n), *vectors;

    (void)state;
    n->network.input = (grad_tensor){n->network.input.data, 1, {11}};
    n->network.loss.target = (grad_tensor){n->network.loss.target.data, 1, {7}};
    vectors = network_run(n);
    assert_same_replies(GRAD_FP32, grad_run_reply(matrices), grad_run_reply(vectors));
    assert_int_equal(grad_run_reply(vectors)->grad_input.rank, 1);
    grad_run_destroy(matrices);
    grad_run_destroy(vectors);
    network_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_its_layers_one_by_one),
        cmocka_unit_test(the_order_of_tiles_does_not_matter),
        cmocka_unit_test(states_given_are_states_worked_out),
        cmocka_unit_test(gradients_are_the_slopes_of_every_loss),
        cmocka_unit_test(fused_losses_have_their_slopes),
        cmocka_unit_test(only_what_was_asked_for_is_there),
        cmocka_unit_test(a_network_may_be_one_vector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
