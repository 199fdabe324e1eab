/* What POST /v1/check computes: a check of gradients, answered by a small text. */
#include "api/computation.h"

#include <math.h>
#include <string.h>

/* A check is a row of forward passes in double precision: never for the event loop. */
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
    return status;
}

static grad_status measure_check(computation *c, const grad_limits *limits, grad_error *error)
{
    return grad_check_measure(c->request, limits, &c->measure, error);
}

/* Generously: a tensor's findings, its own and the client's, are twelve numbers and their names. */
static size_t check_print_bound(const computation *c)
{
    enum {
        HEAD = 1024,
        TENSOR = 1536,
        ESCAPED = 6, /* bytes that one byte of a name may become */
        GROWING = 3  /* a text that doubles, and its copy while it does */
    };
    size_t bound = HEAD + (c->batch->id ? ESCAPED * strlen(c->batch->id) : 0);
    for (size_t i = 0; i < c->batch->layer_count; i++) {
        const char *name = c->batch->layers[i].name;
        bound += GRAD_OUTPUT_COUNT * (TENSOR + (name ? ESCAPED * strlen(name) : 0));
    }
    return GROWING * bound;
}

static grad_status create_check(computation *c, grad_error *error)
{
    return grad_check_create(c->request, &c->check, error);
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
                                        .measure = measure_check,
                                        .print_bound = check_print_bound,
                                        .cost = check_cost,
                                        .create = create_check,
                                        .stage_count = check_stage_count,
                                        .tile_count = check_tile_count,
                                        .tile = check_tile,
                                        .finish = finish_check,
                                        .print = print_check};
