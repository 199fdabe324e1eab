/* Binding by tables of fields, and the errors of it. Tensors are in bind_tensor.c. */
#include "wire/bind.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/size.h"

/* Writes the pointer of path. False where it does not fit; pointer then is that of a parent. */
static bool print_path(const grad_path *path, char *pointer, size_t *length)
{
    char token[GRAD_POINTER_SIZE];
    size_t used = 0;

    if (path == NULL || path->parent == NULL)
        return true;
    if (!print_path(path->parent, pointer, length))
        return false;
    if (path->key == NULL)
        used = (size_t)snprintf(token, sizeof token, "%zu", path->index);
    for (const char *c = path->key; c != NULL && *c != '\0'; c++) {
        if (used + 3 > sizeof token)
            return false;
        if (*c == '~' || *c == '/')
            token[used++] = '~';
        token[used++] = (char)(*c == '~' ? '0' : *c == '/' ? '1' : *c);
    }
    if (*length + 1 + used >= GRAD_POINTER_SIZE)
        return false;
    pointer[(*length)++] = '/';
    memcpy(pointer + *length, token, used);
    *length += used;
    pointer[*length] = '\0';
    return true;
}

grad_status grad_bind_fail(grad_binder *binder, const grad_path *path, const char *code,
                           const char *format, ...)
{
    char pointer[GRAD_POINTER_SIZE] = "";
    char detail[GRAD_DETAIL_SIZE];
    size_t length = 0;
    size_t position;
    va_list arguments;

    print_path(path, pointer, &length);
    position = grad_envelope_find(binder->envelope, pointer);
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    return grad_fail_at_byte(binder->error, GRAD_INVALID, code,
                             position == SIZE_MAX
                                 ? GRAD_OFFSET_UNKNOWN
                                 : grad_envelope_offset(binder->envelope, position),
                             pointer, "%s", detail);
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return grad_bind_is_reference(value) ? "an array of numbers"
               : json_array_size(value) == 0 ? "an empty array"
                                             : "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "null";
    }
}

grad_status grad_bind_fail_type(grad_binder *binder, const grad_path *path, const char *expected,
                                const json_t *value)
{
    return grad_bind_fail(binder, path, "unexpected_type", "expected %s, found %s", expected,
                          type_name(value));
}

/* Levenshtein's distance between two names; longer ones are far from everything. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t row[LONGEST + 1];
    size_t length = strlen(b);

    if (length > LONGEST || strlen(a) > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = grad_size_min(changed, grad_size_min(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

grad_status grad_bind_fail_name(grad_binder *binder, const grad_path *path, const char *code,
                                const char *what, const char *name, const char *const *known,
                                size_t count)
{
    char list[GRAD_DETAIL_SIZE] = "";
    size_t used = 0;
    size_t nearest = 0;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, known[i]);

        if (distance < least) {
            least = distance;
            nearest = i;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                                     known[i]);
    }
    if (least <= 2 || least <= strlen(name) / 3)
        return grad_bind_fail(binder, path, code, "unknown %s \"%.60s\", did you mean \"%s\"?",
                              what, name, known[nearest]);
    return grad_bind_fail(binder, path, code, "expected one of %s, found unknown %s \"%.60s\"",
                          list, what, name);
}

static grad_status fail_field(grad_binder *binder, const grad_path *path, const char *name,
                              const grad_field *fields, size_t count)
{
    enum { LISTED = 16 };
    const char *known[LISTED] = {NULL};

    count = grad_size_min(count, LISTED);
    for (size_t i = 0; i < count; i++)
        known[i] = fields[i].name;
    return grad_bind_fail_name(binder, path, "unknown_field", "field", name, known, count);
}

grad_status grad_bind_object(grad_binder *binder, const grad_path *path, const json_t *value,
                             const char *what, const grad_field *fields, size_t count, void *target)
{
    const char *key;
    json_t *member;

    if (!json_is_object(value))
        return grad_bind_fail_type(binder, path, what, value);
    /* jansson's iterators take no const; the object is not changed. */
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        grad_path here = {.parent = path, .key = key};
        grad_status status = GRAD_OK;
        size_t i = 0;

        while (i < count && strcmp(fields[i].name, key) != 0)
            i++;
        if (i < count)
            status = fields[i].read(binder, &here, member, (char *)target + fields[i].offset);
        else if (!binder->skips_unknown_fields)
            status = fail_field(binder, &here, key, fields, count);
        if (status != GRAD_OK)
            return status;
    }
    return GRAD_OK;
}

grad_status grad_bind_elements(grad_binder *binder, const grad_path *path, const json_t *value,
                               grad_bind_function *read, void *target, size_t stride)
{
    for (size_t i = 0; i < json_array_size(value); i++) {
        grad_path here = {.parent = path, .index = i};
        grad_status status =
            read(binder, &here, json_array_get(value, i), (char *)target + i * stride);

        if (status != GRAD_OK)
            return status;
    }
    return GRAD_OK;
}

grad_status grad_bind_require(grad_binder *binder, const grad_path *path, const json_t *value,
                              const char *name)
{
    if (json_object_get(value, name) != NULL)
        return GRAD_OK;
    return grad_bind_fail(binder, path, "missing_field", "expected a field \"%s\", found none",
                          name);
}

grad_status grad_bind_string(grad_binder *binder, const grad_path *path, const json_t *value,
                             void *target)
{
    size_t size;

    if (!json_is_string(value))
        return grad_bind_fail_type(binder, path, "a string", value);
    size = json_string_length(value) + 1;
    memcpy(binder->strings, json_string_value(value), size);
    *(const char **)target = binder->strings;
    binder->strings += size;
    return GRAD_OK;
}

grad_status grad_bind_choice(grad_binder *binder, const grad_path *path, const json_t *value,
                             const char *const *known, size_t count, size_t *target)
{
    char list[GRAD_DETAIL_SIZE] = "";
    size_t used = 0;

    if (!json_is_string(value))
        return grad_bind_fail_type(binder, path, "a string", value);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(known[i], json_string_value(value)) == 0) {
            *target = i;
            return GRAD_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"",
                                     i > 0 ? " or " : "", known[i]);
    }
    return grad_bind_fail(binder, path, "unsupported_value", "expected %s, found \"%.60s\"", list,
                          json_string_value(value));
}
