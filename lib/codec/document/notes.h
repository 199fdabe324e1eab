/* The notes of an answer, as its documents have them: written and read. */
#ifndef GRAD_CODEC_DOCUMENT_NOTES_H
#define GRAD_CODEC_DOCUMENT_NOTES_H

#include "codec/document/decode_fields.h"
#include "gradient_wire.h"

/* Adds the array of the notes. */
void grad_notes_write(const grad_reply_note *notes, size_t count, grad_text *text);

/* How many notes an answer has. */
size_t grad_notes_count(const json_t *root);

/* Reads them into the array that *target (const grad_reply_note *) points to, which has room. */
grad_decode_function grad_notes_read;

#endif
