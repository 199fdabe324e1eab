/* A neighbour of the request: the same layers and network, whose numbers are a little off. How far
 * off which ones are, and what its gradient is for, is told in neighbours.c; how a network of it is
 * worked out, in chain.c. Internal to differences/. */
#ifndef GRAD_DIFFERENCES_NEIGHBOUR_H
#define GRAD_DIFFERENCES_NEIGHBOUR_H

#include "differences/state.h"

typedef struct grad_neighbour {
    const grad_check *check;
    size_t number; /* below GRAD_NEIGHBOURS */
    grad_batch batch;
    grad_network network;
    grad_layer *layers;
    void **blocks; /* the tensors' memory */
    size_t block_count;
    uint64_t state; /* of the random numbers */
} grad_neighbour;

/* Zeros of the batch's datatype for a tensor whose shape is filled in; they live as long as the
 * neighbour. (neighbours.c) */
grad_status grad_neighbour_take(grad_neighbour *n, grad_tensor *tensor, grad_error *error);

/* Moves numbers that layers hand on by as much as rounding might have. (neighbours.c) */
void grad_neighbour_round(grad_neighbour *n, grad_tensor *tensor);

/* Fills in the spreads and the norm of a variable. (neighbours.c) */
void grad_neighbour_measure(const grad_neighbour *n, size_t variable, const grad_tensor *gradient);

/* Works out the neighbour's network, layer by layer, and measures all variables. (chain.c) */
grad_status grad_neighbour_chain(grad_neighbour *n, grad_error *error);

#endif
