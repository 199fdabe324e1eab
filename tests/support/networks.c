/* Random networks: each tensor has a block of its own, so that the sanitizers see a step beyond
 * it. */
#include "support/networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/norm_twins.h"
#include "support/random.h"

static void *keep(network *n, size_t bytes)
{
    void **blocks = realloc(n->blocks, (n->block_count + 1) * sizeof *blocks);
    void *block = malloc(bytes);

    if (blocks == NULL || block == NULL)
        abort();
    n->blocks = blocks;
    return n->blocks[n->block_count++] = block;
}

static void put(grad_datatype type, void *data, size_t i, double value)
{
    if (type == GRAD_FP64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}

grad_tensor network_tensor(network *n, uint64_t seed, size_t rows, size_t cols, double size)
{
    random_state random = {seed};
    size_t count = (rows == 0 ? 1 : rows) * cols;
    grad_tensor tensor = {keep(n, count * grad_datatype_size(n->batch.datatype)),
                          rows == 0 ? 1 : 2,
                          {rows == 0 ? cols : rows, cols}};

    for (size_t i = 0; i < count; i++)
        put(n->batch.datatype, tensor.data, i, size * random_signed(&random));
    return tensor;
}

/* Passes each number of a tensor through change. */
static grad_tensor changed(network *n, grad_tensor tensor, double (*change)(double))
{
    for (size_t i = 0; i < grad_tensor_count(&tensor); i++) {
        double value = n->batch.datatype == GRAD_FP64 ? ((double *)tensor.data)[i]
                                                      : (double)((float *)tensor.data)[i];

        put(n->batch.datatype, tensor.data, i, change(value));
    }
    return tensor;
}

static double around_one(double x)
{
    return 1 + x / 2;
}

static double sign(double x)
{
    return x < 0 ? -1 : 1;
}

static double share(double x)
{
    return (x + 1) / 2;
}

static double bit(double x)
{
    return x < 0 ? 0 : 1;
}

static void make_layer(network *n, uint64_t seed, size_t B, size_t K, const network_recipe *r,
                       grad_layer *layer)
{
    size_t N = r->kind == GRAD_DENSE ? r->N : K;

    *layer = (grad_layer){.kind = r->kind,
                          .activation = grad_activation_default(r->activation),
                          .epsilon = GRAD_DEFAULT_EPSILON,
                          .dropout_rate = r->dropout,
                          .residual = r->residual};
    if (r->kind == GRAD_DENSE) {
        layer->weight = network_tensor(n, seed + 1, N, K, 1 / sqrt((double)K));
        layer->bias = network_tensor(n, seed + 2, 0, N, 0.5);
    }
    if (grad_layer_info_of(r->kind)->map == GRAD_MAP_NORM)
        layer->gain = changed(n, network_tensor(n, seed + 3, 0, N, 1), around_one);
    if (r->kind == GRAD_GROUP_NORM)
        layer->groups = (double)norm_twin_groups(N);
    if (grad_layer_info_of(r->kind)->map == GRAD_MAP_NORM && r->kind != GRAD_RMS_NORM)
        layer->shift = network_tensor(n, seed + 4, 0, N, 0.5);
    if (r->inference) {
        layer->running_mean = network_tensor(n, seed + 5, 0, N, 0.5);
        layer->running_variance = changed(n, network_tensor(n, seed + 6, 0, N, 1), around_one);
    }
    if (r->activation == GRAD_PRELU)
        layer->slope = network_tensor(n, seed + 7, 0, seed % 2 == 0 ? N : 1, 0.5);
    if (r->dropout > 0)
        layer->dropout_mask = changed(n, network_tensor(n, seed + 8, B, N, 1), bit);
}

static void make_classes(network *n, size_t B, size_t N)
{
    grad_tensor classes = network_tensor(n, 3, 0, B, 1);

    for (size_t b = 0; b < B; b++)
        put(n->batch.datatype, classes.data, b, (double)((b * 7 + 3) % N));
    n->network.loss.target = classes;
}

static void make_loss(network *n, uint64_t seed, size_t B, size_t N, grad_loss_kind kind)
{
    grad_loss *loss = &n->network.loss;

    if (kind == GRAD_LOSS_ABSENT) {
        n->network.grad_output = network_tensor(n, seed, B, N, 1);
        return;
    }
    *loss = grad_loss_default(kind);
    loss->target = network_tensor(n, seed, B, N, 1);
    if (kind == GRAD_CROSS_ENTROPY || kind == GRAD_NLL)
        make_classes(n, B, N);
    else if (kind == GRAD_HINGE || kind == GRAD_SQUARED_HINGE)
        loss->target = changed(n, loss->target, sign);
    else if (kind == GRAD_FOCAL)
        loss->target = changed(n, loss->target, bit);
    else if (kind == GRAD_COSINE_EMBEDDING)
        loss->target = changed(n, network_tensor(n, seed, 0, B, 1), sign);
    else
        loss->target = changed(n, loss->target, share);
    if (kind == GRAD_GAUSSIAN_NLL)
        loss->variance = changed(n, network_tensor(n, seed + 1, B, N, 1), around_one);
    if (kind == GRAD_COSINE_EMBEDDING)
        loss->other = network_tensor(n, seed + 2, B, N, 1);
}

network *network_of(uint64_t seed, grad_datatype type, size_t B, size_t K, grad_loss_kind loss,
                    size_t count, const network_recipe *recipes)
{
    network *n = calloc(1, sizeof *n);
    grad_layer *layers;
    size_t width = K;

    if (n == NULL)
        abort();
    layers = keep(n, count * sizeof *layers);
    n->batch = (grad_batch){.datatype = type,
                            .scale = 1,
                            .layer_count = count,
                            .layers = layers,
                            .network = &n->network};
    n->network.input = network_tensor(n, seed, B, K, 1);
    for (size_t i = 0; i < count; i++) {
        make_layer(n, seed + 100 * (i + 1), B, width, &recipes[i], &layers[i]);
        width = recipes[i].kind == GRAD_DENSE ? recipes[i].N : width;
    }
    make_loss(n, seed + 50, B, width, loss);
    return n;
}

grad_run *network_run(const network *n)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_run *run = NULL;

    if (grad_plan_create(&n->batch, NULL, &plan, &error) != GRAD_OK ||
        grad_run_create(plan, &run, &error) != GRAD_OK || grad_run_all(run, &error) != GRAD_OK) {
        fprintf(stderr, "%s: %s\n", error.pointer, error.detail);
        abort();
    }
    return run;
}

void network_free(network *n)
{
    for (size_t i = 0; i < n->block_count; i++)
        free(n->blocks[i]);
    free(n->blocks);
    free(n);
}
