/* How one array of a run is cut into tiles. The cut is a function of the shapes alone: not of the
 * threads, so that the bits of a result are the same on any machine's number of them. */
#ifndef GRAD_BATCH_TILES_H
#define GRAD_BATCH_TILES_H

#include "batch/check.h"
#include "kernels/dense.h"

typedef enum grad_part_kind {
    GRAD_PART_DELTA, /* δ, the only one of stage 0 */
    GRAD_PART_WEIGHT_DELTA,
    GRAD_PART_BIAS_DELTA,
    GRAD_PART_GRAD_INPUT
} grad_part_kind;

/* An array to be computed: a matrix cut into a grid of tiles, numbered row by row. */
typedef struct grad_part {
    grad_part_kind kind;
    size_t layer;
    size_t rows, cols;
    size_t tile_rows, tile_cols;
    size_t first_tile; /* its number within the stage */
} grad_part;

/* The part of that kind of a layer of those sizes; layer and first_tile are the caller's to set.
 * For an element-wise activation δ is one column of B N elements: rows need not stay whole. */
grad_part grad_part_cut(grad_part_kind kind, grad_layer_sizes sizes, grad_activation_kind f);

size_t grad_part_tile_count(const grad_part *part);

/* The block of the part that its tile number `tile` (from 0) covers. */
grad_block grad_part_block(const grad_part *part, size_t tile);

#endif
