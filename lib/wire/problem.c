/* Problem documents (RFC 9457), written and read. Which HTTP status an error has is the server's
 * knowledge, not this file's. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "gradient_wire.h"
#include "wire/json_load.h"

static void write_member(grad_text *text, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    grad_text_printf(text, ",\"%s\":", name);
    grad_text_string(text, value);
}

void grad_problem_write(const grad_problem *problem, grad_text *text)
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
    grad_text_add(text, "}\n", 2);
}

/* Members that are absent or of another type leave the target as it is. */
static void read_string(const json_t *object, const char *name, char *target, size_t size)
{
    const char *value = json_string_value(json_object_get(object, name));

    if (value != NULL)
        snprintf(target, size, "%s", value);
}

static void read_error(const json_t *root, grad_error *error)
{
    const json_t *offset = json_object_get(root, "offset");
    const json_t *limit = json_object_get(root, "limit");
    const json_t *value = json_object_get(limit, "value");

    read_string(root, "code", error->code, sizeof error->code);
    read_string(root, "pointer", error->pointer, sizeof error->pointer);
    read_string(root, "detail", error->detail, sizeof error->detail);
    read_string(limit, "name", error->limit_name, sizeof error->limit_name);
    if (json_is_integer(offset) && json_integer_value(offset) >= 0)
        error->offset = json_integer_value(offset);
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        error->limit = (uint64_t)json_integer_value(value);
}

/* What the error would be called here; the status behind it is not in the document. */
static grad_status status_of(const grad_problem *problem)
{
    if (problem->http_status == 400)
        return GRAD_MALFORMED;
    if (problem->http_status == 413 || problem->error.limit_name[0] != '\0')
        return GRAD_TOO_LARGE;
    return GRAD_INVALID;
}

grad_status grad_problem_read(const char *text, size_t length, grad_problem *problem,
                              grad_error *error)
{
    grad_problem read = {.error = GRAD_ERROR_INIT};
    json_error_t found;
    json_t *root = grad_json_load(text, length, JSON_DECODE_ANY, &found);
    const json_t *status;

    if (root == NULL && found.text[0] == '\0')
        return grad_fail_memory(error, length);
    if (root == NULL)
        return grad_fail_at_byte(error, GRAD_MALFORMED, "malformed_json", found.position, "", "%s",
                                 found.text);
    status = json_object_get(root, "status");
    if (!json_is_object(root) || !json_is_integer(status)) {
        json_decref(root);
        return grad_fail(error, GRAD_INVALID, "missing_field", "/status",
                         "expected a problem document with a status, found none");
    }
    read.http_status = (int)json_integer_value(status);
    read_string(root, "title", read.title, sizeof read.title);
    read_string(root, "request_id", read.request_id, sizeof read.request_id);
    read_error(root, &read.error);
    read.error.status = status_of(&read);
    json_decref(root);
    *problem = read;
    return GRAD_OK;
}
