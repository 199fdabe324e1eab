/* Numbers of FP64 documents, one and rows of them, to text and back. Simple rather than fast:
 * double precision is for checking gradients. The rules of a number's text: gradient_wire.h. */
#ifndef WIRE_NUMBER_DOUBLE_H
#define WIRE_NUMBER_DOUBLE_H

#include "gradient_wire.h"

#include <stdbool.h>
#include <stddef.h>

/* The most bytes of a number, or of a string that stands for one, and the comma behind it:
 * "-1.7976931348623157e+308," has 25. */
#define GRAD_DOUBLE_WRITE_MAX 32

/* As grad_number_read, to the nearest double; OUT_OF_RANGE: it rounds to infinity in float64. */
grad_number_status grad_number_read_double(const char *text, const char *end, double *value,
                                           const char **stop);

/* As grad_number_row_read. */
size_t grad_number_row_read_double(const char *text, const char *end, double *out, size_t capacity,
                                   const char **stop, bool *after_value);

/* Writes the shortest of 15, 16 and 17 digits that reads back as value (finite); integers below
 * 10^15 have no fraction, -0 is "-0.0". buffer has room for GRAD_DOUBLE_WRITE_MAX bytes. Returns
 * the end of the text; there is no terminating NUL. */
char *grad_number_write_double(double value, char *buffer);

/* As grad_number_row_write; room for count * GRAD_DOUBLE_WRITE_MAX bytes. */
char *grad_number_row_write_double(const double *values, size_t count, char *buffer);

#endif
