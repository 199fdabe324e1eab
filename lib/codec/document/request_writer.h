/* A request being written: its parts, file by file. */
#ifndef GRAD_CODEC_DOCUMENT_REQUEST_WRITER_H
#define GRAD_CODEC_DOCUMENT_REQUEST_WRITER_H

#include "codec/json/encoder.h"

/* Whether a document can say what the batch does: finite options (JSON has no others), tensors of
 * rank 1 to 3, residual connections to layers with a name of their own.
 * Errors: non_finite, shape_mismatch, unsupported_value, or that of a layer that has one. */
grad_status grad_request_writable(const grad_batch *batch, grad_error *error);

/* Adds the members of a network: its input, or what the backward pass starts from. */
void grad_request_write_input(grad_encoder *encoder, const grad_network *network);
void grad_request_write_start(grad_encoder *encoder, const grad_network *network);

#endif
