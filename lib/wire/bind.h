/* Binding a document's tree to C: objects by tables of fields, types, tensors, and errors that know
 * their pointer and byte. What the fields of requests and replies are is their readers'. */
#ifndef GRADIENT_WIRE_BIND_H
#define GRADIENT_WIRE_BIND_H

#include <jansson.h>

#include "wire/envelope.h"

/* What is bound, and into what. */
typedef struct grad_binder {
    const grad_envelope *envelope;
    float *numbers;            /* of all arrays */
    char *strings;             /* where the next string is copied; has room for all of them */
    bool skips_unknown_fields; /* else they are errors */
    grad_error *error;
} grad_binder;

/* Where in the document a value is: a list from it to the root, on the stack. */
typedef struct grad_path {
    const struct grad_path *parent; /* NULL at the root */
    const char *key;                /* of a member; NULL: an element */
    size_t index;
} grad_path;

/* Reads a value into *target, whose type is the function's. */
typedef grad_status grad_bind_function(grad_binder *binder, const grad_path *path,
                                       const json_t *value, void *target);

/* One field of an object: its name, how its value is read, and where in the C structure it goes. */
typedef struct grad_field {
    const char *name;
    grad_bind_function *read;
    size_t offset;
} grad_field;

/* A GRAD_INVALID error at path, pointer and byte found from it. */
grad_status grad_bind_fail(grad_binder *binder, const grad_path *path, const char *code,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* unexpected_type: expected ("a string") was, value is. */
grad_status grad_bind_fail_type(grad_binder *binder, const grad_path *path, const char *expected,
                                const json_t *value);

/* An unknown name (code unknown_field, unknown_name): the detail holds the nearest known one, or
 * all of them. what is the kind of name ("activation"). */
grad_status grad_bind_fail_name(grad_binder *binder, const grad_path *path, const char *code,
                                const char *what, const char *name, const char *const *known,
                                size_t count);

/* Every member of an object by its field. what names the object in errors ("a layer"). */
grad_status grad_bind_object(grad_binder *binder, const grad_path *path, const json_t *value,
                             const char *what, const grad_field *fields, size_t count,
                             void *target);

/* Every element of an array, the i-th into target + i * stride. */
grad_status grad_bind_elements(grad_binder *binder, const grad_path *path, const json_t *value,
                               grad_bind_function *read, void *target, size_t stride);

/* missing_field: value has no member of that name. */
grad_status grad_bind_require(grad_binder *binder, const grad_path *path, const json_t *value,
                              const char *name);

/* One of the names in known, as its index. Errors: unsupported_value. */
grad_status grad_bind_choice(grad_binder *binder, const grad_path *path, const json_t *value,
                             const char *const *known, size_t count, size_t *target);

/* A string, copied; *target (const char *) lives as long as the block that strings points into. */
grad_bind_function grad_bind_string;

/* A tensor in any of its spellings; *target (grad_tensor) is a view of binder->numbers. */
grad_bind_function grad_bind_tensor;

/* Whether value stands for an array of numbers. */
bool grad_bind_is_reference(const json_t *value);

#endif
