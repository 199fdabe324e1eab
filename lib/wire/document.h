/* A whole document, scanned and parsed, on its way to a request or a reply. The readers turn its
 * tree into one block of memory that outlives the tree. */
#ifndef GRADIENT_WIRE_DOCUMENT_H
#define GRADIENT_WIRE_DOCUMENT_H

#include <jansson.h>

#include "wire/bind.h"

typedef struct grad_document {
    const json_t *root;
    const grad_envelope *envelope;
    float *numbers;
    size_t max_layers;
} grad_document;

/* How many layers the document has; the root is an object whose "layers" is an array of at least
 * one. Errors: unexpected_type, missing_field, empty_array; GRAD_TOO_LARGE max_layers. */
grad_status grad_document_count_layers(const grad_document *document, grad_binder *binder,
                                       size_t *count);

/* A zeroed block for a head, that many layers, and all strings of the document; NULL where there is
 * no memory. The caller frees it. */
void *grad_document_block(const grad_document *document, size_t head, size_t layers,
                          size_t layer_size, size_t *size, grad_error *error);

/* Reads a document into a block whose head is a grad_batch or a grad_reply, followed by its layers
 * and strings. The caller frees *block. */
typedef grad_status grad_read_function(const grad_document *document, void **block, size_t *size,
                                       grad_error *error);

grad_read_function grad_request_read;
grad_read_function grad_reply_read;

#endif
