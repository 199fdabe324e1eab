/* OPTIONS: which methods a path takes (in Allow), and the preflights of pages. */
#include "api/handlers.h"
#include "http/request.h"

static void finish(request *r)
{
    request_answer(r, MHD_HTTP_NO_CONTENT, NULL,
                   MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), 0);
}

const handler handler_options = {.finish = finish};
