/* The step that finds who answers: the path, and whether it takes the method. */
#include "admission/steps.h"

#include <stdio.h>
#include <string.h>

static outcome reject_path(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    routes_explain(r->context->service->routes, r->context->role, r->path, detail, sizeof detail);
    return request_reject_with(r, MHD_HTTP_NOT_FOUND, "unknown_path", detail);
}

static outcome reject_method(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    r->methods = r->route->methods;
    snprintf(detail, sizeof detail, "expected %s, found %s", r->methods, r->method);
    return request_reject_with(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", detail);
}

/* Which methods a path takes may be asked of any that there is, or of all (RFC 9110, section
 * 9.3.7). A preflight is granted for any: then the page may read what is wrong with its request. */
static outcome route_options(request *r)
{
    if (!r->route && strcmp(r->path, "*") != 0 && !r->preflight)
        return reject_path(r);
    r->methods = r->route ? r->route->methods : "GET, HEAD, POST, OPTIONS";
    r->route = r->context->service->routes->options;
    return OUTCOME_MORE;
}

outcome step_route(request *r)
{
    route_found found =
        routes_find(r->context->service->routes, r->context->role, r->method, r->path, &r->route);
    if (strcmp(r->method, MHD_HTTP_METHOD_OPTIONS) == 0)
        return route_options(r);
    switch (found) {
    case ROUTE_UNKNOWN_PATH:
        return reject_path(r);
    case ROUTE_WRONG_METHOD:
        return reject_method(r);
    case ROUTE_FOUND:
        break;
    }
    return OUTCOME_MORE;
}
