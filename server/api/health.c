/* GET /livez and /readyz: whether the process answers, and whether it wants requests. */
#include "api/handlers.h"
#include "http/request.h"

#define BODY_MAX 128

static outcome respond(request *r, const char *word)
{
    grad_text text;
    grad_text_init(&text, BODY_MAX);
    grad_text_printf(&text, "{\"status\":\"%s\"}\n", word);
    return request_respond_text(r, MHD_HTTP_OK, "application/json", &text);
}

static outcome answer_livez(request *r)
{
    return respond(r, "alive");
}

static outcome answer_readyz(request *r)
{
    if (atomic_load(&r->context->service->draining)) {
        return request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "draining",
                                   "the daemon is stopping and takes no new connections");
    }
    return respond(r, "ready");
}

const handler handler_livez = {.on_end = answer_livez};
const handler handler_readyz = {.on_end = answer_readyz};
