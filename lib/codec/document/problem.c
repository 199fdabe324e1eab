/* Problem documents (RFC 9457) and the notes of an answer, written and read. Which HTTP status an
 * answer has is the server's knowledge; errors inside an answer are 422, or 413 for a cap. */
#include "codec/document/problem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/json/load.h"
#include "core/error.h"

/* ---- Problems -------------------------------------------------------------------------------- */

/* The largest integer up to which a double holds all of them. */
#define EXACT_INTEGERS 9007199254740992.0

static void write_member(grad_text *text, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    grad_text_printf(text, ",\"%s\":", name);
    grad_text_string(text, value);
}

/* The object, still open. */
static void write_members(const grad_problem *problem, grad_text *text)
{
    const grad_error *error = &problem->error;

    grad_text_add(text, "{\"type\":\"about:blank\"", 21);
    write_member(text, "title", problem->title);
    grad_text_printf(text, ",\"status\":%d", problem->http_status);
    write_member(text, "detail", error->detail);
    write_member(text, "code", error->code);
    write_member(text, "pointer", error->pointer);
    if (error->offset != GRAD_OFFSET_UNKNOWN)
        grad_text_printf(text, ",\"offset\":%lld", (long long)error->offset);
    if (error->limit_name[0] != '\0') {
        grad_text_add(text, ",\"limit\":{\"name\":", 17);
        grad_text_string(text, error->limit_name);
        grad_text_printf(text, ",\"value\":%llu}", (unsigned long long)error->limit);
    }
    write_member(text, "request_id", problem->request_id);
}

void grad_problem_object(const grad_problem *problem, grad_text *text)
{
    write_members(problem, text);
    grad_text_add(text, "}", 1);
}

void grad_problem_write(const grad_problem *problem, grad_text *text)
{
    grad_problem_object(problem, text);
    grad_text_add(text, "\n", 1);
}

void grad_problem_write_inference(const grad_problem *problem, grad_text *text)
{
    const grad_error *error = &problem->error;
    bool has_place = error->pointer[0] != '\0';
    char shown[GRAD_DETAIL_SIZE + GRAD_POINTER_SIZE + 4];

    snprintf(shown, sizeof shown, "%s%s%s%s", error->detail, has_place ? " (" : "", error->pointer,
             has_place ? ")" : "");
    write_members(problem, text);
    write_member(text, "error", shown);
    grad_text_add(text, "}\n", 2);
}

void grad_problem_error(const grad_error *error, grad_text *text)
{
    bool too_large = error->status == GRAD_TOO_LARGE;
    grad_problem problem = {.http_status = too_large ? 413 : 422, .error = *error};

    snprintf(problem.title, sizeof problem.title, "%s",
             too_large ? "Content Too Large" : "Unprocessable Content");
    grad_problem_object(&problem, text);
}

/* Members that are absent or of another type leave the target as it is. */
static void read_string(const json_t *object, const char *name, char *target, size_t size)
{
    const char *value = json_string_value(json_object_get(object, name));

    if (value != NULL)
        snprintf(target, size, "%s", value);
}

/* Integers are reals where the tree was made of an envelope. */
static bool read_integer(const json_t *value, json_int_t *target)
{
    if (json_is_integer(value))
        *target = json_integer_value(value);
    else if (json_is_real(value) && fabs(json_real_value(value)) <= EXACT_INTEGERS)
        *target = (json_int_t)json_real_value(value);
    else
        return false;
    return true;
}

static void read_members(const json_t *root, grad_error *error)
{
    const json_t *limit = json_object_get(root, "limit");
    json_int_t number;

    read_string(root, "code", error->code, sizeof error->code);
    read_string(root, "pointer", error->pointer, sizeof error->pointer);
    read_string(root, "detail", error->detail, sizeof error->detail);
    read_string(limit, "name", error->limit_name, sizeof error->limit_name);
    if (read_integer(json_object_get(root, "offset"), &number) && number >= 0)
        error->offset = number;
    if (read_integer(json_object_get(limit, "value"), &number) && number >= 0)
        error->limit = (uint64_t)number;
}

/* What the error would be called here; the status behind it is not in the document. */
static grad_status status_of(json_int_t http_status, const grad_error *error)
{
    if (http_status == 400)
        return GRAD_MALFORMED;
    if (http_status == 413 || error->limit_name[0] != '\0')
        return GRAD_TOO_LARGE;
    return GRAD_INVALID;
}

void grad_problem_read_error(const json_t *object, grad_error *error)
{
    json_int_t http_status = 0;

    read_members(object, error);
    read_integer(json_object_get(object, "status"), &http_status);
    error->status = status_of(http_status, error);
}

grad_status grad_problem_read(const char *text, size_t length, grad_problem *problem,
                              grad_error *error)
{
    grad_problem read = {.error = GRAD_ERROR_INIT};
    json_t *root = NULL;
    const json_t *http_status;
    grad_status status = grad_json_read(text, length, &root, error);

    if (status != GRAD_OK)
        return status;
    http_status = json_object_get(root, "status");
    if (!json_is_object(root) || !json_is_integer(http_status)) {
        json_decref(root);
        return grad_fail(error, GRAD_INVALID, "missing_field", "/status",
                         "expected a problem document with a status, found none");
    }
    read.http_status = (int)json_integer_value(http_status);
    read_string(root, "title", read.title, sizeof read.title);
    read_string(root, "request_id", read.request_id, sizeof read.request_id);
    grad_problem_read_error(root, &read.error);
    json_decref(root);
    *problem = read;
    return GRAD_OK;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

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
