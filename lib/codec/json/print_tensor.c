/* Printing a range of a tensor: brackets where rows and planes begin and end, and the strings that
 * stand for numbers that are not finite. */
#include <math.h>
#include <string.h>

#include "codec/json/encoder.h"
#include "codec/json/scalar.h"
#include "codec/number/double.h"
#include "codec/number/row.h"
#include "core/error.h"
#include "core/real.h"
#include "core/size.h"

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

static grad_status fail_non_finite(const grad_piece *piece, size_t element, double value,
                                   grad_error *error)
{
    const grad_tensor *tensor = piece->tensor;
    size_t index[GRAD_MAX_RANK] = {0};
    size_t rest = element;
    grad_pointer_text pointer =
        piece->layer == GRAD_NO_LAYER
            ? grad_pointer_format("/%s", piece->field)
            : grad_pointer_format("/layers/%zu/%s", piece->layer, piece->field);

    for (size_t i = tensor->rank; i-- > 0; rest /= tensor->shape[i])
        index[i] = rest % tensor->shape[i];
    for (size_t i = 0; i < tensor->rank; i++)
        pointer = grad_pointer_format("%s/%zu", pointer.text, index[i]);
    return grad_fail(error, GRAD_INVALID, "non_finite", pointer.text,
                     "expected a finite number, found %s", grad_scalar_literal(value));
}

/* Whether eight floats are finite: an exponent of ones carries into the sign's place. */
static bool are_finite(const float *values)
{
    uint32_t bits[8], carry = 0;

    memcpy(bits, values, sizeof bits);
    for (size_t i = 0; i < 8; i++)
        carry |= (bits[i] & 0x7F800000) + 0x00800000;
    return (carry & 0x80000000) == 0;
}

/* How many numbers there are before the first that is not finite. */
static size_t finite_floats(const float *values, size_t count)
{
    size_t i = 0;

    while (i + 8 <= count && are_finite(values + i))
        i += 8;
    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

static size_t finite_doubles(const double *values, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

/* Prints the elements from begin on up to end, or to the first that is not finite, which it
 * returns. */
static size_t print_finite(const grad_piece *piece, size_t begin, size_t end,
                           grad_datatype datatype, char **text)
{
    const void *values = grad_real_offset_const(datatype, piece->tensor->data, begin);
    size_t finite;

    if (datatype == GRAD_FP64) {
        finite = finite_doubles(values, end - begin);
        *text = grad_number_row_write_double(values, finite, *text);
    } else {
        finite = finite_floats(values, end - begin);
        *text = grad_number_row_write(values, finite, *text);
    }
    return begin + finite;
}

static char *print_literal(double value, char *text)
{
    const char *name = grad_scalar_literal(value);
    size_t length = strlen(name);

    *text++ = '"';
    memcpy(text, name, length);
    text[length] = '"';
    return text + length + 1;
}

/* Elements [begin, end) of one row, with the commas between them. */
static char *print_run(const grad_piece *piece, size_t begin, size_t end,
                       const grad_number_format *format, char *text, grad_error *error)
{
    for (size_t i = begin; i < end;) {
        size_t finite = print_finite(piece, i, end, format->datatype, &text);
        double value;

        if (finite > i && finite < end)
            *text++ = ',';
        i = finite;
        if (i == end)
            break;
        value = grad_real_at(format->datatype, piece->tensor->data, i);
        if (format->policy != GRAD_ALLOW_NON_FINITE) {
            fail_non_finite(piece, i, value, error);
            return NULL;
        }
        text = print_literal(value, text);
        i++;
        if (i < end)
            *text++ = ',';
    }
    return text;
}

char *grad_piece_print(const grad_piece *piece, const grad_number_format *format, char *buffer,
                       grad_error *error)
{
    const grad_tensor *tensor = piece->tensor;
    size_t row = tensor->shape[tensor->rank - 1];
    char *text = buffer;

    for (size_t i = piece->begin; i < piece->end && text != NULL;) {
        size_t run = grad_size_min(row - i % row, piece->end - i);

        text = print_run(piece, i, i + run, format, print_border(tensor, i, text), error);
        i += run;
    }
    if (text != NULL && piece->end == grad_tensor_count(tensor))
        text = repeat(text, ']', tensor->rank);
    return text;
}

size_t grad_number_bound(grad_datatype datatype)
{
    return datatype == GRAD_FP64 ? GRAD_DOUBLE_WRITE_MAX : GRAD_NUMBER_WRITE_MAX;
}

size_t grad_piece_bound(const grad_piece *piece, const grad_number_format *format)
{
    const grad_tensor *tensor = piece->tensor;
    size_t numbers = piece->end - piece->begin;
    size_t rows = numbers / tensor->shape[tensor->rank - 1] + 2;

    return numbers * grad_number_bound(format->datatype) + rows * (2 * tensor->rank + 1);
}
