/* The headers of CORS. */
#include "http/cors.h"

#include "config/origins.h"

#include <stdio.h>
#include <string.h>

#define READABLE "Accept, Accept-Encoding, Allow, Retry-After, Server-Timing, X-Request-Id"
/* A page may name itself and its content; a proxy in front may ask for authorization. */
#define SENDABLE "Authorization, Content-Type, X-Request-Id"
/* Two hours, the most that Chromium keeps it. */
#define MAX_AGE "7200"

/* "": nobody. */
static const char *allowed_of(const request *r)
{
    return r->context->role == ROLE_SERVICE ? r->context->service->config->allow_origin : "";
}

static bool allows_all(const request *r)
{
    return strcmp(allowed_of(r), "*") == 0;
}

void cors_read(request *r)
{
    const headers *h = &r->headers;
    if (!h->origin || !origins_hold(allowed_of(r), h->origin) ||
        strlen(h->origin) >= sizeof r->origin)
        return;
    snprintf(r->origin, sizeof r->origin, "%s", h->origin);
    r->preflight = h->requested_method && strcmp(r->method, MHD_HTTP_METHOD_OPTIONS) == 0;
}

void cors_add_headers(const request *r, struct MHD_Response *response)
{
    if (allowed_of(r)[0] == '\0')
        return;
    if (!allows_all(r))
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Origin");
    if (!allows_all(r) && r->origin[0] == '\0')
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin",
                            allows_all(r) ? "*" : r->origin);
    if (r->preflight) {
        MHD_add_response_header(response, "Access-Control-Allow-Methods", r->methods);
        MHD_add_response_header(response, "Access-Control-Allow-Headers", SENDABLE);
        MHD_add_response_header(response, "Access-Control-Max-Age", MAX_AGE);
    } else {
        MHD_add_response_header(response, "Access-Control-Expose-Headers", READABLE);
    }
}
