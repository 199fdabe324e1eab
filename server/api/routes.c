/* The table of routes. To add a path: a row here and its handler. */
#include "api/handlers.h"

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

const route_table api_routes = {
    .routes = routes, .count = sizeof routes / sizeof routes[0], .options = &options_route};
