/* GET /livez and /readyz: whether the process answers, and whether it wants requests. */
#include "api/handlers.h"
#include "http/request.h"

#define BODY_MAX 128

static void answer(request *r, int status, const char *word)
{
    grad_text text;
    grad_text_init(&text, BODY_MAX);
    grad_text_printf(&text, "{\"status\":\"%s\"}\n", word);
    request_answer_text(r, status, "application/json", &text);
}

static void finish_livez(request *r)
{
    answer(r, MHD_HTTP_OK, "alive");
}

static void finish_readyz(request *r)
{
    if (atomic_load(&r->context->service->draining)) {
        request_reject_with(r, MHD_HTTP_SERVICE_UNAVAILABLE, "draining",
                            "the daemon is stopping and takes no new connections");
        return;
    }
    answer(r, MHD_HTTP_OK, "ready");
}

const handler handler_livez = {.finish = finish_livez};
const handler handler_readyz = {.finish = finish_readyz};
