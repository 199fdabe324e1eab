/* Rows of numbers separated by commas: the inner loops of the scanner and of the encoder. What one
 * number looks like is gradient_wire.h's to say; brackets, strings and errors are the callers'. */
#ifndef GRAD_CODEC_NUMBER_ROW_H
#define GRAD_CODEC_NUMBER_ROW_H

#include "gradient_wire.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads numbers separated by commas, with JSON white space around them, as long as they certainly
 * end inside [text, end), into out[0 … capacity), and returns how many. It is entered where a value
 * is expected. *stop is where it stopped: at a byte that is neither a number, a comma nor white
 * space; at the start of a number that is malformed, out of range, longer than
 * GRAD_NUMBER_TEXT_MAX or perhaps not whole; behind the last number where capacity is reached; or
 * at end. *after_value says what is expected there: a comma or a bracket, else a value. */
size_t grad_number_row_read(const char *text, const char *end, float *out, size_t capacity,
                            const char **stop, bool *after_value);

/* Writes values[0 … count), all finite, as grad_number_write does, with commas between them and no
 * comma at the end. buffer has room for count * GRAD_NUMBER_WRITE_MAX bytes. Returns the end. */
char *grad_number_row_write(const float *values, size_t count, char *buffer);

#endif
