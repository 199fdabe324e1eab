/* Tests of what is done to finished deltas, against plain loops in double over the plain answer:
 * per-sample deltas, clipping, decay, scale and their order, statistics, errors layer by layer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradient.h"
#include "support/layers.h"
#include "support/tolerances.h"

#define LAYERS 3
static const layer_recipe recipes[LAYERS] = {
    {6, 11, 9, GRAD_RELU, true}, {40, 300, 500, GRAD_TANH, true}, {5, 3, 4, GRAD_SOFTMAX, true}};

/* A rounding of float32 or two beside what double does. */
#define CLOSE (2.5 * UNIT)

static grad_run *compute(const grad_batch *batch)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_run *run = NULL;

    if (grad_plan_create(batch, NULL, &plan, &error) != GRAD_OK ||
        grad_run_create(plan, &run, &error) != GRAD_OK || grad_run_all(run, &error) != GRAD_OK)
        fail_msg("%s", error.detail);
    return run;
}

static const grad_tensor *tensor_of(const grad_run *run, size_t layer, grad_output_kind kind)
{
    return grad_layer_result_tensor(&grad_run_reply(run)->layers[layer], kind);
}

static void assert_close(double found, double expected, double size)
{
    if (!(fabs(found - expected) <= CLOSE * size + FLT_TRUE_MIN))
        fail_msg("found %.9g, expected %.12g", found, expected);
}

/* ---- Samples --------------------------------------------------------------------------------- */

static void check_sum_of_samples(const grad_tensor *sum, const grad_tensor *samples, size_t B)
{
    size_t count = grad_tensor_count(sum);
    const float *whole = sum->data, *parts = samples->data;

    assert_int_equal(grad_tensor_count(samples), B * count);
    assert_int_equal(samples->rank, sum->rank + 1);
    assert_int_equal(samples->shape[0], B);
    for (size_t i = 0; i < count; i++) {
        double added = 0, size = 0;

        for (size_t b = 0; b < B; b++) {
            added += parts[b * count + i];
            size += fabs((double)parts[b * count + i]);
        }
        if (!(fabs(whole[i] - added) <= TOLERANCE_PRODUCT(B) * size + FLT_TRUE_MIN))
            fail_msg("element %zu: the sum is %g, the samples' %g", i, whole[i], added);
    }
}

static void deltas_of_samples_add_up(void **state)
{
    grad_batch *batch = batch_of(70, LAYERS, recipes);
    grad_run *sum, *samples;

    (void)state;
    batch->scale = -0.5;
    sum = compute(batch);
    batch->reduction = GRAD_PER_SAMPLE;
    samples = compute(batch);
    for (size_t i = 0; i < LAYERS; i++) {
        size_t B = recipes[i].B;
        const grad_tensor *dx = tensor_of(sum, i, GRAD_GRAD_INPUT);

        check_sum_of_samples(tensor_of(sum, i, GRAD_WEIGHT_DELTA),
                             tensor_of(samples, i, GRAD_WEIGHT_DELTA), B);
        check_sum_of_samples(tensor_of(sum, i, GRAD_BIAS_DELTA),
                             tensor_of(samples, i, GRAD_BIAS_DELTA), B);
        assert_memory_equal(dx->data, tensor_of(samples, i, GRAD_GRAD_INPUT)->data,
                            grad_tensor_count(dx) * sizeof(float));
    }
    grad_run_destroy(sum);
    grad_run_destroy(samples);
    batch_free(batch);
}

/* ---- Clipping, decay, scale ------------------------------------------------------------------ */

static const grad_output_kind deltas[] = {GRAD_WEIGHT_DELTA, GRAD_BIAS_DELTA};
#define DELTAS 2

static double clamp(double x, double limit)
{
    return limit <= 0 ? x : fmin(fmax(x, -limit), limit);
}

/* The norm of a layer's plain deltas, each held within value. */
static double plain_norm(const grad_run *plain, size_t layer, double value, size_t *clipped)
{
    double squares = 0;

    *clipped = 0;
    for (size_t k = 0; k < DELTAS; k++) {
        const grad_tensor *tensor = tensor_of(plain, layer, deltas[k]);
        const float *x = tensor->data;

        for (size_t i = 0; i < grad_tensor_count(tensor); i++) {
            squares += clamp(x[i], value) * clamp(x[i], value);
            *clipped += clamp(x[i], value) != x[i];
        }
    }
    return sqrt(squares);
}

static double factor_of(double max, double norm)
{
    return max <= 0 ? 1 : fmin(1, max / (norm + 1e-6));
}

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

static void check_layer(const grad_batch *batch, const grad_run *plain, const grad_run *finished,
                        size_t layer, double factor)
{
    const grad_tensor *dx = tensor_of(plain, layer, GRAD_GRAD_INPUT);

    assert_memory_equal(dx->data, tensor_of(finished, layer, GRAD_GRAD_INPUT)->data,
                        grad_tensor_count(dx) * sizeof(float));
    for (size_t k = 0; k < DELTAS; k++) {
        const grad_tensor *tensor = tensor_of(plain, layer, deltas[k]);
        const float *x = tensor->data, *found = tensor_of(finished, layer, deltas[k])->data;
        const float *W = batch->layers[layer].weight.data;

        for (size_t i = 0; i < grad_tensor_count(tensor); i++) {
            double clipped = factor * clamp(x[i], (float)batch->clip.value), decay = 0;

            if (deltas[k] == GRAD_WEIGHT_DELTA)
                decay = batch->weight_decay.l1 * sign(W[i]) + batch->weight_decay.l2 * W[i];
            assert_close(found[i], batch->scale * (clipped + decay),
                         fabs(batch->scale) * (fabs(clipped) + fabs(decay)));
        }
    }
}

static void check_finishing(grad_clip clip, grad_decay decay, double scale)
{
    grad_batch *batch = batch_of(71, LAYERS, recipes);
    grad_run *plain = compute(batch), *finished;
    double norms[LAYERS], factors[LAYERS], global = 0, factor;
    size_t all_clipped = 0;
    bool clips = clip.value > 0 || clip.layer_norm > 0 || clip.global_norm > 0;

    batch->clip = clip;
    batch->weight_decay = decay;
    batch->scale = scale;
    finished = compute(batch);
    for (size_t i = 0; i < LAYERS; i++) {
        const grad_layer_result *result = &grad_run_reply(finished)->layers[i];
        size_t clipped;

        norms[i] = plain_norm(plain, i, (float)clip.value, &clipped);
        factors[i] = factor_of(clip.layer_norm, norms[i]);
        global = hypot(global, norms[i] * factors[i]);
        all_clipped += clipped;
        assert_int_equal(result->has_clipping, clips);
        if (!clips)
            continue;
        assert_int_equal(result->clipping.clipped_values, clipped);
        assert_close(result->clipping.norm, norms[i], norms[i]);
        assert_close(result->clipping.factor, factors[i], factors[i]);
    }
    factor = factor_of(clip.global_norm, global);
    for (size_t i = 0; i < LAYERS; i++)
        check_layer(batch, plain, finished, i, factors[i] * factor);
    assert_int_equal(grad_run_reply(finished)->has_clipping, clips);
    if (clips) {
        assert_int_equal(grad_run_reply(finished)->clipping.clipped_values, all_clipped);
        assert_close(grad_run_reply(finished)->clipping.norm, global, global);
        assert_close(grad_run_reply(finished)->clipping.factor, factor, factor);
    }
    grad_run_destroy(plain);
    grad_run_destroy(finished);
    batch_free(batch);
}

static void deltas_are_finished_in_order(void **state)
{
    const struct {
        grad_clip clip;
        grad_decay decay;
        double scale;
    } cases[] = {{{0.5, 0, 0}, {0, 0}, 1},      {{0, 3, 0}, {0, 0}, 1},
                 {{0, 0, 4}, {0, 0}, -0.25},    {{0, 1e9, 1e9}, {0, 0}, 2},
                 {{0, 0, 0}, {0.125, 0}, 1},    {{0, 0, 0}, {0, 0.25}, -0.5},
                 {{0.5, 3, 4}, {0.1, 0.2}, -2}, {{0.25, 0, 1}, {0, 0.5}, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_finishing(cases[i].clip, cases[i].decay, cases[i].scale);
}

static void options_without_a_meaning_are_refused(void **state)
{
    const struct {
        grad_clip clip;
        grad_decay decay;
        grad_reduction reduction;
        const char *code, *pointer;
    } cases[] = {{{-1, 0, 0}, {0, 0}, GRAD_SUM, "bad_parameter", "/clip/value"},
                 {{0, NAN, 0}, {0, 0}, GRAD_SUM, "bad_parameter", "/clip/layer_norm"},
                 {{0, 0, INFINITY}, {0, 0}, GRAD_SUM, "bad_parameter", "/clip/global_norm"},
                 {{0, 0, 0}, {-1, 0}, GRAD_SUM, "bad_parameter", "/weight_decay/l1"},
                 {{0, 1, 0}, {0, 0}, GRAD_PER_SAMPLE, "unsupported_value", "/clip/layer_norm"},
                 {{0, 0, 1}, {0, 0}, GRAD_PER_SAMPLE, "unsupported_value", "/clip/global_norm"},
                 {{0, 0, 0}, {0, 1}, GRAD_PER_SAMPLE, "unsupported_value", "/weight_decay/l2"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        grad_batch *batch = batch_of(72, LAYERS, recipes);
        grad_error error = GRAD_ERROR_INIT;
        grad_measure measure;

        batch->clip = cases[i].clip;
        batch->weight_decay = cases[i].decay;
        batch->reduction = cases[i].reduction;
        assert_int_equal(grad_batch_measure(batch, NULL, &measure, &error), GRAD_INVALID);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(error.pointer, cases[i].pointer);
        batch_free(batch);
    }
}

/* ---- Statistics ------------------------------------------------------------------------------ */

static grad_statistics plain_statistics(const grad_tensor *tensor)
{
    grad_statistics s = {0};
    const float *x = tensor->data;

    for (size_t i = 0; i < grad_tensor_count(tensor); i++) {
        s.l2_norm += (double)x[i] * x[i];
        s.max_abs = fmax(s.max_abs, fabs((double)x[i]));
        s.non_finite += isfinite(x[i]) ? 0 : 1;
    }
    s.l2_norm = sqrt(s.l2_norm);
    return s;
}

static double share_of_zeros(const grad_layer *layer)
{
    const float *z = layer->pre_activation.data;
    size_t zeros = 0, count = grad_tensor_count(&layer->pre_activation);

    for (size_t i = 0; i < count; i++)
        zeros += z[i] <= 0;
    return (double)zeros / (double)count;
}

static void statistics_are_those_of_the_answer(void **state)
{
    grad_batch *batch = batch_of(73, LAYERS, recipes);
    double squares = 0, zeros;
    grad_run *run;

    (void)state;
    batch->statistics = true;
    batch->clip.layer_norm = 2;
    batch->scale = -3;
    run = compute(batch);
    for (size_t i = 0; i < LAYERS; i++) {
        const grad_layer_result *result = &grad_run_reply(run)->layers[i];

        assert_true(result->has_statistics);
        for (grad_output_kind k = GRAD_WEIGHT_DELTA; k <= GRAD_GRAD_INPUT; k++) {
            grad_statistics expected = plain_statistics(tensor_of(run, i, k));

            squares += expected.l2_norm * expected.l2_norm;
            assert_close(result->statistics[k].l2_norm, expected.l2_norm, expected.l2_norm);
            assert_true(result->statistics[k].max_abs == expected.max_abs);
            assert_int_equal(result->statistics[k].non_finite, 0);
        }
    }
    zeros = share_of_zeros(&batch->layers[0]);
    assert_true(zeros > 0.2 && zeros < 0.8);
    assert_true(grad_run_reply(run)->layers[0].zero_derivative == zeros);
    assert_true(grad_run_reply(run)->layers[1].zero_derivative == 0);
    assert_true(grad_run_reply(run)->layers[2].zero_derivative < 0);
    assert_close(grad_run_reply(run)->statistics.l2_norm, sqrt(squares), sqrt(squares));
    assert_close(grad_run_reply(run)->zero_derivative, zeros * 54 / (54 + 40 * 500), 1);
    grad_run_destroy(run);
    batch_free(batch);
}

static void non_finite_numbers_are_counted(void **state)
{
    grad_batch *batch = batch_of(74, 1, recipes);
    grad_run *run;

    (void)state;
    batch->statistics = true;
    batch->non_finite = GRAD_ALLOW_NON_FINITE;
    ((float *)batch->layers[0].pre_activation.data)[4] = 1;
    ((float *)batch->layers[0].grad_output.data)[4] = INFINITY;
    run = compute(batch);
    assert_int_equal(grad_run_reply(run)->layers[0].statistics[GRAD_BIAS_DELTA].non_finite, 1);
    assert_int_equal(grad_run_reply(run)->layers[0].statistics[GRAD_WEIGHT_DELTA].non_finite, 11);
    assert_int_equal(grad_run_reply(run)->layers[0].statistics[GRAD_GRAD_INPUT].non_finite, 11);
    assert_int_equal(grad_run_reply(run)->statistics.non_finite, 23);
    grad_run_destroy(run);
    batch_free(batch);
}

/* ---- Errors layer by layer ------------------------------------------------------------------- */

static void a_bad_layer_leaves_the_others_right(void **state)
{
    static const layer_recipe five[] = {{4, 3, 5, GRAD_RELU, true},
                                        {4, 3, 5, GRAD_RELU, true},
                                        {4, 3, 5, GRAD_IDENTITY, true},
                                        {4, 3, 5, GRAD_RELU, true},
                                        {4, 3, 5, GRAD_TANH, true}};
    static const char *const codes[] = {"shape_mismatch", "non_finite", "non_finite", "unread",
                                        NULL};
    grad_error unread = {GRAD_INVALID, "unread", "/layers/3/input", "", 7, "", 0};
    grad_batch *batch = batch_of(75, 5, five), *twin = batch_of(75, 5, five);
    grad_run *run, *expected = compute(twin);
    grad_layer kept = batch->layers[3];

    (void)state;
    batch->continue_on_error = true;
    batch->layers[0].grad_output.shape[1] = 4;
    ((float *)batch->layers[1].input.data)[2] = NAN;
    ((float *)batch->layers[2].input.data)[0] = 1e30f;
    ((float *)batch->layers[2].grad_output.data)[0] = 1e30f;
    batch->layers[3] = (grad_layer){.error = &unread};
    run = compute(batch);
    for (size_t i = 0; i < 5; i++) {
        const grad_layer_result *result = &grad_run_reply(run)->layers[i];

        assert_int_equal(result->error != NULL, codes[i] != NULL);
        if (codes[i] == NULL)
            continue;
        assert_string_equal(result->error->code, codes[i]);
        assert_null(result->weight_delta.data);
        assert_null(result->grad_input.data);
    }
    assert_memory_equal(tensor_of(run, 4, GRAD_WEIGHT_DELTA)->data,
                        tensor_of(expected, 4, GRAD_WEIGHT_DELTA)->data, 15 * sizeof(float));
    grad_run_destroy(run);
    grad_run_destroy(expected);
    batch->layers[3] = kept;
    batch_free(batch);
    batch_free(twin);
}

static void all_layers_may_fail(void **state)
{
    grad_batch *batch = batch_of(76, 2, recipes);
    grad_run *run;

    (void)state;
    batch->continue_on_error = true;
    batch->layers[0].input.shape[0] = 3;
    batch->layers[1].input.shape[0] = 3;
    run = compute(batch);
    assert_non_null(grad_run_reply(run)->layers[0].error);
    assert_non_null(grad_run_reply(run)->layers[1].error);
    grad_run_destroy(run);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deltas_of_samples_add_up),
        cmocka_unit_test(deltas_are_finished_in_order),
        cmocka_unit_test(options_without_a_meaning_are_refused),
        cmocka_unit_test(statistics_are_those_of_the_answer),
        cmocka_unit_test(non_finite_numbers_are_counted),
        cmocka_unit_test(a_bad_layer_leaves_the_others_right),
        cmocka_unit_test(all_layers_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
