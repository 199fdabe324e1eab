/* jansson's reading of a text, with its memory failures told from its syntax errors. */
#ifndef GRADIENT_WIRE_JSON_LOAD_H
#define GRADIENT_WIRE_JSON_LOAD_H

#include <jansson.h>

/* The tree, which the caller decrefs, or NULL and what was found. found->text is empty where there
 * was no memory. */
json_t *grad_json_load(const char *text, size_t length, size_t flags, json_error_t *found);

#endif
