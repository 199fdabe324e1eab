/* Numbers to text and back, as the other rooms of the codec use them: rows of floats, and doubles,
 * one and rows of them. What one number looks like is gradient_wire.h's to say; brackets, strings
 * and errors are the callers'. */
#ifndef GRAD_CODEC_NUMBER_NUMBER_H
#define GRAD_CODEC_NUMBER_NUMBER_H

#include "gradient_wire.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads numbers separated by commas, with JSON white space around them, as long as they certainly
 * end inside [text, end), into out[0 … capacity), and returns how many. It is entered where a value
 * is expected. *stop is where it stopped: at a byte that is neither a number, a comma nor white
 * space; at the start of a number that is malformed, out of range, longer than
 * GRAD_NUMBER_TEXT_MAX or perhaps not whole; behind the last number where capacity is reached; or
 * at end. *after_value says what is expected there: a comma or a bracket, else a value. From begin,
 * at text or in front of it, memory may be read: numbers with 40 bytes on either side are fast. */
size_t grad_number_row_read(const char *begin, const char *text, const char *end, float *out,
                            size_t capacity, const char **stop, bool *after_value);

/* Rows of numbers of the same length, as far as they have been read. */
typedef struct grad_number_rows {
    size_t columns;      /* numbers of a row, at least 1 */
    size_t filled;       /* those of the row that is open, fewer */
    size_t closed;       /* rows that were closed while reading */
    const char *bracket; /* that opened the open row; NULL: closed is 0 */
} grad_number_rows;

/* Reads numbers like grad_number_row_read, and goes on over "],[", with white space or without,
 * while the rows have their length. It stops where a value is expected, and takes as many numbers
 * as is quick: perhaps none. *rows is brought up to date. Returns how many, fewer than capacity. */
size_t grad_number_rows_read(const char *begin, const char *text, const char *end, float *out,
                             size_t capacity, grad_number_rows *rows, const char **stop);

/* Writes values[0 … count), all finite, as grad_number_write does, with commas between them and no
 * comma at the end. buffer has room for count * GRAD_NUMBER_WRITE_MAX bytes. Returns the end. */
char *grad_number_row_write(const float *values, size_t count, char *buffer);

/* ---- FP64 ------------------------------------------------------------------------------------ */

/* The most bytes of a number, or of a string that stands for one, and the comma behind it:
 * "-1.7976931348623157e+308," has 25. */
#define GRAD_DOUBLE_WRITE_MAX 32

/* As grad_number_read, to the nearest double; OUT_OF_RANGE: it rounds to infinity in float64. */
grad_number_status grad_number_read_double(const char *text, const char *end, double *value,
                                           const char **stop);

/* As grad_number_row_read. */
size_t grad_number_row_read_double(const char *begin, const char *text, const char *end,
                                   double *out, size_t capacity, const char **stop,
                                   bool *after_value);

/* Writes the shortest of 15, 16 and 17 digits that reads back as value (finite), without zeros at
 * the end, as printf's %g lays them out; -0 is "-0.0". buffer has room for GRAD_DOUBLE_WRITE_MAX
 * bytes. Returns the end of the text; there is no terminating NUL. */
char *grad_number_write_double(double value, char *buffer);

/* As grad_number_row_write; room for count * GRAD_DOUBLE_WRITE_MAX bytes. */
char *grad_number_row_write_double(const double *values, size_t count, char *buffer);

#endif
