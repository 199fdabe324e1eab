/* Parsing and validating headers. */
#include "http/headers.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REQUEST_ID_MAX 64

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!isalnum(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return length > 0;
}

/* Tabs may stand in values; no other control character may. */
static bool is_value(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static void blame(headers *h, const char *fault)
{
    if (h->fault == NULL)
        h->fault = fault;
}

void headers_begin(headers *h, const char *version)
{
    *h = (headers){.http_1_0 = strcmp(version, "HTTP/1.0") == 0};
}

void headers_expect_lines(headers *h, const char *first)
{
    h->next = first;
}

/* Keeps the headers that the daemon knows. Those that may appear once only have a text for the
 * second. */
static void keep(headers *h, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **slot;
        const char *twice;
    } known[] = {
        {"Content-Length", &h->content_length, "expected one Content-Length, found two"},
        {"Transfer-Encoding", &h->transfer_encoding, "expected one Transfer-Encoding, found two"},
        {"Host", &h->host, "expected one Host, found two"},
        {"Content-Type", &h->content_type, "expected one Content-Type, found two"},
        {"Content-Encoding", &h->content_encoding, "expected one Content-Encoding, found two"},
        {"Authorization", &h->authorization, "expected one Authorization, found two"},
        {"Accept", &h->accept, NULL},
        {"Accept-Encoding", &h->accept_encoding, NULL},
        {"Inference-Header-Content-Length", &h->document_length,
         "expected one Inference-Header-Content-Length, found two"},
        {"Expect", &h->expect, NULL},
        {"X-Request-Id", &h->request_id, NULL},
        {"Origin", &h->origin, NULL},
        {"Access-Control-Request-Method", &h->requested_method, NULL},
        {"traceparent", &h->traceparent, NULL},
        {"Content-Digest", &h->content_digest, "expected one Content-Digest, found two"},
        {"Want-Content-Digest", &h->want_content_digest, NULL},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            if (*known[i].slot != NULL && known[i].twice != NULL)
                blame(h, known[i].twice);
            if ((known[i].slot == &h->traceparent || known[i].slot == &h->accept ||
                 known[i].slot == &h->accept_encoding) &&
                *known[i].slot != NULL)
                value = ""; /* several are as good as none */
            *known[i].slot = value;
            return;
        }
    }
}

void headers_add(headers *h, const char *name, size_t name_length, const char *value,
                 size_t value_length)
{
    if (h->next != NULL) {
        if (name != h->next) {
            blame(h, "expected header lines that end with CRLF, found a NUL, a bare line feed or a "
                     "folded line");
        }
        h->next = value + value_length + 2;
    }
    if (!is_token(name, name_length)) {
        blame(h, "expected header names that are tokens, found another character");
        return;
    }
    if (!is_value(value, value_length))
        blame(h, "expected header values without control characters, found one");
    keep(h, name, value);
}

void headers_end(headers *h, const char *end)
{
    if (h->next != NULL && end != NULL && h->next + 2 != end) {
        blame(h, "expected header lines that end with CRLF, found a NUL, a bare line feed or a "
                 "folded line");
    }
    if (h->host == NULL && !h->http_1_0)
        blame(h, "expected a Host, found none");
    if (h->transfer_encoding == NULL)
        return;
    if (h->content_length != NULL)
        blame(h, "expected Content-Length or Transfer-Encoding, found both");
    if (strcasecmp(h->transfer_encoding, "chunked") != 0)
        blame(h, "expected the transfer coding chunked, found another");
    if (h->http_1_0)
        blame(h, "expected no Transfer-Encoding in HTTP/1.0, found one");
}

bool headers_have_body(const headers *h, uint64_t *length)
{
    *length = h->content_length != NULL ? strtoull(h->content_length, NULL, 10) : 0;
    return h->transfer_encoding != NULL || *length > 0;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* One parameter of a media type. */
typedef struct parameter {
    const char *begin; /* its name */
    size_t length;     /* of the whole */
    size_t name;       /* the length of the name */
    const char *value; /* without quotation marks */
    size_t value_length;
} parameter;

/* Reads from behind a semicolon; nothing is a parameter of length 0 (RFC 9110, section 5.6.6).
 * False: malformed, and length is how far it goes. */
static bool read_parameter(const char *text, parameter *p)
{
    const char *end;
    bool quoted;

    text = skip_blanks(text);
    *p = (parameter){.begin = text, .length = strcspn(text, ";")};
    if (*text == ';' || *text == '\0')
        return true;
    p->name = strcspn(text, "= \t;");
    if (!is_token(text, p->name) || text[p->name] != '=')
        return false;
    p->value = text + p->name + 1;
    quoted = *p->value == '"';
    p->value += quoted;
    while (quoted && p->value[p->value_length] && p->value[p->value_length] != '"')
        p->value_length +=
            p->value[p->value_length] == '\\' && p->value[p->value_length + 1] ? 2 : 1;
    if (!quoted)
        p->value_length = strcspn(p->value, " \t;");
    end = p->value + p->value_length;
    if (quoted ? *end != '"' : p->value_length == 0)
        return false;
    end = skip_blanks(end + quoted);
    p->length = (size_t)(end - text);
    return *end == ';' || *end == '\0';
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

static bool is_utf8(const parameter *p)
{
    return !is_word(p->begin, p->name, "charset") || is_word(p->value, p->value_length, "utf-8") ||
           is_word(p->value, p->value_length, "utf8");
}

media_type_match headers_match_media_type(const char *content_type, const char *media_type,
                                          char *fault, size_t size)
{
    size_t length = strlen(media_type);
    const char *rest;

    if (strncasecmp(content_type, media_type, length) != 0)
        return MEDIA_TYPE_OTHER;
    rest = skip_blanks(content_type + length);
    while (*rest == ';') {
        parameter p;
        bool sound = read_parameter(rest + 1, &p);
        if (!sound || !is_utf8(&p)) {
            snprintf(fault, size, "expected %s, found %.*s",
                     sound ? "charset=utf-8" : "parameters as name=value",
                     (int)(p.length < 100 ? p.length : 100), p.begin);
            return MEDIA_TYPE_FAULTY;
        }
        rest = p.begin + p.length;
    }
    return *rest == '\0' ? MEDIA_TYPE_SAME : MEDIA_TYPE_OTHER;
}

bool headers_is_request_id(const char *text)
{
    size_t length = strnlen(text, REQUEST_ID_MAX + 1);

    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return length > 0 && length <= REQUEST_ID_MAX;
}

/* ---- Traces ---------------------------------------------------------------------------------- */

/* count lower-case hexadecimal digits. */
static bool are_digits(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
            return false;
    return true;
}

static bool is_identity(const char *text, size_t count)
{
    return are_digits(text, count) && strspn(text, "0") < count;
}

/* version "-" trace-id "-" parent-id "-" trace-flags; version 00 has nothing behind it, a later one
 * another "-". */
bool headers_read_traceparent(const char *text, trace_context *trace)
{
    enum { TRACE = 3, PARENT = 36, FLAGS = 53, END = 55 };
    bool is_first;

    if (strnlen(text, END) < END || !are_digits(text, 2) || strncmp(text, "ff", 2) == 0)
        return false;
    is_first = strncmp(text, "00", 2) == 0;
    if (text[END] != '\0' && (is_first || text[END] != '-'))
        return false;
    if (text[TRACE - 1] != '-' || text[PARENT - 1] != '-' || text[FLAGS - 1] != '-' ||
        !is_identity(text + TRACE, TRACE_ID_SIZE - 1) ||
        !is_identity(text + PARENT, TRACE_PARENT_SIZE - 1) || !are_digits(text + FLAGS, 2))
        return false;
    snprintf(trace->trace_id, sizeof trace->trace_id, "%s", text + TRACE);
    snprintf(trace->parent_id, sizeof trace->parent_id, "%s", text + PARENT);
    return true;
}
