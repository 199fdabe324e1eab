/* Computing and printing one request: the stages of its run or check, then the response's segments,
 * as stages of tiles that the pool's workers share, or all in a row on the event loop. What a stage
 * does is its kind's to know. */
#include "api/computation.h"

#include "platform/clock.h"

#include <stdlib.h>

/* ---- Memory ---------------------------------------------------------------------------------- */

/* What a request holds besides its tensors: its own structs, the envelope's beginning. */
#define BASE_MEMORY ((size_t)16384)
/* Bytes of a body for each of tensors and envelope; what really comes is asked for as it comes. */
#define BYTES_PER_TENSOR_BYTE 2

static size_t add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static size_t at_least(size_t bytes, size_t least)
{
    return bytes > least ? bytes : least;
}

static size_t response_size(const computation *c)
{
    grad_segment own;
    const grad_segment *segments = computation_segments(c, &own);
    size_t size = 0;
    for (size_t i = 0; i < c->segment_count; i++)
        size += segments[i].length;
    return size;
}

size_t computation_memory(const computation *c, memory_phase phase)
{
    size_t received = c->body ? BASE_MEMORY + body_memory(c->body) : BASE_MEMORY;
    switch (phase) {
    case MEMORY_TO_EXPECT:
        return BASE_MEMORY + c->expected / BYTES_PER_TENSOR_BYTE;
    case MEMORY_TO_RECEIVE:
        return at_least(received, c->memory.bytes);
    case MEMORY_TO_READ:
        return at_least(add(received, body_read_bound(c->body)), c->memory.bytes);
    case MEMORY_TO_COMPUTE:
        return add(add(received, c->measure.memory), c->kind->print_bound(c));
    case MEMORY_TO_RESPOND:
        break;
    }
    return BASE_MEMORY + response_size(c);
}

/* ---- The steps, common to both ways ---------------------------------------------------------- */

/* Keeps the first error of any thread, and finds its place while the document is there. */
static void fail(computation *c, grad_error *error)
{
    if (atomic_exchange(&c->failed, true))
        return;
    body_locate_error(c->body, error);
    c->error = *error;
}

static bool begin_computing(computation *c)
{
    grad_error error = GRAD_ERROR_INIT;
    if (c->kind->create(c, &error) != GRAD_OK) {
        fail(c, &error);
        return false;
    }
    c->stage_count = c->kind->stage_count(c);
    return true;
}

static bool begin_printing(computation *c)
{
    grad_error error = GRAD_ERROR_INIT;
    c->times.computed = clock_now();
    if (c->kind->finish(c, &error) != GRAD_OK) {
        fail(c, &error);
        return false;
    }
    return true;
}

static void print_segment(computation *c, size_t segment)
{
    grad_error error = GRAD_ERROR_INIT;
    if (c->kind->print(c, segment, &error) != GRAD_OK)
        fail(c, &error);
}

const grad_segment *computation_segments(const computation *c, grad_segment *own)
{
    if (c->encoder)
        return grad_encoder_segments(c->encoder);
    *own = (grad_segment){.text = c->text.data, .length = c->text.length};
    return own;
}

void computation_drop_inputs(computation *c)
{
    grad_run_destroy(c->run);
    grad_check_destroy(c->check);
    body_destroy(c->body);
    c->run = NULL;
    c->check = NULL;
    c->report = NULL;
    c->body = NULL;
    c->batch = NULL;
    c->request = NULL;
}

/* ---- Inline ---------------------------------------------------------------------------------- */

static void run_stages(computation *c)
{
    for (size_t stage = 0; stage < c->stage_count; stage++) {
        size_t tiles = c->kind->tile_count(c, stage);
        for (size_t tile = 0; tile < tiles; tile++)
            c->kind->tile(c, stage, tile);
    }
}

void computation_run_inline(computation *c)
{
    c->times.queued = c->times.begun = clock_now();
    if (begin_computing(c)) {
        run_stages(c);
        if (begin_printing(c))
            for (size_t i = 0; i < c->segment_count; i++)
                print_segment(c, i);
    }
    c->times.printed = clock_now();
}

/* ---- On the workers -------------------------------------------------------------------------- */

/* Work that nobody waits for any more is given up, between tiles. Any worker may find out. */
static bool is_late(computation *c)
{
    if (!atomic_load(&c->late) && clock_now() > c->deadline)
        atomic_store(&c->late, true);
    return atomic_load(&c->late);
}

static bool is_given_up(computation *c)
{
    return is_late(c) || atomic_load(&c->failed);
}

static size_t begin_stage(void *context, size_t stage)
{
    computation *c = context;
    if (stage == 0)
        c->times.begun = clock_now();
    if (is_given_up(c) || (stage == 0 && !begin_computing(c)))
        return POOL_NO_STAGE;
    if (stage < c->stage_count)
        return c->kind->tile_count(c, stage);
    if (stage > c->stage_count || !begin_printing(c))
        return POOL_NO_STAGE;
    return c->segment_count;
}

static void run_tile(void *context, size_t stage, size_t tile)
{
    computation *c = context;
    if (is_given_up(c))
        return;
    if (stage < c->stage_count)
        c->kind->tile(c, stage, tile);
    else
        print_segment(c, tile);
}

static void job_done(void *context, bool expired)
{
    computation *c = context;
    c->expired = expired;
    c->times.printed = clock_now();
    is_late(c);
    computation_drop_inputs(c);
    c->done(c->done_context);
}

static const pool_job_kind compute_job = {
    .begin_stage = begin_stage, .run_tile = run_tile, .done = job_done};

bool computation_submit(computation *c, pool *workers, int64_t start_deadline)
{
    c->times.queued = clock_now();
    c->job = (pool_job){.kind = &compute_job, .context = c, .start_deadline = start_deadline};
    return pool_submit(workers, &c->job);
}

void computation_destroy(computation *c)
{
    if (!c)
        return;
    computation_drop_inputs(c);
    grad_encoder_destroy(c->encoder);
    grad_text_free(&c->text);
    reservation_release(&c->memory);
    free(c);
}
