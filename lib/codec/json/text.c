/* A growing text with a maximum, and the JSON spelling of strings and single numbers. Nothing here
 * knows what a document is made of; arrays of numbers are the encoder's. */
#include "gradient_wire.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json/utf8.h"
#include "codec/number/number.h"
#include "core/error.h"

enum { FIRST_CAPACITY = 256 };

void grad_text_init(grad_text *text, size_t max)
{
    *text = (grad_text){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void grad_text_init_in(grad_text *text, char *buffer, size_t size)
{
    *text = (grad_text){.data = buffer, .capacity = size, .max = size - 1};
    buffer[0] = '\0';
}

/* Room for length more bytes and the NUL. */
static bool reserve(grad_text *text, size_t length)
{
    size_t needed, capacity;
    char *data;

    if (text->status != GRAD_OK)
        return false;
    if (length > text->max - text->length) {
        text->status = GRAD_TOO_LARGE;
        return false;
    }
    needed = text->length + length + 1;
    if (needed <= text->capacity)
        return true;
    capacity = text->capacity > 0 ? text->capacity * 2 : FIRST_CAPACITY;
    if (capacity > text->max + 1)
        capacity = text->max + 1;
    if (capacity < needed)
        capacity = needed;
    data = realloc(text->data, capacity);
    if (data == NULL) {
        text->status = GRAD_OUT_OF_MEMORY;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void grad_text_add(grad_text *text, const char *bytes, size_t length)
{
    bool has_room = text->status == GRAD_OK && length < text->capacity - text->length;

    if (length == 0 || (!has_room && !reserve(text, length)))
        return;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void grad_text_put(grad_text *text, const char *word)
{
    grad_text_add(text, word, strlen(word));
}

/* Prints into what room there is, and again where that was too little. */
void grad_text_printf(grad_text *text, const char *format, ...)
{
    size_t room = text->status == GRAD_OK ? text->capacity - text->length : 0;
    char *end = room > 0 ? text->data + text->length : NULL;
    va_list arguments, again;
    int length;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(end, room, format, arguments);
    if (end != NULL && (length < 0 || (size_t)length >= room))
        *end = '\0';
    if (length > 0 && reserve(text, (size_t)length)) {
        if ((size_t)length >= room)
            vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void grad_text_token(grad_text *text, const char *name, size_t length)
{
    grad_text_put(text, "/");
    for (size_t i = 0; i < length; i++)
        if (name[i] == '~' || name[i] == '/')
            grad_text_put(text, name[i] == '~' ? "~0" : "~1");
        else
            grad_text_add(text, &name[i], 1);
}

void grad_text_unsigned(grad_text *text, uint64_t value)
{
    char digits[20];
    char *first = digits + sizeof digits;

    do
        *--first = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    grad_text_add(text, first, (size_t)(digits + sizeof digits - first));
}

void grad_text_thousandths(grad_text *text, unsigned value)
{
    const char digits[] = {'.', (char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
                           (char)('0' + value % 10)};

    grad_text_add(text, digits, sizeof digits);
}

static void add_escaped(grad_text *text, unsigned char c)
{
    static const char short_escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *pair = short_escapes; *pair != '\0'; pair += 2) {
        if ((unsigned char)pair[0] == c) {
            char escape[2] = {'\\', pair[1]};
            grad_text_add(text, escape, sizeof escape);
            return;
        }
    }
    grad_text_printf(text, "\\u%04x", c);
}

void grad_text_string(grad_text *text, const char *utf8)
{
    const char *p = utf8;
    const char *end = utf8 + strlen(utf8);
    grad_text_add(text, "\"", 1);
    while (p < end && text->status == GRAD_OK) {
        const char *run = p;
        size_t length = 1;
        while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\' &&
               (length = (unsigned char)*p < 0x80 ? 1 : grad_utf8_length(p, end)) > 0)
            p += length;
        grad_text_add(text, run, (size_t)(p - run));
        if (p == end)
            break;
        if (length == 0)
            grad_text_add(text, "\xEF\xBF\xBD", 3);
        else
            add_escaped(text, (unsigned char)*p);
        p++;
    }
    grad_text_add(text, "\"", 1);
}

/* Whole numbers are most, and shorter work. */
void grad_text_number(grad_text *text, double value)
{
    char number[GRAD_DOUBLE_WRITE_MAX] = "";

    if (value > 0 && value < 1e15 && value == (double)(uint64_t)value)
        grad_text_unsigned(text, (uint64_t)value);
    else if (isfinite(value))
        grad_text_add(text, number, (size_t)(grad_number_write_double(value, number) - number));
    else
        grad_text_add(text, "null", 4);
}

grad_status grad_text_status(const grad_text *text, grad_error *error)
{
    if (text->status == GRAD_OUT_OF_MEMORY)
        return grad_fail_memory(error, text->length + 1);
    if (text->status == GRAD_TOO_LARGE)
        return grad_fail_limit(error, "max_text", text->max, "",
                               "expected at most %zu bytes of text, found more", text->max);
    return GRAD_OK;
}

void grad_text_free(grad_text *text)
{
    free(text->data);
    *text = (grad_text){.max = text->max};
}
