/* Many numbers at a time, for the scanner and the encoder. One number, and what is wrong with it, is
 * gradient_wire.h's grad_number_read and grad_number_write. */
#ifndef GRADIENT_WIRE_NUMBER_ROW_H
#define GRADIENT_WIRE_NUMBER_ROW_H

#include <stdbool.h>
#include <stddef.h>

/* Reads numbers separated by commas (white space around commas allowed) from text up to end, which
 * is entered where a value is expected, and stores them in out[0..capacity). Only numbers that
 * certainly end before end are taken. Returns how many; *stop is where it stopped: at a byte that
 * is no number's, at a number that is wrong or may go on behind end, or full. *after_value says
 * whether it stopped behind a value (a comma or bracket is next) or where a value is expected. */
size_t grad_number_row_read(const char *text, const char *end, float *out, size_t capacity,
                            const char **stop, bool *after_value);

/* Writes finite values separated by commas, no comma behind the last. buffer has room for
 * count * GRAD_NUMBER_WRITE_MAX bytes. Returns the end of the text. */
char *grad_number_row_write(const float *values, size_t count, char *buffer);

#endif
