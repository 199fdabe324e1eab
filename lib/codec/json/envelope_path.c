/* Finding the way in an envelope: from a place to its RFC 6901 pointer and back. Runs only once an
 * error is known, so it is short rather than fast. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json/envelope.h"
#include "codec/json/utf8.h"

/* A container that is open at some place of the text. */
typedef struct frame {
    const char *key; /* of the member, behind its opening quote; NULL before the first */
    size_t index;    /* of the element */
    bool is_object;
    bool is_faulty; /* an array with a fault: its elements are not where they were */
} frame;

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

/* Adds '/' and the key, as pointers spell it, to pointer at length; 0 where it does not fit. */
static size_t add_key(char *pointer, size_t length, const char *key, const char *end)
{
    size_t used = length;

    pointer[used++] = '/';
    while (key < end && *key != '"') {
        char utf8[4] = {*key};
        size_t bytes = 1;
        size_t taken = 1;

        if (*key == '\\') {
            taken = read_escape(key + 1, end, utf8, &bytes) + 1;
            if (taken == 1)
                break;
        }
        key += taken;
        if (used + bytes + 1 >= GRAD_POINTER_SIZE)
            return 0;
        if (utf8[0] == '~' || utf8[0] == '/') {
            pointer[used++] = '~';
            utf8[0] = utf8[0] == '~' ? '0' : '1';
        }
        memcpy(pointer + used, utf8, bytes);
        used += bytes;
    }
    return used + 1 < GRAD_POINTER_SIZE ? used : 0;
}

static size_t add_index(char *pointer, size_t length, size_t index)
{
    char digits[24];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    if (length + count + 2 >= GRAD_POINTER_SIZE)
        return 0;
    pointer[length++] = '/';
    while (count > 0)
        pointer[length++] = digits[--count];
    return length;
}

static void print_frames(const frame *frames, size_t depth, const char *end, char *pointer)
{
    size_t length = 0;

    for (size_t i = 0; i < depth; i++) {
        const frame *f = &frames[i];
        size_t longer = length;

        if (f->is_faulty)
            break;
        if (!f->is_object)
            longer = add_index(pointer, length, f->index);
        else if (f->key != NULL)
            longer = add_key(pointer, length, f->key, end);
        if (longer == 0)
            break;
        length = longer;
    }
    pointer[length] = '\0';
}

/* Behind the closing quote of the string that begins behind p's opening one, or end. */
static const char *skip_string(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p < end ? p + 1 : end;
}

/* The same; where it is a member's key and whole, the open object's frame takes it. */
static const char *read_string(const char *p, const char *end, frame *object)
{
    const char *key = p;

    p = skip_string(p, end);
    if (object != NULL && p > key && p[-1] == '"')
        object->key = key;
    return p;
}

/* The bracket at p opens a container. As the first element of an array, and before a digit, it is
 * a reference's, and the array is faulty if there is more of it. */
static size_t open_frame(frame *frames, size_t depth, const char *p, const char *end)
{
    if (depth > 0 && p[-1] == '[' && *p == '[' && p + 1 < end && p[1] >= '0' && p[1] <= '9')
        frames[depth - 1].is_faulty = true;
    frames[depth] = (frame){.is_object = *p == '{'};
    return depth + 1;
}

void grad_envelope_pointer_at(const grad_envelope *envelope, size_t position, char *pointer)
{
    const char *p = envelope->text.data;
    const char *end = p != NULL ? p + position : p;
    frame frames[GRAD_DEPTH_MAX];
    size_t depth = 0;
    bool expects_key = false;

    while (p < end) {
        char c = *p++;

        if (c == '"') {
            p = read_string(p, end, expects_key && depth > 0 ? &frames[depth - 1] : NULL);
            expects_key = false;
        } else if ((c == '{' || c == '[') && depth < GRAD_DEPTH_MAX) {
            depth = open_frame(frames, depth, p - 1, end);
            expects_key = c == '{';
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
            expects_key = false;
        } else if (c == ',' && depth > 0) {
            frames[depth - 1].index++;
            frames[depth - 1].key = NULL;
            expects_key = frames[depth - 1].is_object;
        }
    }
    print_frames(frames, depth, end, pointer);
}

static const char *skip_space(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

/* Behind the value that begins at p. */
static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;

    while (p < end) {
        char c = *p;

        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            break;
        p = c == '"' ? skip_string(p + 1, end) : p + 1;
        depth += (c == '{' || c == '[') ? 1 : 0;
        depth -= (c == '}' || c == ']') ? 1 : 0;
    }
    return p;
}

/* The value of the member or element that token (of length bytes, '/' included) names in the
 * container at p, or NULL. */
static const char *find_child(const char *p, const char *end, const char *token, size_t length)
{
    bool is_object = *p == '{';
    size_t index = 0;

    p = skip_space(p + 1);
    while (p < end && *p != '}' && *p != ']') {
        char name[GRAD_POINTER_SIZE];
        size_t used;

        if (is_object) {
            const char *key = p + 1;

            p = skip_string(key, end);
            used = add_key(name, 0, key, p);
            p = skip_space(p);
            p = p < end ? skip_space(p + 1) : end;
        } else {
            used = add_index(name, 0, index++);
        }
        if (used == length && memcmp(name, token, length) == 0)
            return p;
        p = skip_value(p, end);
        if (*p == ',')
            p = skip_space(p + 1);
    }
    return NULL;
}

/* The same by the other name that the token's field has. */
static const char *find_by_other_name(const char *p, const char *end, const char *token,
                                      size_t length)
{
    char name[GRAD_POINTER_SIZE] = "";
    const char *other;

    if (length <= sizeof name)
        memcpy(name, token + 1, length - 1);
    other = grad_other_field_name(name);
    if (other == NULL || *p != '{')
        return NULL;
    length = (size_t)snprintf(name, sizeof name, "/%s", other);
    return find_child(p, end, name, length);
}

static bool is_reference(const char *p)
{
    return p[0] == '[' && p[1] == '[' && p[2] >= '0' && p[2] <= '9';
}

/* Whether the object at p is a tensor, {"shape": …, "data": …}, and the token one of its indices:
 * rows and columns, which are no members. */
static bool is_element(const char *p, const char *end, const char *token)
{
    static const char data[] = "/data";
    const char *numbers = NULL;

    if (*p == '{' && token[1] >= '0' && token[1] <= '9')
        numbers = find_child(p, end, data, sizeof data - 1);
    return numbers != NULL && is_reference(numbers);
}

size_t grad_envelope_find_from(const grad_envelope *envelope, size_t position, const char *pointer)
{
    const char *text = envelope->text.data;
    const char *end = text != NULL ? text + envelope->text.length : NULL;
    const char *p =
        text != NULL && position < envelope->text.length ? skip_space(text + position) : NULL;

    while (p != NULL && *pointer == '/' && !is_reference(p)) {
        size_t length = 1 + strcspn(pointer + 1, "/");
        const char *child;

        if (*p != '{' && *p != '[')
            return SIZE_MAX;
        child = find_child(p, end, pointer, length);
        if (child == NULL)
            child = find_by_other_name(p, end, pointer, length);
        if (child == NULL && is_element(p, end, pointer))
            break;
        p = child;
        pointer += length;
    }
    return p != NULL && p < end ? (size_t)(p - text) : SIZE_MAX;
}

size_t grad_envelope_find(const grad_envelope *envelope, const char *pointer)
{
    return grad_envelope_find_from(envelope, 0, pointer);
}

bool grad_envelope_is_name(const grad_envelope *envelope, size_t position, const char *const *names,
                           size_t count)
{
    enum { LONGEST = 64 }; /* of the names, escapes and all */
    const char *text = envelope->text.data;
    char found[GRAD_POINTER_SIZE];
    size_t length;

    if (text == NULL || envelope->text.length - position > LONGEST)
        return false;
    length = add_key(found, 0, text + position, text + envelope->text.length);
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) + 1 == length && memcmp(names[i], found + 1, length - 1) == 0)
            return true;
    return false;
}

size_t grad_envelope_next(const grad_envelope *envelope, size_t position)
{
    const char *text = envelope->text.data;
    const char *p;

    if (text == NULL || position >= envelope->text.length)
        return SIZE_MAX;
    p = skip_value(text + position, text + envelope->text.length);
    if (*p == ',')
        p = skip_space(p + 1);
    return (size_t)(p - text);
}

const char *grad_other_field_name(const char *name)
{
    static const char *const names[][2] = {{"eps", "epsilon"}, {"epsilon", "eps"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}
