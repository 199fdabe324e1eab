/* Problem documents inside other documents, the error of a layer, and the notes of an answer. Whole
 * problem documents are gradient_wire.h's. */
#ifndef GRAD_CODEC_DOCUMENT_PROBLEM_H
#define GRAD_CODEC_DOCUMENT_PROBLEM_H

#include <jansson.h>

#include "codec/document/decode_fields.h"
#include "gradient_wire.h"

/* Adds the object that grad_problem_write adds, without the line's end. */
void grad_problem_object(const grad_problem *problem, grad_text *text);

/* The same of an error as a daemon would answer a request with it. */
void grad_problem_error(const grad_error *error, grad_text *text);

/* Reads the error of such an object; what is absent or of another type stays as it is in *error.
 * Its status is taken from the object's. */
void grad_problem_read_error(const json_t *object, grad_error *error);

/* ---- The notes of an answer ------------------------------------------------------------------ */

/* Adds the array of the notes. */
void grad_notes_write(const grad_reply_note *notes, size_t count, grad_text *text);

/* How many notes an answer has. */
size_t grad_notes_count(const json_t *root);

/* Reads them into the array that *target (const grad_reply_note *) points to, which has room. */
grad_decode_function grad_notes_read;

#endif
