/* Collecting the envelope: its text, where its bytes came from, and the arrays it refers to.
 * Finding the way in it is in envelope_path.c. */
#include "codec/json/envelope.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/size.h"

enum { FIRST_ITEMS = 32 };

void grad_envelope_init(grad_envelope *envelope, size_t max_bytes)
{
    *envelope = (grad_envelope){0};
    grad_text_init(&envelope->text, max_bytes);
}

void grad_envelope_free(grad_envelope *envelope)
{
    grad_text_free(&envelope->text);
    free(envelope->marks);
    free(envelope->arrays);
    free(envelope->faults);
    *envelope = (grad_envelope){0};
}

size_t grad_envelope_memory(const grad_envelope *envelope)
{
    return envelope->text.length + envelope->mark_count * sizeof *envelope->marks +
           envelope->array_count * sizeof *envelope->arrays +
           envelope->fault_capacity * sizeof *envelope->faults;
}

/* Room for one more item of that size. Every item stands for at least one byte of the text, whose
 * maximum is theirs too. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size, grad_error *error)
{
    size_t wanted = *capacity > 0 ? *capacity * 2 : FIRST_ITEMS;
    size_t bytes;

    if (count < *capacity)
        return items;
    if (!grad_size_mul(wanted, size, &bytes))
        bytes = SIZE_MAX;
    items = realloc(items, bytes);
    if (items == NULL)
        grad_fail_memory(error, bytes);
    else
        *capacity = wanted;
    return items;
}

static grad_status add_mark(grad_envelope *envelope, int64_t shift, grad_error *error)
{
    grad_envelope_mark *marks =
        grow(envelope->marks, envelope->mark_count, &envelope->mark_capacity, sizeof *marks, error);

    if (marks == NULL)
        return GRAD_OUT_OF_MEMORY;
    envelope->marks = marks;
    marks[envelope->mark_count++] = (grad_envelope_mark){envelope->text.length, shift};
    return GRAD_OK;
}

grad_status grad_envelope_add(grad_envelope *envelope, const char *bytes, size_t length,
                              int64_t offset, grad_error *error)
{
    grad_text *text = &envelope->text;
    int64_t shift = offset - (int64_t)text->length;
    int64_t last = envelope->mark_count > 0 ? envelope->marks[envelope->mark_count - 1].shift : 0;

    if (shift != last && add_mark(envelope, shift, error) != GRAD_OK)
        return GRAD_OUT_OF_MEMORY;
    grad_text_add(text, bytes, length);
    if (text->status != GRAD_TOO_LARGE)
        return grad_text_status(text, error);
    grad_fail_limit(error, "max_envelope", text->max, "",
                    "expected at most %zu bytes beside the arrays of numbers, found more",
                    text->max);
    error->offset = offset + (int64_t)(text->max - text->length); /* the first that does not fit */
    return GRAD_TOO_LARGE;
}

/* The reference's text ends with that. */
static grad_status add_reference(grad_envelope *envelope, const grad_number_array *array,
                                 const char *closing, int64_t offset, grad_error *error)
{
    grad_number_array *arrays = grow(envelope->arrays, envelope->array_count,
                                     &envelope->array_capacity, sizeof *arrays, error);
    char reference[32];
    int length;

    if (arrays == NULL)
        return GRAD_OUT_OF_MEMORY;
    envelope->arrays = arrays;
    length = snprintf(reference, sizeof reference, "[[%zu%s", envelope->array_count, closing);
    arrays[envelope->array_count++] = *array;
    return grad_envelope_add(envelope, reference, (size_t)length, offset, error);
}

grad_status grad_envelope_add_array(grad_envelope *envelope, const grad_number_array *array,
                                    int64_t offset, grad_error *error)
{
    return add_reference(envelope, array, "]]", offset, error);
}

grad_status grad_envelope_keep_fault(grad_envelope *envelope, const grad_fault *fault,
                                     size_t *index, grad_error *error)
{
    grad_fault *faults = grow(envelope->faults, envelope->fault_count, &envelope->fault_capacity,
                              sizeof *faults, error);

    if (faults == NULL)
        return GRAD_OUT_OF_MEMORY;
    envelope->faults = faults;
    *index = envelope->fault_count++;
    faults[*index] = *fault;
    return GRAD_OK;
}

grad_status grad_envelope_add_fault(grad_envelope *envelope, const grad_fault *fault, size_t flags,
                                    int64_t offset, grad_error *error)
{
    grad_number_array array = {.flags = flags};
    grad_status status = grad_envelope_keep_fault(envelope, fault, &array.first, error);

    return status == GRAD_OK ? add_reference(envelope, &array, "]", offset, error) : status;
}

int64_t grad_envelope_offset(const grad_envelope *envelope, size_t position)
{
    size_t low = 0;
    size_t high = envelope->mark_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (envelope->marks[middle].position <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return (int64_t)position + (low > 0 ? envelope->marks[low - 1].shift : 0);
}
