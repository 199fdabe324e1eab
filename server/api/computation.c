/* Computing and printing one request: the stages of its run or check, then the answer's segments,
 * as stages of tiles that the pool's workers share, or all in a row on the event loop. What a stage
 * does is its kind's to know. */
#include "api/computation.h"

#include "platform/clock.h"

#include <stdlib.h>

/* ---- The steps, common to both ways ---------------------------------------------------------- */

/* Keeps the first error of any thread, and finds its place while the document is there. */
static void fail(work *w, grad_error *error)
{
    if (atomic_exchange(&w->failed, true))
        return;
    grad_decoder_locate_error(w->decoder, error);
    w->error = *error;
}

static bool begin_computing(work *w)
{
    grad_error error = GRAD_ERROR_INIT;
    if (w->kind->create(w, &error) != GRAD_OK) {
        fail(w, &error);
        return false;
    }
    w->stage_count = w->kind->stage_count(w);
    return true;
}

static bool begin_printing(work *w)
{
    grad_error error = GRAD_ERROR_INIT;
    w->times.computed = clock_now();
    if (w->kind->finish(w, &error) != GRAD_OK) {
        fail(w, &error);
        return false;
    }
    return true;
}

static void print_segment(work *w, size_t segment)
{
    grad_error error = GRAD_ERROR_INIT;
    if (w->kind->print(w, segment, &error) != GRAD_OK)
        fail(w, &error);
}

const grad_segment *work_segments(const work *w, grad_segment *own)
{
    if (w->encoder)
        return grad_encoder_segments(w->encoder);
    *own = (grad_segment){.text = w->text.data, .length = w->text.length};
    return own;
}

void work_drop_inputs(work *w)
{
    grad_run_destroy(w->run);
    grad_check_destroy(w->check);
    grad_decoder_destroy(w->decoder);
    w->run = NULL;
    w->check = NULL;
    w->report = NULL;
    w->decoder = NULL;
    w->batch = NULL;
    w->request = NULL;
}

/* ---- Inline ---------------------------------------------------------------------------------- */

static void run_stages(work *w)
{
    for (size_t stage = 0; stage < w->stage_count; stage++) {
        size_t tiles = w->kind->tile_count(w, stage);
        for (size_t tile = 0; tile < tiles; tile++)
            w->kind->tile(w, stage, tile);
    }
}

void work_run_inline(work *w)
{
    w->times.queued = w->times.begun = clock_now();
    if (begin_computing(w)) {
        run_stages(w);
        if (begin_printing(w))
            for (size_t i = 0; i < w->segment_count; i++)
                print_segment(w, i);
    }
    w->times.printed = clock_now();
}

/* ---- On the workers -------------------------------------------------------------------------- */

/* Work that nobody waits for any more is given up, between tiles. Any worker may find out. */
static bool is_late(work *w)
{
    if (!atomic_load(&w->late) && clock_now() > w->deadline)
        atomic_store(&w->late, true);
    return atomic_load(&w->late);
}

static bool is_given_up(work *w)
{
    return is_late(w) || atomic_load(&w->failed);
}

static size_t begin_stage(void *context, size_t stage)
{
    work *w = context;
    if (stage == 0)
        w->times.begun = clock_now();
    if (is_given_up(w) || (stage == 0 && !begin_computing(w)))
        return POOL_NO_STAGE;
    if (stage < w->stage_count)
        return w->kind->tile_count(w, stage);
    if (stage > w->stage_count || !begin_printing(w))
        return POOL_NO_STAGE;
    return w->segment_count;
}

static void run_tile(void *context, size_t stage, size_t tile)
{
    work *w = context;
    if (is_given_up(w))
        return;
    if (stage < w->stage_count)
        w->kind->tile(w, stage, tile);
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

static const pool_job_kind compute_job = {
    .begin_stage = begin_stage, .run_tile = run_tile, .done = job_done};

bool work_submit(work *w, pool *workers, int64_t start_deadline)
{
    w->times.queued = clock_now();
    w->job = (pool_job){.kind = &compute_job, .context = w, .start_deadline = start_deadline};
    return pool_submit(workers, &w->job);
}

void work_destroy(work *w)
{
    if (!w)
        return;
    work_drop_inputs(w);
    grad_encoder_destroy(w->encoder);
    grad_text_free(&w->text);
    budget_release(w->memory, w->leased);
    free(w);
}
