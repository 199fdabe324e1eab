/* The table of paths at the end, and the handlers of the small pages. To add a path: a row of the
 * table and its handler, here or in a file of its own that handlers.h names. */
#include "api/handlers.h"
#include "api/state.h"

#include "http/request.h"

#define DOCUMENT_MAX 4096
#define ROOT_MAX 4096
#define METRICS_MAX (4 << 20)

/* ---- GET /livez, /readyz --------------------------------------------------------------------- */

outcome respond_document(request *r, const char *document)
{
    grad_text text;

    grad_text_init(&text, DOCUMENT_MAX);
    grad_text_put(&text, document);
    grad_text_put(&text, "\n");
    return request_respond_text(r, MHD_HTTP_OK, "application/json", &text);
}

outcome respond_if_ready(request *r, const char *document)
{
    if (atomic_load(&r->context->service->draining))
        return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "draining",
                                   "the daemon is stopping and takes no new connections");
    return respond_document(r, document);
}

static outcome respond_livez(request *r)
{
    return respond_document(r, "{\"status\":\"alive\"}");
}

static outcome respond_readyz(request *r)
{
    return respond_if_ready(r, "{\"status\":\"ready\"}");
}

static const handler handler_livez = {.on_end = respond_livez};
static const handler handler_readyz = {.on_end = respond_readyz};

/* ---- GET / ----------------------------------------------------------------------------------- */

/* What answers here, for whoever tries the address. */
static outcome respond_root(request *r)
{
    service_role role = r->context->role;
    const route_table *table = r->context->service->routes;
    grad_text text;

    grad_text_init(&text, ROOT_MAX);
    grad_text_printf(&text,
                     "{\"name\":\"gradientd\",\"version\":\"%s\",\"documentation\":"
                     "\"docs/api.md in the sources\",\"paths\":[",
                     GRAD_VERSION);
    for (const route *at = routes_next(table, role, NULL); at != NULL;
         at = routes_next(table, role, at)) {
        grad_text_printf(&text, "%s{\"path\":\"%s\",\"methods\":\"%s\",\"about\":\"%s\"}",
                         at == routes_next(table, role, NULL) ? "" : ",", at->path, at->methods,
                         at->about);
    }
    grad_text_printf(&text, "]}\n");
    return request_respond_text(r, MHD_HTTP_OK, "application/json", &text);
}

static const handler handler_root = {.on_end = respond_root};

/* ---- OPTIONS --------------------------------------------------------------------------------- */

/* Which methods a path takes (in Allow), and the preflights of pages. */
static outcome respond_options(request *r)
{
    const http_response empty = {.content_type = NULL};

    return request_respond(r, MHD_HTTP_NO_CONTENT, &empty);
}

static const handler handler_options = {.ignores_query = true, .on_end = respond_options};

/* ---- GET /metrics ---------------------------------------------------------------------------- */

static outcome respond_metrics(request *r)
{
    const metrics_gauges gauges = state_gauges(r->context->service);
    grad_text text;

    grad_text_init(&text, METRICS_MAX);
    metrics_write(&gauges, &text);
    return request_respond_text(r, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &text);
}

static const handler handler_metrics = {.on_end = respond_metrics};

/* ---- The table ------------------------------------------------------------------------------- */

#define MODEL MODEL_PATH
#define VERSION "/versions/" GRAD_INFERENCE_VERSION

static const route routes[] = {
    {"/", "GET, HEAD, OPTIONS", {true, true}, ROUTE_INFO, &handler_root, "this list"},
    {"/v1/gradients",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_GRADIENTS,
     &handler_gradients,
     "the backward pass of layers whose states you send"},
    {"/v1/backprop",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_BACKPROP,
     &handler_backprop,
     "forward and backward of a whole network"},
    {"/v1/check",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_CHECK,
     &handler_check,
     "whether gradients are right"},
    {"/v1/info",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_INFO,
     &handler_info,
     "version, limits, activations, losses"},
    {"/v2",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_server,
     "Open Inference Protocol: the server"},
    {"/v2/health/live",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_HEALTH,
     &handler_v2_live,
     "its /livez"},
    {"/v2/health/ready",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_HEALTH,
     &handler_v2_ready,
     "its /readyz"},
    {MODEL,
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_model,
     "its model"},
    {MODEL "/ready",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_HEALTH,
     &handler_v2_model_ready,
     "whether the model is ready"},
    {MODEL "/config",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_configuration,
     "the model's configuration"},
    {MODEL "/infer",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_INFERENCE,
     &handler_inference,
     "the backward pass of one layer"},
    {MODEL VERSION,
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_model,
     "its model, by its version"},
    {MODEL VERSION "/ready",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_HEALTH,
     &handler_v2_model_ready,
     "whether the model is ready, by its version"},
    {MODEL VERSION "/config",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_configuration,
     "the model's configuration, by its version"},
    {MODEL VERSION "/infer",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_INFERENCE,
     &handler_inference,
     "the backward pass of one layer, by its version"},
    {MODEL "_*",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_model,
     "the model with an activation"},
    {MODEL "_*"
           "/ready",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_HEALTH,
     &handler_v2_model_ready,
     "whether it is ready"},
    {MODEL "_*"
           "/config",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_configuration,
     "its configuration"},
    {MODEL "_*"
           "/infer",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_INFERENCE,
     &handler_inference,
     "the backward pass of one layer"},
    {MODEL "_*" VERSION,
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_model,
     "the model with an activation, by its version"},
    {MODEL "_*" VERSION "/ready",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_HEALTH,
     &handler_v2_model_ready,
     "whether it is ready"},
    {MODEL "_*" VERSION "/config",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_MODEL,
     &handler_v2_configuration,
     "its configuration"},
    {MODEL "_*" VERSION "/infer",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_INFERENCE,
     &handler_inference,
     "the backward pass of one layer"},
    {"/livez",
     "GET, HEAD, OPTIONS",
     {true, true},
     ROUTE_HEALTH,
     &handler_livez,
     "200 while the process answers"},
    {"/readyz",
     "GET, HEAD, OPTIONS",
     {true, true},
     ROUTE_HEALTH,
     &handler_readyz,
     "200 while requests are accepted"},
    {"/metrics",
     "GET, HEAD, OPTIONS",
     {[ROLE_ADMIN] = true},
     ROUTE_METRICS,
     &handler_metrics,
     "counters for Prometheus"},
};
static const route options_route = {
    .path = "*", .metric = ROUTE_OTHER, .handler = &handler_options};

const route_table api_routes = {.routes = routes,
                                .count = sizeof routes / sizeof *routes,
                                .knows = model_knows,
                                .options = &options_route};
