/* The slope of the activation prelu, which any kind of layer may have: one number, or one a
 * feature. */
#include "core/real.h"
#include "kernels/activations.h"
#include "model/kind.h"

static bool is_shared(const grad_layer *layer)
{
    return layer->slope.data == NULL || layer->slope.shape[0] == 1;
}

static grad_grid grid(const grad_layer_view *v)
{
    bool shared = is_shared(v->layer);

    if (v->per_sample)
        return grad_grid_rows(v->sizes.B, shared ? 1 : v->sizes.N);
    return shared ? grad_grid_whole() : grad_grid_columns(v->sizes.B, v->sizes.N);
}

/* Of some samples: all features where the slope is shared, else [begin, end). */
static void delta_of(const grad_layer_view *v, size_t row, size_t rows, size_t begin, size_t end,
                     void *out)
{
    size_t N = v->sizes.N;
    const void *z = grad_real_offset_const(v->type, v->z, row * N);
    const void *gy = grad_real_offset_const(v->type, v->gy, row * N);

    if (is_shared(v->layer))
        grad_prelu_shared_slope_delta(v->type, rows, N, z, gy, v->factor, out);
    else
        grad_prelu_slope_delta(v->type, rows, N, z, gy, v->factor, begin, end, out);
}

static void run(const grad_layer_view *v, grad_block block, void *out)
{
    grad_layer_sizes n = v->sizes;
    size_t stride = is_shared(v->layer) ? 1 : n.N;

    if (!v->per_sample) {
        delta_of(v, 0, n.B, block.col, block.col + block.cols, out);
        return;
    }
    for (size_t b = block.row; b < block.row + block.rows; b++)
        delta_of(v, b, 1, 0, n.N, grad_real_offset(v->type, out, b * stride));
}

const grad_operation grad_slope_operation = {grid, run, GRAD_COST_NOTHING};
