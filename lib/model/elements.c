/* The layer that is its activation alone: z = x. */
#include <string.h>

#include "core/real.h"
#include "model/kind.h"

static grad_grid grad_input_grid(const grad_layer_view *v)
{
    return grad_grid_rows(v->sizes.B, v->sizes.N);
}

static void grad_input(const grad_layer_view *v, grad_block block, void *dx)
{
    size_t first = block.row * v->sizes.N;

    memcpy(grad_real_offset(v->type, dx, first), grad_real_offset_const(v->type, v->dz, first),
           block.rows * v->sizes.N * grad_datatype_size(v->type));
}

const grad_kind grad_kind_activation = {
    .info = {.kind = GRAD_ELEMENTS,
             .name = "activation",
             .formula = "x",
             .map = GRAD_MAP_IDENTITY,
             .synonyms = GRAD_NO_SYNONYMS},
    .grad_input = {grad_input_grid, grad_input, GRAD_COST_NOTHING},
};
