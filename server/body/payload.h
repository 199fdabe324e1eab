/* What a body holds, named by its media type: from decoded bytes to a batch, and from results to an
 * answer. To add a kind: a file of this room and a row in body.c. */
#ifndef GRADIENTD_BODY_PAYLOAD_H
#define GRADIENTD_BODY_PAYLOAD_H

#include "gradient_wire.h"

/* What every body is read by. */
typedef struct body_options {
    grad_wire_limits limits;
    size_t max_body; /* bytes, decoded */
    grad_datatype datatype;
    size_t expected; /* bytes, where they are known, else 0; no cap */
} body_options;

/* A kind of payload. state is a document being read: create makes it, push takes its bytes in
 * pieces of any length, and once it is whole one of the two read functions is called; what that
 * gives belongs to the document. Threads and errors are those of a grad_decoder. */
typedef struct payload_kind {
    const char *media_type; /* of the request, and of its response */
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

#endif
