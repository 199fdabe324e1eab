/* An array of numbers that comes as bytes: as the base64 of a string, in pieces of any length. Its
 * bytes go straight into the block of numbers, where they become numbers once their datatype is
 * known. */
#ifndef GRAD_CODEC_JSON_BYTE_ARRAY_H
#define GRAD_CODEC_JSON_BYTE_ARRAY_H

#include "codec/json/envelope.h"

typedef struct grad_byte_array {
    size_t first;     /* number of the block where its bytes begin */
    size_t bytes;     /* so far */
    char group[4];    /* characters of base64 that wait for others */
    size_t waiting;   /* how many */
    char escape[6];   /* the bytes of an escape from its backslash on, */
    size_t escaped;   /* as many as are there */
    bool is_complete; /* the closing quote was read */
} grad_byte_array;

/* Begins behind the block's numbers. */
void grad_byte_array_begin(grad_byte_array *array, const grad_number_block *block);

/* Reads the inside of a string from *p on, up to end or to behind its closing quote. Errors:
 * GRAD_MALFORMED, *p is the byte and wrong has code and detail; GRAD_TOO_LARGE, without an error:
 * these are more numbers than the block may hold; GRAD_OUT_OF_MEMORY. */
grad_status grad_byte_array_read_base64(grad_byte_array *array, grad_number_block *block,
                                        const char **p, const char *end, grad_array_error *wrong,
                                        grad_error *error);

/* Adds bytes as they are. Errors: GRAD_TOO_LARGE, without an error, and GRAD_OUT_OF_MEMORY. */
grad_status grad_byte_array_add(grad_byte_array *array, grad_number_block *block, const char *bytes,
                                size_t length, grad_error *error);

/* The datatype that the object at that place names, as far as it was read. GRAD_WIRE_COMPUTED: it
 * names none that is known. */
grad_wire_datatype grad_byte_array_datatype(const grad_envelope *envelope, size_t object);

/* Makes numbers of count bytes that begin at the block's number first, which is behind all others,
 * and adds them. Bytes that are no whole number of numbers, or of a datatype that the block's does
 * not hold, stay as they are. *numbers is how many there are. Errors: as above. */
grad_status grad_byte_array_convert(grad_number_block *block, size_t first, size_t bytes,
                                    grad_wire_datatype wire, size_t *numbers, grad_error *error);

#endif
