/* The numbers of a document: one growing block of floats or doubles, which arrays are views of. */
#ifndef GRAD_CODEC_JSON_NUMBER_BLOCK_H
#define GRAD_CODEC_JSON_NUMBER_BLOCK_H

#include <stdbool.h>

#include "codec/number/number.h"
#include "gradient_wire.h"

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

/* What is wrong with an array that was to be one of numbers: the first thing that was found. */
typedef struct grad_array_error {
    const char *code; /* static storage */
    int64_t offset;   /* of the document's byte */
    size_t levels;    /* indices that lead there from the array */
    size_t index[GRAD_MAX_RANK];
    char detail[240];
} grad_array_error;

typedef struct grad_number_block {
    grad_datatype datatype;
    void *numbers; /* of that datatype */
    size_t count, capacity, max;
} grad_number_block;

/* A block of at most max numbers (not 0), with room for those of a document of expected_bytes. The
 * caller frees its numbers. */
grad_status grad_number_block_init(grad_number_block *block, grad_datatype datatype, size_t max,
                                   size_t expected_bytes, grad_error *error);

/* Room for one more number, at least. GRAD_TOO_LARGE, without an error: there are max of them. */
grad_status grad_number_block_reserve(grad_number_block *block, grad_error *error);

/* Room for count numbers in all. GRAD_TOO_LARGE, without an error: that is more than max. */
grad_status grad_number_block_reserve_count(grad_number_block *block, size_t count,
                                            grad_error *error);

/* Adds a number, for which there is room. */
void grad_number_block_add(grad_number_block *block, double value);

/* Adds the numbers of a row as far as there is room for them and they are whole tokens:
 * grad_number_row_read, of the block's datatype. */
size_t grad_number_block_read_row(grad_number_block *block, const char *begin, const char *text,
                                  const char *end, const char **stop, bool *behind_value);

/* Adds numbers over the ends of rows: grad_number_rows_read, of floats; none of doubles. Returns
 * where the next value is expected. */
const char *grad_number_block_read_rows(grad_number_block *block, const char *begin,
                                        const char *text, const char *end, grad_number_rows *rows);

/* What the text of an element is. */
typedef enum grad_element {
    GRAD_ELEMENT_NUMBER,
    GRAD_ELEMENT_FLAG,     /* true or false, 1 or 0 where flags are taken; else the error */
    GRAD_ELEMENT_OTHER,    /* JSON, but no number: the error */
    GRAD_ELEMENT_MALFORMED /* no JSON, from *stop on */
} grad_element;

/* One element as the datatype has it: a number, a word, or a string from its opening quote to in
 * front of its closing one. *wrong gets its code and its detail where there is an error. */
grad_element grad_number_block_read(const grad_number_block *block, const char *text, size_t length,
                                    double *value, const char **stop, grad_array_error *wrong);

#endif
