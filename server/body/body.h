/* The body of one request, on its way from bytes to a batch: a filter that takes off its coding,
 * then a payload that reads the document. Which of each, the headers say. No HTTP here.
 *
 * A body is used by one thread at a time, but for body_locate_error and body_encode once it was
 * read, which bear several. */
#ifndef GRADIENTD_BODY_H
#define GRADIENTD_BODY_H

#include "body/filter.h"
#include "body/payload.h"

/* What bodies may be, the preferred first. Ended by NULL. */
typedef struct body_formats {
    const body_filter *const *filters;
    const payload_kind *const *payloads;
} body_formats;

extern const body_formats body_formats_known;

typedef struct body body;

/* An empty body of that coding and kind, which must outlive it. The caller owns *created. Errors:
 * GRAD_OUT_OF_MEMORY. */
grad_status body_create(const body_filter *filter, const payload_kind *payload,
                        const body_options *options, body **created, grad_error *error);

/* Takes the next piece, which is not kept. Errors: the filter's and the payload's; GRAD_TOO_LARGE
 * body_too_large where more than max_body bytes come out of the filter. */
grad_status body_push(body *b, const char *bytes, size_t length, grad_error *error);

/* Bytes that it holds, and those that a read function takes besides. */
size_t body_memory(const body *b);
size_t body_read_bound(const body *b);

/* The body is whole: reads it as a batch, or as a check of one. What is given belongs to the body.
 * Errors: those of grad_decoder_finish_request and _check. */
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
