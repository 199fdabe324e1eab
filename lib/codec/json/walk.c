/* A walk over the scalars of a document, for people's eyes. Deep documents are refused by jansson's
 * own limit. */
#include <stdio.h>
#include <string.h>

#include "codec/json/load.h"
#include "core/error.h"
#include "gradient_wire.h"

/* Pointers beyond this are an error: nothing that a person reads has them. */
enum { POINTER_MAX = 4096, DEPTH_MAX = 64 };

typedef struct walker {
    grad_text pointer;
    void (*visit)(void *context, const char *pointer, const char *value);
    void *context;
} walker;

/* Adds '/' and a key, spelled as RFC 6901 says. */
static void add_key(grad_text *pointer, const char *key)
{
    grad_text_add(pointer, "/", 1);
    for (; *key != '\0'; key++)
        if (*key == '~' || *key == '/')
            grad_text_add(pointer, *key == '~' ? "~0" : "~1", 2);
        else
            grad_text_add(pointer, key, 1);
}

static void visit_scalar(walker *w, const json_t *value)
{
    const char *pointer = w->pointer.length > 0 ? w->pointer.data : "";
    char number[40];

    switch (json_typeof(value)) {
    case JSON_STRING:
        w->visit(w->context, pointer, json_string_value(value));
        return;
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(number, sizeof number, "%.15g", json_real_value(value));
        break;
    default:
        snprintf(number, sizeof number, "%s",
                 json_is_true(value)    ? "true"
                 : json_is_false(value) ? "false"
                                        : "null");
    }
    w->visit(w->context, pointer, number);
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
            add_key(&w->pointer, key);
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
