/* Batches of random layers for tests. */
#ifndef TESTS_SUPPORT_LAYERS_H
#define TESTS_SUPPORT_LAYERS_H

#include "gradient.h"

typedef struct layer_recipe {
    size_t B, K, N;
    grad_activation_kind kind; /* with its default parameters */
    bool has_weight;
} layer_recipe;

/* A batch with default options whose tensors are filled from the seed; all of it in memory of its
 * own, which batch_free returns. Stops the test where there is no memory. */
grad_batch *batch_of(uint64_t seed, size_t count, const layer_recipe *recipes);

void batch_free(grad_batch *batch);

#endif
