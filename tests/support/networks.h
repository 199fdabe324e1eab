/* Random networks for tests, of any kind of layer and either datatype. All memory is the network's
 * own; network_free returns it. */
#ifndef TESTS_SUPPORT_NETWORKS_H
#define TESTS_SUPPORT_NETWORKS_H

#include "gradient_network.h"

typedef struct network_recipe {
    grad_layer_kind kind;
    size_t N; /* outputs; for all but dense layers that of the layer before */
    grad_activation_kind activation;
    double dropout;  /* rate of a random mask; 0: none */
    size_t residual; /* GRAD_RESIDUAL_* */
    bool inference;  /* batch_norm's form */
} network_recipe;

typedef struct network {
    grad_batch batch;
    grad_network network;
    void **blocks; /* every tensor's memory */
    size_t block_count;
} network;

/* A network of that datatype on B samples of K numbers, with default options and the loss; its
 * target fits the loss's kind. */
network *network_of(uint64_t seed, grad_datatype type, size_t B, size_t K, grad_loss_kind loss,
                    size_t count, const network_recipe *recipes);

/* A tensor of random numbers within [-size, size), owned by the network. rows 0: a vector. */
grad_tensor network_tensor(network *n, uint64_t seed, size_t rows, size_t cols, double size);

/* Measures, runs and returns the run; stops the test on an error. */
grad_run *network_run(const network *n);

void network_free(network *n);

#endif
