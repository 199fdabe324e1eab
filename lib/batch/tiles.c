/* How one array of a run is cut into tiles: small enough that two workers share one large layer
 * well, large enough (50 to 200 µs) that handing a tile out costs nothing beside it. */
#include "batch/tiles.h"

#include <math.h>

#include "core/size.h"
#include "kernels/activations.h"

/* Per tile, worth about 100 µs on the machines measured. */
#define PRODUCT_WORK ((size_t)4 << 20) /* multiply-adds */
#define DELTA_ELEMENTS ((size_t)24576) /* of the dearest activations */
#define BIAS_ELEMENTS ((size_t)1 << 17)

/* A product's tile has an area between these: below, sgemm's copying of the factors shows; above,
 * a product of small depth is bound by memory, not by its multiply-adds. */
#define AREA_MIN ((size_t)96 * 96)
#define AREA_MAX ((size_t)1 << 17)

#define GRAIN 16 /* tiles begin on multiples of a cache line of floats */

/* The length of equal pieces of n, of at most `most` each (> 0), but for the rounding up to a
 * multiple of grain. */
static size_t piece(size_t n, size_t most, size_t grain)
{
    size_t length = grad_size_ceil_div(n, grad_size_ceil_div(n, most));

    return grad_size_min(n, grad_size_ceil_div(length, grain) * grain);
}

/* Tiles as square as the matrix allows: a square has the least of its factors to copy. */
static void cut_product(grad_part *part, size_t depth)
{
    size_t area = PRODUCT_WORK / depth;
    size_t side, rows, cols;

    area = area < AREA_MIN ? AREA_MIN : grad_size_min(area, AREA_MAX);
    side = (size_t)sqrt((double)area);
    cols = grad_size_min(part->cols, side);
    rows = grad_size_min(part->rows, area / cols);
    cols = grad_size_min(part->cols, area / rows);
    part->tile_rows = piece(part->rows, rows, GRAIN);
    part->tile_cols = piece(part->cols, cols, GRAIN);
}

static void cut_delta(grad_part *part, grad_layer_sizes s, grad_activation_kind f)
{
    bool whole_rows = grad_activation_couples_features(f);

    part->rows = whole_rows ? s.B : s.B * s.N;
    part->cols = whole_rows ? s.N : 1;
    part->tile_rows = piece(part->rows, DELTA_ELEMENTS / grad_size_min(part->cols, DELTA_ELEMENTS),
                            whole_rows ? 1 : GRAIN);
    part->tile_cols = part->cols;
}

static void cut_bias(grad_part *part, grad_layer_sizes s)
{
    part->rows = 1;
    part->cols = s.N;
    part->tile_rows = 1;
    part->tile_cols = piece(s.N, grad_size_ceil_div(BIAS_ELEMENTS, s.B), GRAIN);
}

grad_part grad_part_cut(grad_part_kind kind, grad_layer_sizes sizes, grad_activation_kind f)
{
    grad_part part = {.kind = kind};

    switch (kind) {
    case GRAD_PART_DELTA:
        cut_delta(&part, sizes, f);
        break;
    case GRAD_PART_WEIGHT_DELTA:
        part.rows = sizes.N;
        part.cols = sizes.K;
        cut_product(&part, sizes.B);
        break;
    case GRAD_PART_BIAS_DELTA:
        cut_bias(&part, sizes);
        break;
    case GRAD_PART_GRAD_INPUT:
        part.rows = sizes.B;
        part.cols = sizes.K;
        cut_product(&part, sizes.N);
        break;
    }
    return part;
}

static size_t tiles_across(const grad_part *part)
{
    return grad_size_ceil_div(part->cols, part->tile_cols);
}

size_t grad_part_tile_count(const grad_part *part)
{
    return grad_size_ceil_div(part->rows, part->tile_rows) * tiles_across(part);
}

grad_block grad_part_block(const grad_part *part, size_t tile)
{
    size_t across = tiles_across(part);
    grad_block block = {.row = tile / across * part->tile_rows,
                        .col = tile % across * part->tile_cols};

    block.rows = grad_size_min(part->tile_rows, part->rows - block.row);
    block.cols = grad_size_min(part->tile_cols, part->cols - block.col);
    return block;
}
