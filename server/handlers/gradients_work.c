/* Computing and printing one request: the run's stages, then the reply's segments, as stages of
 * tiles that the pool's workers share, or all in a row on the event loop. */
#include "handlers/gradients.h"

#include "net/clock.h"

#include <stdlib.h>

#define RUN_STAGES 2
#define STAGE_PRINT RUN_STAGES /* the stage behind the run's own */
#define WORK_STAGES (RUN_STAGES + 1)

/* Rough and on the high side, measured on one core of an AMD EPYC: what matters is the order of
 * magnitude, which decides between the event loop and a worker. */
#define SECONDS_PER_PRINTED_NUMBER 12e-9
#define SECONDS_PER_ACTIVATION 4e-9
#define SECONDS_PER_FLOP 5e-11

double work_cost(const grad_batch *batch, const grad_measure *measure)
{
    double activations = 0;
    for (size_t i = 0; i < batch->layer_count; i++)
        activations += (double)grad_tensor_count(&batch->layers[i].pre_activation);
    return (double)measure->result_numbers * SECONDS_PER_PRINTED_NUMBER +
           activations * SECONDS_PER_ACTIVATION + measure->flops * SECONDS_PER_FLOP;
}

/* ---- The steps, common to both ways ---------------------------------------------------------- */

/* Keeps the first error of any thread. */
static void fail(work *w, const grad_error *error)
{
    if (!atomic_exchange(&w->failed, true))
        w->error = *error;
}

static bool begin_run(work *w)
{
    grad_error error = GRAD_ERROR_INIT;
    if (grad_run_create(w->batch, &w->run, &error) != GRAD_OK)
        fail(w, &error);
    return w->run != NULL;
}

static bool begin_printing(work *w)
{
    grad_error error = GRAD_ERROR_INIT;
    w->times.computed = clock_now();
    if (grad_run_finish(w->run, &error) != GRAD_OK ||
        grad_encode_reply(w->batch, grad_run_reply(w->run), &w->encoder, &error) != GRAD_OK)
        fail(w, &error);
    return w->encoder != NULL;
}

static void print_segment(work *w, size_t segment)
{
    grad_error error = GRAD_ERROR_INIT;
    if (grad_encoder_segment_run(w->encoder, segment, &error) != GRAD_OK)
        fail(w, &error);
}

void work_drop_inputs(work *w)
{
    grad_run_destroy(w->run);
    grad_decoder_destroy(w->decoder);
    w->run = NULL;
    w->decoder = NULL;
    w->batch = NULL;
}

/* ---- Inline ---------------------------------------------------------------------------------- */

static void run_stages(work *w)
{
    for (size_t stage = 0; stage < RUN_STAGES; stage++) {
        size_t tiles = grad_run_tile_count(w->run, stage);
        for (size_t tile = 0; tile < tiles; tile++)
            grad_run_tile(w->run, stage, tile);
    }
}

void work_run_inline(work *w)
{
    w->times.queued = w->times.begun = clock_now();
    if (begin_run(w)) {
        run_stages(w);
        if (begin_printing(w)) {
            size_t segments = grad_encoder_segment_count(w->encoder);
            for (size_t i = 0; i < segments; i++)
                print_segment(w, i);
        }
    }
    w->times.printed = clock_now();
}

/* ---- On the workers -------------------------------------------------------------------------- */

/* Work that nobody waits for any more is given up between stages. */
static bool is_late(work *w)
{
    w->late = w->late || clock_now() > w->deadline;
    return w->late;
}

static size_t begin_stage(void *context, size_t stage)
{
    work *w = context;
    if (stage == 0)
        w->times.begun = clock_now();
    if (is_late(w) || atomic_load(&w->failed))
        return 0;
    if (stage == 0 && !begin_run(w))
        return 0;
    if (stage < STAGE_PRINT)
        return grad_run_tile_count(w->run, stage);
    return begin_printing(w) ? grad_encoder_segment_count(w->encoder) : 0;
}

static void run_tile(void *context, size_t stage, size_t tile)
{
    work *w = context;
    if (stage < STAGE_PRINT)
        grad_run_tile(w->run, stage, tile);
    else
        print_segment(w, tile);
}

static void job_done(void *context, bool expired)
{
    work *w = context;
    w->expired = expired;
    w->times.printed = clock_now();
    is_late(w);
    work_drop_inputs(w);
    w->done(w->done_context);
}

static const pool_job_kind gradients_job = {
    .stage_count = WORK_STAGES, .begin_stage = begin_stage, .run_tile = run_tile, .done = job_done};

bool work_submit(work *w, pool *workers, int64_t start_deadline)
{
    w->times.queued = clock_now();
    w->job = (pool_job){.kind = &gradients_job, .context = w, .start_deadline = start_deadline};
    return pool_submit(workers, &w->job);
}

void work_destroy(work *w)
{
    if (!w)
        return;
    work_drop_inputs(w);
    grad_encoder_destroy(w->encoder);
    budget_release(w->memory, w->leased);
    free(w);
}
