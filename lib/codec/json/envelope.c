/* Writing the envelope: its text, where its bytes came from, the arrays that it refers to, and the
 * places of its values; and the way from places to pointers and back, which errors need. */
#include "codec/json/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json/utf8.h"
#include "core/error.h"
#include "core/size.h"

enum { FIRST_ITEMS = 32 };

void grad_envelope_free(grad_envelope *envelope)
{
    grad_text_free(&envelope->text);
    free(envelope->marks);
    free(envelope->arrays);
    free(envelope->array_errors);
    free(envelope->places);
    *envelope = (grad_envelope){0};
}

size_t grad_envelope_memory(const grad_envelope *envelope)
{
    return envelope->text.length + envelope->mark_count * sizeof *envelope->marks +
           envelope->array_count * sizeof *envelope->arrays +
           envelope->place_count * sizeof *envelope->places +
           envelope->array_error_capacity * sizeof *envelope->array_errors;
}

/* Room for one more item of that size. Every item stands for at least one byte of the text, whose
 * maximum is theirs too. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size, grad_error *error)
{
    size_t wanted = *capacity > 0 ? *capacity * 2 : FIRST_ITEMS;
    size_t bytes;

    if (count < *capacity)
        return items;
    if (!grad_size_mul(wanted, size, &bytes))
        bytes = SIZE_MAX;
    items = realloc(items, bytes);
    if (items == NULL)
        grad_fail_memory(error, bytes);
    else
        *capacity = wanted;
    return items;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* What comes next gets a place. */
static grad_status add_place(grad_envelope *e, size_t parent, size_t label, grad_error *error)
{
    grad_place *places = grow(e->places, e->place_count, &e->place_capacity, sizeof *places, error);

    if (places == NULL)
        return GRAD_OUT_OF_MEMORY;
    e->places = places;
    e->place = e->place_count++;
    e->is_value_to_come = true;
    places[e->place] = (grad_place){.parent = (uint32_t)parent,
                                    .label = (uint32_t)label,
                                    .begin = (uint32_t)e->text.length,
                                    .next = (uint32_t)e->place_count};
    return GRAD_OK;
}

grad_status grad_envelope_init(grad_envelope *envelope, size_t max_bytes, grad_error *error)
{
    *envelope = (grad_envelope){0};
    grad_text_init(&envelope->text, grad_size_min(max_bytes, UINT32_MAX - 1));
    return add_place(envelope, 0, 0, error);
}

/* Whether what is at that place is a member of an object. */
static bool is_member(const grad_envelope *e, size_t place)
{
    return place > 0 && e->text.data[e->places[e->places[place].parent].begin] == '{';
}

/* A value or a member's name begins behind the text. */
static void begin_value(grad_envelope *e)
{
    if (e->is_value_to_come || is_member(e, e->place))
        e->places[e->place].begin = (uint32_t)e->text.length;
    e->is_value_to_come = false;
}

/* The bracket that was just added opens a container. */
static grad_status open_container(grad_envelope *e, grad_error *error)
{
    bool is_object = e->text.data[e->text.length - 1] == '{';

    return add_place(e, e->place, is_object ? e->text.length : 0, error);
}

/* The comma that was just added ends a member or an element. */
static grad_status go_to_next(grad_envelope *e, grad_error *error)
{
    const grad_place *last = &e->places[e->place];

    if (e->place == 0)
        return GRAD_OK;
    return add_place(e, last->parent, is_member(e, e->place) ? e->text.length : last->label + 1u,
                     error);
}

/* A bracket that closes the container comes next. */
static void close_container(grad_envelope *e)
{
    size_t container = e->places[e->place].parent;
    size_t last = e->text.length - 1;

    if (e->text.data[last] == ' ')
        last--;
    if (last == e->places[container].begin)
        e->place_count = e->place; /* it is empty */
    else
        e->places[container].end = (uint32_t)e->text.length;
    e->places[container].next = (uint32_t)e->place_count;
    e->place = container;
    e->is_value_to_come = false;
}

/* ---- Text ------------------------------------------------------------------------------------ */

static grad_status add_mark(grad_envelope *envelope, int64_t shift, grad_error *error)
{
    grad_envelope_mark *marks =
        grow(envelope->marks, envelope->mark_count, &envelope->mark_capacity, sizeof *marks, error);

    if (marks == NULL)
        return GRAD_OUT_OF_MEMORY;
    envelope->marks = marks;
    envelope->shift = shift;
    marks[envelope->mark_count++] = (grad_envelope_mark){envelope->text.length, shift};
    return GRAD_OK;
}

grad_status grad_envelope_add(grad_envelope *envelope, const char *bytes, size_t length,
                              int64_t offset, grad_error *error)
{
    grad_text *text = &envelope->text;
    int64_t shift = offset - (int64_t)text->length;

    if (shift != envelope->shift && add_mark(envelope, shift, error) != GRAD_OK)
        return GRAD_OUT_OF_MEMORY;
    if (text->status == GRAD_OK && length < text->capacity - text->length) { /* as it mostly is */
        memcpy(text->data + text->length, bytes, length);
        text->length += length;
        text->data[text->length] = '\0';
        return GRAD_OK;
    }
    grad_text_add(text, bytes, length);
    if (text->status != GRAD_TOO_LARGE)
        return grad_text_status(text, error);
    grad_fail_limit(error, "max_envelope", text->max, "",
                    "expected at most %zu bytes beside the arrays of numbers, found more",
                    text->max);
    error->offset = offset + (int64_t)(text->max - text->length); /* the first that does not fit */
    return GRAD_TOO_LARGE;
}

grad_status grad_envelope_add_value(grad_envelope *envelope, const char *bytes, size_t length,
                                    int64_t offset, grad_error *error)
{
    if (envelope->open_rests == 0)
        begin_value(envelope);
    return grad_envelope_add(envelope, bytes, length, offset, error);
}

grad_status grad_envelope_add_token(grad_envelope *envelope, char byte, int64_t offset,
                                    grad_error *error)
{
    bool opens = byte == '{' || byte == '[';
    grad_status status;

    if (envelope->open_rests > 0)
        return grad_envelope_add(envelope, &byte, 1, offset, error);
    if (opens)
        begin_value(envelope);
    else if (byte != ',')
        close_container(envelope);
    status = grad_envelope_add(envelope, &byte, 1, offset, error);
    if (status == GRAD_OK && opens)
        status = open_container(envelope, error);
    else if (status == GRAD_OK && byte == ',')
        status = go_to_next(envelope, error);
    return status;
}

static grad_status add_array(grad_envelope *envelope, const grad_number_array *array,
                             grad_error *error)
{
    grad_number_array *arrays = grow(envelope->arrays, envelope->array_count,
                                     &envelope->array_capacity, sizeof *arrays, error);

    if (arrays == NULL)
        return GRAD_OUT_OF_MEMORY;
    envelope->arrays = arrays;
    arrays[envelope->array_count++] = *array;
    return GRAD_OK;
}

grad_status grad_envelope_refer(grad_envelope *envelope, size_t place,
                                const grad_number_array *array, grad_error *error)
{
    if (add_array(envelope, array, error) != GRAD_OK)
        return GRAD_OUT_OF_MEMORY;
    envelope->places[place].array = (uint32_t)envelope->array_count;
    return GRAD_OK;
}

/* Adds text that stands for the array. */
static grad_status add_reference(grad_envelope *envelope, const grad_number_array *array,
                                 const char *text, int64_t offset, grad_error *error)
{
    if (add_array(envelope, array, error) != GRAD_OK)
        return GRAD_OUT_OF_MEMORY;
    if (envelope->open_rests == 0) {
        begin_value(envelope);
        envelope->places[envelope->place].array = (uint32_t)envelope->array_count;
    }
    return grad_envelope_add(envelope, text, strlen(text), offset, error);
}

grad_status grad_envelope_add_array(grad_envelope *envelope, const grad_number_array *array,
                                    int64_t offset, grad_error *error)
{
    return add_reference(envelope, array, GRAD_ARRAY_WORD, offset, error);
}

grad_status grad_envelope_keep_array_error(grad_envelope *envelope, const grad_array_error *wrong,
                                           size_t *index, grad_error *error)
{
    grad_array_error *array_errors =
        grow(envelope->array_errors, envelope->array_error_count, &envelope->array_error_capacity,
             sizeof *array_errors, error);

    if (array_errors == NULL)
        return GRAD_OUT_OF_MEMORY;
    envelope->array_errors = array_errors;
    *index = envelope->array_error_count++;
    array_errors[*index] = *wrong;
    return GRAD_OK;
}

grad_status grad_envelope_begin_rest(grad_envelope *envelope, const grad_array_error *wrong,
                                     size_t flags, int64_t offset, grad_error *error)
{
    grad_number_array array = {.flags = flags};
    grad_status status = grad_envelope_keep_array_error(envelope, wrong, &array.first, error);

    if (status == GRAD_OK)
        status = add_reference(envelope, &array, "[" GRAD_ARRAY_WORD, offset, error);
    envelope->open_rests++;
    return status;
}

grad_status grad_envelope_end_rest(grad_envelope *envelope, int64_t offset, grad_error *error)
{
    envelope->open_rests--;
    return grad_envelope_add(envelope, "]", 1, offset, error);
}

int64_t grad_envelope_offset(const grad_envelope *envelope, size_t position)
{
    size_t low = 0;
    size_t high = envelope->mark_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (envelope->marks[middle].position <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return (int64_t)position + (low > 0 ? envelope->marks[low - 1].shift : 0);
}

int64_t grad_envelope_offset_of(const grad_envelope *envelope, size_t place)
{
    return grad_envelope_offset(envelope, envelope->places[place].begin);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static unsigned hex4(const char *digits)
{
    char text[5] = {0};

    memcpy(text, digits, 4);
    return (unsigned)strtoul(text, NULL, 16);
}

/* Reads the escape behind a backslash as UTF-8. Returns the bytes it takes, 0 where it is wrong. */
static size_t read_escape(const char *p, const char *end, char *utf8, size_t *length)
{
    static const char pairs[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    size_t taken = 5;
    unsigned code;

    *length = 1;
    for (const char *pair = pairs; *pair != '\0' && p < end; pair += 2) {
        if (*pair == *p) {
            utf8[0] = pair[1];
            return 1;
        }
    }
    if (end - p < 5 || *p != 'u')
        return 0;
    code = hex4(p + 1);
    if (code >= 0xD800 && code < 0xDC00 && end - p >= 11 && p[5] == '\\' && p[6] == 'u') {
        code = 0x10000 + ((code & 0x3FF) << 10) + (hex4(p + 7) & 0x3FF);
        taken = 11;
    }
    *length = grad_utf8_write(code, utf8);
    return taken;
}

/* Where the name of the member at that place begins, behind its quote; NULL: it has none yet. */
static const char *name_of(const grad_envelope *e, size_t place, const char *end)
{
    const char *p = e->text.data + e->places[place].label;

    if (p < end && *p == ' ')
        p++;
    return p < end && *p == '"' ? p + 1 : NULL;
}

/* Whether the string that begins behind its quote at p ends before end. */
static bool is_whole(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p < end;
}

/* Adds a character of a name as pointers spell it. Returns the length, 0 where it does not fit. */
static size_t add_character(char *pointer, size_t length, const char *utf8, size_t bytes)
{
    bool is_escaped = *utf8 == '~' || *utf8 == '/';

    if (length + bytes + is_escaped >= GRAD_POINTER_SIZE)
        return 0;
    if (!is_escaped) {
        memcpy(pointer + length, utf8, bytes);
        return length + bytes;
    }
    pointer[length] = '~';
    pointer[length + 1] = *utf8 == '~' ? '0' : '1';
    return length + 2;
}

/* Adds '/' and the name that a string of JSON spells, to its quote or to end. Returns the length, 0
 * where it does not fit. */
static size_t add_name(char *pointer, size_t length, const char *name, const char *end)
{
    if (length + 1 >= GRAD_POINTER_SIZE)
        return 0;
    pointer[length++] = '/';
    while (length > 0 && name < end && *name != '"') {
        char utf8[4] = {*name};
        size_t bytes = 1;
        size_t taken = 1;

        if (*name == '\\') {
            taken = read_escape(name + 1, end, utf8, &bytes) + 1;
            if (taken == 1)
                break;
        }
        name += taken;
        length = add_character(pointer, length, utf8, bytes);
    }
    return length;
}

static size_t add_index(char *pointer, size_t length, size_t index)
{
    char digits[24];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    if (length + 1 + count >= GRAD_POINTER_SIZE)
        return 0;
    pointer[length++] = '/';
    while (count > 0)
        pointer[length++] = digits[--count];
    return length;
}

/* Adds the token that leads from its container to that place. */
static size_t add_token(const grad_envelope *e, size_t place, char *pointer, size_t length)
{
    const char *end = e->text.data + e->text.length;
    const char *name;

    if (!is_member(e, place))
        return add_index(pointer, length, e->places[place].label);
    name = name_of(e, place, end);
    return name != NULL ? add_name(pointer, length, name, end) : length;
}

bool grad_envelope_is_name(const grad_envelope *envelope, size_t position, const char *const *names,
                           size_t count)
{
    enum { LONGEST = 64 }; /* of the names, escapes and all */
    const char *name = envelope->text.data + position;
    const char *end = envelope->text.data + envelope->text.length;
    const char *quote = memchr(name, '"', grad_size_min((size_t)(end - name), LONGEST));
    char found[GRAD_POINTER_SIZE];
    size_t length;

    if (quote == NULL)
        return false;
    length = (size_t)(quote - name);
    if (memchr(name, '\\', length) != NULL) {
        length = add_name(found, 0, name, end);
        name = found + 1;
        length -= length > 0;
    }
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return true;
    return false;
}

bool grad_envelope_member_is(const grad_envelope *envelope, size_t place, const char *const *names,
                             size_t count)
{
    const char *name = name_of(envelope, place, envelope->text.data + envelope->text.length);

    return name != NULL &&
           grad_envelope_is_name(envelope, (size_t)(name - envelope->text.data), names, count);
}

/* ---- From places to pointers ----------------------------------------------------------------- */

/* Where the member or element at that place begins. */
static size_t first_byte(const grad_envelope *e, size_t place)
{
    return is_member(e, place) ? e->places[place].label : e->places[place].begin;
}

size_t grad_envelope_place_at(const grad_envelope *envelope, size_t position)
{
    const grad_envelope *e = envelope;
    size_t low = 1;
    size_t high = e->place_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (first_byte(e, middle) <= position)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t place = low - 1; place > 0; place = e->places[place].parent) {
        const grad_place *container = &e->places[e->places[place].parent];
        const char *name = is_member(e, place) ? name_of(e, place, e->text.data + position) : NULL;

        if (container->end > 0 && container->end < position)
            continue;
        if (!is_member(e, place) || (name != NULL && is_whole(name, e->text.data + position)))
            return place;
    }
    return 0;
}

void grad_envelope_pointer(const grad_envelope *envelope, size_t place, const size_t *indices,
                           size_t levels, char *pointer)
{
    size_t way[GRAD_DEPTH_MAX];
    size_t depth = 0;
    size_t length = 0;
    size_t longer = 0;

    for (; place > 0 && depth < GRAD_DEPTH_MAX; place = envelope->places[place].parent)
        way[depth++] = place;
    do {
        length = longer;
        if (depth > 0)
            longer = add_token(envelope, way[--depth], pointer, length);
        else if (levels-- > 0)
            longer = add_index(pointer, length, *indices++);
        else
            break;
    } while (longer > 0);
    pointer[length] = '\0';
}

/* ---- And back -------------------------------------------------------------------------------- */

const grad_number_array *grad_envelope_array(const grad_envelope *envelope, size_t place)
{
    size_t array = envelope->places[place].array;

    return array > 0 ? &envelope->arrays[array - 1] : NULL;
}

/* The child of that container to which a token of a pointer leads, its '/' included. */
static size_t find_child(const grad_envelope *e, size_t container, const char *token, size_t length)
{
    for (size_t i = container + 1; i < e->places[container].next; i = e->places[i].next) {
        char name[GRAD_POINTER_SIZE];

        if (length > 0 && add_token(e, i, name, 0) == length && memcmp(name, token, length) == 0)
            return i;
    }
    return GRAD_NO_PLACE;
}

size_t grad_envelope_member(const grad_envelope *envelope, size_t place, const char *name)
{
    char token[GRAD_POINTER_SIZE] = "/";
    size_t length = 1;

    for (; *name != '\0' && length > 0; name++)
        length = add_character(token, length, name, 1);
    return find_child(envelope, place, token, length);
}

size_t grad_envelope_element(const grad_envelope *envelope, size_t place, size_t index)
{
    char token[GRAD_POINTER_SIZE] = "";

    return find_child(envelope, place, token, add_index(token, 0, index));
}

/* The same by the other name that the token's field has. */
static size_t find_by_other_name(const grad_envelope *e, size_t container, const char *token,
                                 size_t length)
{
    char name[GRAD_POINTER_SIZE] = "";
    const char *other;

    if (length <= sizeof name)
        memcpy(name, token + 1, length - 1);
    other = grad_other_field_name(name);
    return other != NULL ? grad_envelope_member(e, container, other) : GRAD_NO_PLACE;
}

/* Whether what is there is a tensor, {"shape": …, "data": …}, and the token one of its indices:
 * rows and columns, which are no members. */
static bool is_element(const grad_envelope *e, size_t place, const char *token)
{
    static const char *const names[] = {"data", "base64", "binary_data_size"};

    for (size_t i = 0; i < GRAD_COUNT(names) && token[1] >= '0' && token[1] <= '9'; i++) {
        size_t data = grad_envelope_member(e, place, names[i]);

        if (data != GRAD_NO_PLACE && e->places[data].array > 0)
            return true;
    }
    return false;
}

size_t grad_envelope_find_from(const grad_envelope *envelope, size_t place, const char *pointer)
{
    if (place >= envelope->place_count)
        return GRAD_NO_PLACE;
    while (*pointer == '/' && envelope->places[place].array == 0) {
        size_t length = 1 + strcspn(pointer + 1, "/");
        size_t child = find_child(envelope, place, pointer, length);

        if (child == GRAD_NO_PLACE)
            child = find_by_other_name(envelope, place, pointer, length);
        if (child == GRAD_NO_PLACE && is_element(envelope, place, pointer))
            break;
        if (child == GRAD_NO_PLACE)
            return GRAD_NO_PLACE;
        place = child;
        pointer += length;
    }
    return place;
}

size_t grad_envelope_find(const grad_envelope *envelope, const char *pointer)
{
    return grad_envelope_find_from(envelope, 0, pointer);
}

const char *grad_other_field_name(const char *name)
{
    static const char *const names[][2] = {
        {"eps", "epsilon"}, {"epsilon", "eps"}, {"sizes", "shape"}, {"shape", "sizes"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

char grad_envelope_last_byte(const grad_envelope *envelope)
{
    const grad_text *text = &envelope->text;
    size_t length = text->length;

    if (length > 0 && text->data[length - 1] == ' ')
        length--;
    return length > 0 ? text->data[length - 1] : '\0';
}
