/* A run: measured, laid out in one block of memory, computed tile by tile, judged at the end. How
 * the work is cut is tiles.c's, how large the block is plan.c's; the arithmetic is in kernels/. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "batch/check.h"
#include "batch/plan.h"
#include "core/error.h"
#include "core/size.h"
#include "kernels/finite.h"

/* Opens the aligned block that plan describes. */
struct grad_run {
    void *allocation; /* what free() takes: malloc aligns to less than a cache line */
    const grad_batch *batch;
    grad_plan plan;
    grad_part *parts[GRAD_PLAN_STAGES];
    grad_layer_state *layers;
    grad_layer_result *results;
    grad_reply reply;
    size_t *verdicts; /* of each tile of stage 1: the first bad element in the output, or FINITE */
};

#define FINITE SIZE_MAX

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* The whole allocation, with room to align its start. */
static bool plan_run(const grad_batch *batch, grad_plan *plan, size_t *memory)
{
    return grad_plan_make(batch, sizeof(grad_run), plan) &&
           grad_size_add(plan->total, GRAD_RUN_ALIGNMENT - 1, memory);
}

grad_status grad_batch_measure(const grad_batch *batch, const grad_limits *limits,
                               grad_measure *measure, grad_error *error)
{
    size_t cap = limits == NULL ? 0 : limits->max_result_numbers;
    grad_plan plan;
    size_t memory;
    grad_status status;

    status = grad_check_shapes(batch, limits == NULL ? 0 : limits->max_layers, error);
    if (status != GRAD_OK)
        return status;
    if (!plan_run(batch, &plan, &memory))
        return grad_fail(error, GRAD_TOO_LARGE, "size_overflow", "/layers",
                         "expected results that fit in memory, found a size beyond its addresses");
    if (cap != 0 && plan.result_numbers > cap)
        return grad_fail_limit(error, "max_result_numbers", cap, "/layers",
                               "expected at most %zu numbers in the results, found %zu", cap,
                               plan.result_numbers);
    status = grad_check_finite(batch, error);
    if (status == GRAD_OK)
        *measure = (grad_measure){plan.result_numbers, memory, plan.flops};
    return status;
}

/* ---- Layout ---------------------------------------------------------------------------------- */

/* The next tensor of the block. */
static float *take(char **numbers, size_t count)
{
    float *data = (float *)(void *)*numbers;

    *numbers += grad_plan_tensor_bytes(count);
    return data;
}

/* Writes the next part of its stage: `part` is where, and *tiles how many tiles come before it. */
static void lay_part(const grad_run *run, grad_part_kind kind, size_t layer, grad_part *part,
                     size_t *tiles)
{
    *part =
        grad_part_cut(kind, run->layers[layer].sizes, run->batch->layers[layer].activation.kind);
    part->layer = layer;
    part->first_tile = *tiles;
    *tiles += grad_part_tile_count(part);
}

static grad_tensor matrix(char **numbers, size_t rows, size_t cols)
{
    return (grad_tensor){take(numbers, rows * cols), 2, {rows, cols}};
}

static grad_tensor vector(char **numbers, size_t count)
{
    return (grad_tensor){take(numbers, count), 1, {count}};
}

/* δ and the outputs of a layer; *part and *tiles go on to the next of stage 1. */
static void lay_layer(grad_run *run, size_t i, grad_part **part, size_t *tiles, char **numbers)
{
    const grad_layer *layer = &run->batch->layers[i];
    unsigned outputs = grad_layer_outputs(run->batch, layer);
    grad_layer_sizes s = grad_layer_sizes_of(layer);
    grad_layer_result *result = &run->results[i];

    run->layers[i].sizes = s;
    run->layers[i].dz =
        grad_plan_owns_delta(run->batch) ? take(numbers, s.B * s.N) : layer->grad_output.data;
    *result = (grad_layer_result){.name = layer->name};
    if ((outputs & GRAD_OUTPUT_WEIGHT_DELTA) != 0) {
        lay_part(run, GRAD_PART_WEIGHT_DELTA, i, (*part)++, tiles);
        result->weight_delta = matrix(numbers, s.N, s.K);
    }
    if ((outputs & GRAD_OUTPUT_BIAS_DELTA) != 0) {
        lay_part(run, GRAD_PART_BIAS_DELTA, i, (*part)++, tiles);
        result->bias_delta = vector(numbers, s.N);
    }
    if ((outputs & GRAD_OUTPUT_GRAD_INPUT) != 0) {
        lay_part(run, GRAD_PART_GRAD_INPUT, i, (*part)++, tiles);
        result->grad_input =
            layer->input.rank == 1 ? vector(numbers, s.K) : matrix(numbers, s.B, s.K);
    }
}

static void lay_out(grad_run *run, char *block)
{
    size_t tiles[GRAD_PLAN_STAGES] = {0};
    char *numbers = block + run->plan.numbers;
    grad_part *part;

    run->parts[0] = (grad_part *)(void *)(block + run->plan.parts);
    run->parts[1] = part = run->parts[0] + run->plan.part_count[0];
    run->layers = (grad_layer_state *)(void *)(block + run->plan.layers);
    run->results = (grad_layer_result *)(void *)(block + run->plan.results);
    run->verdicts = (size_t *)(void *)(block + run->plan.verdicts);
    for (size_t i = 0; i < run->batch->layer_count; i++) {
        lay_layer(run, i, &part, &tiles[1], &numbers);
        lay_part(run, GRAD_PART_DELTA, i, &run->parts[0][i], &tiles[0]);
    }
}

grad_status grad_run_create(const grad_batch *batch, grad_run **run, grad_error *error)
{
    grad_plan plan;
    size_t memory;
    char *allocation, *block;
    grad_run *created;

    if (!plan_run(batch, &plan, &memory))
        return grad_fail_memory(error, SIZE_MAX);
    allocation = malloc(memory);
    if (allocation == NULL)
        return grad_fail_memory(error, memory);
    block = allocation + (-(uintptr_t)allocation & (GRAD_RUN_ALIGNMENT - 1));
    created = (grad_run *)(void *)block;
    *created = (grad_run){.allocation = allocation, .batch = batch, .plan = plan};
    lay_out(created, block);
    created->reply = (grad_reply){
        .id = batch->id, .layer_count = batch->layer_count, .layers = created->results};
    *run = created;
    return GRAD_OK;
}

void grad_run_destroy(grad_run *run)
{
    if (run != NULL)
        free(run->allocation);
}

const grad_reply *grad_run_reply(const grad_run *run)
{
    return &run->reply;
}

size_t grad_run_stage_count(const grad_run *run)
{
    (void)run;
    return GRAD_PLAN_STAGES;
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

size_t grad_run_tile_count(const grad_run *run, size_t stage)
{
    return run->plan.tile_count[stage];
}

/* The part that holds that tile: the last that begins at or before it. */
static const grad_part *find_part(const grad_run *run, size_t stage, size_t tile)
{
    const grad_part *parts = run->parts[stage];
    size_t low = 0, high = run->plan.part_count[stage];

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (parts[middle].first_tile <= tile)
            low = middle;
        else
            high = middle;
    }
    return &parts[low];
}

static void compute_delta(const grad_run *run, const grad_part *part, grad_block block)
{
    const grad_layer *layer = &run->batch->layers[part->layer];
    size_t first = block.row * part->cols;

    grad_activation_backward(&layer->activation, block.rows, part->cols,
                             (const float *)layer->pre_activation.data + first,
                             (const float *)layer->grad_output.data + first,
                             run->layers[part->layer].dz + first);
}

/* What multiplies the deltas. */
static double delta_factor(const grad_batch *batch, size_t B)
{
    return batch->reduction == GRAD_MEAN ? batch->scale / (double)B : batch->scale;
}

static grad_tensor *output_tensor(const grad_run *run, const grad_part *part)
{
    grad_layer_result *result = &run->results[part->layer];

    return part->kind == GRAD_PART_WEIGHT_DELTA ? &result->weight_delta
           : part->kind == GRAD_PART_BIAS_DELTA ? &result->bias_delta
                                                : &result->grad_input;
}

static void compute_output(const grad_run *run, const grad_part *part, grad_block block)
{
    const grad_layer *layer = &run->batch->layers[part->layer];
    const grad_layer_state *state = &run->layers[part->layer];
    grad_layer_sizes s = state->sizes;
    double factor = delta_factor(run->batch, s.B);
    float *output = output_tensor(run, part)->data;

    if (part->kind == GRAD_PART_WEIGHT_DELTA)
        grad_dense_weight_delta(GRAD_FP32, s.B, s.K, s.N, state->dz, layer->input.data, factor,
                                block, output);
    else if (part->kind == GRAD_PART_BIAS_DELTA)
        grad_dense_bias_delta(GRAD_FP32, s.B, s.N, state->dz, factor, block.col,
                              block.col + block.cols, output);
    else
        grad_dense_grad_input(GRAD_FP32, s.K, s.N, state->dz, layer->weight.data, block, output);
}

/* The index within the whole output of the first element of the block that is not finite. */
static size_t judge(const grad_run *run, const grad_part *part, grad_block block)
{
    const float *output = output_tensor(run, part)->data;

    for (size_t row = block.row; row < block.row + block.rows; row++) {
        size_t first = row * part->cols + block.col;
        size_t offset = grad_find_non_finite(block.cols, output + first);

        if (offset < block.cols)
            return first + offset;
    }
    return FINITE;
}

void grad_run_tile(grad_run *run, size_t stage, size_t tile)
{
    const grad_part *part = find_part(run, stage, tile);
    grad_block block = grad_part_block(part, tile - part->first_tile);

    if (stage == 0) {
        compute_delta(run, part, block);
        return;
    }
    compute_output(run, part, block);
    if (run->batch->non_finite == GRAD_REJECT_NON_FINITE)
        run->verdicts[tile] = judge(run, part, block);
}

/* ---- The end --------------------------------------------------------------------------------- */

static size_t first_bad_element(const grad_run *run, const grad_part *part)
{
    const size_t *verdicts = run->verdicts + part->first_tile;
    size_t first = FINITE;

    for (size_t tile = 0; tile < grad_part_tile_count(part); tile++)
        first = grad_size_min(first, verdicts[tile]);
    return first;
}

grad_status grad_run_finish(grad_run *run, grad_error *error)
{
    static const char *const members[] = {"", "/weight_delta", "/bias_delta", "/grad_input"};

    if (run->batch->non_finite == GRAD_ALLOW_NON_FINITE)
        return GRAD_OK;
    for (size_t i = 0; i < run->plan.part_count[1]; i++) {
        const grad_part *part = &run->parts[1][i];
        size_t index = first_bad_element(run, part);

        if (index != FINITE)
            return grad_fail_element(error, run->batch, part->layer, members[part->kind],
                                     output_tensor(run, part), index);
    }
    return GRAD_OK;
}

grad_status grad_run_all(grad_run *run, grad_error *error)
{
    for (size_t stage = 0; stage < GRAD_PLAN_STAGES; stage++)
        for (size_t tile = 0; tile < run->plan.tile_count[stage]; tile++)
            grad_run_tile(run, stage, tile);
    return grad_run_finish(run, error);
}
