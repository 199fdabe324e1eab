/* The step that finds what a body is, where one is expected: by its media type and its coding. */
#include "admission/steps.h"

#include "body/body.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void append(char list[REQUEST_ACCEPT_SIZE], const char *name)
{
    size_t length = strlen(list);
    snprintf(list + length, REQUEST_ACCEPT_SIZE - length, "%s%s", length > 0 ? ", " : "", name);
}

/* The response says besides what would have done. */
static outcome reject(request *r, const char *code, const char *detail)
{
    const body_formats *formats = r->context->service->formats;
    for (size_t i = 0; formats->payloads[i]; i++)
        append(r->accept, formats->payloads[i]->media_type);
    for (size_t i = 0; formats->filters[i]; i++)
        append(r->accept_encoding, formats->filters[i]->coding);
    return request_reject_with(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, code, detail);
}

static outcome find_payload(request *r)
{
    const payload_kind *const *payloads = r->context->service->formats->payloads;
    const char *type = r->headers.content_type ? r->headers.content_type : "none";
    char detail[GRAD_DETAIL_SIZE], types[REQUEST_ACCEPT_SIZE] = "";
    for (size_t i = 0; payloads[i]; i++) {
        switch (headers_match_media_type(type, payloads[i]->media_type, detail, sizeof detail)) {
        case MEDIA_TYPE_SAME:
            r->payload = payloads[i];
            return OUTCOME_MORE;
        case MEDIA_TYPE_FAULTY:
            return reject(r, "unsupported_media_type", detail);
        case MEDIA_TYPE_OTHER:
            append(types, payloads[i]->media_type);
            break;
        }
    }
    snprintf(detail, sizeof detail, "expected the Content-Type %s, found %.150s", types, type);
    return reject(r, "unsupported_media_type", detail);
}

static outcome find_filter(request *r)
{
    const body_filter *const *filters = r->context->service->formats->filters;
    const char *coding = r->headers.content_encoding;
    char detail[GRAD_DETAIL_SIZE], codings[REQUEST_ACCEPT_SIZE] = "";
    for (size_t i = 0; filters[i]; i++) {
        if (strcasecmp(coding ? coding : "identity", filters[i]->coding) == 0) {
            r->filter = filters[i];
            return OUTCOME_MORE;
        }
        append(codings, filters[i]->coding);
    }
    if (!filters[1])
        snprintf(codings, sizeof codings, "a body that is not compressed");
    snprintf(detail, sizeof detail, "expected %s, found the Content-Encoding %.150s", codings,
             coding ? coding : "identity");
    return reject(r, "unsupported_content_encoding", detail);
}

outcome step_content(request *r)
{
    if (!r->route->handler->takes_body)
        return OUTCOME_MORE;
    outcome found = find_payload(r);
    return found == OUTCOME_MORE ? find_filter(r) : found;
}
