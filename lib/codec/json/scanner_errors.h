/* How the scanner tells errors: at a byte of the document, with the pointer of what is read there.
 * For the scanner's own file. */
#ifndef GRAD_CODEC_JSON_SCANNER_ERRORS_H
#define GRAD_CODEC_JSON_SCANNER_ERRORS_H

#include <stdarg.h>
#include <stdio.h>

#include "codec/json/explain.h"
#include "codec/json/scanner.h"
#include "codec/json/word.h"
#include "core/error.h"

static inline int64_t offset_of(const grad_scanner *s, const char *p)
{
    return s->offset + (p - s->piece);
}

/* Dimensions of the array being read, if one is. */
static inline size_t levels_of(const grad_scanner *s)
{
    return s->state < GRAD_SCAN_FIRST ? 0 : s->level;
}

/* The pointer of what is being read, and in an array of numbers its first levels indices. */
static inline void current_pointer(const grad_scanner *s, size_t levels, char *pointer)
{
    const grad_envelope *envelope = &s->envelope;
    size_t indices[GRAD_MAX_RANK] = {0};

    for (size_t i = 0; i < levels; i++)
        indices[i] = s->rows[i].count;
    grad_envelope_pointer(envelope, grad_envelope_place_at(envelope, envelope->text.length),
                          indices, levels, pointer);
}

/* GRAD_MALFORMED, which ends the reading, at a byte of the document. Returns NULL. */
__attribute__((format(printf, 5, 6))) static inline const char *
fail(grad_scanner *s, const char *code, int64_t offset, size_t levels, const char *format, ...)
{
    char pointer[GRAD_POINTER_SIZE];
    char detail[GRAD_DETAIL_SIZE];
    va_list arguments;

    current_pointer(s, levels, pointer);
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    grad_fail_at_byte(&s->error, GRAD_MALFORMED, code, offset, pointer, "%s", detail);
    return NULL;
}

/* The same for a cap: GRAD_TOO_LARGE, whose code is the cap's name. */
static inline const char *fail_limit(grad_scanner *s, const char *limit_name, size_t limit,
                                     int64_t offset, const char *what)
{
    char pointer[GRAD_POINTER_SIZE];

    current_pointer(s, levels_of(s), pointer);
    grad_fail_limit(&s->error, limit_name, limit, pointer, "expected at most %zu %s, found more",
                    limit, what);
    s->error.offset = offset;
    return NULL;
}

/* A byte that no JSON document has there. */
static inline const char *fail_byte(grad_scanner *s, const char *p, const char *expected)
{
    bool is_second = offset_of(s, p) == 1;

    return fail(s, "malformed_json", offset_of(s, p), levels_of(s), "expected %s, found %s%s",
                expected, GRAD_FOUND_BYTE(*p),
                is_second && *p == '\0' ? ", as in " GRAD_UTF16 "; JSON is in UTF-8" : "");
}

/* The word in token is none of JSON's; what is what was expected. */
static inline const char *fail_word(grad_scanner *s, const char *stop, const char *what)
{
    char detail[GRAD_DETAIL_SIZE];
    bool is_number = *s->token == '-' || grad_is_digit(*s->token);

    grad_word_explain(s->token, s->token_length, what, detail, sizeof detail);
    return fail(s, is_number ? "malformed_number" : "malformed_json",
                s->token_offset + (is_number ? stop - s->token : 0), levels_of(s), "%s", detail);
}

/* What is no JSON is named by its first bytes, which are in token. */
static inline const char *fail_head(grad_scanner *s)
{
    char detail[GRAD_DETAIL_SIZE];

    grad_json_explain_head(s->token, s->token_length, detail, sizeof detail);
    return fail(s, "malformed_json", s->token_offset, 0, "%s", detail);
}

#endif
