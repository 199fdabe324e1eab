/* The headers of one request: what the daemon needs of them, and everything that two readers could
 * understand differently (RFC 9112, section 11). Pure functions over text. */
#ifndef GRADIENTD_HEADERS_H
#define GRADIENTD_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values are NULL where a header is absent; they belong to the connection. */
typedef struct headers {
    const char *content_length;
    const char *transfer_encoding;
    const char *host;
    const char *content_type;
    const char *content_encoding;
    const char *accept;          /* "": there were several */
    const char *accept_encoding; /* likewise */
    const char *expect;
    const char *authorization;
    const char *request_id;
    const char *document_length; /* Inference-Header-Content-Length */
    const char *origin;
    const char *requested_method; /* Access-Control-Request-Method */
    const char *traceparent;      /* "": there were several */
    const char *content_digest;
    const char *want_content_digest;
    const char *fault; /* what is wrong, in words, or NULL; the first one found */
    const char *next;  /* where the next line must begin, or NULL: not looked at */
    bool http_1_0;
} headers;

/* Begins with a request of that version ("HTTP/1.1"). */
void headers_begin(headers *h, const char *version);

/* Also checks that the lines cover the block of text from first on without a gap. libmicrohttpd
 * 0.9.75 leaves line ends overwritten by two NULs, so that a NUL, a bare line feed or a folded line
 * leaves a gap. Later versions reject these themselves and keep the text otherwise. */
void headers_expect_lines(headers *h, const char *first);

/* The next header, in the order of the request. */
void headers_add(headers *h, const char *name, size_t name_length, const char *value,
                 size_t value_length);

/* After the last one; end is the end of the block, or NULL. Sets fault. */
void headers_end(headers *h, const char *end);

/* Whether a body follows, and its length where that is known (else 0). */
bool headers_have_body(const headers *h, uint64_t *length);

typedef enum media_type_match {
    MEDIA_TYPE_SAME,
    MEDIA_TYPE_OTHER,
    MEDIA_TYPE_FAULTY
} media_type_match;

/* Whether a Content-Type is of that media type ("application/json"), in UTF-8 where it says so.
 * FAULTY: it is, but its parameters are not sound; fault says what was expected and what was found.
 */
media_type_match headers_match_media_type(const char *content_type, const char *media_type,
                                          char *fault, size_t size);

#define TRACE_ID_SIZE 33
#define TRACE_PARENT_SIZE 17

/* A trace, and who in it sent the request; lower-case hexadecimal digits. */
typedef struct trace_context {
    char trace_id[TRACE_ID_SIZE];
    char parent_id[TRACE_PARENT_SIZE];
} trace_context;

/* Reads a traceparent (W3C Trace Context, section 3.2), of a later version too as far as it is
 * known. False, and *trace untouched: it is to be ignored. */
bool headers_read_traceparent(const char *text, trace_context *trace);

/* Whether text is fit to be echoed: 1 to 64 visible ASCII characters. */
bool headers_is_request_id(const char *text);

#endif
