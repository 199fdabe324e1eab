/* How numbers and counts stand in the text of an error: as the client wrote them, not as a datatype
 * of ours made them. What is said of them is said where it is found. No I/O here. */
#ifndef GRAD_CORE_FORMAT_NUMBER_H
#define GRAD_CORE_FORMAT_NUMBER_H

#include "gradient_core.h"

typedef struct grad_formatted_number {
    char text[32];
} grad_formatted_number;

/* A number in the fewest digits that read back as the same number of that datatype: 0.1, 1e-60; an
 * integer below 10^15 in all of its digits; NaN, Infinity, -Infinity as documents spell them. */
grad_formatted_number grad_format_number(grad_datatype type, double value);

/* Its text, alive until the end of the full expression. */
#define GRAD_NUMBER_TEXT(type, value) (grad_format_number(type, value).text)

/* What a number is that float32 has no place for, where it is finite as a double: ", which is 0 as
 * float32", ", which is infinite as float32"; "" for any other. */
const char *grad_format_as_float(double value);

/* The end of a noun of which there are that many: "1 column", "2 columns". */
static inline const char *grad_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

#endif
