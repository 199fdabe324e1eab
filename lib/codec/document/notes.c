/* The notes of an answer: an array of objects, each with a code, a detail and a pointer. */
#include "codec/document/notes.h"

void grad_notes_write(const grad_reply_note *notes, size_t count, grad_text *text)
{
    for (size_t i = 0; i < count; i++) {
        grad_text_printf(text, "%s{\"code\":", i == 0 ? "[" : ",");
        grad_text_string(text, notes[i].code);
        grad_text_printf(text, ",\"detail\":");
        grad_text_string(text, notes[i].detail);
        grad_text_printf(text, ",\"pointer\":");
        grad_text_string(text, notes[i].pointer);
        grad_text_add(text, "}", 1);
    }
    grad_text_add(text, "]", 1);
}

size_t grad_notes_count(const json_t *root)
{
    return json_array_size(json_object_get(root, "notes"));
}

static const grad_field note_fields[] = {
    GRAD_FIELD("code", grad_decode_string, grad_reply_note, code),
    GRAD_FIELD("detail", grad_decode_string, grad_reply_note, detail),
    GRAD_FIELD("pointer", grad_decode_string, grad_reply_note, pointer),
};

static grad_status read_note(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    grad_status status = grad_decode_object(reader, path, value, "a note", note_fields,
                                            sizeof note_fields / sizeof *note_fields, target);

    for (size_t i = 0; i < sizeof note_fields / sizeof *note_fields && status == GRAD_OK; i++)
        status = grad_decode_require(reader, path, value, note_fields[i].name);
    return status;
}

grad_status grad_notes_read(grad_reader *reader, const grad_path *path, const json_t *value,
                            void *target)
{
    if (!json_is_array(value))
        return grad_decode_fail_type(reader, path, "an array of notes", value);
    return grad_decode_elements(reader, path, value, read_note, *(grad_reply_note **)target,
                                sizeof(grad_reply_note));
}
