/* A whole document, scanned and parsed, on its way to a request, a reply or a report. The readers
 * turn its tree into one block of memory that outlives the tree. */
#ifndef GRAD_CODEC_DOCUMENT_DOCUMENT_H
#define GRAD_CODEC_DOCUMENT_DOCUMENT_H

#include <jansson.h>

#include "codec/document/decode_fields.h"

/* What a document is taken for. */
typedef enum grad_document_kind {
    GRAD_DOCUMENT_GRADIENTS, /* requests */
    GRAD_DOCUMENT_BACKPROP,
    GRAD_DOCUMENT_CHECK,
    GRAD_DOCUMENT_INFERENCE, /* of the Open Inference Protocol */
    GRAD_DOCUMENT_REPLY,
    GRAD_DOCUMENT_REPORT /* of a check */
} grad_document_kind;

typedef struct grad_document {
    grad_document_kind kind;
    const json_t *root;
    const grad_envelope *envelope;
    grad_datatype datatype;
    void *numbers;
    size_t max_layers;
    const char *activation; /* that a request of GRAD_DOCUMENT_INFERENCE need not name, or NULL */
} grad_document;

/* What a request is read into: the head of its block. */
typedef struct grad_request_block {
    grad_batch batch;
    grad_network network; /* the batch's, where it has one */
    grad_check_request check;
    grad_check_options check_options; /* the check's */
} grad_request_block;

/* A reader of that document, which has no block yet. */
grad_reader grad_document_reader(const grad_document *document, grad_error *error);

/* How many layers the document has; the root is an object whose "layers" is an array of at least
 * one. Errors: unexpected_type, missing_field, empty_array; GRAD_TOO_LARGE max_layers. */
grad_status grad_document_count_layers(const grad_document *document, grad_reader *reader,
                                       size_t *count);

/* A zeroed block for a head, that many items, and all strings of the document; NULL where there is
 * no memory. The caller frees it. */
void *grad_document_block(const grad_document *document, size_t head, size_t items,
                          size_t item_size, size_t *size, grad_error *error);

/* Upper bound of the block of a request or a reply of at most that many layers, whose envelope has
 * that many bytes. */
size_t grad_document_block_bound(size_t layers, size_t envelope_bytes);

/* Reads a document into a block whose head is a grad_request_block, a grad_reply or a
 * grad_check_report, followed by what it points to. The caller frees *block. */
typedef grad_status grad_read_function(const grad_document *document, void **block, size_t *size,
                                       grad_error *error);

grad_read_function grad_request_read;
grad_read_function grad_inference_read;
grad_read_function grad_reply_read;
grad_read_function grad_report_read;

/* The decoder's document is whole: reads it as that kind. The decoder owns *block, unless it is
 * asked to part with it. */
grad_status grad_decoder_finish(grad_decoder *decoder, grad_document_kind kind, void **block,
                                grad_error *error);

/* An error of a request of the Open Inference Protocol that was found in its batch: what it says of
 * a layer becomes what it says of that document, whose envelope it is. */
void grad_inference_locate(const grad_envelope *envelope, grad_error *error);

/* The envelope of the decoder's document. */
const grad_envelope *grad_decoder_envelope(const grad_decoder *decoder);

/* The decoder's block, which is the caller's to free from now on. */
void *grad_decoder_release(grad_decoder *decoder);

#endif
