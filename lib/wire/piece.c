/* Printing a range of a tensor: brackets where rows and planes begin and end, and the strings that
 * stand for numbers that are not finite. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/size.h"
#include "wire/encoder.h"
#include "wire/number_row.h"

/* Dimensions whose border is at an element: a whole number of their rows lies before it. */
static size_t borders_at(const grad_tensor *tensor, size_t element)
{
    size_t borders = 0;
    size_t row = 1;

    for (size_t i = tensor->rank; i-- > 0; borders++) {
        row *= tensor->shape[i];
        if (element % row != 0)
            break;
    }
    return borders;
}

static char *repeat(char *text, char c, size_t count)
{
    memset(text, c, count);
    return text + count;
}

/* What stands between an element and the one before it, or before the first. */
static char *print_border(const grad_tensor *tensor, size_t element, char *text)
{
    size_t borders = borders_at(tensor, element);

    if (element > 0) {
        text = repeat(text, ']', borders);
        *text++ = ',';
    }
    return repeat(text, '[', borders);
}

static grad_status fail_non_finite(const grad_piece *piece, size_t element, float value,
                                   grad_error *error)
{
    const grad_tensor *tensor = piece->tensor;
    size_t index[GRAD_MAX_RANK] = {0};
    size_t rest = element;
    const char *name = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    grad_pointer_text pointer;

    for (size_t i = tensor->rank; i-- > 0; rest /= tensor->shape[i])
        index[i] = rest % tensor->shape[i];
    if (tensor->rank == 1)
        pointer = grad_pointer_format("/layers/%zu/%s/%zu", piece->layer, piece->field, index[0]);
    else if (tensor->rank == 2)
        pointer = grad_pointer_format("/layers/%zu/%s/%zu/%zu", piece->layer, piece->field,
                                      index[0], index[1]);
    else
        pointer = grad_pointer_format("/layers/%zu/%s/%zu/%zu/%zu", piece->layer, piece->field,
                                      index[0], index[1], index[2]);
    return grad_fail(error, GRAD_INVALID, "non_finite", pointer.text,
                     "expected a finite number, found %s", name);
}

static size_t finite_prefix(const float *values, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

static char *print_literal(float value, char *text)
{
    const char *name = isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    size_t length = strlen(name);

    memcpy(text, name, length);
    return text + length;
}

/* Elements [begin, end) of one row, with the commas between them. */
static char *print_run(const grad_piece *piece, size_t begin, size_t end, grad_non_finite policy,
                       char *text, grad_error *error)
{
    const float *values = piece->tensor->data;

    for (size_t i = begin; i < end;) {
        size_t finite = finite_prefix(values + i, end - i);

        if (finite > 0)
            text = grad_number_row_write(values + i, finite, text);
        i += finite;
        if (finite > 0 && i < end)
            *text++ = ',';
        if (i == end)
            break;
        if (policy != GRAD_ALLOW_NON_FINITE) {
            fail_non_finite(piece, i, values[i], error);
            return NULL;
        }
        text = print_literal(values[i++], text);
        if (i < end)
            *text++ = ',';
    }
    return text;
}

char *grad_piece_print(const grad_piece *piece, grad_non_finite policy, char *buffer,
                       grad_error *error)
{
    const grad_tensor *tensor = piece->tensor;
    size_t row = tensor->shape[tensor->rank - 1];
    char *text = buffer;

    for (size_t i = piece->begin; i < piece->end && text != NULL;) {
        size_t run = grad_size_min(row - i % row, piece->end - i);

        text = print_run(piece, i, i + run, policy, print_border(tensor, i, text), error);
        i += run;
    }
    if (text != NULL && piece->end == grad_tensor_count(tensor))
        text = repeat(text, ']', tensor->rank);
    return text;
}

size_t grad_piece_bound(const grad_piece *piece)
{
    const grad_tensor *tensor = piece->tensor;
    size_t numbers = piece->end - piece->begin;
    size_t rows = numbers / tensor->shape[tensor->rank - 1] + 2;

    return numbers * GRAD_NUMBER_WRITE_MAX + rows * (2 * tensor->rank + 1);
}
