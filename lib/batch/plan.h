/* The sizes of a run, all of them known before anything is allocated. */
#ifndef GRAD_BATCH_PLAN_H
#define GRAD_BATCH_PLAN_H

#include "batch/tiles.h"

#define GRAD_PLAN_STAGES 2 /* δ of every layer, then the outputs */

/* A run's one block of memory. Offsets are bytes from its aligned start, and each a multiple of
 * GRAD_RUN_ALIGNMENT. From `numbers` on come the tensors: for each layer δ (where it has memory of
 * its own) and the outputs asked for, in the order of grad_layer_result. */
typedef struct grad_plan {
    size_t parts;    /* grad_part[layer_count + part_count[1]]: stage 0's, then stage 1's */
    size_t layers;   /* what run.c keeps of each layer */
    size_t results;  /* grad_layer_result[layer_count] */
    size_t verdicts; /* size_t[tile_count[1]] */
    size_t numbers;
    size_t total;
    size_t part_count[GRAD_PLAN_STAGES];
    size_t tile_count[GRAD_PLAN_STAGES];
    size_t result_numbers;
    double flops;
} grad_plan;

#define GRAD_RUN_ALIGNMENT ((size_t)64)

/* What run.c keeps of a layer. */
typedef struct grad_layer_state {
    grad_layer_sizes sizes;
    float *dz; /* δ [B,N] */
} grad_layer_state;

/* Whether δ of the layers has memory of its own in the run. */
bool grad_plan_owns_delta(const grad_batch *batch);

/* Bytes that a tensor of that many numbers takes in the block: rounded up to the alignment. The
 * caller knows that it does not overflow. */
size_t grad_plan_tensor_bytes(size_t count);

/* Sizes the run of a batch whose shapes have been checked. False where a size overflows. */
bool grad_plan_make(const grad_batch *batch, size_t header, grad_plan *plan);

#endif
