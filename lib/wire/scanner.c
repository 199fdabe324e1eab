/* The scanner's way through a document outside arrays of numbers: white space, strings, brackets,
 * and whether a bracket opens an array of numbers. Grammar that can wait is left to jansson. */
#include "wire/scanner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/size.h"

enum { FIRST_NUMBERS = 64 };

/* Text that a number takes at least, mostly, so that the first block mostly is the last. */
static size_t bytes_per_number(grad_datatype datatype)
{
    return datatype == GRAD_FP64 ? 16 : 8;
}

grad_status grad_scanner_init(grad_scanner *s, const grad_wire_limits *limits,
                              grad_datatype datatype, size_t expected_bytes, grad_error *error)
{
    size_t capacity = grad_size_min(expected_bytes / bytes_per_number(datatype) + FIRST_NUMBERS,
                                    limits->max_numbers);
    size_t bytes = capacity * grad_datatype_size(datatype);

    *s = (grad_scanner){.error = GRAD_ERROR_INIT, .datatype = datatype};
    s->max_numbers = limits->max_numbers;
    s->max_depth = grad_size_min(limits->max_depth, GRAD_DEPTH_MAX);
    grad_envelope_init(&s->envelope, limits->max_envelope);
    s->numbers = malloc(bytes);
    if (s->numbers == NULL)
        return grad_fail_memory(error, bytes);
    s->number_capacity = capacity;
    return GRAD_OK;
}

void grad_scanner_free(grad_scanner *s)
{
    grad_envelope_free(&s->envelope);
    free(s->numbers);
    s->numbers = NULL;
}

/* The pointer of the value being read: the envelope's so far, then the array's indices. */
static void current_pointer(const grad_scanner *s, size_t levels, char *pointer)
{
    size_t length;

    grad_envelope_pointer_at(&s->envelope, s->envelope.text.length, pointer);
    length = strlen(pointer);
    for (size_t i = 0; i < levels; i++) {
        char index[24];
        int digits = snprintf(index, sizeof index, "/%zu", s->rows[i].count);

        if (length + (size_t)digits >= GRAD_POINTER_SIZE)
            return;
        memcpy(pointer + length, index, (size_t)digits + 1);
        length += (size_t)digits;
    }
}

const char *grad_scanner_fail(grad_scanner *s, grad_status status, const char *code, int64_t offset,
                              size_t levels, const char *format, ...)
{
    char pointer[GRAD_POINTER_SIZE];
    char detail[GRAD_DETAIL_SIZE];
    va_list arguments;

    current_pointer(s, levels, pointer);
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    grad_fail_at_byte(&s->error, status, code, offset, pointer, "%s", detail);
    return NULL;
}

const char *grad_scanner_fail_limit(grad_scanner *s, const char *limit_name, size_t limit,
                                    int64_t offset, const char *what)
{
    char pointer[GRAD_POINTER_SIZE];

    current_pointer(s, s->state < GRAD_SCAN_FIRST ? 0 : s->level, pointer);
    grad_fail_limit(&s->error, limit_name, limit, pointer, "expected at most %zu %s, found more",
                    limit, what);
    s->error.offset = offset;
    return NULL;
}

const char *grad_scanner_fail_byte(grad_scanner *s, const char *p, const char *expected)
{
    unsigned char c = (unsigned char)*p;
    size_t levels = s->state < GRAD_SCAN_FIRST ? 0 : s->level;
    const char *hint = c != 'N' && c != 'I' ? ""
                                            : "; JSON has no NaN or Infinity, they are spelled as "
                                              "strings inside arrays of numbers";

    if (c > 0x20 && c < 0x7F)
        return grad_scanner_fail(s, GRAD_MALFORMED, "malformed_json", grad_scanner_offset(s, p),
                                 levels, "expected %s, found '%c'%s", expected, c, hint);
    return grad_scanner_fail(s, GRAD_MALFORMED, "malformed_json", grad_scanner_offset(s, p), levels,
                             "expected %s, found byte 0x%02X", expected, c);
}

/* Copies bytes that end at p + length - 1 of this piece. Returns behind them, NULL on an error. */
static const char *copy(grad_scanner *s, const char *p, size_t length)
{
    grad_status status =
        grad_envelope_add(&s->envelope, p, length, grad_scanner_offset(s, p), &s->error);

    return status == GRAD_OK ? p + length : NULL;
}

static bool is_object_at(const grad_scanner *s, size_t depth)
{
    return (s->objects[depth / 64] >> depth % 64 & 1) != 0;
}

static void set_object(grad_scanner *s, size_t depth, bool is_object)
{
    uint64_t bit = (uint64_t)1 << depth % 64;

    s->objects[depth / 64] =
        is_object ? s->objects[depth / 64] | bit : s->objects[depth / 64] & ~bit;
}

static bool enter(grad_scanner *s, const char *p)
{
    if (s->depth == s->max_depth) {
        grad_scanner_fail_limit(s, "max_depth", s->max_depth, grad_scanner_offset(s, p),
                                "nested arrays and objects");
        return false;
    }
    set_object(s, s->depth++, *p == '{');
    return true;
}

/* The bracket at p closes what is open. */
static bool leave(grad_scanner *s, const char *p)
{
    bool is_object = s->depth > 0 && is_object_at(s, s->depth - 1);

    if (s->depth == 0 || is_object != (*p == '}')) {
        grad_scanner_fail_byte(s, p,
                               s->depth == 0 ? "the end of the document"
                               : is_object   ? "'}' to close the object"
                                             : "']' to close the array");
        return false;
    }
    s->depth--;
    return true;
}

/* The brackets kept back go to the envelope after all: they open an ordinary array. */
static bool flush_brackets(grad_scanner *s, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (grad_envelope_add(&s->envelope, "[", 1, s->rows[i].offset, &s->error) != GRAD_OK)
            return false;
    s->level -= count;
    memmove(s->rows, s->rows + count, s->level * sizeof *s->rows);
    return true;
}

/* Keeps back the last GRAD_MAX_RANK brackets; an outer one then cannot be a tensor's. */
static const char *open_bracket(grad_scanner *s, const char *p)
{
    if (!enter(s, p) || (s->level == GRAD_MAX_RANK && !flush_brackets(s, 1)))
        return NULL;
    s->rows[s->level++] = (grad_scan_row){.offset = grad_scanner_offset(s, p)};
    s->state = GRAD_SCAN_OPENING;
    return p + 1;
}

static const char *scan_space(grad_scanner *s, const char *p, const char *end)
{
    if (!s->in_space &&
        grad_envelope_add(&s->envelope, " ", 1, grad_scanner_offset(s, p), &s->error) != GRAD_OK)
        return NULL;
    s->in_space = true;
    while (p < end && grad_scanner_is_space(*p))
        p++;
    return p;
}

static const char *begin_string(grad_scanner *s, const char *p)
{
    s->state = GRAD_SCAN_STRING;
    s->string_matches = true;
    s->string_length = 0;
    return copy(s, p, 1);
}

/* Whether the object or array that is the document has been closed. */
static bool is_behind_document(const grad_scanner *s)
{
    const grad_text *text = &s->envelope.text;
    size_t length = text->length;

    if (length > 0 && text->data[length - 1] == ' ')
        length--;
    return s->depth == 0 && length > 0 && strchr("]}", text->data[length - 1]) != NULL;
}

/* One token outside strings and arrays of numbers, or one byte of a literal. */
static const char *scan_token(grad_scanner *s, const char *p)
{
    bool behind_shape_key = s->key_is_shape;
    bool is_shape = s->value_is_shape;

    s->in_space = s->key_is_shape = s->value_is_shape = false;
    switch (*p) {
    case '"':
        return begin_string(s, p);
    case '[':
        if (!is_shape)
            return open_bracket(s, p);
        return enter(s, p) ? copy(s, p, 1) : NULL;
    case '{':
        return enter(s, p) ? copy(s, p, 1) : NULL;
    case ']':
    case '}':
        return leave(s, p) ? copy(s, p, 1) : NULL;
    case ':':
        s->value_is_shape = behind_shape_key;
        return copy(s, p, 1);
    default:
        if (*p == '\0' || strchr(",0123456789+-.eEtrufalsn", *p) == NULL)
            return grad_scanner_fail_byte(s, p,
                                          is_behind_document(s) ? "the end of the document"
                                                                : "a JSON value or punctuation");
        s->item_count += *p == ',' && s->depth == 2;
        return copy(s, p, 1);
    }
}

static const char *scan_string(grad_scanner *s, const char *p, const char *end)
{
    static const char shape[] = "shape";
    const char *run = p;
    size_t length;

    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    length = (size_t)(p - run);
    s->string_matches = s->string_matches && s->string_length + length < sizeof shape &&
                        memcmp(run, shape + s->string_length, length) == 0;
    s->string_length += length;
    if (copy(s, run, length) == NULL)
        return NULL;
    if (p == end)
        return p;
    if (*p == '"') {
        s->state = GRAD_SCAN_PLAIN;
        s->key_is_shape = s->string_matches && s->string_length == sizeof shape - 1;
    } else if (*p == '\\') {
        s->state = GRAD_SCAN_ESCAPE;
        s->string_matches = false;
    } else {
        return grad_scanner_fail_byte(s, p, "no control character in a string");
    }
    return copy(s, p, 1);
}

static const char *scan_escape(grad_scanner *s, const char *p)
{
    if ((unsigned char)*p < 0x20)
        return grad_scanner_fail_byte(s, p, "an escape");
    s->state = GRAD_SCAN_STRING;
    return copy(s, p, 1);
}

static const char *scan_opening(grad_scanner *s, const char *p)
{
    if (grad_scanner_is_space(*p))
        return p + 1;
    if (*p == '[')
        return open_bracket(s, p);
    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        grad_scanner_begin_array(s);
        return p;
    }
    if (*p == '"') {
        s->token_length = 0;
        s->token_offset = grad_scanner_offset(s, p);
        s->state = GRAD_SCAN_OPENING_STRING;
        return p;
    }
    s->state = GRAD_SCAN_PLAIN;
    return flush_brackets(s, s->level) ? p : NULL;
}

static const char *scan_opening_string(grad_scanner *s, const char *p)
{
    grad_literal found = grad_scanner_literal(s, *p);

    if (s->error.status != GRAD_OK)
        return NULL;
    if (found != GRAD_LITERAL_NO)
        return p + 1;
    s->state = GRAD_SCAN_STRING;
    s->string_matches = false;
    if (!flush_brackets(s, s->level) || grad_envelope_add(&s->envelope, s->token, s->token_length,
                                                          s->token_offset, &s->error) != GRAD_OK)
        return NULL;
    return p;
}

static const char *scan_step(grad_scanner *s, const char *p, const char *end)
{
    switch (s->state) {
    case GRAD_SCAN_PLAIN:
        return grad_scanner_is_space(*p) ? scan_space(s, p, end) : scan_token(s, p);
    case GRAD_SCAN_STRING:
        return scan_string(s, p, end);
    case GRAD_SCAN_ESCAPE:
        return scan_escape(s, p);
    case GRAD_SCAN_OPENING:
        return scan_opening(s, p);
    case GRAD_SCAN_OPENING_STRING:
        return scan_opening_string(s, p);
    default:
        return grad_scanner_array(s, p, end);
    }
}

grad_status grad_scanner_push(grad_scanner *s, const char *bytes, size_t length)
{
    const char *p = bytes;
    const char *end = bytes + length;

    s->piece = bytes;
    while (s->error.status == GRAD_OK && p != NULL && p < end)
        p = scan_step(s, p, end);
    s->offset += (int64_t)length;
    s->piece = NULL;
    return s->error.status;
}

grad_status grad_scanner_end(grad_scanner *s)
{
    const char *where = s->state >= GRAD_SCAN_FIRST    ? "inside an array of numbers"
                        : s->state == GRAD_SCAN_STRING ? "inside a string"
                        : s->depth > 0                 ? "before it is closed"
                                                       : NULL;
    const grad_text *text = &s->envelope.text;

    if (s->error.status != GRAD_OK)
        return s->error.status;
    if (s->state == GRAD_SCAN_ESCAPE)
        where = "inside a string";
    if (text->length == 0 || (text->length == 1 && text->data[0] == ' '))
        where = s->depth > 0 ? where : "before its first value";
    if (where != NULL)
        grad_scanner_fail(s, GRAD_MALFORMED, "malformed_json", s->offset,
                          s->state >= GRAD_SCAN_FIRST ? s->level : 0, "the document ends %s",
                          where);
    return s->error.status;
}
