/* Decoding a document's tree: objects by tables of fields, types, tensors, and errors that know
 * their pointer and byte. What the fields of requests and replies are is their readers'. */
#ifndef GRAD_CODEC_DOCUMENT_DECODE_FIELDS_H
#define GRAD_CODEC_DOCUMENT_DECODE_FIELDS_H

#include <jansson.h>

#include "codec/json/envelope.h"
#include "core/foreign.h"

struct grad_request;

/* What is bound, and into what. */
typedef struct grad_reader {
    const grad_envelope *envelope;
    grad_datatype datatype;
    void *numbers;      /* of all arrays */
    char *strings;      /* where the next string is copied; has room for all of them */
    grad_error *errors; /* where the next error of a layer is put; has room for all of them */
    double *singles;    /* behind where the next number is put that stands for a tensor; has room
                         * for all of them. NULL: none may */
    bool skips_unknown_fields; /* else they are errors */
    grad_error *error;
    struct grad_request *request; /* what is read by request_*.c; NULL elsewhere */
} grad_reader;

/* Where in the document a value is: a list from it to the root, on the stack. */
typedef struct grad_path {
    const struct grad_path *parent; /* NULL at the root */
    const char *key;                /* of a member; NULL: an element */
    size_t index;
    size_t place; /* in the envelope; 0: to be looked up, unless it is the root's */
} grad_path;

/* Reads a value into *target, whose type is the function's. */
typedef grad_status grad_decode_function(grad_reader *reader, const grad_path *path,
                                         const json_t *value, void *target);

/* One field of an object: its name, how its value is read, and where in the C structure it goes. */
typedef struct grad_field {
    const char *name;
    grad_decode_function *read;
    size_t offset;
    const char *elsewhere; /* not NULL: it is an unknown field here, and this is where it belongs */
} grad_field;

/* elsewhere of a field that only other kinds of layers have: its owners are told when it is met. */
#define GRAD_OF_OTHER_LAYERS ""

/* Where such a field belongs: "belongs to layers of type layer_norm and batch_norm". text has room
 * for size bytes. */
void grad_layer_field_owners(const char *name, char *text, size_t size);

#define GRAD_FIELD(name, read, type, member)                                                       \
    {                                                                                              \
        name, read, offsetof(type, member), NULL                                                   \
    }

/* Fields of an object at most. */
enum { GRAD_FIELDS_MAX = 32 };

/* The place in the envelope of the value at path; where there is none, of what is around it. */
size_t grad_decode_place(const grad_reader *reader, const grad_path *path);

/* A GRAD_INVALID error at path, pointer and byte found from it. */
grad_status grad_decode_fail(grad_reader *reader, const grad_path *path, const char *code,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same, GRAD_MALFORMED: not the value is wrong but its bytes are not what it says. */
grad_status grad_decode_fail_malformed(grad_reader *reader, const grad_path *path, const char *code,
                                       const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The error that the scanner found in the array at path. */
grad_status grad_decode_fail_array_error(grad_reader *reader, const grad_path *path,
                                         const grad_array_error *wrong);

/* unexpected_type: expected ("a string") was, value is. */
grad_status grad_decode_fail_type(grad_reader *reader, const grad_path *path, const char *expected,
                                  const json_t *value);

/* The same of a string that stands where numbers are expected: what it may have been. */
grad_status grad_decode_fail_string(grad_reader *reader, const grad_path *path,
                                    const char *expected, const json_t *value);

/* The same where a single value was expected. */
grad_status grad_decode_fail_scalar(grad_reader *reader, const grad_path *path,
                                    const char *expected, const json_t *value);

/* A name that would have been taken. */
typedef struct grad_known_name {
    const char *name;
    const char *const *synonyms; /* ended by NULL; NULL: it has none */
} grad_known_name;

/* An unknown name (code unknown_field, unknown_name): the detail says which known one it is a slip
 * of, or lists them all. what is the kind of name ("field"). */
grad_status grad_decode_fail_name(grad_reader *reader, const grad_path *path, const char *code,
                                  const char *what, const char *name, const grad_known_name *known,
                                  size_t count);

/* unknown_name, of a vocabulary: as above, but a name that means something else elsewhere is
 * explained, and what is near such a name is not taken for a slip. */
grad_status grad_decode_unknown_word(grad_reader *reader, const grad_path *path,
                                     grad_vocabulary vocabulary, const char *what, const char *name,
                                     const grad_known_name *known, size_t count);

/* Every member of an object by its field; in a request those that are null are as if they were
 * absent, whatever they are called. what names the object in errors ("a layer"). */
grad_status grad_decode_object(grad_reader *reader, const grad_path *path, const json_t *value,
                               const char *what, const grad_field *fields, size_t count,
                               void *target);

/* Every element of an array, the i-th into target + i * stride. */
grad_status grad_decode_elements(grad_reader *reader, const grad_path *path, const json_t *value,
                                 grad_decode_function *read, void *target, size_t stride);

/* The member of that name; NULL where there is none, or null, which stands for none. */
const json_t *grad_decode_member(const json_t *object, const char *name);

/* missing_field: value has no member of that name. */
grad_status grad_decode_require(grad_reader *reader, const grad_path *path, const json_t *value,
                                const char *name);

/* One of the names in known, as its index. Errors: unsupported_value. */
grad_status grad_decode_choice(grad_reader *reader, const grad_path *path, const json_t *value,
                               const char *const *known, size_t count, size_t *target);

/* A string, copied; *target (const char *) lives as long as the block that strings points into. */
grad_decode_function grad_decode_string;

/* true or false; *target is a bool. */
grad_decode_function grad_decode_boolean;

/* A number; *target is a double. */
grad_decode_function grad_decode_number;

/* A whole number, as a double. */
grad_decode_function grad_decode_integer;

/* A whole number that is not negative and at most 2^53; *target is a size_t. */
grad_decode_function grad_decode_size;

/* A number, or one of the strings that stand for those that are not finite, as a double. */
grad_decode_function grad_decode_scalar;

/* A value that was looked at already. */
grad_decode_function grad_decode_nothing;

/* A tensor in any of its spellings; *target (grad_tensor) is a view of reader->numbers. A number
 * alone, where it may stand for a tensor of one, is one of rank 0. */
grad_decode_function grad_decode_tensor;

/* The same, where true and false stand for 1 and 0. */
grad_decode_function grad_decode_flags;

/* A tensor as the Open Inference Protocol spells it, which has a name, too. */
grad_decode_function grad_decode_input;

/* The same where the rank is known to be 1 or 2, which is that of a number alone. */
grad_decode_function grad_decode_vector;
grad_decode_function grad_decode_matrix;

/* Gives the tensor that a number alone became (rank 0) its rank. Others stay as they are. */
void grad_decode_give_rank(grad_tensor *tensor, size_t rank);

/* unexpected_type: a number alone, whose rank nothing tells. */
grad_status grad_decode_fail_single(grad_reader *reader, const grad_path *path);

/* A shape: up to GRAD_MAX_RANK sizes, at least one where no number may stand for a tensor; one size
 * may stand alone. *target is a grad_tensor, whose rank and shape it sets. */
grad_decode_function grad_decode_shape;

/* The array that the value at path refers to, be it one of numbers or one with an error. NULL: it
 * is something else. */
const grad_number_array *grad_decode_array(const grad_reader *reader, const grad_path *path);

/* Whether value is an array, of numbers or of something else. */
bool grad_decode_is_array(const grad_reader *reader, const grad_path *path, const json_t *value);

/* What other libraries call the members of our objects. They are not taken, only pointed at: most
 * differ in shape or in what they stand for, so who moves a document here must look once. */
typedef struct grad_foreign_field {
    const char *name, *field;
    const char *remark; /* how it differs from the field; "" where it does not */
} grad_foreign_field;

/* The row of a foreign name whose field is one of the count known ones; NULL: there is none. Static
 * storage. */
const grad_foreign_field *grad_foreign_field_find(const char *name, const grad_known_name *known,
                                                  size_t count);

#endif
