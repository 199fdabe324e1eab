/* Batches of random layers for tests. Each tensor has a block of its own, so that the sanitizers
 * see a step beyond it. */
#include "support/layers.h"

#include <stdlib.h>

#include "support/random.h"

static grad_tensor random_matrix(random_state *random, size_t rows, size_t cols, float size)
{
    grad_tensor tensor = {malloc(rows * cols * sizeof(float)), 2, {rows, cols}};

    if (tensor.data == NULL)
        abort();
    random_fill(random, rows * cols, size, tensor.data);
    return tensor;
}

grad_batch *batch_of(uint64_t seed, size_t count, const layer_recipe *recipes)
{
    random_state random = {seed};
    grad_batch *batch = calloc(1, sizeof *batch);
    grad_layer *layers = calloc(count, sizeof *layers);

    if (batch == NULL || layers == NULL)
        abort();
    *batch = (grad_batch){.scale = 1, .layer_count = count, .layers = layers};
    for (size_t i = 0; i < count; i++) {
        const layer_recipe *r = &recipes[i];

        layers[i].activation = grad_activation_default(r->kind);
        layers[i].input = random_matrix(&random, r->B, r->K, 1);
        layers[i].pre_activation = random_matrix(&random, r->B, r->N, 3);
        layers[i].grad_output = random_matrix(&random, r->B, r->N, 1);
        if (r->has_weight)
            layers[i].weight = random_matrix(&random, r->N, r->K, 1);
    }
    return batch;
}

void batch_free(grad_batch *batch)
{
    for (size_t i = 0; i < batch->layer_count; i++) {
        free(batch->layers[i].input.data);
        free(batch->layers[i].pre_activation.data);
        free(batch->layers[i].grad_output.data);
        free(batch->layers[i].weight.data);
    }
    free(batch->layers);
    free(batch);
}
