/* Decimal text to float64 and back: exact arithmetic where it is easy, the C library where it is
 * not, whatever the locale. Nothing here is for float32, which is read and written a hundred times
 * as often. */
#include "codec/number/number.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/number/tables.h"
#include "codec/number/text.h"

/* Integers up to here, and powers of ten up to 10^EXACT_POWER, are doubles, so that one product or
 * quotient of two is rounded once (W. D. Clinger, "How to read floating point numbers accurately",
 * 1990), where the processor rounds to double at all. */
#define EXACT_DIGITS ((uint64_t)1 << 53)
enum { EXACT_POWER = 22 };

static bool convert_easily(const grad_decimal *number, double *value)
{
    double digits = (double)number->digits;

    if (number->digits == 0) {
        *value = 0;
        return true;
    }
    if (FLT_EVAL_METHOD != 0 || number->digits > EXACT_DIGITS || number->exponent < -EXACT_POWER ||
        number->exponent > EXACT_POWER)
        return false;
    *value = number->exponent < 0 ? digits / grad_power_of_ten[-number->exponent - GRAD_POWER_MIN]
                                  : digits * grad_power_of_ten[number->exponent - GRAD_POWER_MIN];
    return true;
}

grad_number_status grad_number_read_double(const char *text, const char *end, double *value,
                                           const char **stop)
{
    grad_decimal number;
    double nearest;

    if (!grad_scan_number(text, end, &number, stop))
        return GRAD_NUMBER_MALFORMED;
    if (!grad_cut_digits(&number) || !convert_easily(&number, &nearest))
        nearest = grad_number_exact(GRAD_FP64, number.first, *stop);
    if (isinf(nearest))
        return GRAD_NUMBER_OUT_OF_RANGE;
    *value = number.first > text ? -nearest : nearest;
    return GRAD_NUMBER_OK;
}

size_t grad_number_row_read_double(const char *text, const char *end, double *out, size_t capacity,
                                   const char **stop, bool *after_value)
{
    const char *p = grad_skip_space(text, end), *behind = p;
    size_t count = 0;

    *after_value = false;
    while (count < capacity && p < end) {
        if (grad_number_read_double(p, end, &out[count], &behind) != GRAD_NUMBER_OK ||
            behind == end)
            break;
        count++;
        p = grad_skip_space(behind, end);
        *after_value = p == end || *p != ',' || count == capacity;
        if (*after_value)
            break;
        p = grad_skip_space(p + 1, end);
    }
    *stop = p;
    return count;
}

/* Copies a number, putting a point where a locale put another separator. Returns the end. */
static char *copy_with_point(const char *number, char *buffer)
{
    bool pointed = false;

    for (const char *p = number; *p != '\0'; p++) {
        bool is_plain = strchr("0123456789+-e", *p) != NULL;

        if (!is_plain && pointed)
            continue; /* the other bytes of a long separator */
        *buffer++ = is_plain ? *p : '.';
        pointed = pointed || !is_plain;
    }
    return buffer;
}

char *grad_number_write_double(double value, char *buffer)
{
    char number[48];

    if (value == 0 && signbit(value)) {
        memcpy(buffer, "-0.0", 4);
        return buffer + 4;
    }
    if (fabs(value) < 1e15 && value == (double)(int64_t)value) {
        snprintf(number, sizeof number, "%" PRId64, (int64_t)value);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(number, sizeof number, "%.*g", digits, value);
            if (strtod(number, NULL) == value)
                break;
        }
    }
    return copy_with_point(number, buffer);
}

char *grad_number_row_write_double(const double *values, size_t count, char *buffer)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *buffer++ = ',';
        buffer = grad_number_write_double(values[i], buffer);
    }
    return buffer;
}
