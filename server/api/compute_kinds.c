/* What the three computations differ in: how the body is read, what it costs, how it is computed
 * and printed. Gradients and backprop are runs, answered by an encoder; a check is one of its own,
 * answered by a small text. */
#include "api/computation.h"

#include <math.h>
#include <string.h>

/* ---- What it costs --------------------------------------------------------------------------- */

/* Seconds, rough and on the high side, measured on one core of an AMD EPYC: what matters is the
 * order of magnitude, which decides between the event loop and a worker. */
static const struct {
    double number;  /* printed */
    double element; /* of a function, forward or backward */
    double flop;
} seconds_per[] = {
    [GRAD_FP32] = {12e-9, 4e-9, 5e-11},
    [GRAD_FP64] = {8e-7, 20e-9, 1e-10},
};

static double run_cost(const work *w)
{
    grad_datatype datatype = w->batch->datatype;
    return (double)w->measure.result_numbers * seconds_per[datatype].number +
           w->measure.elements * seconds_per[datatype].element +
           w->measure.flops * seconds_per[datatype].flop;
}

/* A check is a row of forward passes in double precision: never for the event loop. */
static double check_cost(const work *w)
{
    (void)w;
    return INFINITY;
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static grad_status read_run(work *w, grad_error *error)
{
    return grad_decoder_finish_request(w->decoder, w->kind->request, &w->batch, error);
}

static grad_status measure_run(work *w, const grad_limits *limits, grad_error *error)
{
    return grad_batch_measure(w->batch, limits, &w->measure, error);
}

static size_t run_print_bound(const work *w)
{
    return grad_reply_bound(w->batch, w->measure.result_numbers);
}

static grad_status create_run(work *w, grad_error *error)
{
    return grad_run_create(w->batch, &w->run, error);
}

static size_t run_stage_count(const work *w)
{
    return grad_run_stage_count(w->run);
}

static size_t run_tile_count(const work *w, size_t stage)
{
    return grad_run_tile_count(w->run, stage);
}

static void run_tile(work *w, size_t stage, size_t tile)
{
    grad_run_tile(w->run, stage, tile);
}

static grad_status finish_run(work *w, grad_error *error)
{
    grad_status status = grad_run_finish(w->run, error);
    if (status == GRAD_OK)
        status =
            grad_encode_reply(w->batch, grad_run_reply(w->run), w->decoder, &w->encoder, error);
    if (status == GRAD_OK)
        w->segment_count = grad_encoder_segment_count(w->encoder);
    return status;
}

static grad_status print_run(work *w, size_t segment, grad_error *error)
{
    return grad_encoder_segment_run(w->encoder, segment, error);
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static grad_status read_check(work *w, grad_error *error)
{
    grad_status status = grad_decoder_finish_check(w->decoder, &w->request, error);
    if (status == GRAD_OK)
        w->batch = w->request->batch;
    return status;
}

static grad_status measure_check(work *w, const grad_limits *limits, grad_error *error)
{
    return grad_check_measure(w->request, limits, &w->measure, error);
}

/* Generously: a tensor's findings, its own and the client's, are twelve numbers and their names. */
static size_t check_print_bound(const work *w)
{
    enum {
        HEAD = 1024,
        TENSOR = 1536,
        ESCAPED = 6, /* bytes that one byte of a name may become */
        GROWING = 3  /* a text that doubles, and its copy while it does */
    };
    size_t bound = HEAD + (w->batch->id ? ESCAPED * strlen(w->batch->id) : 0);
    for (size_t i = 0; i < w->batch->layer_count; i++) {
        const char *name = w->batch->layers[i].name;
        bound += GRAD_OUTPUT_COUNT * (TENSOR + (name ? ESCAPED * strlen(name) : 0));
    }
    return GROWING * bound;
}

static grad_status create_check(work *w, grad_error *error)
{
    return grad_check_create(w->request, &w->check, error);
}

static size_t check_stage_count(const work *w)
{
    return grad_check_stage_count(w->check);
}

static size_t check_tile_count(const work *w, size_t stage)
{
    return grad_check_tile_count(w->check, stage);
}

static void check_tile(work *w, size_t stage, size_t tile)
{
    grad_check_tile(w->check, stage, tile);
}

static grad_status finish_check(work *w, grad_error *error)
{
    w->segment_count = 1;
    return grad_check_finish(w->check, &w->report, error);
}

static grad_status print_check(work *w, size_t segment, grad_error *error)
{
    (void)segment;
    grad_text_init(&w->text, SIZE_MAX);
    grad_check_report_write(w->report, &w->text);
    return grad_text_status(&w->text, error);
}

/* ---- The table ------------------------------------------------------------------------------- */

#define RUN_KIND(which)                                                                            \
    {                                                                                              \
        .read = read_run, .measure = measure_run, .print_bound = run_print_bound,                  \
        .cost = run_cost, .create = create_run, .stage_count = run_stage_count,                    \
        .tile_count = run_tile_count, .tile = run_tile, .finish = finish_run, .print = print_run,  \
        .request = which                                                                           \
    }

const compute_kind compute_gradients = RUN_KIND(GRAD_REQUEST_GRADIENTS);
const compute_kind compute_backprop = RUN_KIND(GRAD_REQUEST_BACKPROP);
const compute_kind compute_check = {.read = read_check,
                                    .measure = measure_check,
                                    .print_bound = check_print_bound,
                                    .cost = check_cost,
                                    .create = create_check,
                                    .stage_count = check_stage_count,
                                    .tile_count = check_tile_count,
                                    .tile = check_tile,
                                    .finish = finish_check,
                                    .print = print_check};
