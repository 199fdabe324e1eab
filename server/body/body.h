/* The body of one request, on its way from bytes to a batch: a filter takes off its coding
 * (Content-Encoding), then a payload reads the document (Content-Type). No HTTP here.
 *
 * To add a coding or a kind of payload: a file of this room, its row declared here, and the row's
 * place in the tables of body_formats_known. */
#ifndef GRADIENTD_BODY_H
#define GRADIENTD_BODY_H

#include "gradient_wire.h"

/* ---- Filters --------------------------------------------------------------------------------- */

/* Receives the decoded bytes. */
typedef struct body_sink {
    grad_status (*push)(void *context, const char *bytes, size_t length, grad_error *error);
    void *context;
} body_sink;

/* A coding. Bytes come and go in pieces of any length. An error of the sink is returned at once. A
 * function may be NULL if it has nothing to do. */
typedef struct body_filter {
    const char *coding; /* as in Content-Encoding */
    const char *alias;  /* another name of it, or NULL */
    grad_status (*create)(void **state, grad_error *error);
    grad_status (*push)(void *state, const char *bytes, size_t length, const body_sink *next,
                        grad_error *error);
    /* The body is complete: passes on what is left. Errors: GRAD_MALFORMED where it ends too
     * early. */
    grad_status (*end)(void *state, const body_sink *next, grad_error *error);
    /* Encoded bytes that were read by now. NULL: what comes out is what came in, and is not held to
     * BODY_MAX_EXPANSION. */
    size_t (*taken)(const void *state);
    size_t (*memory)(const void *state);
    void (*destroy)(void *state);
} body_filter;

extern const body_filter body_filter_identity; /* passes on what it is given */
extern const body_filter body_filter_gzip;
extern const body_filter body_filter_deflate;
extern const body_filter body_filter_zstd;

/* So many bytes may come out of a coding for each that went in, and so many may be held. Arrays of
 * random numbers become 2.2 times as long. */
#define BODY_MAX_EXPANSION ((size_t)20)
/* Beyond that, so many may come out or be held at the beginning, */
#define BODY_FREE_EXPANSION ((size_t)512 << 10)
/* and this is the most that a body may save up for a part of it that is longer: the event loop
 * reads it at once. */
#define BODY_MOST_EXPANSION ((size_t)8 << 20)

/* ---- Compressors ----------------------------------------------------------------------------- */

/* A coding of responses. It is used by one thread at a time. */
typedef struct body_compressor {
    const char *coding;      /* as in Content-Encoding */
    const char *alias;       /* another name of it, or NULL */
    bool is_named_only;      /* never for a client that accepts "*" */
    size_t memory;           /* bytes that it takes at most, without its output */
    double seconds_per_byte; /* of what it compresses, on one core of an AMD EPYC */
    /* For so many bytes in all. The caller owns *state. Errors: GRAD_OUT_OF_MEMORY. */
    grad_status (*create)(size_t size, void **state, grad_error *error);
    /* Adds to out what comes of the next bytes; of the last ones all that is left. A failure is
     * that of out. */
    void (*push)(void *state, const char *bytes, size_t length, bool is_last, grad_text *out);
    void (*destroy)(void *state);
} body_compressor;

extern const body_compressor body_compressor_zstd;
extern const body_compressor body_compressor_gzip;
extern const body_compressor body_compressor_deflate;

/* ---- Payloads -------------------------------------------------------------------------------- */

/* Limits and settings for reading a body. */
typedef struct body_options {
    grad_wire_limits limits;
    size_t max_body; /* bytes, decoded */
    grad_datatype datatype;
    const char *activation;    /* of GRAD_REQUEST_INFERENCE: see grad_decoder_expect_inputs */
    grad_request_kind request; /* what the document is to be read as, as far as that is known */
    bool has_tail;             /* bytes of tensors follow the document, */
    size_t document_length;    /* which has as many */
    size_t expected;           /* bytes, where they are known, else 0; no cap */
    /* Asked after each piece that comes out of a coding: false, there is no memory for what the
     * body holds now, and body_push returns GRAD_OUT_OF_MEMORY. NULL: not asked. */
    bool (*may_grow)(void *context);
    void *context;
} body_options;

/* A kind of payload. state is a document being read: create makes it, push adds its bytes in pieces
 * of any length, and one of the two read functions reads the complete document, which owns the
 * result. Threads and errors are those of a grad_decoder. */
typedef struct payload_kind {
    const char *media_type; /* of the request; a response has that of its encoding */
    grad_encoding encoding; /* of the response where Accept names the kind; JSON: as the document
                               says */
    grad_status (*create)(const body_options *options, void **state, grad_error *error);
    grad_status (*push)(void *state, const char *bytes, size_t length, grad_error *error);
    size_t (*memory)(const void *state);
    size_t (*read_bound)(const void *state); /* bytes that reading takes besides */
    grad_status (*read_batch)(void *state, grad_request_kind kind, grad_batch **batch,
                              grad_error *error);
    grad_status (*read_check)(void *state, grad_check_request **request, grad_error *error);
    /* Gives an error that was found after the reading its place in the document. */
    void (*locate_error)(const void *state, grad_error *error);
    grad_status (*encode)(const void *state, const grad_batch *batch, const grad_reply *reply,
                          grad_encoder **encoder, grad_error *error);
    void (*destroy)(void *state);
} payload_kind;

extern const payload_kind payload_json; /* documents of numbers: gradient_wire.h */
extern const payload_kind payload_safetensors;

/* The media type of a response to that batch. */
const char *payload_response_type(const grad_batch *batch);

/* ---- Bodies ---------------------------------------------------------------------------------- */

/* The accepted codings and payloads, and the codings of responses, the preferred first. Ended by
 * NULL. */
typedef struct body_formats {
    const body_filter *const *filters;
    const payload_kind *const *payloads;
    const body_compressor *const *compressors; /* or NULL */
} body_formats;

extern const body_formats body_formats_known;

/* Used by one thread at a time, except body_locate_error and body_encode, which several may call
 * once the body was read. */
typedef struct body body;

/* Creates an empty body of that coding and kind, which must outlive it. The caller owns *created.
 * Errors: GRAD_OUT_OF_MEMORY. */
grad_status body_create(const body_filter *filter, const payload_kind *payload,
                        const body_options *options, body **created, grad_error *error);

/* Adds the next piece, which is not kept. Errors: those of the filter and the payload;
 * GRAD_TOO_LARGE body_too_large where more than max_body bytes come out of the filter, or more than
 * BODY_MAX_EXPANSION allows. */
grad_status body_push(body *b, const char *bytes, size_t length, grad_error *error);

/* Bytes that came out of the filter. */
size_t body_decoded(const body *b);

/* Bytes that it holds, and those that a read function takes besides. */
size_t body_memory(const body *b);
size_t body_read_bound(const body *b);

/* Reads the complete body as a batch, or as a check of one. The body owns the result. Errors: those
 * of grad_decoder_finish_request and _check. */
grad_status body_read_batch(body *b, grad_request_kind kind, grad_batch **batch, grad_error *error);
grad_status body_read_check(body *b, grad_check_request **request, grad_error *error);

/* Gives an error that was found after the reading its place in the document. NULL: nothing. */
void body_locate_error(const body *b, grad_error *error);

/* An encoder of the response to that batch, of the kind that the request was of. As
 * grad_encode_reply. */
grad_status body_encode(const body *b, const grad_batch *batch, const grad_reply *reply,
                        grad_encoder **encoder, grad_error *error);

/* Frees it and what it has read. NULL is fine. */
void body_destroy(body *b);

#endif
