/* Computing and printing one request: the stages of its run or check, then the response's segments,
 * as stages of tiles that the pool's workers share, or all in a row on the event loop; and the
 * kinds of computation, which say what a stage does. */
#include "api/computation.h"

#include "platform/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory ---------------------------------------------------------------------------------- */

/* A request's own structs and the beginning of its envelope. */
#define BASE_MEMORY ((size_t)16384)
/* Bytes of a body for one byte of tensors and envelope. What really comes is reserved as it
 * comes. */
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

/* The compressed text is dropped where it would become longer than the other. */
static size_t compression_memory(const computation *c)
{
    return c->compressor != NULL ? add(c->compressor->memory, c->kind->print_bound(c)) : 0;
}

size_t computation_memory(const computation *c, memory_phase phase)
{
    size_t received = c->body != NULL ? BASE_MEMORY + body_memory(c->body) : BASE_MEMORY;

    switch (phase) {
    case MEMORY_TO_EXPECT:
        return BASE_MEMORY + c->expected / BYTES_PER_TENSOR_BYTE;
    case MEMORY_TO_RECEIVE:
        return at_least(received, c->memory.bytes);
    case MEMORY_TO_READ:
        return at_least(add(received, body_read_bound(c->body)), c->memory.bytes);
    case MEMORY_TO_PLAN:
        return at_least(add(received, c->kind->plan_memory(c)), c->memory.bytes);
    case MEMORY_TO_COMPUTE:
        return add(add(received, c->measure.memory),
                   add(c->kind->print_bound(c), compression_memory(c)));
    case MEMORY_TO_RESPOND:
        break;
    }
    return BASE_MEMORY + response_size(c);
}

/* ---- The steps, common to both ways ---------------------------------------------------------- */

/* Keeps the first error of any thread, and locates it while the document is there. */
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
    if (c->encoder != NULL)
        return grad_encoder_segments(c->encoder);
    *own = (grad_segment){.text = c->text.data, .length = c->text.length};
    return own;
}

/* ---- Compressing what was printed ------------------------------------------------------------ */

/* A smaller response fits into one packet with its headers. */
#define LEAST_COMPRESSED 1024

/* Whether the response is to be compressed. Without memory it goes as it is. */
static bool begin_compressing(computation *c)
{
    size_t size;

    if (c->compressor == NULL || atomic_load(&c->failed))
        return false;
    size = response_size(c);
    if (size < LEAST_COMPRESSED && !c->must_compress)
        return false;
    grad_text_init(&c->compressed, c->must_compress ? SIZE_MAX : size);
    return c->compressor->create(size, &c->compression, NULL) == GRAD_OK;
}

static void end_compressing(computation *c)
{
    if (c->compression != NULL)
        c->compressor->destroy(c->compression);
    c->compression = NULL;
    if (grad_text_status(&c->compressed, NULL) != GRAD_OK || atomic_load(&c->failed)) {
        grad_text_free(&c->compressed);
        return;
    }
    grad_encoder_destroy(c->encoder);
    grad_text_free(&c->text);
    c->encoder = NULL;
    c->text = c->compressed;
    grad_text_init(&c->compressed, 0);
    c->segment_count = 1;
    c->is_compressed = true;
}

/* The segments come in their order, one after the other. */
static void compress_segment(computation *c, size_t segment)
{
    grad_segment own;
    const grad_segment *segments = computation_segments(c, &own);
    bool is_last = segment + 1 == c->segment_count;

    c->compressor->push(c->compression, segments[segment].text, segments[segment].length, is_last,
                        &c->compressed);
    if (is_last)
        end_compressing(c);
}

/* The segment that the stage compresses. */
static size_t compressed_segment(const computation *c, size_t stage)
{
    return stage - c->stage_count - 1;
}

/* The tiles of a stage behind the printing. */
static size_t begin_compressing_stage(computation *c, size_t stage)
{
    size_t segment = compressed_segment(c, stage);

    if (segment == 0 && !begin_compressing(c))
        return POOL_NO_STAGE;
    return segment < c->segment_count && !c->is_compressed ? 1 : POOL_NO_STAGE;
}

void computation_drop_inputs(computation *c)
{
    grad_plan_destroy(c->plan);
    grad_run_destroy(c->run);
    grad_check_destroy(c->check);
    body_destroy(c->body);
    c->plan = NULL;
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

static void compress_inline(computation *c)
{
    size_t count = c->segment_count;

    if (begin_compressing(c))
        for (size_t i = 0; i < count; i++)
            compress_segment(c, i);
}

void computation_run_inline(computation *c)
{
    c->times.queued = c->times.begun = clock_now();
    if (begin_computing(c)) {
        run_stages(c);
        if (begin_printing(c))
            for (size_t i = 0; i < c->segment_count; i++)
                print_segment(c, i);
        compress_inline(c);
    }
    c->times.printed = clock_now();
}

/* A job of more than so many expected seconds is a long one. */
#define LONG_COST 0.25

/* ---- On the workers -------------------------------------------------------------------------- */

/* Abandons work, between tiles, once its deadline has passed. Any worker may find out. */
static bool is_late(computation *c)
{
    if (!atomic_load(&c->late) && clock_now() > c->deadline)
        atomic_store(&c->late, true);
    return atomic_load(&c->late);
}

static bool is_given_up(computation *c)
{
    return is_late(c) || atomic_load(&c->failed) || atomic_load(&c->cancelled);
}

/* Within a tile of a check: lets short jobs in, then asks. */
static bool proceed(void *context)
{
    computation *c = context;

    pool_yield(c->pool);
    return !is_given_up(c);
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
    if (stage > c->stage_count)
        return begin_compressing_stage(c, stage);
    return begin_printing(c) ? c->segment_count : POOL_NO_STAGE;
}

static void compute_tile(void *context, size_t stage, size_t tile)
{
    computation *c = context;

    if (is_given_up(c))
        return;
    if (stage < c->stage_count)
        c->kind->tile(c, stage, tile);
    else if (stage == c->stage_count)
        print_segment(c, tile);
    else
        compress_segment(c, compressed_segment(c, stage));
}

static void job_done(void *context, pool_end how)
{
    computation *c = context;

    c->end = how;
    c->times.printed = clock_now();
    is_late(c);
    computation_drop_inputs(c);
    c->done(c->done_context);
}

static const pool_job_kind compute_job = {
    .begin_stage = begin_stage, .run_tile = compute_tile, .done = job_done};

/* Bytes that a number mostly takes in a response. */
#define BYTES_PER_NUMBER 12

double computation_cost(const computation *c)
{
    double cost = c->kind->cost(c);

    if (c->compressor != NULL)
        cost +=
            (double)c->measure.result_numbers * BYTES_PER_NUMBER * c->compressor->seconds_per_byte;
    return cost;
}

bool computation_is_long(const computation *c)
{
    return c->cost > LONG_COST;
}

bool computation_submit(computation *c, pool *workers, int64_t start_deadline)
{
    c->times.queued = clock_now();
    c->pool = workers;
    c->job = (pool_job){.kind = &compute_job,
                        .context = c,
                        .start_deadline = start_deadline,
                        .is_long = computation_is_long(c)};
    return pool_submit(workers, &c->job);
}

void computation_cancel(computation *c, pool *workers)
{
    atomic_store(&c->cancelled, true);
    pool_cancel(workers, &c->job);
}

void computation_destroy(computation *c)
{
    if (c == NULL)
        return;
    computation_drop_inputs(c);
    if (c->compression != NULL)
        c->compressor->destroy(c->compression);
    grad_encoder_destroy(c->encoder);
    grad_text_free(&c->text);
    grad_text_free(&c->compressed);
    reservation_release(&c->memory);
    free(c);
}

/* ---- Kinds: runs, answered by an encoder ----------------------------------------------------- */

/* Seconds, rough and on the high side, measured on one core of an AMD EPYC. Only the order of
 * magnitude matters: it decides between the event loop and a worker. */
static const struct {
    double number;  /* printed */
    double element; /* of a function, forward or backward */
    double flop;
} seconds_per[] = {
    [GRAD_FP32] = {12e-9, 4e-9, 5e-11},
    [GRAD_FP64] = {3e-8, 20e-9, 1e-10},
};
/* The same of a number whose bytes are printed. */
#define SECONDS_PER_BYTES 4e-9

static double run_cost(const computation *c)
{
    grad_datatype datatype = c->batch->datatype;
    double number =
        c->batch->encoding == GRAD_ENCODING_JSON ? seconds_per[datatype].number : SECONDS_PER_BYTES;

    return (double)c->measure.result_numbers * number +
           c->measure.elements * seconds_per[datatype].element +
           c->measure.flops * seconds_per[datatype].flop;
}

static grad_status read_run(computation *c, grad_error *error)
{
    grad_status status = body_read_batch(c->body, c->kind->request, &c->batch, error);

    if (status != GRAD_OK)
        return status;
    if (c->wanted != NULL && c->wanted->encoding != GRAD_ENCODING_JSON)
        c->batch->encoding = c->wanted->encoding;
    c->content_type = payload_response_type(c->batch);
    /* The bytes of numbers hardly shrink, and many clients accept gzip unasked. */
    if (c->content_type != payload_json.media_type && !c->must_compress)
        c->compressor = NULL;
    return GRAD_OK;
}

static size_t plan_run_memory(const computation *c)
{
    return grad_plan_memory(c->batch);
}

static grad_status plan_run(computation *c, const grad_limits *limits, grad_error *error)
{
    grad_status status = grad_plan_create(c->batch, limits, &c->plan, error);

    if (status == GRAD_OK)
        c->measure = *grad_plan_measure(c->plan);
    return status;
}

static size_t run_print_bound(const computation *c)
{
    return grad_reply_bound(c->batch, c->measure.result_numbers);
}

static grad_status create_run(computation *c, grad_error *error)
{
    grad_plan *plan = c->plan;

    c->plan = NULL;
    return grad_run_create(plan, &c->run, error);
}

static size_t run_stage_count(const computation *c)
{
    return grad_run_stage_count(c->run);
}

static size_t run_tile_count(const computation *c, size_t stage)
{
    return grad_run_tile_count(c->run, stage);
}

static void run_tile(computation *c, size_t stage, size_t tile)
{
    grad_run_tile(c->run, stage, tile);
}

static grad_status finish_run(computation *c, grad_error *error)
{
    grad_status status = grad_run_finish(c->run, error);

    if (status == GRAD_OK)
        status = body_encode(c->body, c->batch, grad_run_reply(c->run), &c->encoder, error);
    if (status != GRAD_OK)
        return status;
    c->segment_count = grad_encoder_segment_count(c->encoder);
    c->document_length = grad_encoder_document_length(c->encoder);
    return GRAD_OK;
}

static grad_status print_run(computation *c, size_t segment, grad_error *error)
{
    return grad_encoder_segment_run(c->encoder, segment, error);
}

#define RUN_KIND(which)                                                                            \
    {                                                                                              \
        .read = read_run, .plan_memory = plan_run_memory, .plan = plan_run,                        \
        .print_bound = run_print_bound, .cost = run_cost, .create = create_run,                    \
        .stage_count = run_stage_count, .tile_count = run_tile_count, .tile = run_tile,            \
        .finish = finish_run, .print = print_run, .request = which                                 \
    }

const computation_kind compute_gradients = RUN_KIND(GRAD_REQUEST_GRADIENTS);
const computation_kind compute_backprop = RUN_KIND(GRAD_REQUEST_BACKPROP);
const computation_kind compute_inference = RUN_KIND(GRAD_REQUEST_INFERENCE);

/* ---- Kinds: checks, answered by a small text ------------------------------------------------- */

/* A check runs many forward passes in double precision: never in the event loop. */
static double check_cost(const computation *c)
{
    (void)c;
    return INFINITY;
}

static grad_status read_check(computation *c, grad_error *error)
{
    grad_status status = body_read_check(c->body, &c->request, error);

    if (status == GRAD_OK)
        c->batch = c->request->batch;
    c->content_type = payload_json.media_type;
    return status;
}

/* A plan of it, and a copy of its layers, which is no larger. */
static size_t plan_check_memory(const computation *c)
{
    return 2 * grad_plan_memory(c->batch);
}

static grad_status plan_check(computation *c, const grad_limits *limits, grad_error *error)
{
    return grad_check_measure(c->request, limits, &c->measure, error);
}

/* A generous bound: a tensor's findings, ours and the client's, are twelve numbers and their
 * names. */
static size_t check_print_bound(const computation *c)
{
    enum {
        HEAD = 1024,
        TENSOR = 1536,
        ESCAPED = 6, /* bytes that one byte of a name may become */
        GROWING = 3  /* a text that doubles, and its copy while it does */
    };
    size_t bound = HEAD + (c->batch->id != NULL ? ESCAPED * strlen(c->batch->id) : 0);

    for (size_t i = 0; i < c->batch->layer_count; i++) {
        const char *name = c->batch->layers[i].name;
        bound += GRAD_OUTPUT_COUNT * (TENSOR + (name != NULL ? ESCAPED * strlen(name) : 0));
    }
    return GROWING * bound;
}

static grad_status create_check(computation *c, grad_error *error)
{
    grad_status status = grad_check_create(c->request, &c->check, error);

    if (status == GRAD_OK && c->pool != NULL)
        grad_check_set_proceed(c->check, proceed, c);
    return status;
}

static size_t check_stage_count(const computation *c)
{
    return grad_check_stage_count(c->check);
}

static size_t check_tile_count(const computation *c, size_t stage)
{
    return grad_check_tile_count(c->check, stage);
}

static void check_tile(computation *c, size_t stage, size_t tile)
{
    grad_check_tile(c->check, stage, tile);
}

static grad_status finish_check(computation *c, grad_error *error)
{
    c->segment_count = 1;
    return grad_check_finish(c->check, &c->report, error);
}

static grad_status print_check(computation *c, size_t segment, grad_error *error)
{
    (void)segment;
    grad_text_init(&c->text, SIZE_MAX);
    grad_check_report_write(c->report, &c->text);
    return grad_text_status(&c->text, error);
}

const computation_kind compute_check = {.read = read_check,
                                        .plan_memory = plan_check_memory,
                                        .plan = plan_check,
                                        .print_bound = check_print_bound,
                                        .cost = check_cost,
                                        .create = create_check,
                                        .stage_count = check_stage_count,
                                        .tile_count = check_tile_count,
                                        .tile = check_tile,
                                        .finish = finish_check,
                                        .print = print_check};
