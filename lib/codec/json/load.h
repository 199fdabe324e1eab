/* jansson's reading of a text, with its memory failures told from its syntax errors. */
#ifndef GRAD_CODEC_JSON_LOAD_H
#define GRAD_CODEC_JSON_LOAD_H

#include <jansson.h>
#include <stdbool.h>

#include "gradient_core.h"

/* The tree, which the caller decrefs, or NULL and what was found. found->text is empty where there
 * was no memory. */
json_t *grad_json_load(const char *text, size_t length, size_t flags, json_error_t *found);

/* Whether what was found is \u0000 in a string or a name, which C's strings cannot hold. */
bool grad_json_is_null_character(const json_error_t *found);

/* Any JSON's tree, which the caller decrefs. Errors: GRAD_MALFORMED malformed_json with its byte,
 * in our words; GRAD_OUT_OF_MEMORY. */
grad_status grad_json_read(const char *text, size_t length, json_t **root, grad_error *error);

#endif
