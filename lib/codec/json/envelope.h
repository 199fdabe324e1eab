/* The envelope: all of a document that is not an array of numbers. Its text is the document with
 * runs of white space shortened to one space and each array of numbers replaced by GRAD_ARRAY_WORD;
 * one with an error is [true,{…},"…"], with what else jansson has to judge of it. While it is
 * written, the place of each value is recorded, and where in the document each byte was: whoever
 * reads the values in their order knows which are arrays of numbers, and where errors are. */
#ifndef GRAD_CODEC_JSON_ENVELOPE_H
#define GRAD_CODEC_JSON_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/json/number_block.h"
#include "gradient_wire.h"

/* Deeper documents are refused whatever the limits say. */
#define GRAD_DEPTH_MAX 256

/* An array of numbers: its place among all numbers of the document, and its shape. Rank 0: it is
 * none after all, and first is the index of its error. flags, where it isn't 0, is one more than
 * the index of what is wrong with it where true and false do not stand for 1 and 0. */
typedef struct grad_number_array {
    size_t first;
    size_t rank;
    size_t shape[GRAD_MAX_RANK];
    size_t flags;
    bool is_bytes;           /* it came as bytes, its shape is not known: the rank is 1 */
    grad_wire_datatype wire; /* what they were taken for */
    size_t bytes;
} grad_number_array;

/* Stands for an array of numbers: the shortest JSON value for which jansson needs no memory. What
 * makes it one is its place, so that a document cannot forge it. */
#define GRAD_ARRAY_WORD "true"

/* Where a value is. Places are in the order in which the values begin, the root's first; those
 * inside a value come right behind it. Positions are of the envelope's text. */
typedef struct grad_place {
    uint32_t
        parent; /* the place of the array or object that the value is in; the root's is its own */
    uint32_t label; /* of an element its index; of a member the position where its name may begin */
    uint32_t begin; /* position of the value's first byte */
    uint32_t next;  /* the first place behind those inside the value, once it is over */
    uint32_t end;   /* position of the bracket that closes it; 0: there is none, or it is empty */
    uint32_t array; /* one more than the index of the array that the value refers to, or 0 */
} grad_place;

/* No place. */
#define GRAD_NO_PLACE SIZE_MAX

/* From this byte of the envelope on, the document's byte is shift further. */
typedef struct grad_envelope_mark {
    size_t position;
    int64_t shift;
} grad_envelope_mark;

typedef struct grad_envelope {
    grad_text text;
    grad_envelope_mark *marks;
    size_t mark_count, mark_capacity;
    int64_t shift; /* of the last mark */
    grad_number_array *arrays;
    size_t array_count, array_capacity;
    grad_array_error *array_errors;
    size_t array_error_count, array_error_capacity;
    grad_place *places;
    size_t place_count, place_capacity;
    size_t place;          /* of the value that is being written, or comes next */
    bool is_value_to_come; /* nothing of it is written */
    size_t open_rests;     /* of arrays with an error, one in the other */
} grad_envelope;

/* max_bytes beyond 4 GiB are taken for so much. */
grad_status grad_envelope_init(grad_envelope *envelope, size_t max_bytes, grad_error *error);
void grad_envelope_free(grad_envelope *envelope);

/* Bytes in use; of errors of arrays, which are large and rare, those that there is room for. */
size_t grad_envelope_memory(const grad_envelope *envelope);

/* Adds bytes that were in the document at offset. */
grad_status grad_envelope_add(grad_envelope *envelope, const char *bytes, size_t length,
                              int64_t offset, grad_error *error);

/* The same of the first bytes of a value or of a member's name, and of a byte of punctuation, but
 * for colons. Places are recorded by them. */
grad_status grad_envelope_add_value(grad_envelope *envelope, const char *bytes, size_t length,
                                    int64_t offset, grad_error *error);
grad_status grad_envelope_add_token(grad_envelope *envelope, char byte, int64_t offset,
                                    grad_error *error);

/* Adds a reference to array, which began in the document at offset. */
grad_status grad_envelope_add_array(grad_envelope *envelope, const grad_number_array *array,
                                    int64_t offset, grad_error *error);

/* Keeps an error. *index is its own. */
grad_status grad_envelope_keep_array_error(grad_envelope *envelope, const grad_array_error *wrong,
                                           size_t *index, grad_error *error);

/* Begins a reference to an array with that error, which began in the document at offset; flags are
 * the array's. What else is added of it comes behind commas, and has no places of its own. */
grad_status grad_envelope_begin_rest(grad_envelope *envelope, const grad_array_error *wrong,
                                     size_t flags, int64_t offset, grad_error *error);
grad_status grad_envelope_end_rest(grad_envelope *envelope, int64_t offset, grad_error *error);

/* The byte of the document that the envelope's byte at position was. */
int64_t grad_envelope_offset(const grad_envelope *envelope, size_t position);

/* The place of the value that is open or begins at position; what stands before it need not be a
 * whole document. A member belongs to its object until its name is whole. */
size_t grad_envelope_place_at(const grad_envelope *envelope, size_t position);

/* The RFC 6901 pointer of the value at that place, and of the number in it whose indices are those
 * levels. pointer has room for GRAD_POINTER_SIZE bytes; one that does not fit is cut back to an
 * enclosing value. */
void grad_envelope_pointer(const grad_envelope *envelope, size_t place, const size_t *indices,
                           size_t levels, char *pointer);

/* The place of the value at pointer; for a value inside an array of numbers, that of the array, and
 * for an element of a tensor that is an object, that of the object. GRAD_NO_PLACE where there is
 * none. An envelope that is not valid JSON does no harm. */
size_t grad_envelope_find(const grad_envelope *envelope, const char *pointer);

/* The same for a pointer that begins at the value at that place. */
size_t grad_envelope_find_from(const grad_envelope *envelope, size_t place, const char *pointer);

/* The place of an object's member of that name, of an array's element of that index. */
size_t grad_envelope_member(const grad_envelope *envelope, size_t place, const char *name);
size_t grad_envelope_element(const grad_envelope *envelope, size_t place, size_t index);

/* The array that the value at that place refers to, be it one of numbers or one with an error.
 * NULL: the value is what it is. */
const grad_number_array *grad_envelope_array(const grad_envelope *envelope, size_t place);

/* The byte of the document where the value at that place begins. */
int64_t grad_envelope_offset_of(const grad_envelope *envelope, size_t place);

/* Whether the string whose inside begins at position is one of those names, however it is
 * escaped. */
bool grad_envelope_is_name(const grad_envelope *envelope, size_t position, const char *const *names,
                           size_t count);

/* The same of the member of an object at that place. */
bool grad_envelope_member_is(const grad_envelope *envelope, size_t place, const char *const *names,
                             size_t count);

/* The value at that place refers to array, which came behind the document. */
grad_status grad_envelope_refer(grad_envelope *envelope, size_t place,
                                const grad_number_array *array, grad_error *error);

/* Another name of a field, which stands for it where it has none of its own: PyTorch says eps,
 * Keras epsilon; who sends tensors from a phone says sizes for a shape. NULL where
 * there is none. */
const char *grad_other_field_name(const char *name);

/* The last byte that is no white space; NUL: there is none. */
char grad_envelope_last_byte(const grad_envelope *envelope);

#endif
