/* What takes the coding off a body, named by Content-Encoding. To add a coding: a file of this room
 * and a row in body.c. */
#ifndef GRADIENTD_BODY_FILTER_H
#define GRADIENTD_BODY_FILTER_H

#include "gradient_wire.h"

/* Who takes the decoded bytes. */
typedef struct body_sink {
    grad_status (*push)(void *context, const char *bytes, size_t length, grad_error *error);
    void *context;
} body_sink;

/* A coding. Bytes come in pieces of any length and go on in such; whatever the sink returns but
 * GRAD_OK is returned at once. Functions that are NULL have nothing to do. */
typedef struct body_filter {
    const char *coding; /* as in Content-Encoding */
    grad_status (*create)(void **state, grad_error *error);
    grad_status (*push)(void *state, const char *bytes, size_t length, const body_sink *next,
                        grad_error *error);
    /* The body is whole: passes on what is left. Errors: GRAD_MALFORMED where it ends too early. */
    grad_status (*end)(void *state, const body_sink *next, grad_error *error);
    size_t (*memory)(const void *state);
    void (*destroy)(void *state);
} body_filter;

extern const body_filter body_filter_identity; /* passes on what it is given */

#endif
