/* The envelope: all of a document that is not an array of numbers. Its text is the document with
 * runs of white space shortened to one space and each array of numbers replaced by a reference,
 * [[7]] for the array number 7; one with a fault is [[7],{…},"…"], with what else jansson has to
 * judge of it. Knows where in the document each of its bytes was, and the RFC 6901 pointer of each
 * value. Reads no bytes from the wire and no JSON options. */
#ifndef GRAD_CODEC_JSON_ENVELOPE_H
#define GRAD_CODEC_JSON_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gradient_wire.h"

/* Deeper documents are refused whatever the limits say. */
#define GRAD_DEPTH_MAX 256

/* What to say of a null among numbers: JavaScript writes one for a NaN. */
#define GRAD_FOUND_NULL "null; if it stands for NaN, that is spelled \"NaN\""

/* Of true and false where they do not stand for 1 and 0. */
#define GRAD_NO_FLAG "expected a number, found %s; it stands for a number in masks and targets only"

/* Of an object in the place of numbers. */
#define GRAD_TYPED_ARRAY                                                                           \
    "; a typed array? Array.from(x) makes an array of it (PHP: array_values($x), Lua: indices "    \
    "from 1 on)"

/* Of a number beyond float32. */
#define GRAD_FP64_HOLDS_IT "; ?datatype=FP64 holds it"

/* An array of numbers: its place among all numbers of the document, and its shape. Rank 0: it is
 * none after all, and first is the index of its fault. flags, where it isn't 0, is one more than
 * the index of what is wrong with it where true and false do not stand for 1 and 0. */
typedef struct grad_number_array {
    size_t first;
    size_t rank;
    size_t shape[GRAD_MAX_RANK];
    size_t flags;
} grad_number_array;

/* What is wrong with an array that was to be one of numbers: the first thing that was found. */
typedef struct grad_fault {
    const char *code; /* static storage */
    int64_t offset;   /* of the document's byte */
    size_t levels;    /* indices that lead there from the array */
    size_t index[GRAD_MAX_RANK];
    char detail[240];
} grad_fault;

/* From this byte of the envelope on, the document's byte is shift further. */
typedef struct grad_envelope_mark {
    size_t position;
    int64_t shift;
} grad_envelope_mark;

typedef struct grad_envelope {
    grad_text text;
    grad_envelope_mark *marks;
    size_t mark_count, mark_capacity;
    grad_number_array *arrays;
    size_t array_count, array_capacity;
    grad_fault *faults;
    size_t fault_count, fault_capacity;
} grad_envelope;

void grad_envelope_init(grad_envelope *envelope, size_t max_bytes);
void grad_envelope_free(grad_envelope *envelope);

/* Bytes in use; of faults, which are large and rare, those that there is room for. */
size_t grad_envelope_memory(const grad_envelope *envelope);

/* Adds bytes that were in the document at offset. */
grad_status grad_envelope_add(grad_envelope *envelope, const char *bytes, size_t length,
                              int64_t offset, grad_error *error);

/* Adds a reference to array, which began in the document at offset. */
grad_status grad_envelope_add_array(grad_envelope *envelope, const grad_number_array *array,
                                    int64_t offset, grad_error *error);

/* Keeps a fault. *index is its own. */
grad_status grad_envelope_keep_fault(grad_envelope *envelope, const grad_fault *fault,
                                     size_t *index, grad_error *error);

/* Begins a reference to an array with that fault, which began in the document at offset; flags are
 * the array's. What else is added of it comes behind commas, and then its closing bracket. */
grad_status grad_envelope_add_fault(grad_envelope *envelope, const grad_fault *fault, size_t flags,
                                    int64_t offset, grad_error *error);

/* The byte of the document that the envelope's byte at position was. */
int64_t grad_envelope_offset(const grad_envelope *envelope, size_t position);

/* The pointer of the value that is open or begins at position; what stands before it need not be a
 * whole document. pointer has room for GRAD_POINTER_SIZE bytes; one that does not fit is cut back
 * to an enclosing value, and one that leads into an array with a fault to that array. */
void grad_envelope_pointer_at(const grad_envelope *envelope, size_t position, char *pointer);

/* The position where the value at pointer begins; for a value inside an array of numbers, where the
 * array begins, and for an element of a tensor that is an object, where the object begins. SIZE_MAX
 * where there is none. An envelope that is not valid JSON does no harm. */
size_t grad_envelope_find(const grad_envelope *envelope, const char *pointer);

/* The same for a pointer that begins at the value at position, which such a function gave. */
size_t grad_envelope_find_from(const grad_envelope *envelope, size_t position, const char *pointer);

/* Whether the string whose inside begins at position and ends with the text is one of those names,
 * however it is escaped. */
bool grad_envelope_is_name(const grad_envelope *envelope, size_t position, const char *const *names,
                           size_t count);

/* The position of the element behind the one at position; SIZE_MAX stays what it is, and what is
 * given behind a last element is of no use. */
size_t grad_envelope_next(const grad_envelope *envelope, size_t position);

/* Another name of a field, which stands for it where it has none of its own: PyTorch says eps,
 * Keras epsilon. NULL where there is none. */
const char *grad_other_field_name(const char *name);

#endif
