/* How one array of a run is cut into tiles. The cut is a function of the shapes alone: not of the
 * threads, so that the bits of a result are the same on any machine's number of them. */
#ifndef GRAD_MODEL_TILES_H
#define GRAD_MODEL_TILES_H

#include <stdbool.h>

#include "kernels/dense.h"

/* A matrix cut into a grid of tiles, numbered row by row. */
typedef struct grad_grid {
    size_t rows, cols;
    size_t tile_rows, tile_cols;
} grad_grid;

/* A product's result of that depth. */
grad_grid grad_grid_product(size_t rows, size_t cols, size_t depth);

/* Elements of an activation or a loss, as one column; rows need not stay whole. */
grad_grid grad_grid_elements(size_t count);

/* The same in whole rows. */
grad_grid grad_grid_rows(size_t rows, size_t cols);

/* One row of N sums over B samples each. */
grad_grid grad_grid_columns(size_t B, size_t N);

/* Elements of cheap work, bound by memory. */
grad_grid grad_grid_stream(size_t count);

/* One tile for all. */
grad_grid grad_grid_whole(void);

size_t grad_grid_tile_count(const grad_grid *grid);

/* The block that tile number `tile` (from 0) covers. */
grad_block grad_grid_block(const grad_grid *grid, size_t tile);

#endif
