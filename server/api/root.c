/* GET /: what answers here, for whoever tries the address. */
#include "api/handlers.h"
#include "http/request.h"

#define ROOT_MAX 4096

static outcome answer(request *r)
{
    service_role role = r->context->role;
    const route_table *table = r->context->service->routes;
    grad_text text;
    grad_text_init(&text, ROOT_MAX);
    grad_text_printf(&text,
                     "{\"name\":\"gradientd\",\"version\":\"%s\",\"documentation\":"
                     "\"docs/api.md in the sources\",\"paths\":[",
                     GRAD_VERSION);
    for (const route *at = routes_next(table, role, NULL); at; at = routes_next(table, role, at)) {
        grad_text_printf(&text, "%s{\"path\":\"%s\",\"methods\":\"%s\",\"about\":\"%s\"}",
                         at == routes_next(table, role, NULL) ? "" : ",", at->path, at->methods,
                         at->about);
    }
    grad_text_printf(&text, "]}\n");
    return request_respond_text(r, MHD_HTTP_OK, "application/json", &text);
}

const handler handler_root = {.on_end = answer};
