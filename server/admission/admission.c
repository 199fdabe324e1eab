/* The steps of admission, and their table at the end. A step asks one thing of a request and
 * returns OUTCOME_MORE, or OUTCOME_REJECTED with the request's problem. To ask one thing more of
 * every request: a function here, or in a file of its own, and a row of the table. */
#include "admission/admission.h"

#include "admission/host.h"
#include "admission/login.h"
#include "body/body.h"
#include "config/suggest.h"
#include "http/accept.h"
#include "observe/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Who asks -------------------------------------------------------------------------------- */

/* 403: a reload has refused a client whose connection was open. */
static outcome step_client(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    const char *reason = tls_peer_refusal(r->connection->tls);

    if (reason == NULL)
        return OUTCOME_MORE;
    r->closes = true;
    metrics_count_rejection(REJECT_TLS_CLIENT);
    snprintf(detail, sizeof detail, "the client is refused: %s", reason);
    return request_reject_with(r, MHD_HTTP_FORBIDDEN, "client_refused", detail);
}

/* ---- Framing, room, length ------------------------------------------------------------------- */

/* 400: two readers could understand the request differently. */
static outcome step_framing(request *r)
{
    if (r->headers.fault == NULL)
        return OUTCOME_MORE;
    r->closes = true;
    metrics_count_rejection(REJECT_BAD_FRAMING);
    return request_reject_with(r, MHD_HTTP_BAD_REQUEST, "bad_framing", r->headers.fault);
}

/* 431: no room is left for the response's headers. */
static outcome step_header_room(request *r)
{
    char detail[GRAD_DETAIL_SIZE];
    size_t limit = request_max_headers(r);

    if (r->header_room <= limit)
        return OUTCOME_MORE;
    snprintf(detail, sizeof detail,
             "expected headers that take at most %zu bytes, with %zu for each of them, found %zu",
             limit, HEADER_NOTE_SIZE, r->header_room);
    r->closes = true;
    return request_reject_limit(r, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large",
                                detail, "max_headers", limit);
}

/* 413: the declared length is beyond the limit of bodies. */
static outcome step_length(request *r)
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

/* ---- The route ------------------------------------------------------------------------------- */

static outcome reject_path(request *r)
{
    char detail[GRAD_DETAIL_SIZE];

    routes_explain(r->context->service->routes, r->context->role, r->path, detail, sizeof detail);
    return request_reject_with(r, MHD_HTTP_NOT_FOUND, "unknown_path", detail);
}

static outcome reject_method(request *r)
{
    char detail[GRAD_DETAIL_SIZE];

    r->methods = r->route->methods;
    snprintf(detail, sizeof detail, "expected %s, found %s", r->methods, r->method);
    return request_reject_with(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", detail);
}

/* OPTIONS may ask about any path there is, or about all of them (RFC 9110, section 9.3.7). A
 * preflight is granted for any path, so that the page can read what is wrong with its request. */
static outcome route_options(request *r)
{
    if (r->route == NULL && strcmp(r->path, "*") != 0 && !r->preflight)
        return reject_path(r);
    r->methods = r->route != NULL ? r->route->methods : "GET, HEAD, POST, OPTIONS";
    r->route = r->context->service->routes->options;
    return OUTCOME_MORE;
}

/* 404, 405: sets the route. */
static outcome step_route(request *r)
{
    route_found found =
        routes_find(r->context->service->routes, r->context->role, r->method, r->path, &r->route);

    if (strcmp(r->method, MHD_HTTP_METHOD_OPTIONS) == 0)
        return route_options(r);
    switch (found) {
    case ROUTE_UNKNOWN_PATH:
        return reject_path(r);
    case ROUTE_WRONG_METHOD:
        return reject_method(r);
    case ROUTE_FOUND:
        break;
    }
    return OUTCOME_MORE;
}

#define WORD_SIZE 128

/* ---- The query ------------------------------------------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? memchr(digits, c | 0x20, sizeof digits - 1) : NULL;

    return c >= '0' && c <= '9' ? c - '0' : at != NULL && c > '9' ? (int)(at - digits) : -1;
}

/* Decodes %XX. Anything else stands for itself, and so does %00, which would end the word. A word
 * longer than any known one is cut. */
static void unescape(const char *text, char word[WORD_SIZE])
{
    size_t length = 0;
    while (*text && length + 1 < WORD_SIZE) {
        int high = *text == '%' ? digit_of(text[1]) : -1;
        int low = high >= 0 ? digit_of(text[2]) : -1;
        bool is_escape = low >= 0 && high + low > 0;
        int byte = is_escape ? high << 4 | low : *text;
        word[length++] = (char)byte;
        text += is_escape ? 3 : 1;
    }
    word[length] = '\0';
}

/* A word that others use, and ours. */
typedef struct hint {
    const char *word;
    const char *meant;
} hint;

/* Looks among known words first, then for a near one: FP16 is neither. */
static const char *find_hint(const char *word, const hint *known, size_t count)
{
    suggest_search search = {.given = word};

    for (size_t i = 0; i < count; i++)
        if (strcasecmp(word, known[i].word) == 0)
            return known[i].meant;
    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i].word, known[i].meant) == 0)
            suggest_offer(&search, known[i].word);
    return search.best != NULL && search.distance <= strlen(word) / 4 ? search.best : NULL;
}

static void reject_word(request *r, const char *code, const char *what, const char *word,
                        const char *meant)
{
    char detail[GRAD_DETAIL_SIZE];

    snprintf(detail, sizeof detail, "%s \"%.100s\"%s%s%s", what, word,
             meant != NULL ? ", did you mean \"" : "", meant != NULL ? meant : "",
             meant != NULL ? "\"?" : "");
    request_reject_with(r, MHD_HTTP_UNPROCESSABLE_CONTENT, code, detail);
}

static void reject_name(request *r, const char *name)
{
    static const hint names[] = {
        {"datatype", "datatype"}, {"dtype", "datatype"}, {"precision", "datatype"}};
    char what[WORD_SIZE];

    if (r->route->handler->takes_body) {
        reject_word(r, "unknown_field", "expected no query parameter but datatype, found", name,
                    find_hint(name, names, sizeof names / sizeof *names));
    } else {
        snprintf(what, sizeof what, "%.60s takes no query, found the parameter", r->route->path);
        reject_word(r, "unknown_field", what, name, NULL);
    }
}

static void reject_value(request *r, const char *value)
{
    static const hint values[] = {{"FP32", "FP32"},    {"FP64", "FP64"},   {"float", "FP32"},
                                  {"float32", "FP32"}, {"single", "FP32"}, {"double", "FP64"},
                                  {"float64", "FP64"}};

    reject_word(r, "unsupported_value", "expected datatype=FP32 or datatype=FP64, found", value,
                find_hint(value, values, sizeof values / sizeof *values));
}

static bool read_datatype(const char *name, grad_datatype *datatype)
{
    static const char *const names[] = {[GRAD_FP32] = "FP32", [GRAD_FP64] = "FP64"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *datatype = (grad_datatype)i;
            return true;
        }
    }
    return false;
}

/* Two parameters of one name are ambiguous. */
static enum MHD_Result check_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    request *r = context;
    char name_word[WORD_SIZE], value_word[WORD_SIZE];

    (void)kind;
    unescape(name, name_word);
    unescape(value != NULL ? value : "", value_word);
    if (strcmp(name_word, "datatype") != 0 || !r->route->handler->takes_body)
        reject_name(r, name_word);
    else if (r->has_datatype)
        request_reject_with(r, MHD_HTTP_UNPROCESSABLE_CONTENT, "duplicate_field",
                            "expected one query parameter datatype, found two");
    else if (!read_datatype(value_word, &r->datatype))
        reject_value(r, value_word);
    r->has_datatype = true;
    return r->status == 0 ? MHD_YES : MHD_NO;
}

/* 422: sets the datatype, the one parameter there is, of the paths that compute. */
static outcome step_query(request *r)
{
    if (!r->route->handler->ignores_query)
        MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, check_parameter, r);
    return r->status == 0 ? OUTCOME_MORE : OUTCOME_REJECTED;
}

/* ---- The content ----------------------------------------------------------------------------- */

static void append(char list[REQUEST_ACCEPT_SIZE], const char *name)
{
    size_t length = strlen(list);

    snprintf(list + length, REQUEST_ACCEPT_SIZE - length, "%s%s", length > 0 ? ", " : "", name);
}

/* Whether the path has requests and responses of that kind. */
static bool may_be(const request *r, const payload_kind *payload)
{
    return !r->route->handler->is_untyped || payload == &payload_json;
}

/* The response lists what would be accepted. */
static outcome reject_content(request *r, const char *code, const char *detail)
{
    const body_formats *formats = r->context->service->formats;

    for (size_t i = 0; formats->payloads[i] != NULL; i++)
        if (may_be(r, formats->payloads[i]))
            append(r->accept, formats->payloads[i]->media_type);
    if (r->route->handler->is_untyped)
        append(r->accept, "application/octet-stream");
    for (size_t i = 0; formats->filters[i] != NULL; i++)
        append(r->accept_encoding, formats->filters[i]->coding);
    return request_reject_with(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, code, detail);
}

/* Bytes behind a document make a body that is no JSON; its type may say so. Clients of the Open
 * Inference Protocol say it of every body, or send no type. */
static bool is_of_bytes(const request *r)
{
    bool is_untyped = r->route->handler->is_untyped;
    char detail[GRAD_DETAIL_SIZE];

    if (r->headers.content_type == NULL)
        return is_untyped;
    return (r->has_tail || is_untyped) &&
           headers_match_media_type(r->headers.content_type, "application/octet-stream", detail,
                                    sizeof detail) == MEDIA_TYPE_SAME;
}

static outcome find_payload(request *r)
{
    const payload_kind *const *payloads = r->context->service->formats->payloads;
    const char *type = r->headers.content_type != NULL ? r->headers.content_type : "none";
    char detail[GRAD_DETAIL_SIZE], types[REQUEST_ACCEPT_SIZE] = "";

    if (is_of_bytes(r)) {
        r->payload = &payload_json;
        return OUTCOME_MORE;
    }
    for (size_t i = 0; payloads[i] != NULL && may_be(r, payloads[i]); i++) {
        switch (headers_match_media_type(type, payloads[i]->media_type, detail, sizeof detail)) {
        case MEDIA_TYPE_SAME:
            r->payload = payloads[i];
            return OUTCOME_MORE;
        case MEDIA_TYPE_FAULTY:
            return reject_content(r, "unsupported_media_type", detail);
        case MEDIA_TYPE_OTHER:
            append(types, payloads[i]->media_type);
            break;
        }
    }
    snprintf(detail, sizeof detail, "expected the Content-Type %s%s, found %.150s", types,
             r->route->handler->is_untyped ? ", application/octet-stream or none" : "", type);
    return reject_content(r, "unsupported_media_type", detail);
}

static bool is_coding(const body_filter *filter, const char *name)
{
    return strcasecmp(name, filter->coding) == 0 ||
           (filter->alias != NULL && strcasecmp(name, filter->alias) == 0);
}

static outcome find_filter(request *r)
{
    const body_filter *const *filters = r->context->service->formats->filters;
    const char *coding = r->headers.content_encoding;
    char detail[GRAD_DETAIL_SIZE], codings[REQUEST_ACCEPT_SIZE] = "";
    for (size_t i = 0; filters[i] != NULL; i++) {
        if (is_coding(filters[i], coding != NULL ? coding : "identity")) {
            r->filter = filters[i];
            return OUTCOME_MORE;
        }
        append(codings, filters[i]->coding);
    }
    snprintf(detail, sizeof detail, "expected one coding of %s, found the Content-Encoding %.150s",
             codings, coding != NULL ? coding : "identity");
    return reject_content(r, "unsupported_content_encoding", detail);
}

/* What numbers as text mostly are to what they are compressed. */
#define USUAL_EXPANSION 2

/* 400: where the document ends and the bytes of its tensors begin. */
static outcome step_tail(request *r)
{
    const char *text = r->headers.document_length;
    char detail[GRAD_DETAIL_SIZE];
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;

    if (text == NULL || !r->route->handler->takes_body)
        return OUTCOME_MORE;
    if (digits == 0 || digits > 18 || text[digits] != '\0') {
        snprintf(detail, sizeof detail,
                 "expected Inference-Header-Content-Length to be a number of bytes, found %.60s",
                 text);
        return request_reject_with(r, MHD_HTTP_BAD_REQUEST, "length_mismatch", detail);
    }
    r->has_tail = true;
    r->document_length = (size_t)strtoull(text, NULL, 10);
    if (r->headers.content_encoding != NULL || r->declared == 0 ||
        r->document_length <= r->declared)
        return OUTCOME_MORE;
    snprintf(detail, sizeof detail,
             "expected a document within the body, which has %" PRIu64
             " bytes, found Inference-Header-Content-Length: %zu",
             r->declared, r->document_length);
    return request_reject_with(r, MHD_HTTP_BAD_REQUEST, "length_mismatch", detail);
}

/* 400: two lengths of what comes first could be two. */
static outcome check_header(request *r)
{
    if (!r->has_tail || r->payload != &payload_safetensors)
        return OUTCOME_MORE;
    return request_reject_with(
        r, MHD_HTTP_BAD_REQUEST, "length_mismatch",
        "expected no Inference-Header-Content-Length with safetensors, whose "
        "first 8 bytes are the header's length, found one");
}

/* 415: sets the filter and the payload of a body that is expected. */
static outcome step_content(request *r)
{
    outcome found;

    if (!r->route->handler->takes_body)
        return OUTCOME_MORE;
    found = find_payload(r);
    if (found == OUTCOME_MORE)
        found = check_header(r);
    if (found == OUTCOME_MORE)
        found = find_filter(r);
    if (found == OUTCOME_MORE && r->filter->taken != NULL)
        r->expected = USUAL_EXPANSION * r->declared;
    return found;
}

/* Never refuses: sets what kind of payload the client names for the response, the one that it wants
 * most; of equal ones the last, for JSON is what comes unasked. */
static outcome step_accept_kind(request *r)
{
    const payload_kind *const *payloads = r->context->service->formats->payloads;
    int most = 1;

    for (size_t i = 0; payloads[i] != NULL && r->route->handler->takes_body; i++) {
        int weight = accept_weight(r->headers.accept, payloads[i]->media_type);
        if (weight >= most && may_be(r, payloads[i])) {
            r->wanted = payloads[i];
            most = weight;
        }
    }
    return OUTCOME_MORE;
}

/* How much the client wants the response in that coding. */
static int weight_of(const char *accepted, const body_compressor *compressor)
{
    int weight = accept_weight(accepted, compressor->coding);

    if (weight == ACCEPT_UNNAMED && compressor->alias != NULL)
        weight = accept_weight(accepted, compressor->alias);
    if (weight == ACCEPT_UNNAMED && !compressor->is_named_only)
        weight = accept_weight(accepted, "*");
    return weight;
}

/* Never refuses: sets the compressor of the response, the first of those that the client wants
 * most. One that it wants less than the response as it is, is none. */
static outcome step_accept(request *r)
{
    const body_compressor *const *compressors = r->context->service->formats->compressors;
    const char *accepted = r->headers.accept_encoding;
    int plain = accept_weight(accepted, "identity"), most = 0;

    if (accepted == NULL || compressors == NULL || !r->route->handler->takes_body ||
        !r->context->service->config->compression)
        return OUTCOME_MORE;
    for (size_t i = 0; compressors[i] != NULL; i++) {
        int weight = weight_of(accepted, compressors[i]);
        if (weight > most && weight >= plain) {
            r->compressor = compressors[i];
            most = weight;
        }
    }
    if (plain == ACCEPT_UNNAMED)
        plain = accept_weight(accepted, "*");
    r->must_compress = r->compressor != NULL && plain == 0;
    return OUTCOME_MORE;
}

/* 400: a Content-Digest that nobody can hold the body against. */
static outcome step_digest(request *r)
{
    char detail[GRAD_DETAIL_SIZE];

    if (!r->route->handler->takes_body || r->headers.content_digest == NULL ||
        digest_read(r->headers.content_digest, &r->digest, detail, sizeof detail))
        return OUTCOME_MORE;
    return request_reject_with(r, MHD_HTTP_BAD_REQUEST, "malformed_digest", detail);
}

/* ---- The table ------------------------------------------------------------------------------- */

/* In this order: each step may rely on what those before it have found. */
static outcome (*const steps[])(request *r) = {
    step_client,      step_framing, step_header_room, step_route, host_step,
    login_step,       step_length,  step_query,       step_tail,  step_content,
    step_accept_kind, step_accept,  step_digest,      quota_step,
};

outcome admission_run(request *r)
{
    outcome admitted = OUTCOME_MORE;

    for (size_t i = 0; i < sizeof steps / sizeof *steps && admitted == OUTCOME_MORE; i++)
        admitted = steps[i](r);
    return admitted;
}
