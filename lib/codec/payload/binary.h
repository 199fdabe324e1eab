/* The numbers of tensors as bytes, little-endian: from a document to what is computed with, and
 * back. */
#ifndef GRAD_CODEC_PAYLOAD_BINARY_H
#define GRAD_CODEC_PAYLOAD_BINARY_H

#include "gradient.h"

/* Bytes of one number, and its name ("BF16"); of GRAD_WIRE_COMPUTED 0 and "". */
size_t grad_wire_datatype_size(grad_wire_datatype wire);
const char *grad_wire_datatype_name(grad_wire_datatype wire);

/* The datatype of that name, length bytes long; GRAD_WIRE_COMPUTED where there is none. */
grad_wire_datatype grad_wire_datatype_find(const char *name, size_t length);

/* That of numbers which are neither widened nor narrowed. */
grad_wire_datatype grad_wire_datatype_of(grad_datatype datatype);

/* Whether numbers as bytes can be computed with as datatype without rounding them. */
bool grad_binary_is_exact(grad_wire_datatype wire, grad_datatype datatype);

/* Turns count numbers that begin at block as bytes into numbers of datatype at the same place,
 * where there is room for them. grad_binary_is_exact must hold. */
void grad_binary_read(grad_wire_datatype wire, grad_datatype datatype, void *block, size_t count);

/* Writes count numbers as bytes; FP16 and BF16 are rounded once, to nearest and ties to even. */
void grad_binary_write(grad_wire_datatype wire, grad_datatype datatype, const void *numbers,
                       size_t count, unsigned char *bytes);

/* The largest number that is not written as an infinity. */
double grad_binary_largest(grad_wire_datatype wire);

#endif
