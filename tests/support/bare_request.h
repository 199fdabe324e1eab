/* A request without a connection behind it, for what is decided and answered without one: the
 * admission and the handlers. In a header, so that other programs are linked without the server. */
#ifndef GRADIENTD_TESTS_BARE_REQUEST_H
#define GRADIENTD_TESTS_BARE_REQUEST_H

#include "api/handlers.h"
#include "body/body.h"
#include "http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static char bare_hosts[] = "x";
static const config bare_options = {.allow_host = bare_hosts,
                                    .max_body = 1000,
                                    .max_layers = 10,
                                    .max_numbers = 100,
                                    .max_result_numbers = 100,
                                    .max_envelope = 1000,
                                    .body_timeout = 10,
                                    .request_timeout = 10,
                                    .inline_cost = 1};

/* The service that the requests below belong to: the real table of routes, small limits, a budget
 * of 1 MiB and all work inline. */
static service bare_service;
static request_context bare_context = {.service = &bare_service, .role = ROLE_SERVICE};
static connection bare_peer = {.fd = -1};

/* Makes the service anew, with these formats of bodies; its line lasts. */
static inline void bare_service_begin(const body_formats *formats)
{
    static const size_t slots[LINE_CLASS_COUNT] = {1, 1, 1, 1};
    static line *all;

    if (all == NULL)
        all = line_create(&bare_service.memory, slots, 1, 0);
    assert_non_null(all);
    bare_service = (service){.config = &bare_options, .routes = &api_routes, .formats = formats};
    bare_service.line = all;
    budget_init(&bare_service.memory, 1 << 20);
}

/* A request on the service's listener whose line and headers are there, a Host among them. */
static inline void bare_request_begin(request *r, const char *method, const char *path)
{
    *r = (request){.context = &bare_context, .connection = &bare_peer};
    request_begin(r);
    r->state = REQUEST_RECEIVING;
    snprintf(r->method, sizeof r->method, "%s", method);
    snprintf(r->path, sizeof r->path, "%s", path);
    r->uri = r->path;
    r->headers.host = "x";
}

/* Frees what the request holds; then nothing of the budget may be in use. */
static inline void bare_request_end(request *r)
{
    if (r->response.free)
        r->response.free(r->response.context);
    if (r->route && r->route->handler->release)
        r->route->handler->release(r);
    assert_int_equal(bare_service.memory.in_use, 0);
}

#endif
