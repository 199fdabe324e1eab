/* The notes of an answer, as its documents have them: written and read. */
#ifndef GRADIENT_WIRE_NOTES_H
#define GRADIENT_WIRE_NOTES_H

#include "gradient_wire.h"
#include "wire/bind.h"

/* Adds the array of the notes. */
void grad_notes_write(const grad_reply_note *notes, size_t count, grad_text *text);

/* How many notes an answer has. */
size_t grad_notes_count(const json_t *root);

/* Reads them into the array that *target (const grad_reply_note *) points to, which has room. */
grad_bind_function grad_notes_read;

#endif
