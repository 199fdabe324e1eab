/* Decoding objects by tables of fields, single values, and the errors of every decoding. */
#include "codec/document/decode_fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/document/enum_names.h"
#include "codec/json/word.h"
#include "core/error.h"
#include "core/foreign.h"
#include "core/format_number.h"
#include "core/size.h"

size_t grad_decode_place(const grad_reader *reader, const grad_path *path)
{
    size_t parent, place;

    if (path->place > 0 || path->parent == NULL)
        return path->place;
    parent = grad_decode_place(reader, path->parent);
    place = path->key != NULL ? grad_envelope_member(reader->envelope, parent, path->key)
                              : grad_envelope_element(reader->envelope, parent, path->index);
    return place != GRAD_NO_PLACE ? place : parent;
}

static grad_status fail(grad_reader *reader, const grad_path *path, grad_status status,
                        const char *code, const char *format, va_list arguments)
{
    char detail[GRAD_DETAIL_SIZE], pointer[GRAD_POINTER_SIZE];
    size_t place = grad_decode_place(reader, path);

    vsnprintf(detail, sizeof detail, format, arguments);
    grad_envelope_pointer(reader->envelope, place, NULL, 0, pointer);
    return grad_fail_at_byte(reader->error, status, code,
                             grad_envelope_offset_of(reader->envelope, place), pointer, "%s",
                             detail);
}

grad_status grad_decode_fail(grad_reader *reader, const grad_path *path, const char *code,
                             const char *format, ...)
{
    grad_status status;
    va_list arguments;

    va_start(arguments, format);
    status = fail(reader, path, GRAD_INVALID, code, format, arguments);
    va_end(arguments);
    return status;
}

grad_status grad_decode_fail_malformed(grad_reader *reader, const grad_path *path, const char *code,
                                       const char *format, ...)
{
    grad_status status;
    va_list arguments;

    va_start(arguments, format);
    status = fail(reader, path, GRAD_MALFORMED, code, format, arguments);
    va_end(arguments);
    return status;
}

grad_status grad_decode_fail_array_error(grad_reader *reader, const grad_path *path,
                                         const grad_array_error *wrong)
{
    char pointer[GRAD_POINTER_SIZE];

    grad_envelope_pointer(reader->envelope, grad_decode_place(reader, path), wrong->index,
                          wrong->levels, pointer);
    return grad_fail_at_byte(reader->error, GRAD_INVALID, wrong->code, wrong->offset, pointer, "%s",
                             wrong->detail);
}

bool grad_decode_is_array(const grad_reader *reader, const grad_path *path, const json_t *value)
{
    return json_is_array(value) || grad_decode_array(reader, path) != NULL;
}

static const char *type_name(const grad_reader *reader, const grad_path *path, const json_t *value)
{
    const grad_number_array *array = grad_decode_array(reader, path);

    if (array != NULL)
        return array->rank > 0 ? "an array of numbers" : "an array";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return json_array_size(value) == 0 ? "an empty array" : "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "null";
}

grad_status grad_decode_fail_type(grad_reader *reader, const grad_path *path, const char *expected,
                                  const json_t *value)
{
    return grad_decode_fail(reader, path, "unexpected_type", "expected %s, found %s", expected,
                            type_name(reader, path, value));
}

grad_status grad_decode_fail_string(grad_reader *reader, const grad_path *path,
                                    const char *expected, const json_t *value)
{
    char detail[GRAD_DETAIL_SIZE];

    grad_word_explain_string(json_string_value(value), json_string_length(value), expected, detail,
                             sizeof detail);
    return grad_decode_fail(reader, path, "unexpected_type", "%s", detail);
}

grad_status grad_decode_fail_scalar(grad_reader *reader, const grad_path *path,
                                    const char *expected, const json_t *value)
{
    if (json_is_string(value))
        return grad_decode_fail_string(reader, path, expected, value);
    if (grad_decode_array(reader, path) == NULL && json_array_size(value) == 0)
        return grad_decode_fail_type(reader, path, expected, value);
    return grad_decode_fail(reader, path, "unexpected_type",
                            "expected %s, found %s; a single value stands without brackets (R's "
                            "jsonlite: auto_unbox = TRUE)",
                            expected, type_name(reader, path, value));
}

/* "a, b, c", cut where it does not fit. */
static void list_names(const grad_known_name *known, size_t count, char list[GRAD_DETAIL_SIZE])
{
    size_t used = 0;

    list[0] = '\0';
    for (size_t i = 0; i < count && used < GRAD_DETAIL_SIZE; i++)
        used += (size_t)snprintf(list + used, GRAD_DETAIL_SIZE - used, "%s%s", i > 0 ? ", " : "",
                                 known[i].name);
}

static void offer_names(grad_suggestion *search, const grad_known_name *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        grad_suggestion_offer(search, known[i].name, known[i].name);
        for (size_t j = 0; known[i].synonyms != NULL && known[i].synonyms[j] != NULL; j++)
            grad_suggestion_offer(search, known[i].synonyms[j], known[i].name);
    }
}

static grad_status fail_slip(grad_reader *reader, const grad_path *path, const char *code,
                             const char *what, const grad_suggestion *search,
                             const grad_known_name *known, size_t count)
{
    const char *best = grad_suggestion_best(search);
    char list[GRAD_DETAIL_SIZE];

    if (best != NULL)
        return grad_decode_fail(reader, path, code, "unknown %s \"%.60s\", did you mean \"%s\"?",
                                what, search->wanted, best);
    list_names(known, count, list);
    return grad_decode_fail(reader, path, code, "unknown %s \"%.60s\", expected %s%s", what,
                            search->wanted, count > 1 ? "one of " : "", list);
}

grad_status grad_decode_fail_name(grad_reader *reader, const grad_path *path, const char *code,
                                  const char *what, const char *name, const grad_known_name *known,
                                  size_t count)
{
    grad_suggestion search = {.wanted = name};

    offer_names(&search, known, count);
    return fail_slip(reader, path, code, what, &search, known, count);
}

grad_status grad_decode_unknown_word(grad_reader *reader, const grad_path *path,
                                     grad_vocabulary vocabulary, const char *what, const char *name,
                                     const grad_known_name *known, size_t count)
{
    const char *meaning = grad_foreign_meaning(vocabulary, name);
    grad_suggestion search = {.wanted = name};

    if (meaning != NULL && meaning[0] != '\0')
        return grad_decode_fail(reader, path, "unknown_name", "unknown %s \"%.60s\": %s", what,
                                name, meaning);
    offer_names(&search, known, count);
    grad_foreign_offer(vocabulary, &search);
    return fail_slip(reader, path, "unknown_name", what, &search, known, count);
}

static grad_status fail_field(grad_reader *reader, const grad_path *path, const char *name,
                              const grad_field *fields, size_t count)
{
    grad_known_name known[GRAD_FIELDS_MAX];
    size_t known_count = 0;
    const grad_foreign_field *foreign;

    for (size_t i = 0; i < count; i++)
        if (fields[i].elsewhere == NULL && known_count < GRAD_FIELDS_MAX)
            known[known_count++] = (grad_known_name){fields[i].name, NULL};
    foreign = grad_foreign_field_find(name, known, known_count);
    if (foreign == NULL)
        return grad_decode_fail_name(reader, path, "unknown_field", "field", name, known,
                                     known_count);
    return grad_decode_fail(reader, path, "unknown_field",
                            "unknown field \"%.60s\", did you mean \"%s\"?%s%s", name,
                            foreign->field, foreign->remark[0] != '\0' ? " " : "", foreign->remark);
}

static grad_status fail_elsewhere(grad_reader *reader, const grad_path *path,
                                  const grad_field *field)
{
    char owners[GRAD_DETAIL_SIZE];

    snprintf(owners, sizeof owners, "%s", field->elsewhere);
    if (owners[0] == '\0')
        grad_layer_field_owners(field->name, owners, sizeof owners);
    return grad_decode_fail(reader, path, "unknown_field", "unknown field \"%s\", it %s", path->key,
                            owners);
}

/* Reads one member, which is fields[i] or, if i is count, none of them. */
static grad_status read_member(grad_reader *reader, const grad_path *path, const json_t *member,
                               const grad_field *fields, size_t count, size_t i, void *target)
{
    if (i < count && fields[i].elsewhere == NULL)
        return fields[i].read(reader, path, member, (char *)target + fields[i].offset);
    if (reader->skips_unknown_fields)
        return GRAD_OK;
    return i < count ? fail_elsewhere(reader, path, &fields[i])
                     : fail_field(reader, path, path->key, fields, count);
}

static size_t find_field(const grad_field *fields, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && (fields[i].name[0] != name[0] || strcmp(fields[i].name, name) != 0))
        i++;
    return i;
}

/* The field of that name, or that it is another name of; *other is then the field's own. count
 * where there is none. */
static size_t find_by_any_name(const grad_field *fields, size_t count, const char *name,
                               const char **other)
{
    size_t i = find_field(fields, count, name);

    *other = i == count ? grad_other_field_name(name) : NULL;
    return *other == NULL ? i : find_field(fields, count, *other);
}

grad_status grad_decode_object(grad_reader *reader, const grad_path *path, const json_t *value,
                               const char *what, const grad_field *fields, size_t count,
                               void *target)
{
    const grad_place *places = reader->envelope->places;
    size_t place = grad_decode_place(reader, path);
    size_t next = place + 1;
    const char *key;
    json_t *member;

    if (!json_is_object(value))
        return grad_decode_fail_type(reader, path, what, value);
    /* jansson's iterators take no const; the object is not changed. */
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        grad_path here = {.parent = path, .key = key, .place = next};
        grad_status status;
        const char *other;
        size_t i;

        next = places[next].next;
        if (json_is_null(member) && reader->request != NULL)
            continue;
        i = find_by_any_name(fields, count, key, &other);
        if (i < count && other != NULL && grad_decode_member(value, other) != NULL)
            return grad_decode_fail(reader, &here, "duplicate_field",
                                    "expected \"%s\" or \"%s\", which are the same, found both",
                                    other, key);
        status = read_member(reader, &here, member, fields, count, i, target);
        if (status != GRAD_OK)
            return status;
    }
    return GRAD_OK;
}

grad_status grad_decode_elements(grad_reader *reader, const grad_path *path, const json_t *value,
                                 grad_decode_function *read, void *target, size_t stride)
{
    const grad_place *places = reader->envelope->places;
    size_t next = grad_decode_place(reader, path) + 1;

    for (size_t i = 0; i < json_array_size(value); i++) {
        grad_path here = {.parent = path, .index = i, .place = next};
        grad_status status =
            read(reader, &here, json_array_get(value, i), (char *)target + i * stride);

        next = places[next].next;
        if (status != GRAD_OK)
            return status;
    }
    return GRAD_OK;
}

const json_t *grad_decode_member(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);

    return json_is_null(member) ? NULL : member;
}

grad_status grad_decode_require(grad_reader *reader, const grad_path *path, const json_t *value,
                                const char *name)
{
    const json_t *member = json_object_get(value, name);

    if (member != NULL && !json_is_null(member))
        return GRAD_OK;
    return grad_decode_fail(reader, path, "missing_field", "expected a field \"%s\", found %s",
                            name, member == NULL ? "none" : "null, which stands for none");
}

/* ---- Single values --------------------------------------------------------------------------- */

/* The largest integer up to which a double holds all of them. */
#define EXACT_INTEGERS 9007199254740992.0

grad_status grad_decode_nothing(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    (void)reader;
    (void)path;
    (void)value;
    (void)target;
    return GRAD_OK;
}

grad_status grad_decode_string(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    size_t size;

    if (!json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "a string", value);
    size = json_string_length(value) + 1;
    memcpy(reader->strings, json_string_value(value), size);
    *(const char **)target = reader->strings;
    reader->strings += size;
    return GRAD_OK;
}

grad_status grad_decode_choice(grad_reader *reader, const grad_path *path, const json_t *value,
                               const char *const *known, size_t count, size_t *target)
{
    char list[GRAD_DETAIL_SIZE] = "";
    size_t used = 0;

    if (!json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "a string", value);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(known[i], json_string_value(value)) == 0) {
            *target = i;
            return GRAD_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"",
                                     i > 0 ? " or " : "", known[i]);
    }
    return grad_decode_fail(reader, path, "unsupported_value", "expected %s, found \"%.60s\"", list,
                            json_string_value(value));
}

grad_status grad_decode_boolean(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    if (!json_is_boolean(value) || grad_decode_array(reader, path) != NULL)
        return grad_decode_fail_scalar(reader, path, "true or false", value);
    *(bool *)target = json_is_true(value);
    return GRAD_OK;
}

grad_status grad_decode_number(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    if (!json_is_number(value))
        return grad_decode_fail_scalar(reader, path, "a number", value);
    *(double *)target = json_number_value(value);
    return GRAD_OK;
}

grad_status grad_decode_integer(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    double number = json_number_value(value);

    if (!json_is_number(value))
        return grad_decode_fail_scalar(reader, path, "an integer", value);
    if (number != trunc(number))
        return grad_decode_fail(reader, path, "unsupported_value", "expected an integer, found %s",
                                GRAD_NUMBER_TEXT(GRAD_FP64, number));
    *(double *)target = number;
    return GRAD_OK;
}

grad_status grad_decode_size(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    double size = json_number_value(value);

    if (!json_is_number(value))
        return grad_decode_fail_scalar(reader, path, "an integer", value);
    if (!(size >= 0 && size <= EXACT_INTEGERS) || size != (double)(size_t)size)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected an integer that is not negative, found %s",
                                GRAD_NUMBER_TEXT(GRAD_FP64, size));
    *(size_t *)target = (size_t)size;
    return GRAD_OK;
}

grad_status grad_decode_scalar(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    static const char *const names[] = {"NaN", "Infinity", "-Infinity"};
    static const double values[] = {(double)NAN, (double)INFINITY, (double)-INFINITY};
    size_t which = 0;
    grad_status status;

    if (!json_is_string(value))
        return grad_decode_number(reader, path, value, target);
    status = grad_decode_choice(reader, path, value, names, 3, &which);
    if (status == GRAD_OK)
        *(double *)target = values[which];
    return status;
}
