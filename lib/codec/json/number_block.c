/* A growing block of numbers, and what the text of one may be. */
#include "codec/json/number_block.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json/word.h"
#include "codec/number/number.h"
#include "core/error.h"
#include "core/real.h"
#include "core/size.h"

enum { FIRST_NUMBERS = 64 };

/* Text that a number takes at least, mostly, so that the first block mostly is the last. */
static size_t bytes_per_number(grad_datatype datatype)
{
    return datatype == GRAD_FP64 ? 16 : 8;
}

grad_status grad_number_block_init(grad_number_block *block, grad_datatype datatype, size_t max,
                                   size_t expected_bytes, grad_error *error)
{
    size_t capacity =
        grad_size_min(expected_bytes / bytes_per_number(datatype) + FIRST_NUMBERS, max);
    size_t bytes = capacity * grad_datatype_size(datatype);

    *block = (grad_number_block){.datatype = datatype, .max = max};
    block->numbers = malloc(bytes);
    if (block->numbers == NULL)
        return grad_fail_memory(error, bytes);
    block->capacity = capacity;
    return GRAD_OK;
}

grad_status grad_number_block_reserve(grad_number_block *block, grad_error *error)
{
    return grad_number_block_reserve_count(block, block->count + 1, error);
}

grad_status grad_number_block_reserve_count(grad_number_block *block, size_t count,
                                            grad_error *error)
{
    size_t capacity = block->capacity;
    size_t bytes;
    void *numbers;

    if (count <= capacity)
        return GRAD_OK;
    if (count > block->max)
        return GRAD_TOO_LARGE;
    capacity = capacity > block->max / 2 ? block->max : capacity * 2;
    if (capacity < count)
        capacity = count;
    if (!grad_size_mul(capacity, grad_datatype_size(block->datatype), &bytes))
        bytes = SIZE_MAX;
    numbers = realloc(block->numbers, bytes);
    if (numbers == NULL)
        return grad_fail_memory(error, bytes);
    block->numbers = numbers;
    block->capacity = capacity;
    return GRAD_OK;
}

void grad_number_block_add(grad_number_block *block, double value)
{
    grad_real_put(block->datatype, block->numbers, block->count++, value);
}

size_t grad_number_block_read_row(grad_number_block *block, const char *begin, const char *text,
                                  const char *end, const char **stop, bool *behind_value)
{
    size_t room = block->capacity - block->count;
    void *free_end = grad_real_offset(block->datatype, block->numbers, block->count);
    size_t count =
        block->datatype == GRAD_FP64
            ? grad_number_row_read_double(begin, text, end, free_end, room, stop, behind_value)
            : grad_number_row_read(begin, text, end, free_end, room, stop, behind_value);

    /* The last one may only be the beginning of a longer token: 1e5.3. */
    if (*behind_value && *stop < end && grad_is_word_byte(**stop) &&
        grad_is_number_byte((*stop)[-1])) {
        while (*stop > text && grad_is_number_byte((*stop)[-1]))
            (*stop)--;
        *behind_value = false;
        count--;
    }
    block->count += count;
    return count;
}

const char *grad_number_block_read_rows(grad_number_block *block, const char *begin,
                                        const char *text, const char *end, grad_number_rows *rows)
{
    const char *stop = text;

    if (block->datatype == GRAD_FP32)
        block->count +=
            grad_number_rows_read(begin, text, end, (float *)block->numbers + block->count,
                                  block->capacity - block->count, rows, &stop);
    return stop;
}

/* A string among numbers, its quotes left out. */
static grad_element read_string(const char *text, size_t length, double *value,
                                grad_array_error *wrong)
{
    if (grad_word_is_non_finite(text, length, value))
        return GRAD_ELEMENT_NUMBER;
    wrong->code = "unexpected_type";
    grad_word_explain_string(text, length, "a number", wrong->detail, sizeof wrong->detail);
    return GRAD_ELEMENT_OTHER;
}

static grad_element read_word(const char *text, size_t length, double *value, const char **stop,
                              grad_array_error *wrong)
{
    grad_word word = grad_word_of(text, length, stop);

    wrong->code = "unexpected_type";
    *value = word == GRAD_WORD_TRUE ? 1 : 0;
    if (word == GRAD_WORD_NULL) {
        snprintf(wrong->detail, sizeof wrong->detail, "expected a number, found " GRAD_FOUND_NULL);
        return GRAD_ELEMENT_OTHER;
    }
    if (word != GRAD_WORD_TRUE && word != GRAD_WORD_FALSE)
        return GRAD_ELEMENT_MALFORMED;
    snprintf(wrong->detail, sizeof wrong->detail, GRAD_NO_FLAG,
             word == GRAD_WORD_TRUE ? "true" : "false");
    return GRAD_ELEMENT_FLAG;
}

/* The number is beyond the datatype. */
static grad_element explain_range(grad_datatype datatype, const char *text, size_t length,
                                  grad_array_error *wrong)
{
    const char *stop;
    double value;
    bool fits_double = datatype == GRAD_FP32 && grad_number_read_double(text, text + length, &value,
                                                                        &stop) == GRAD_NUMBER_OK;

    wrong->code = "number_out_of_range";
    snprintf(wrong->detail, sizeof wrong->detail,
             "expected a number within float%s's range, found %.*s%s%s",
             datatype == GRAD_FP64 ? "64" : "32", (int)grad_size_min(length, GRAD_WORD_SHOWN), text,
             length > GRAD_WORD_SHOWN ? "…" : "", fits_double ? GRAD_FP64_HOLDS_IT : "");
    return GRAD_ELEMENT_OTHER;
}

grad_element grad_number_block_read(const grad_number_block *block, const char *text, size_t length,
                                    double *value, const char **stop, grad_array_error *wrong)
{
    const char *end = text + length;
    grad_number_status status;
    float single = 0;

    if (*text == '"')
        return read_string(text + 1, length - 1, value, wrong);
    if (*text != '-' && !grad_is_digit(*text))
        return read_word(text, length, value, stop, wrong);
    if (block->datatype == GRAD_FP64) {
        status = grad_number_read_double(text, end, value, stop);
    } else {
        status = grad_number_read(text, end, &single, stop);
        *value = (double)single;
    }
    if (status == GRAD_NUMBER_OUT_OF_RANGE)
        return explain_range(block->datatype, text, length, wrong);
    return status == GRAD_NUMBER_OK && *stop == end ? GRAD_ELEMENT_NUMBER : GRAD_ELEMENT_MALFORMED;
}
