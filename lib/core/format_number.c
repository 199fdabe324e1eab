/* Writing a number for people to find again in their document. The codec's own numbers, which are
 * read by programs and must be written fast, are not these. */
#include "core/format_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL_DIGITS 17
#define PLAIN_INTEGERS 1e15

static bool reads_back(const char *text, grad_datatype type, double value)
{
    return type == GRAD_FP64 ? strtod(text, NULL) == value : strtof(text, NULL) == (float)value;
}

grad_formatted_number grad_format_number(grad_datatype type, double value)
{
    grad_formatted_number formatted;
    int digits = 1;

    if (!isfinite(value)) {
        snprintf(formatted.text, sizeof formatted.text, "%s",
                 isnan(value) ? "NaN"
                 : value > 0  ? "Infinity"
                              : "-Infinity");
        return formatted;
    }
    if (value == trunc(value) && fabs(value) < PLAIN_INTEGERS) {
        snprintf(formatted.text, sizeof formatted.text, "%.0f", value);
        return formatted;
    }
    do
        snprintf(formatted.text, sizeof formatted.text, "%.*g", digits, value);
    while (!reads_back(formatted.text, type, value) && digits++ < ALL_DIGITS);
    return formatted;
}

const char *grad_format_as_float(double value)
{
    float rounded = (float)value;

    if (!isfinite(value))
        return "";
    if (isinf(rounded))
        return ", which is infinite as float32";
    return rounded == 0 && value != 0 ? ", which is 0 as float32" : "";
}
