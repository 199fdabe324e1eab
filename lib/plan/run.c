/* A run: measured, laid out in one block of memory, computed tile by tile, judged at the end. What
 * there is to lay out and to do is layout.c's and stages.c's; the arithmetic is in kernels/. */
#include <stdint.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/figure.h"
#include "core/size.h"
#include "model/validate.h"
#include "plan/state.h"

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* What a batch is prepared with before its size is known: freed when it is laid out. */
typedef struct draft {
    grad_layer_state *states;
    bool *failed; /* NULL but for continue_on_error */
} draft;

static void draft_free(draft *d)
{
    free(d->states);
    free(d->failed);
}

static grad_status draft_create(const grad_batch *batch, draft *d, grad_error *error)
{
    size_t layers = batch->layer_count;

    d->states = calloc(layers, sizeof *d->states);
    d->failed = batch->continue_on_error ? calloc(layers, sizeof *d->failed) : NULL;
    if (d->states != NULL && (d->failed != NULL || !batch->continue_on_error))
        return GRAD_OK;
    draft_free(d);
    return grad_fail_memory(error, layers * sizeof *d->states);
}

/* Everything of a run's block that stands before the layers' arrays. */
static void take_frame(grad_builder *b, const grad_batch *batch, const grad_program *counts,
                       grad_run **run)
{
    size_t layers = batch->layer_count;
    size_t errors = batch->continue_on_error ? layers : 0;
    grad_run *r = grad_builder_take(b, 1, sizeof *r);
    grad_run counted = {.batch = batch}, *to = r != NULL ? r : &counted;

    *to = counted;
    to->layers = grad_builder_take(b, layers, sizeof *to->layers);
    to->results = grad_builder_take(b, layers, sizeof *to->results);
    to->errors = grad_builder_take(b, errors, sizeof *to->errors);
    to->failed = grad_builder_take(b, errors, sizeof *to->failed);
    to->program.stages = grad_builder_take(b, counts->stage_count, sizeof *to->program.stages);
    to->program.parts = grad_builder_take(b, counts->part_count, sizeof *to->program.parts);
    to->program.notes = grad_builder_take(b, counts->note_count, sizeof *to->program.notes);
    if (errors == 0) {
        to->errors = NULL;
        to->failed = NULL;
    }
    *run = r;
}

/* Walks the batch counting, then adds the frame, whose size depends on the counts. */
static bool count_run(const grad_scope *scope, grad_layer_state *states, grad_builder *counted)
{
    grad_builder b = {.type = scope->batch->datatype};
    grad_run *none;

    grad_states_prepare(scope, states);
    grad_layout_walk(&b, scope, states, NULL);
    if (!b.overflow)
        take_frame(&b, scope->batch, &b.program, &none);
    if (!grad_size_add(b.used, GRAD_RUN_ALIGNMENT - 1, &b.used)) /* to align its start */
        b.overflow = true;
    *counted = b;
    return !b.overflow;
}

static grad_status measure_checked(const grad_batch *batch, const bool *failed, draft *d,
                                   size_t cap, grad_measure *measure, grad_error *error)
{
    grad_scope scope = grad_scope_of(batch, failed);
    grad_builder counted;

    if (!count_run(&scope, d->states, &counted))
        return grad_fail(error, GRAD_TOO_LARGE, "size_overflow", "/layers",
                         "expected results that fit in memory, found a size beyond its addresses");
    if (cap != 0 && counted.result_numbers > cap)
        return grad_fail_limit(error, "max_result_numbers", cap, "/layers",
                               "expected at most %zu number%s in the results, found %zu", cap,
                               grad_plural(cap), counted.result_numbers);
    *measure =
        (grad_measure){counted.result_numbers, counted.used, counted.flops, counted.elements};
    return GRAD_OK;
}

grad_status grad_batch_measure(const grad_batch *batch, const grad_limits *limits,
                               grad_measure *measure, grad_error *error)
{
    grad_limits caps = GRAD_LIMITS_INIT;
    grad_measure found;
    draft d;
    grad_status status = grad_options_read("grad_limits", limits, &caps, error);

    if (status == GRAD_OK)
        status = grad_verify_options(batch, caps.max_layers, error);
    if (status == GRAD_OK)
        status = draft_create(batch, &d, error);
    if (status != GRAD_OK)
        return status;
    status = grad_verify_shapes(batch, d.failed, NULL, error);
    if (status == GRAD_OK)
        status = measure_checked(batch, d.failed, &d, caps.max_result_numbers, &found, error);
    if (status == GRAD_OK)
        status = grad_verify_elements(batch, d.failed, NULL, error);
    if (status == GRAD_OK)
        *measure = found;
    draft_free(&d);
    return status;
}

/* ---- Layout ---------------------------------------------------------------------------------- */

/* The loss over what the last layer gives. */
static void view_loss(grad_run *run)
{
    size_t last = run->batch->layer_count - 1;
    const grad_layer_state *s = &run->layers[last];
    bool fused = run->scope.fusion != GRAD_LOSS_ABSENT;

    if (run->batch->network == NULL || run->batch->network->loss.kind == GRAD_LOSS_ABSENT)
        return;
    run->loss = (grad_loss_view){.loss = &run->batch->network->loss,
                                 .type = run->batch->datatype,
                                 .fusion = run->scope.fusion,
                                 .B = s->sizes.B,
                                 .N = s->sizes.N,
                                 .sample_axes = s->sizes.axes.count,
                                 .y = fused ? s->z : s->y};
    run->loss.divisor = grad_loss_divisor(&run->loss);
}

/* Writes what was counted into the block. */
static grad_run *write_run(char *block, void *allocation, const grad_batch *batch, const draft *d,
                           const grad_program *counts)
{
    grad_builder b = {.type = batch->datatype, .base = block};
    grad_run *run;

    take_frame(&b, batch, counts, &run);
    run->allocation = allocation;
    for (size_t i = 0; d->failed != NULL && i < batch->layer_count; i++) {
        run->failed[i] = d->failed[i];
        run->errors[i] = (grad_error)GRAD_ERROR_INIT;
    }
    for (size_t i = 0; i < counts->note_count; i++)
        run->program.notes[i] = (grad_note){.bad = GRAD_FINITE};
    run->scope = grad_scope_of(batch, run->failed);
    run->reply =
        (grad_reply){.id = batch->id, .layer_count = batch->layer_count, .layers = run->results};
    b.program =
        (grad_program){run->program.stages, run->program.parts, run->program.notes, 0, 0, 0};
    grad_states_prepare(&run->scope, run->layers);
    grad_layout_walk(&b, &run->scope, run->layers, run);
    run->program = b.program;
    view_loss(run);
    return run;
}

/* The errors of the layers that failed, now that there is a place for them. */
static void note_failures(grad_run *run)
{
    if (run->failed == NULL)
        return;
    grad_verify_shapes(run->batch, run->failed, run->errors, NULL);
    grad_verify_elements(run->batch, run->failed, run->errors, NULL);
}

grad_status grad_run_create(const grad_batch *batch, grad_run **run, grad_error *error)
{
    draft d;
    grad_scope scope;
    grad_builder counted;
    char *allocation = NULL;

    if (draft_create(batch, &d, error) != GRAD_OK)
        return GRAD_OUT_OF_MEMORY;
    if (d.failed != NULL) {
        grad_verify_shapes(batch, d.failed, NULL, NULL);
        grad_verify_elements(batch, d.failed, NULL, NULL);
    }
    scope = grad_scope_of(batch, d.failed);
    if (count_run(&scope, d.states, &counted)) {
        free(d.states); /* written anew into the block: the two are never there at once */
        d.states = NULL;
        allocation = malloc(counted.used);
    }
    if (allocation == NULL) {
        draft_free(&d);
        return grad_fail_memory(error, counted.used);
    }
    *run = write_run(allocation + (-(uintptr_t)allocation & (GRAD_RUN_ALIGNMENT - 1)), allocation,
                     batch, &d, &counted.program);
    note_failures(*run);
    draft_free(&d);
    return GRAD_OK;
}

void grad_run_destroy(grad_run *run)
{
    if (run == NULL)
        return;
    free(run->notes);
    free(run->allocation);
}

const grad_reply *grad_run_reply(const grad_run *run)
{
    return &run->reply;
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

size_t grad_run_stage_count(const grad_run *run)
{
    return run->program.stage_count;
}

size_t grad_run_tile_count(const grad_run *run, size_t stage)
{
    return run->program.stages[stage].tile_count;
}

/* The part that holds that tile: the last that begins at or before it. */
static const grad_part *find_part(const grad_program *program, const grad_stage *stage, size_t tile)
{
    const grad_part *parts = program->parts + stage->first_part;
    size_t low = 0, high = stage->part_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (parts[middle].first_tile <= tile)
            low = middle;
        else
            high = middle;
    }
    return &parts[low];
}

void grad_run_tile(grad_run *run, size_t stage, size_t tile)
{
    static grad_part_function *const functions[GRAD_PART_KIND_COUNT] = {
        [GRAD_PART_PREPARE] = grad_part_prepare,       [GRAD_PART_FORWARD] = grad_part_forward,
        [GRAD_PART_OUTPUT] = grad_part_output,         [GRAD_PART_LOSS] = grad_part_loss,
        [GRAD_PART_ZEROS] = grad_part_zeros,           [GRAD_PART_JOIN] = grad_part_join,
        [GRAD_PART_DELTA] = grad_part_delta,           [GRAD_PART_ANSWER] = grad_part_answer,
        [GRAD_PART_JOIN_INPUT] = grad_part_join_input, [GRAD_PART_CLIP] = grad_part_clip,
        [GRAD_PART_FACTORS] = grad_part_factors,       [GRAD_PART_FINISH] = grad_part_finish,
    };
    const grad_part *part = find_part(&run->program, &run->program.stages[stage], tile);
    grad_block block = grad_grid_block(&part->grid, tile - part->first_tile);
    grad_note unused, *note = &unused;

    if (part->first_note != GRAD_NO_NOTES)
        note = &run->program.notes[part->first_note + tile - part->first_tile];
    functions[part->kind](run, part, block, note);
}

grad_status grad_run_finish(grad_run *run, grad_error *error)
{
    return grad_finish_reply(run, error);
}

grad_status grad_run_all(grad_run *run, grad_error *error)
{
    for (size_t stage = 0; stage < grad_run_stage_count(run); stage++)
        for (size_t tile = 0; tile < grad_run_tile_count(run, stage); tile++)
            grad_run_tile(run, stage, tile);
    return grad_run_finish(run, error);
}
