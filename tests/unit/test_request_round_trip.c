/* Requests written and read again: generated batches of every kind of layer, loss and option come
 * back as the same batch, to the bit, in either datatype; and the text of a whole one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/real.h"
#include "support/random.h"
#include "support/wire_oracle.h"

enum { BATCHES = 400, LAYERS = 6, B = 3, N = 4 };

/* ---- Generating ------------------------------------------------------------------------------ */

/* A batch and all it points to. */
typedef struct generated {
    random_state random;
    double numbers[1 << 13]; /* of either datatype */
    size_t used;             /* of them */
    char names[LAYERS][40];
    grad_layer layers[LAYERS];
    grad_network network;
    grad_batch batch;
} generated;

static bool flip(generated *g)
{
    return random_below(&g->random, 2) == 0;
}

static double number(generated *g)
{
    static const double odd[] = {0, -0.0, 1, 1e-30, -3.5e37, 12345678};

    if (random_below(&g->random, 8) == 0)
        return odd[random_below(&g->random, sizeof odd / sizeof *odd)];
    return flip(g) ? random_signed(&g->random) : random_signed(&g->random) * 1000;
}

/* A vector [cols], or a matrix [rows,cols] where rows isn't 0. */
static grad_tensor tensor(generated *g, size_t rows, size_t cols)
{
    grad_tensor t = {&g->numbers[g->used], rows > 0 ? 2 : 1, {rows > 0 ? rows : cols}};
    size_t count = (rows > 0 ? rows : 1) * cols;

    if (rows > 0)
        t.shape[1] = cols;
    assert_true(g->used + count <= sizeof g->numbers / sizeof *g->numbers);
    g->used += count;
    for (size_t i = 0; i < count; i++)
        grad_real_put(g->batch.datatype, t.data, i, number(g));
    return t;
}

static void maybe(generated *g, grad_tensor *t, size_t rows, size_t cols)
{
    if (flip(g))
        *t = tensor(g, rows, cols);
}

static void make_activation(generated *g, grad_layer *layer)
{
    const grad_activation_info *info;

    layer->activation = grad_activation_default(
        (grad_activation_kind)random_below(&g->random, GRAD_ACTIVATION_COUNT));
    info = grad_activation_info_of(layer->activation.kind);
    if (info->kind == GRAD_PRELU && flip(g)) {
        layer->slope = tensor(g, 0, flip(g) ? 1 : N);
        return;
    }
    for (size_t i = 0; i < info->parameter_count; i++)
        if (flip(g))
            layer->activation.parameters[i] = number(g);
}

static void make_norm(generated *g, grad_layer *layer)
{
    maybe(g, &layer->gain, 0, N);
    if (layer->kind != GRAD_RMS_NORM)
        maybe(g, &layer->shift, 0, N);
    if (flip(g))
        layer->epsilon = 1e-3;
    if (layer->kind == GRAD_GROUP_NORM)
        layer->groups = 2;
    if (layer->kind == GRAD_BATCH_NORM && flip(g)) {
        layer->running_mean = tensor(g, 0, N);
        layer->running_variance = tensor(g, 0, N);
    }
}

static void make_layer(generated *g, size_t index)
{
    grad_layer *layer = &g->layers[index];

    layer->kind = (grad_layer_kind)random_below(&g->random, GRAD_LAYER_KIND_COUNT);
    layer->epsilon = GRAD_DEFAULT_EPSILON;
    snprintf(g->names[index], sizeof g->names[index], "l\"%zu \xC3\xA9", index);
    if (flip(g))
        layer->name = g->names[index];
    make_activation(g, layer);
    maybe(g, &layer->input, B, N);
    maybe(g, &layer->pre_activation, B, N);
    if (g->batch.network == NULL)
        maybe(g, &layer->grad_output, B, N);
    if (layer->kind == GRAD_DENSE) {
        maybe(g, &layer->weight, N, N);
        maybe(g, &layer->bias, 0, N);
    }
    if (grad_layer_info_of(layer->kind)->map == GRAD_MAP_NORM)
        make_norm(g, layer);
    if (flip(g)) {
        layer->dropout_mask = tensor(g, B, N);
        layer->dropout_rate = random_signed(&g->random);
    }
    if (g->batch.network != NULL && flip(g)) {
        size_t from = random_below(&g->random, index + 1);

        layer->residual = from == index || g->layers[from].name == NULL ? GRAD_RESIDUAL_INPUT
                                                                        : GRAD_RESIDUAL_OF(from);
    }
}

static void make_loss(generated *g, grad_loss *loss)
{
    const grad_loss_info *info;

    *loss = grad_loss_default((grad_loss_kind)(1 + random_below(&g->random, GRAD_LOSS_COUNT - 1)));
    info = grad_loss_info_of(loss->kind);
    loss->reduction = (grad_loss_reduction)random_below(&g->random, 3);
    loss->target = flip(g) ? tensor(g, B, N) : tensor(g, 0, B);
    maybe(g, &loss->sample_weight, 0, B);
    if ((info->tensors & GRAD_LOSS_CLASS_WEIGHT) != 0)
        maybe(g, &loss->class_weight, 0, N);
    if ((info->tensors & GRAD_LOSS_POS_WEIGHT) != 0)
        maybe(g, &loss->pos_weight, 0, N);
    if ((info->tensors & GRAD_LOSS_VARIANCE) != 0)
        maybe(g, &loss->variance, B, 1);
    if ((info->tensors & GRAD_LOSS_OTHER) != 0)
        maybe(g, &loss->other, B, N);
    for (size_t i = 0; i < info->parameter_count; i++)
        loss->parameters[i] = info->parameters[i].domain == GRAD_FLAG      ? (flip(g) ? 1 : 0)
                              : info->parameters[i].domain == GRAD_INTEGER ? 7 - (double)flip(g)
                              : flip(g)                                    ? number(g)
                                        : info->parameters[i].default_value;
}

static void make_options(generated *g)
{
    grad_batch *batch = &g->batch;

    batch->id = flip(g) ? "step \\ 417" : NULL;
    batch->reduction = (grad_reduction)random_below(&g->random, 3);
    batch->scale = flip(g) ? 1 : number(g);
    batch->outputs = flip(g) ? 0 : (unsigned)random_below(&g->random, 1 << GRAD_OUTPUT_COUNT);
    batch->non_finite = flip(g) ? GRAD_REJECT_NON_FINITE : GRAD_ALLOW_NON_FINITE;
    batch->statistics = flip(g);
    batch->continue_on_error = flip(g);
    batch->no_notes = flip(g);
    if (flip(g)) {
        batch->clip.value = flip(g) ? 0.1 : 0;
        batch->clip.layer_norm = flip(g) ? 2 : 0;
        batch->clip.global_norm = flip(g) ? 1e10 : 0;
    }
    if (flip(g)) {
        batch->weight_decay.l1 = flip(g) ? 1e-4 : 0;
        batch->weight_decay.l2 = flip(g) ? 0.3 : 0;
    }
}

static generated *make(uint64_t seed, wire_form form)
{
    generated *g = calloc(1, sizeof *g);

    assert_non_null(g);
    g->random = (random_state){seed};
    g->batch = (grad_batch){.datatype = form.datatype,
                            .layer_count = 1 + random_below(&g->random, LAYERS),
                            .layers = g->layers};
    make_options(g);
    if (flip(g)) {
        g->batch.encoding = GRAD_ENCODING_BASE64;
        g->batch.encoding_datatype = flip(g) ? GRAD_WIRE_FP16 : GRAD_WIRE_COMPUTED;
    }
    if (form.kind == WIRE_BACKPROP) {
        g->batch.network = &g->network;
        if (g->batch.outputs != 0 && flip(g))
            g->batch.outputs |= GRAD_OUTPUT_PREDICTIONS;
        maybe(g, &g->network.input, B, N);
        if (flip(g))
            make_loss(g, &g->network.loss);
        else
            g->network.grad_output = tensor(g, B, N);
    }
    for (size_t i = 0; i < g->batch.layer_count; i++)
        make_layer(g, i);
    return g;
}

/* ---- There and back -------------------------------------------------------------------------- */

static grad_text write(const grad_batch *batch)
{
    grad_encoder *encoder = NULL;
    grad_text text;
    grad_error error = GRAD_ERROR_INIT;

    grad_text_init(&text, SIZE_MAX);
    if (grad_encode_request(batch, &encoder, &error) != GRAD_OK)
        fail_msg("%s at %s", error.detail, error.pointer);
    assert_int_equal(grad_encoder_run_all(encoder, NULL), GRAD_OK);
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++)
        grad_text_add(&text, grad_encoder_segments(encoder)[i].text,
                      grad_encoder_segments(encoder)[i].length);
    grad_encoder_destroy(encoder);
    return text;
}

static void there_and_back(uint64_t seed, wire_form form)
{
    generated *g = make(seed, form);
    grad_text text = write(&g->batch);
    wire_outcome back = wire_decode_as(form, text.data, text.length, 0, NULL);
    const char *wrong =
        back.status == GRAD_OK ? wire_batches_differ(&g->batch, back.batch) : back.error.detail;

    if (wrong != NULL)
        fail_msg("seed %d: %s\n%s", (int)seed, wrong, text.data);
    grad_decoder_destroy(back.decoder);
    grad_text_free(&text);
    free(g);
}

static void test_there_and_back(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= BATCHES; seed++)
        for (size_t i = 0; i < WIRE_FORMS; i++)
            if (wire_forms[i].kind != WIRE_CHECK)
                there_and_back(seed, wire_forms[i]);
    for (uint64_t seed = 1; seed <= BATCHES; seed++)
        there_and_back(seed, (wire_form){WIRE_GRADIENTS, GRAD_FP64});
}

static void test_text(void **unused)
{
    double x[4] = {1, 0.1, -3, 1e-20};
    grad_layer layers[3] = {
        {.name = "fc",
         .activation = {GRAD_PRELU, {0.25}},
         .slope = {x, 1, {2}},
         .weight = {x, 2, {2, 2}},
         .epsilon = 7},
        {.kind = GRAD_BATCH_NORM, .gain = {x, 1, {1}}, .epsilon = GRAD_DEFAULT_EPSILON},
        {.kind = GRAD_ELEMENTS,
         .activation = {GRAD_ELU, {1}},
         .dropout_mask = {x, 1, {1}},
         .dropout_rate = 0.5,
         .residual = GRAD_RESIDUAL_OF(0)}};
    grad_network network = {.input = {x, 1, {2}}, .loss = grad_loss_default(GRAD_KL_DIV)};
    grad_batch batch = {.datatype = GRAD_FP64,
                        .reduction = GRAD_PER_SAMPLE,
                        .scale = 1,
                        .outputs = GRAD_OUTPUT_GAIN_DELTA | GRAD_OUTPUT_PREDICTIONS,
                        .statistics = true,
                        .continue_on_error = true,
                        .clip = {.layer_norm = 2},
                        .weight_decay = {.l2 = 0.1},
                        .layer_count = 3,
                        .layers = layers,
                        .network = &network};
    grad_text text;

    (void)unused;
    network.loss.target = (grad_tensor){x, 1, {1}};
    network.loss.parameters[0] = 1;
    network.loss.reduction = GRAD_LOSS_SUM;
    text = write(&batch);
    assert_string_equal(
        text.data,
        "{\"reduction\":\"none\",\"outputs\":[\"gain_delta\",\"predictions\"],\"on_error\":"
        "\"continue\",\"statistics\":true,\"clip\":{\"layer_norm\":2},\"weight_decay\":{\"l2\":0.1}"
        ","
        "\"input\":[1,0.1],\"layers\":[{\"name\":\"fc\",\"activation\":{\"name\":\"prelu\","
        "\"slope\":"
        "[1,0.1]},\"weight\":[[1,0.1],[-3,1e-20]]},{\"type\":\"batch_norm\",\"gain\":[1]},{"
        "\"type\":"
        "\"activation\",\"activation\":\"elu\",\"dropout\":{\"mask\":[1],\"rate\":0.5},"
        "\"residual\":"
        "\"fc\"}],\"loss\":{\"name\":\"kl_div\",\"target\":[1],\"reduction\":\"sum\",\"log_"
        "target\":"
        "true}}\n");
    grad_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
