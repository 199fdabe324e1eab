/* How one array of a run is cut into tiles: small enough that two workers share one large layer
 * well, large enough (50 to 200 µs) that handing a tile out costs nothing beside it. */
#include "model/tiles.h"

#include <math.h>

#include "core/size.h"

/* Per tile, worth about 100 µs on the machines measured, 200 of a product: sgemm copies the factors
 * of each anew. */
#define PRODUCT_WORK ((size_t)8 << 20)    /* multiply-adds */
#define COSTLY_ELEMENTS ((size_t)24576)   /* of the dearest activations */
#define CHEAP_ELEMENTS ((size_t)1 << 17)  /* of sums over columns */
#define STREAM_ELEMENTS ((size_t)1 << 16) /* of what is clipped, scaled or counted */

/* A product's tile has an area between these: below, sgemm's copying of the factors shows; above,
 * a product of small depth is bound by memory, not by its multiply-adds. */
#define AREA_MIN ((size_t)128 * 128)
#define AREA_MAX ((size_t)1 << 17)

#define GRAIN 16 /* tiles begin on multiples of a cache line of floats */

/* The length of equal pieces of n, of at most `most` each (> 0), but for the rounding up to a
 * multiple of grain. Not 0, though there are no pieces of none. */
static size_t piece(size_t n, size_t most, size_t grain)
{
    size_t length;

    if (n == 0)
        return 1;
    length = grad_size_ceil_div(n, grad_size_ceil_div(n, most));
    return grad_size_min(n, grad_size_ceil_div(length, grain) * grain);
}

/* Tiles as square as the matrix allows: a square has the least of its factors to copy. */
grad_grid grad_grid_product(size_t rows, size_t cols, size_t depth)
{
    size_t area, side, tile_rows, tile_cols;

    if (rows == 0 || cols == 0)
        return (grad_grid){rows, cols, 1, 1};
    area = depth == 0 ? AREA_MAX : PRODUCT_WORK / depth; /* of no depth: zeros */
    area = area < AREA_MIN ? AREA_MIN : grad_size_min(area, AREA_MAX);
    side = (size_t)sqrt((double)area);
    tile_cols = grad_size_min(cols, side);
    tile_rows = grad_size_min(rows, area / tile_cols);
    tile_cols = grad_size_min(cols, area / tile_rows);
    return (grad_grid){rows, cols, piece(rows, tile_rows, GRAIN), piece(cols, tile_cols, GRAIN)};
}

grad_grid grad_grid_elements(size_t count)
{
    return (grad_grid){count, 1, piece(count, COSTLY_ELEMENTS, GRAIN), 1};
}

grad_grid grad_grid_rows(size_t rows, size_t cols)
{
    size_t most = COSTLY_ELEMENTS / grad_size_min(cols, COSTLY_ELEMENTS);

    return (grad_grid){rows, cols, piece(rows, most, 1), cols};
}

grad_grid grad_grid_columns(size_t B, size_t N)
{
    size_t most = B == 0 ? CHEAP_ELEMENTS : grad_size_ceil_div(CHEAP_ELEMENTS, B);

    return (grad_grid){1, N, 1, piece(N, most, GRAIN)};
}

grad_grid grad_grid_stream(size_t count)
{
    return (grad_grid){count, 1, piece(count, STREAM_ELEMENTS, GRAIN), 1};
}

grad_grid grad_grid_whole(void)
{
    return (grad_grid){1, 1, 1, 1};
}

static size_t tiles_across(const grad_grid *grid)
{
    return grad_size_ceil_div(grid->cols, grid->tile_cols);
}

size_t grad_grid_tile_count(const grad_grid *grid)
{
    return grad_size_ceil_div(grid->rows, grid->tile_rows) * tiles_across(grid);
}

grad_block grad_grid_block(const grad_grid *grid, size_t tile)
{
    size_t across = tiles_across(grid);
    grad_block block = {.row = tile / across * grid->tile_rows,
                        .col = tile % across * grid->tile_cols};

    block.rows = grad_size_min(grid->tile_rows, grid->rows - block.row);
    block.cols = grad_size_min(grid->tile_cols, grid->cols - block.col);
    return block;
}
