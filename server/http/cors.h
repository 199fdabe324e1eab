/* Pages of other origins: what lets a browser show them the responses (the Fetch standard's CORS
 * protocol), where allow-origin names their origin. On the service's listener only. */
#ifndef GRADIENTD_CORS_H
#define GRADIENTD_CORS_H

#include "http/request.h"

/* Looks at the headers of a request: whose page it is of, whether that may read the response, and
 * whether it asks beforehand (a preflight). */
void cors_read(request *r);

/* What every response to it carries. */
void cors_add_headers(const request *r, struct MHD_Response *response);

#endif
