/* The steps of admission, in the order of its table. Each asks one thing of a request and returns
 * OUTCOME_MORE, or OUTCOME_REJECTED with the request's problem. Each may rely on what the steps
 * before it have found. */
#ifndef GRADIENTD_ADMISSION_STEPS_H
#define GRADIENTD_ADMISSION_STEPS_H

#include "http/request.h"

outcome step_framing(request *r);     /* 400: two readers could understand it differently */
outcome step_header_room(request *r); /* 431: none is left for the response's headers */
outcome step_route(request *r);       /* 404, 405: sets the route */
outcome step_length(request *r);      /* 413: the declared length is beyond the body's limit */
outcome step_query(request *r);       /* 422: sets the datatype */
outcome step_content(request *r);     /* 415: sets the filter and the payload */

#endif
