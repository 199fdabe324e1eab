/* Validation under a fuzzer: batches of any kinds of layers, options and tensors whose shapes agree
 * or do not, as a caller of the library could make them. What is refused says why; what is accepted
 * is computed. Every tensor has a block of its own, so that the sanitizers see each read beyond. */
#include "gradient_network.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS 4
#define BLOCKS 64
#define AXES 3
#define LONGEST 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as decisions; zeros behind its end. */
typedef struct choices {
    const uint8_t *data;
    size_t size;
    grad_datatype type;
    void *blocks[BLOCKS];
    size_t block_count;
} choices;

static unsigned choose(choices *c, unsigned bound)
{
    if (c->size == 0)
        return 0;
    c->size--;
    return *c->data++ % bound;
}

static double number(choices *c)
{
    static const double rare[] = {0, -0.0, 1, -1, 0.5, 3, 1e-30, 1e30};
    unsigned which = choose(c, 256);

    return which < 8 ? rare[which] : ((double)which - 128) / 32;
}

static void *numbers(choices *c, size_t count)
{
    size_t width = c->type == GRAD_FP64 ? sizeof(double) : sizeof(float);
    void *block = malloc(count == 0 ? 1 : count * width);

    if (block == NULL || c->block_count == BLOCKS)
        abort();
    c->blocks[c->block_count++] = block;
    for (size_t i = 0; i < count; i++) {
        double value = number(c);

        if (c->type == GRAD_FP64)
            memcpy((double *)block + i, &value, sizeof value);
        else
            ((float *)block)[i] = (float)value;
    }
    return block;
}

/* Absent one time in three; else of the sizes given, or now and then of any others. */
static void make_tensor(choices *c, grad_tensor *tensor, size_t rank, const size_t *sizes)
{
    size_t count = 1;

    *tensor = (grad_tensor){0};
    if (choose(c, 3) == 0 || c->block_count == BLOCKS)
        return;
    tensor->rank = choose(c, 12) == 11 ? choose(c, AXES + 1) : rank;
    for (size_t i = 0; i < tensor->rank; i++) {
        tensor->shape[i] = choose(c, 24) == 23 || i >= rank ? choose(c, LONGEST) : sizes[i];
        count *= tensor->shape[i];
    }
    tensor->data = numbers(c, count);
}

static void make_layer(choices *c, grad_layer *layer, size_t B, size_t K, size_t N)
{
    const size_t BK[] = {B, K}, BN[] = {B, N}, NK[] = {N, K}, n[] = {N}, one[] = {1};
    const grad_layer_info *info;

    *layer = (grad_layer){.kind = (grad_layer_kind)choose(c, GRAD_LAYER_KIND_COUNT)};
    layer->activation =
        grad_activation_default((grad_activation_kind)choose(c, GRAD_ACTIVATION_COUNT));
    info = grad_layer_info_of(layer->kind);
    if (info->map != GRAD_MAP_PRODUCT)
        N = K;
    if (choose(c, 4) == 3)
        layer->activation.parameters[0] = number(c);
    make_tensor(c, &layer->input, 2, BK);
    make_tensor(c, &layer->pre_activation, 2, BN);
    make_tensor(c, &layer->grad_output, 2, BN);
    make_tensor(c, &layer->weight, 2, NK);
    make_tensor(c, &layer->bias, 1, n);
    make_tensor(c, &layer->slope, 1, choose(c, 2) ? n : one);
    make_tensor(c, &layer->gain, 1, n);
    make_tensor(c, &layer->shift, 1, n);
    make_tensor(c, &layer->running_mean, 1, n);
    make_tensor(c, &layer->running_variance, 1, n);
    make_tensor(c, &layer->dropout_mask, 2, BN);
    layer->groups = choose(c, 4);
    layer->epsilon = number(c);
    layer->dropout_rate = number(c) / 4;
    layer->residual = choose(c, 4) == 3 ? choose(c, LAYERS + 1) : layer->residual;
}

static void make_loss(choices *c, grad_loss *loss, grad_tensor *start, size_t B, size_t N)
{
    const size_t BN[] = {B, N}, n[] = {N}, b[] = {B};

    grad_loss_kind kind = (grad_loss_kind)choose(c, GRAD_LOSS_COUNT);

    if (kind == GRAD_LOSS_ABSENT) {
        make_tensor(c, start, 2, BN);
        return;
    }
    *loss = grad_loss_default(kind);
    loss->reduction = (grad_loss_reduction)choose(c, GRAD_LOSS_REDUCTION_COUNT);
    make_tensor(c, &loss->target, choose(c, 4) == 3 ? 1 : 2, BN);
    make_tensor(c, &loss->sample_weight, 1, b);
    make_tensor(c, &loss->class_weight, 1, n);
    make_tensor(c, &loss->pos_weight, 1, n);
    make_tensor(c, &loss->variance, 2, BN);
    make_tensor(c, &loss->other, 2, BN);
    if (choose(c, 4) == 3)
        loss->parameters[0] = number(c);
}

static void make_options(choices *c, grad_batch *batch)
{
    batch->scale = choose(c, 4) == 3 ? number(c) : 1;
    batch->reduction = (grad_reduction)choose(c, 3);
    batch->non_finite = (grad_non_finite)choose(c, 2);
    batch->outputs = choose(c, 2) ? choose(c, 256) & (2 * GRAD_OUTPUT_PREDICTIONS - 1) : 0;
    batch->statistics = choose(c, 2) != 0;
    batch->no_notes = choose(c, 2) != 0;
    batch->continue_on_error = choose(c, 4) == 3;
    if (choose(c, 4) == 3)
        batch->clip = (grad_clip){number(c), number(c), number(c)};
    if (choose(c, 4) == 3)
        batch->weight_decay = (grad_decay){number(c), number(c)};
}

static void expect_reason(grad_status status, const grad_error *error)
{
    if (status == GRAD_OK || (error->code[0] != '\0' && error->detail[0] != '\0'))
        return;
    fprintf(stderr, "an error without a reason\n");
    abort();
}

static void compute(const grad_batch *batch)
{
    const grad_limits limits = {
        .size = sizeof limits, .max_layers = LAYERS, .max_result_numbers = 4096};
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan = NULL;
    grad_run *run = NULL;
    grad_status status = grad_plan_create(batch, &limits, &plan, &error);

    if (status == GRAD_OK)
        status = grad_run_create(plan, &run, &error);
    if (status == GRAD_OK)
        status = grad_run_all(run, &error);
    expect_reason(status, &error);
    if (status == GRAD_OK && grad_run_reply(run)->layer_count != batch->layer_count)
        abort();
    grad_run_destroy(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    choices c = {.data = data, .size = size};
    grad_layer layers[LAYERS];
    grad_network network = {0};
    grad_batch batch = {.layers = layers};
    size_t B, K;

    c.type = choose(&c, 2) ? GRAD_FP64 : GRAD_FP32;
    B = choose(&c, LONGEST);
    K = 1 + choose(&c, LONGEST - 1);
    batch.datatype = c.type;
    batch.layer_count = choose(&c, LAYERS + 1);
    make_options(&c, &batch);
    if (choose(&c, 2)) {
        const size_t BK[] = {B, K};

        batch.network = &network;
        make_tensor(&c, &network.input, 2, BK);
    }
    for (size_t i = 0; i < batch.layer_count; i++) {
        size_t N = 1 + choose(&c, LONGEST - 1);

        make_layer(&c, &layers[i], B, K, N);
        K = grad_layer_info_of(layers[i].kind)->map == GRAD_MAP_PRODUCT ? N : K;
    }
    if (batch.network != NULL)
        make_loss(&c, &network.loss, &network.grad_output, B, K);
    compute(&batch);
    for (size_t i = 0; i < c.block_count; i++)
        free(c.blocks[i]);
    return 0;
}
