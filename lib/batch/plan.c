/* The sizes of a run: walks the layers and adds up, without a byte of memory. How the tiles are cut
 * is tiles.c's, what is done in them run.c's. */
#include "batch/plan.h"

#include "core/size.h"

bool grad_plan_owns_delta(const grad_batch *batch)
{
    return !batch->overwrite_grad_output;
}

static bool add_aligned(size_t count, size_t size, size_t *total)
{
    return grad_size_add_product(count, size, total) && grad_size_align(GRAD_RUN_ALIGNMENT, total);
}

size_t grad_plan_tensor_bytes(size_t count)
{
    size_t bytes = 0;

    add_aligned(count, sizeof(float), &bytes);
    return bytes;
}

/* Adds one array of a layer to the counts of its stage; its memory to *bytes where it has any. */
static bool add_part(grad_plan *plan, grad_part_kind kind, const grad_layer *layer, bool has_memory,
                     size_t *bytes)
{
    size_t stage = kind == GRAD_PART_DELTA ? 0 : 1;
    grad_part part = grad_part_cut(kind, grad_layer_sizes_of(layer), layer->activation.kind);
    size_t count;

    if (!grad_size_mul(part.rows, part.cols, &count))
        return false;
    if (stage == 1 && !grad_size_add(plan->result_numbers, count, &plan->result_numbers))
        return false;
    plan->part_count[stage]++;
    return grad_size_add(plan->tile_count[stage], grad_part_tile_count(&part),
                         &plan->tile_count[stage]) &&
           (!has_memory || add_aligned(count, sizeof(float), bytes));
}

static bool add_layer(grad_plan *plan, const grad_batch *batch, const grad_layer *layer,
                      size_t *bytes)
{
    grad_layer_sizes s = grad_layer_sizes_of(layer);
    unsigned outputs = grad_layer_outputs(batch, layer);
    double product = 2.0 * (double)s.B * (double)s.K * (double)s.N;
    size_t count;

    if (!grad_size_mul(s.B, s.N, &count) || /* which the cut of δ takes as given */
        !add_part(plan, GRAD_PART_DELTA, layer, grad_plan_owns_delta(batch), bytes))
        return false;
    if ((outputs & GRAD_OUTPUT_WEIGHT_DELTA) != 0) {
        plan->flops += product;
        if (!add_part(plan, GRAD_PART_WEIGHT_DELTA, layer, true, bytes))
            return false;
    }
    if ((outputs & GRAD_OUTPUT_BIAS_DELTA) != 0 &&
        !add_part(plan, GRAD_PART_BIAS_DELTA, layer, true, bytes))
        return false;
    if ((outputs & GRAD_OUTPUT_GRAD_INPUT) != 0) {
        plan->flops += product;
        return add_part(plan, GRAD_PART_GRAD_INPUT, layer, true, bytes);
    }
    return true;
}

/* Places the arrays of the block one behind the other. */
static bool place(grad_plan *plan, size_t layer_count, size_t header, size_t number_bytes)
{
    size_t part_count, end = 0;

    if (!add_aligned(1, header, &end))
        return false;
    plan->parts = end;
    if (!grad_size_add(plan->part_count[0], plan->part_count[1], &part_count) ||
        !add_aligned(part_count, sizeof(grad_part), &end))
        return false;
    plan->layers = end;
    if (!add_aligned(layer_count, sizeof(grad_layer_state), &end))
        return false;
    plan->results = end;
    if (!add_aligned(layer_count, sizeof(grad_layer_result), &end))
        return false;
    plan->verdicts = end;
    if (!add_aligned(plan->tile_count[1], sizeof(size_t), &end))
        return false;
    plan->numbers = end;
    return grad_size_add(end, number_bytes, &plan->total);
}

bool grad_plan_make(const grad_batch *batch, size_t header, grad_plan *plan)
{
    size_t number_bytes = 0;

    *plan = (grad_plan){0};
    for (size_t i = 0; i < batch->layer_count; i++)
        if (!add_layer(plan, batch, &batch->layers[i], &number_bytes))
            return false;
    return place(plan, batch->layer_count, header, number_bytes);
}
