/* The bytes of tensors that follow a document, in the order in which it names them by
 * "binary_data_size": taken in pieces of any length, straight into the block of numbers. */
#ifndef GRAD_CODEC_JSON_BYTE_TAIL_H
#define GRAD_CODEC_JSON_BYTE_TAIL_H

#include "codec/json/scanner.h"
#include "codec/payload/safetensors.h"

typedef struct grad_byte_tail {
    size_t place; /* of the envelope, from which on the next tensor is looked for */
    const grad_safetensors_tensor *listed; /* or the tensors in the order of their bytes, */
    size_t listed_count;                   /* as many as are still to come */
    bool has_list;
    size_t tensor;         /* the place of the one whose bytes come; 0: none is left */
    size_t size;           /* its bytes in all */
    size_t received;       /* of the whole tail */
    grad_byte_array bytes; /* it, so far */
} grad_byte_tail;

/* The document is whole: looks for the first tensor. Errors, here and below: GRAD_TOO_LARGE
 * max_numbers, GRAD_MALFORMED length_mismatch, GRAD_OUT_OF_MEMORY; they stay in scanner->error. */
grad_status grad_byte_tail_begin(grad_byte_tail *tail, grad_scanner *scanner);

/* The same where the tensors' order is that of a list, which outlives the tail. */
grad_status grad_byte_tail_begin_listed(grad_byte_tail *tail, grad_scanner *scanner,
                                        const grad_safetensors_tensor *tensors, size_t count);

/* Takes the next bytes. */
grad_status grad_byte_tail_push(grad_byte_tail *tail, grad_scanner *scanner, const char *bytes,
                                size_t length);

/* No more come. */
grad_status grad_byte_tail_end(const grad_byte_tail *tail, grad_scanner *scanner);

#endif
