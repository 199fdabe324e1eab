/* What is wrong with a text that is no JSON, in words for people: jansson finds that something is,
 * and is not quoted. */
#ifndef GRAD_CODEC_JSON_EXPLAIN_H
#define GRAD_CODEC_JSON_EXPLAIN_H

#include <stddef.h>

#include "gradient_core.h"

/* What documents in wider characters are called. */
#define GRAD_UTF16 "UTF-16 or UTF-32"

typedef struct grad_found_text {
    char text[80];
} grad_found_text;

/* A byte that JSON does not have where it stands, and what it may have been meant for. */
grad_found_text grad_found_byte(char c);

/* Its text, alive until the end of the full expression: "'x'", "byte 0x1F". */
#define GRAD_FOUND_BYTE(c) (grad_found_byte(c).text)

/* The first syntax error (RFC 8259) of a text: where it is, and what was expected and found.
 * Duplicate names and the ranges of numbers are not looked at. detail has room for size bytes. */
void grad_json_explain(const char *text, size_t length, size_t *position, char *detail,
                       size_t size);

/* The same of a text whose first bytes, up to 4 of them, are no JSON's: what has such ones. */
void grad_json_explain_head(const char *bytes, size_t length, char *detail, size_t size);

#endif
