/* Filling in a grad_error: first error wins, texts are cut where they do not fit, at the border of
 * a character or of a pointer's token. No allocation, so that running out of memory can be told. */
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where a text was cut inside a UTF-8 sequence, drops the sequence. */
static void trim_partial_character(char *text)
{
    size_t length = strlen(text);
    size_t start = length;
    unsigned char lead;
    size_t needed;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    lead = (unsigned char)text[--start];
    needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - start < needed)
        text[start] = '\0';
}

static void format_text(char *text, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void format_text(char *text, size_t size, const char *format, va_list arguments)
{
    int length = vsnprintf(text, size, format, arguments);

    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= size)
        trim_partial_character(text);
}

static bool can_write(const grad_error *error)
{
    return error != NULL && error->status == GRAD_OK;
}

static void begin(grad_error *error, grad_status status, const char *code, const char *pointer)
{
    *error = (grad_error)GRAD_ERROR_INIT;
    error->status = status;
    snprintf(error->code, sizeof error->code, "%s", code);
    snprintf(error->pointer, sizeof error->pointer, "%s", pointer);
}

grad_pointer_text grad_pointer_format(const char *format, ...)
{
    grad_pointer_text pointer;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(pointer.text, sizeof pointer.text, format, arguments);
    va_end(arguments);
    if (length < 0)
        pointer.text[0] = '\0';
    else if ((size_t)length >= sizeof pointer.text)
        *strrchr(pointer.text, '/') = '\0';
    return pointer;
}

grad_status grad_fail(grad_error *error, grad_status status, const char *code, const char *pointer,
                      const char *format, ...)
{
    va_list arguments;

    if (!can_write(error))
        return status;
    begin(error, status, code, pointer);
    va_start(arguments, format);
    format_text(error->detail, sizeof error->detail, format, arguments);
    va_end(arguments);
    return status;
}

grad_status grad_fail_at_byte(grad_error *error, grad_status status, const char *code,
                              int64_t offset, const char *pointer, const char *format, ...)
{
    va_list arguments;

    if (!can_write(error))
        return status;
    begin(error, status, code, pointer);
    error->offset = offset;
    va_start(arguments, format);
    format_text(error->detail, sizeof error->detail, format, arguments);
    va_end(arguments);
    return status;
}

grad_status grad_fail_limit(grad_error *error, const char *limit_name, uint64_t limit,
                            const char *pointer, const char *format, ...)
{
    va_list arguments;

    if (!can_write(error))
        return GRAD_TOO_LARGE;
    begin(error, GRAD_TOO_LARGE, limit_name, pointer);
    snprintf(error->limit_name, sizeof error->limit_name, "%s", limit_name);
    error->limit = limit;
    va_start(arguments, format);
    format_text(error->detail, sizeof error->detail, format, arguments);
    va_end(arguments);
    return GRAD_TOO_LARGE;
}

grad_status grad_fail_memory(grad_error *error, size_t bytes)
{
    return grad_fail(error, GRAD_OUT_OF_MEMORY, "out_of_memory", "",
                     "expected %zu bytes of memory, found none", bytes);
}
