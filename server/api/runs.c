/* What POST /v1/gradients and POST /v1/backprop compute: runs, answered by an encoder. */
#include "api/computation.h"

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

static double run_cost(const computation *c)
{
    grad_datatype datatype = c->batch->datatype;
    return (double)c->measure.result_numbers * seconds_per[datatype].number +
           c->measure.elements * seconds_per[datatype].element +
           c->measure.flops * seconds_per[datatype].flop;
}

static grad_status read_run(computation *c, grad_error *error)
{
    return body_read_batch(c->body, c->kind->request, &c->batch, error);
}

static grad_status measure_run(computation *c, const grad_limits *limits, grad_error *error)
{
    return grad_batch_measure(c->batch, limits, &c->measure, error);
}

static size_t run_print_bound(const computation *c)
{
    return grad_reply_bound(c->batch, c->measure.result_numbers);
}

static grad_status create_run(computation *c, grad_error *error)
{
    return grad_run_create(c->batch, &c->run, error);
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
    if (status == GRAD_OK)
        c->segment_count = grad_encoder_segment_count(c->encoder);
    return status;
}

static grad_status print_run(computation *c, size_t segment, grad_error *error)
{
    return grad_encoder_segment_run(c->encoder, segment, error);
}

#define RUN_KIND(which)                                                                            \
    {                                                                                              \
        .read = read_run, .measure = measure_run, .print_bound = run_print_bound,                  \
        .cost = run_cost, .create = create_run, .stage_count = run_stage_count,                    \
        .tile_count = run_tile_count, .tile = run_tile, .finish = finish_run, .print = print_run,  \
        .request = which                                                                           \
    }

const computation_kind compute_gradients = RUN_KIND(GRAD_REQUEST_GRADIENTS);
const computation_kind compute_backprop = RUN_KIND(GRAD_REQUEST_BACKPROP);
