/* OPTIONS: which methods a path takes (in Allow), and the preflights of pages. */
#include "api/handlers.h"
#include "http/request.h"

static outcome answer(request *r)
{
    const http_response empty = {.content_type = NULL};
    return request_respond(r, MHD_HTTP_NO_CONTENT, &empty);
}

const handler handler_options = {.ignores_query = true, .on_end = answer};
