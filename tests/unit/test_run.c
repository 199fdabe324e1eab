/* Tests of a run: every output against naive sums, for layers of many shapes; the same bits in any
 * order of the tiles and on several threads; options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gradient.h"
#include "support/between.h"
#include "support/layers.h"
#include "support/random.h"
#include "support/tolerances.h"
#include "support/twins.h"

/* Ones, primes, every activation, sizes around sgemm's and the tiles' borders. */
static const layer_recipe mixed[] = {
    {1, 1, 1, GRAD_IDENTITY, true},     {1, 37, 53, GRAD_RELU, true},
    {7, 1, 11, GRAD_LEAKY_RELU, true},  {13, 17, 1, GRAD_ELU, true},
    {16, 16, 16, GRAD_SIGMOID, true},   {17, 31, 19, GRAD_TANH, true},
    {64, 64, 10, GRAD_SOFTMAX, true},   {61, 200, 101, GRAD_SOFTPLUS, true},
    {3, 700, 500, GRAD_SILU, true},     {300, 5, 7, GRAD_GELU, true},
    {2, 1, 1009, GRAD_GELU_TANH, true}, {1, 1, 1, GRAD_SOFTMAX, true},
    {2, 3, 1500, GRAD_SOFTMAX, false},  {700, 3, 40, GRAD_RELU, false},
};
#define MIXED_COUNT (sizeof mixed / sizeof *mixed)

/* Large enough for several tiles of each part. */
static const layer_recipe large[] = {{64, 512, 256, GRAD_RELU, true},
                                     {200, 300, 400, GRAD_SOFTMAX, true},
                                     {5000, 3, 300, GRAD_IDENTITY, false},
                                     {1, 700, 600, GRAD_SIGMOID, true}};

static grad_run *create(const grad_batch *batch)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_run *run = NULL;

    if (grad_plan_create(batch, NULL, &plan, &error) != GRAD_OK ||
        grad_run_create(plan, &run, &error) != GRAD_OK)
        fail_msg("%s", error.detail);
    return run;
}

static grad_run *compute(const grad_batch *batch)
{
    grad_run *run = create(batch);

    assert_int_equal(grad_run_all(run, NULL), GRAD_OK);
    return run;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void check(const char *what, size_t layer, size_t index, double found, double expected,
                  double bound)
{
    if (!(fabs(found - expected) <= bound + FLT_TRUE_MIN))
        fail_msg("layer %zu, %s[%zu]: found %.9g, expected %.17g within %.3g", layer, what, index,
                 found, expected, bound);
}

/* δ of float32 arithmetic: relative to itself, and near a zero of f' to ∂L/∂y. */
static double delta_bound(double magnitude, double gradients)
{
    return TOLERANCE_ACTIVATION * magnitude + (double)TOLERANCE_NEAR_ZERO * gradients;
}

static void check_layer(size_t i, const grad_layer *layer, const grad_layer_result *result,
                        double factor)
{
    const float one = 1, *x = layer->input.data, *W = layer->weight.data;
    const float *db = result->bias_delta.data, *dW = result->weight_delta.data;
    const float *dx = result->grad_input.data;
    size_t B = layer->input.shape[0], K = layer->input.shape[1];
    size_t N = layer->pre_activation.shape[1];
    double *dz = calloc(B * N, sizeof *dz), *dy = calloc(B * N, sizeof *dy);
    double size = fabs(factor), m, g;

    assert_non_null(dz);
    assert_non_null(dy);
    twin_delta(layer, B, N, dz);
    for (size_t e = 0; e < B * N; e++)
        dy[e] = ((const float *)layer->grad_output.data)[e];
    for (size_t n = 0; n < N; n++) {
        double sum = factor * twin_dot(B, dz + n, N, &one, 0, &m);

        twin_dot(B, dy + n, N, &one, 0, &g);
        check("bias_delta", i, n, db[n], sum, size * (TOLERANCE_SUM * m + delta_bound(m, g)));
        for (size_t k = 0; k < K; k++) {
            sum = factor * twin_dot(B, dz + n, N, x + k, K, &m);
            twin_dot(B, dy + n, N, x + k, K, &g);
            check("weight_delta", i, n * K + k, dW[n * K + k], sum,
                  size * (TOLERANCE_PRODUCT(B) * m + delta_bound(m, g)));
        }
    }
    for (size_t e = 0; W != NULL && e < B * K; e++) {
        double sum = twin_dot(N, dz + e / K * N, 1, W + e % K, K, &m);

        twin_dot(N, dy + e / K * N, 1, W + e % K, K, &g);
        check("grad_input", i, e, dx[e], sum, TOLERANCE_PRODUCT(N) * m + delta_bound(m, g));
    }
    free(dy);
    free(dz);
}

static void check_shapes(const grad_layer *layer, const grad_layer_result *result)
{
    size_t B = layer->input.shape[0], K = layer->input.shape[1];
    size_t N = layer->pre_activation.shape[1];
    const grad_tensor *dW = &result->weight_delta, *dx = &result->grad_input;

    assert_true(dW->rank == 2 && dW->shape[0] == N && dW->shape[1] == K);
    assert_true(result->bias_delta.rank == 1 && result->bias_delta.shape[0] == N);
    if (layer->weight.data == NULL)
        assert_null(dx->data);
    else
        assert_true(dx->rank == 2 && dx->shape[0] == B && dx->shape[1] == K);
}

static void outputs_are_right(void **state)
{
    grad_batch *batch = batch_of(51, MIXED_COUNT, mixed);

    (void)state;
    for (int option = 0; option < 4; option++) {
        grad_run *run;

        batch->reduction = option & 1 ? GRAD_MEAN : GRAD_SUM;
        batch->scale = option & 2 ? -0.01 : 1;
        batch->layers[3].name = "fc";
        run = compute(batch);
        assert_string_equal(grad_run_reply(run)->layers[3].name, "fc");
        for (size_t i = 0; i < MIXED_COUNT; i++) {
            double B = (double)mixed[i].B;

            check_shapes(&batch->layers[i], &grad_run_reply(run)->layers[i]);
            check_layer(i, &batch->layers[i], &grad_run_reply(run)->layers[i],
                        batch->scale / (option & 1 ? B : 1));
        }
        grad_run_destroy(run);
    }
    batch_free(batch);
}

static void one_sample_may_be_vectors(void **state)
{
    const layer_recipe recipe = {1, 37, 53, GRAD_TANH, true};
    grad_batch *batch = batch_of(52, 1, &recipe);
    grad_layer *layer = &batch->layers[0];
    grad_run *matrices = compute(batch), *vectors;
    const grad_layer_result *a = grad_run_reply(matrices)->layers, *b;

    (void)state;
    layer->input = (grad_tensor){layer->input.data, 1, {37}};
    layer->pre_activation = (grad_tensor){layer->pre_activation.data, 1, {53}};
    layer->grad_output = (grad_tensor){layer->grad_output.data, 1, {53}};
    vectors = compute(batch);
    b = grad_run_reply(vectors)->layers;
    assert_int_equal(b->grad_input.rank, 1);
    assert_int_equal(b->grad_input.shape[0], 37);
    assert_int_equal(b->weight_delta.rank, 2);
    assert_memory_equal(a->grad_input.data, b->grad_input.data, 37 * sizeof(float));
    assert_memory_equal(a->weight_delta.data, b->weight_delta.data, 37 * 53 * sizeof(float));
    grad_run_destroy(matrices);
    grad_run_destroy(vectors);
    batch_free(batch);
}

static void only_what_was_asked_for_is_there(void **state)
{
    grad_batch *batch = batch_of(53, 2, large);

    (void)state;
    for (unsigned outputs = 1; outputs < 8; outputs++) {
        const grad_layer_result *result;
        grad_run *run;

        batch->outputs = outputs;
        run = compute(batch);
        result = &grad_run_reply(run)->layers[1];
        assert_int_equal(result->weight_delta.data != NULL, outputs & GRAD_OUTPUT_WEIGHT_DELTA);
        assert_int_equal(result->bias_delta.data != NULL, (outputs & GRAD_OUTPUT_BIAS_DELTA) != 0);
        assert_int_equal(result->grad_input.data != NULL, (outputs & GRAD_OUTPUT_GRAD_INPUT) != 0);
        grad_run_destroy(run);
    }
    batch_free(batch);
}

/* ---- The same bits --------------------------------------------------------------------------- */

static void assert_same_tensor(const grad_tensor *a, const grad_tensor *b)
{
    assert_int_equal(grad_tensor_count(a), grad_tensor_count(b));
    if (a->data != NULL)
        assert_memory_equal(a->data, b->data, grad_tensor_count(a) * sizeof(float));
}

static void assert_same_bits(const grad_run *a, const grad_run *b, size_t layer_count)
{
    for (size_t i = 0; i < layer_count; i++) {
        const grad_layer_result *left = &grad_run_reply(a)->layers[i],
                                *right = &grad_run_reply(b)->layers[i];

        assert_same_tensor(&left->weight_delta, &right->weight_delta);
        assert_same_tensor(&left->bias_delta, &right->bias_delta);
        assert_same_tensor(&left->grad_input, &right->grad_input);
    }
}

static void run_shuffled(grad_run *run, random_state *random)
{
    for (size_t stage = 0; stage < grad_run_stage_count(run); stage++) {
        size_t count = grad_run_tile_count(run, stage);
        size_t *order = malloc(count * sizeof *order);

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
    random_state random = {54};
    grad_batch *batch = batch_of(54, 4, large);
    grad_run *in_order = compute(batch), *shuffled = create(batch);

    (void)state;
    assert_true(grad_run_tile_count(shuffled, 0) > 4);
    assert_true(grad_run_tile_count(shuffled, 1) > 11);
    run_shuffled(shuffled, &random);
    assert_same_bits(in_order, shuffled, 4);
    grad_run_destroy(in_order);
    grad_run_destroy(shuffled);
    batch_free(batch);
}

#define THREADS 3

typedef struct worker {
    grad_run *run;
    size_t stage, first;
} worker;

static void *run_every_third_tile(void *argument)
{
    const worker *w = argument;

    for (size_t tile = w->first; tile < grad_run_tile_count(w->run, w->stage); tile += THREADS)
        grad_run_tile(w->run, w->stage, tile);
    return NULL;
}

static void run_on_threads(grad_run *run)
{
    for (size_t stage = 0; stage < grad_run_stage_count(run); stage++) {
        pthread_t threads[THREADS];
        worker workers[THREADS];

        for (size_t i = 0; i < THREADS; i++) {
            workers[i] = (worker){run, stage, i};
            assert_int_equal(pthread_create(&threads[i], NULL, run_every_third_tile, &workers[i]),
                             0);
        }
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    assert_int_equal(grad_run_finish(run, NULL), GRAD_OK);
}

static void the_number_of_threads_does_not_matter(void **state)
{
    grad_batch *batch = batch_of(55, 4, large);
    grad_run *alone = compute(batch);

    (void)state;
    for (int round = 0; round < 5; round++) {
        grad_run *together = create(batch);

        run_on_threads(together);
        assert_same_bits(alone, together, 4);
        grad_run_destroy(together);
    }
    grad_run_destroy(alone);
    batch_free(batch);
}

static void overwriting_grad_output_changes_no_bit_and_saves_memory(void **state)
{
    const size_t deltas = 64 * 256 + 200 * 400;
    grad_batch *batch = batch_of(56, 2, large);
    grad_measure kept, overwritten;
    grad_run *apart = compute(batch), *over;

    (void)state;
    assert_int_equal(grad_batch_measure(batch, NULL, &kept, NULL), GRAD_OK);
    batch->overwrite_grad_output = true;
    assert_int_equal(grad_batch_measure(batch, NULL, &overwritten, NULL), GRAD_OK);
    assert_int_equal(kept.memory - overwritten.memory, deltas * sizeof(float));
    assert_between(overwritten.memory, overwritten.result_numbers * sizeof(float),
                   overwritten.result_numbers * sizeof(float) + 4096);
    over = compute(batch);
    assert_same_bits(apart, over, 2);
    grad_run_destroy(apart);
    grad_run_destroy(over);
    batch_free(batch);
}

static void inputs_are_left_alone(void **state)
{
    grad_batch *batch = batch_of(57, MIXED_COUNT, mixed), *twin = batch_of(57, MIXED_COUNT, mixed);
    grad_run *run = compute(batch);

    (void)state;
    for (size_t i = 0; i < MIXED_COUNT; i++) {
        const grad_layer *a = &batch->layers[i], *b = &twin->layers[i];

        assert_same_tensor(&a->input, &b->input);
        assert_same_tensor(&a->pre_activation, &b->pre_activation);
        assert_same_tensor(&a->grad_output, &b->grad_output);
        assert_same_tensor(&a->weight, &b->weight);
    }
    grad_run_destroy(run);
    batch_free(batch);
    batch_free(twin);
}

static void nothing_can_be_destroyed(void **state)
{
    (void)state;
    grad_run_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_right),
        cmocka_unit_test(one_sample_may_be_vectors),
        cmocka_unit_test(only_what_was_asked_for_is_there),
        cmocka_unit_test(the_order_of_tiles_does_not_matter),
        cmocka_unit_test(the_number_of_threads_does_not_matter),
        cmocka_unit_test(overwriting_grad_output_changes_no_bit_and_saves_memory),
        cmocka_unit_test(inputs_are_left_alone),
        cmocka_unit_test(nothing_can_be_destroyed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
