/* The steps that look at the headers as such: framing, room, the declared length. */
#include "admission/steps.h"

#include "observe/metrics.h"

#include <inttypes.h>
#include <stdio.h>

outcome step_framing(request *r)
{
    if (!r->headers.fault)
        return OUTCOME_MORE;
    r->closes = true;
    metrics_count_rejection(REJECT_BAD_FRAMING);
    return request_reject_with(r, MHD_HTTP_BAD_REQUEST, "bad_framing", r->headers.fault);
}

/* Without room for the response's headers the work would be for nothing. */
outcome step_header_room(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    size_t limit = r->context->role == ROLE_SERVICE ? SERVICE_MAX_HEADERS : ADMIN_MAX_HEADERS;
    if (r->header_room <= limit)
        return OUTCOME_MORE;
    snprintf(detail, sizeof detail,
             "expected headers that take at most %zu bytes, with %zu for each of them, found %zu",
             limit, HEADER_NOTE_SIZE, r->header_room);
    r->closes = true;
    return request_reject_limit(r, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large",
                                detail, "max_headers", limit);
}

outcome step_length(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    uint64_t limit = request_body_limit(r);
    if (r->declared <= limit)
        return OUTCOME_MORE;
    metrics_count_rejection(REJECT_BODY_TOO_LARGE);
    snprintf(detail, sizeof detail, "expected a body of at most %" PRIu64 " bytes, found %" PRIu64,
             limit, r->declared);
    return request_reject_limit(r, MHD_HTTP_CONTENT_TOO_LARGE, "body_too_large", detail,
                                request_body_limit_name(r), limit);
}
