/* Tensors in base64, read as naively as can be: the oracle of the vectors and of the pieces. */
#ifndef TESTS_SUPPORT_WIRE_BYTES_H
#define TESTS_SUPPORT_WIRE_BYTES_H

#include <jansson.h>

#include "gradient.h"

/* The bytes of strict base64 (RFC 4648, section 4), which the caller frees; NULL: it is none. */
unsigned char *wire_bytes_of(const char *base64, size_t *count);

/* Bytes of a number of that datatype ("BF16"); 0: there is none of that name. */
size_t wire_bytes_size(const char *datatype);

/* The number at bytes. */
double wire_bytes_number(const char *datatype, const unsigned char *bytes);

/* Whether the tensor has the numbers of that object with "base64". */
bool wire_bytes_are(grad_datatype type, const grad_tensor *tensor, const json_t *value);

/* Whether a "base64" in the document is none, or is not as long as its shape and datatype say. */
bool wire_bytes_are_bad(const json_t *value);

#endif
