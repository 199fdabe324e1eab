/* jansson's reading of a text, with its errors in our words; and a walk over the scalars of a
 * document, for people's eyes. */
#include "codec/json/load.h"

#include <stdio.h>
#include <string.h>

#include "codec/json/explain.h"
#include "core/error.h"
#include "gradient_wire.h"

json_t *grad_json_load(const char *text, size_t length, size_t flags, json_error_t *found)
{
    json_error_t again = {0};
    json_t *root;

    *found = (json_error_t){0};
    root = json_loadb(text, length, flags, found);
    if (root != NULL || found->text[0] == '\0')
        return root;
    root = json_loadb(text, length, flags, &again);
    if (root != NULL || strcmp(found->text, again.text) != 0)
        *found = (json_error_t){0};
    json_decref(root);
    return NULL;
}

bool grad_json_is_null_character(const json_error_t *found)
{
    enum json_error_code code = json_error_code(found);

    return code == json_error_null_character || code == json_error_null_byte_in_key;
}

/* What is wrong with it: in our words. */
static grad_status fail_text(const char *text, size_t length, const json_error_t *found,
                             grad_error *error)
{
    const char *code = "malformed_json";
    char detail[GRAD_DETAIL_SIZE];
    size_t position;

    if (json_error_code(found) == json_error_numeric_overflow)
        return grad_fail_at_byte(error, GRAD_MALFORMED, code, found->position, "",
                                 "expected numbers that a double can hold, found a larger one");
    if (grad_json_is_null_character(found))
        return grad_fail_at_byte(error, GRAD_MALFORMED, code, found->position, "",
                                 "expected no \\u0000 in a string, found one");
    grad_json_explain(text, length, &position, detail, sizeof detail);
    return grad_fail_at_byte(error, GRAD_MALFORMED, code, (int64_t)position, "", "%s", detail);
}

grad_status grad_json_read(const char *text, size_t length, json_t **root, grad_error *error)
{
    json_error_t found;
    json_t *read = grad_json_load(text, length, JSON_DECODE_ANY, &found);

    if (read == NULL && found.text[0] == '\0')
        return grad_fail_memory(error, length);
    if (read == NULL)
        return fail_text(text, length, &found, error);
    *root = read;
    return GRAD_OK;
}

/* ---- A walk ---------------------------------------------------------------------------------- */

/* Pointers beyond this are an error: nothing that a person reads has them. */
enum { POINTER_MAX = 4096, DEPTH_MAX = 64 };

typedef struct walker {
    grad_text pointer;
    void (*visit)(void *context, const char *pointer, const char *value);
    void *context;
} walker;

static void visit_scalar(walker *w, const json_t *value)
{
    const char *pointer = w->pointer.length > 0 ? w->pointer.data : "";
    char number[40];

    if (json_is_integer(value))
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(number, sizeof number, "%.15g", json_real_value(value));
    else
        snprintf(number, sizeof number, "%s",
                 json_is_true(value)    ? "true"
                 : json_is_false(value) ? "false"
                                        : "null");
    w->visit(w->context, pointer, json_is_string(value) ? json_string_value(value) : number);
}

static void walk(walker *w, const json_t *value, size_t depth);

static void walk_child(walker *w, const json_t *value, size_t length, size_t depth)
{
    if (depth == DEPTH_MAX && w->pointer.status == GRAD_OK)
        w->pointer.status = GRAD_TOO_LARGE;
    if (w->pointer.status == GRAD_OK)
        walk(w, value, depth + 1);
    w->pointer.length = length;
    if (w->pointer.data != NULL)
        w->pointer.data[length] = '\0';
}

static void walk(walker *w, const json_t *value, size_t depth)
{
    size_t length = w->pointer.length;
    const char *key;
    json_t *member;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            grad_text_token(&w->pointer, key, strlen(key));
            walk_child(w, member, length, depth);
        }
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            grad_text_printf(&w->pointer, "/%zu", i);
            walk_child(w, json_array_get(value, i), length, depth);
        }
    } else {
        visit_scalar(w, value);
    }
}

grad_status grad_json_walk(const char *text, size_t length,
                           void (*visit)(void *context, const char *pointer, const char *value),
                           void *context, grad_error *error)
{
    walker w = {.visit = visit, .context = context};
    json_t *root = NULL;
    grad_status status = grad_json_read(text, length, &root, error);

    if (status != GRAD_OK)
        return status;
    grad_text_init(&w.pointer, POINTER_MAX);
    walk(&w, root, 0);
    status = grad_text_status(&w.pointer, error);
    grad_text_free(&w.pointer);
    json_decref(root);
    return status;
}
