/* Single numbers of documents, which may be ones that JSON has no spelling for. Arrays of numbers
 * are the encoder's. */
#ifndef GRAD_CODEC_JSON_SCALAR_H
#define GRAD_CODEC_JSON_SCALAR_H

#include "gradient_wire.h"

#include <math.h>

/* Whether two numbers are the same, 0 and -0 being two. */
static inline bool grad_scalar_same(double a, double b)
{
    return a == b && (signbit(a) != 0) == (signbit(b) != 0);
}

/* The string that stands for a number that is not finite, without quotes. */
static inline const char *grad_scalar_literal(double value)
{
    return isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

/* Adds a number, or the string that stands for it. */
static inline void grad_text_scalar(grad_text *text, double value)
{
    if (isfinite(value))
        grad_text_number(text, value);
    else
        grad_text_string(text, grad_scalar_literal(value));
}

#endif
