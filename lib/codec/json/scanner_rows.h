/* Rows of the same length that follow each other in an array of numbers. */
#ifndef GRAD_CODEC_JSON_SCANNER_ROWS_H
#define GRAD_CODEC_JSON_SCANNER_ROWS_H

#include "codec/json/scanner.h"

/* Goes over to the next row, where the one that ends at p has the length of those before and a
 * number opens another right behind it. Returns that number, else NULL: then nothing was done. */
const char *grad_scanner_next_row(grad_scanner *scanner, const char *p, const char *end);

/* Reads rows from p on, where a number begins and there is room for one, as far as that is quick
 * and their length is known. Returns where a value is expected: at p, perhaps. */
const char *grad_scanner_read_rows(grad_scanner *scanner, const char *p, const char *end);

#endif
