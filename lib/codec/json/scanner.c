/* The scanner's way through a document outside arrays of numbers: white space, strings, brackets,
 * and whether a bracket opens an array of numbers. Grammar that can wait is left to jansson. What
 * follows a fault in an array is scanner_rest.c's. */
#include "codec/json/scanner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json/explain.h"
#include "codec/json/word.h"
#include "core/error.h"
#include "core/size.h"

enum { FIRST_NUMBERS = 64 };

/* Members whose arrays are of something else: layers, tensors of a report, names, integers that are
 * wanted as they are. */
static const char *const lists[] = {"layers", "outputs", "shape", "tensors", "notes"};

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

const char *grad_scanner_fail(grad_scanner *s, const char *code, int64_t offset, size_t levels,
                              const char *format, ...)
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
    size_t levels = s->state < GRAD_SCAN_FIRST ? 0 : s->level;
    bool is_second = grad_scanner_offset(s, p) == 1;

    return grad_scanner_fail(s, "malformed_json", grad_scanner_offset(s, p), levels,
                             "expected %s, found %s%s", expected, GRAD_FOUND_BYTE(*p),
                             is_second && *p == '\0' ? ", as in " GRAD_UTF16 "; JSON is in UTF-8"
                                                     : "");
}

const char *grad_scanner_fail_word(grad_scanner *s, const char *stop, const char *what)
{
    char detail[GRAD_DETAIL_SIZE];
    bool is_number = *s->token == '-' || grad_is_digit(*s->token);

    grad_word_explain(s->token, s->token_length, what, detail, sizeof detail);
    return grad_scanner_fail(s, is_number ? "malformed_number" : "malformed_json",
                             s->token_offset + (is_number ? stop - s->token : 0),
                             s->state < GRAD_SCAN_FIRST ? 0 : s->level, "%s", detail);
}

/* Copies bytes that end at p + length - 1 of this piece. Returns behind them, NULL on an error. */
static const char *copy(grad_scanner *s, const char *p, size_t length)
{
    grad_status status =
        grad_envelope_add(&s->envelope, p, length, grad_scanner_offset(s, p), &s->error);

    return status == GRAD_OK ? p + length : NULL;
}

/* Of the bits of what is open: whether there is one at depth 1 or more and the innermost is set. */
static bool innermost(const grad_scanner *s, const uint64_t *bits)
{
    return s->depth > 0 && (bits[(s->depth - 1) / 64] >> (s->depth - 1) % 64 & 1) != 0;
}

static void set_bit(uint64_t *bits, size_t depth, bool is_set)
{
    uint64_t bit = (uint64_t)1 << depth % 64;

    bits[depth / 64] = is_set ? bits[depth / 64] | bit : bits[depth / 64] & ~bit;
}

bool grad_scanner_enter(grad_scanner *s, const char *p)
{
    if (s->depth == s->max_depth) {
        grad_scanner_fail_limit(s, "max_depth", s->max_depth, grad_scanner_offset(s, p),
                                "nested arrays and objects");
        return false;
    }
    set_bit(s->rests, s->depth, false);
    set_bit(s->objects, s->depth++, *p == '{');
    return true;
}

bool grad_scanner_leave(grad_scanner *s, const char *p)
{
    bool is_object = innermost(s, s->objects);

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

void grad_scanner_mark_rest(grad_scanner *s, size_t levels)
{
    for (size_t i = 1; i <= levels; i++)
        set_bit(s->rests, s->depth - i, true);
}

grad_scan_state grad_scanner_behind(const grad_scanner *s)
{
    return innermost(s, s->rests) ? GRAD_SCAN_REST_BEHIND : GRAD_SCAN_PLAIN;
}

const char *grad_scanner_fail_array(grad_scanner *s, const char *p, const char *code,
                                    int64_t offset, size_t levels, const char *format, ...)
{
    grad_fault fault = {.code = code, .offset = offset, .levels = levels};
    va_list arguments;

    for (size_t i = 0; i < levels; i++)
        fault.index[i] = s->rows[i].count;
    va_start(arguments, format);
    vsnprintf(fault.detail, sizeof fault.detail, format, arguments);
    va_end(arguments);
    grad_scanner_mark_rest(s, s->level);
    s->number_count = s->array.first;
    s->level = 0;
    return grad_envelope_add_fault(&s->envelope, &fault, s->array.flags, s->rows[0].offset,
                                   &s->error) == GRAD_OK
               ? p
               : NULL;
}

/* A bracket that opens an array of numbers, as far as is known: it is kept back. */
static const char *open_bracket(grad_scanner *s, const char *p)
{
    if (!grad_scanner_enter(s, p))
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
    s->string_begin = s->envelope.text.length + 1;
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

/* Whether the name of a field comes next: what is open is an object, and it has just been opened,
 * or a field of it ended with a comma. */
static bool expects_name(const grad_scanner *s)
{
    const grad_text *text = &s->envelope.text;
    size_t length = text->length;

    if (length > 0 && text->data[length - 1] == ' ')
        length--;
    return innermost(s, s->objects) && strchr("{,", text->data[length - 1]) != NULL;
}

/* The word in token ends here. */
static bool finish_word(grad_scanner *s)
{
    const char *stop = NULL;

    if (expects_name(s))
        grad_scanner_fail(s, "malformed_json", s->token_offset, 0,
                          "expected the name of a field in double quotes, found %.*s%s",
                          (int)grad_size_min(s->token_length, GRAD_WORD_SHOWN), s->token,
                          s->token_length > GRAD_WORD_SHOWN ? "…" : "");
    else if (grad_word_of(s->token, s->token_length, &stop) == GRAD_WORD_NONE)
        grad_scanner_fail_word(s, stop, "a JSON value");
    else
        grad_envelope_add(&s->envelope, s->token, s->token_length, s->token_offset, &s->error);
    s->state = GRAD_SCAN_PLAIN;
    return s->error.status == GRAD_OK;
}

static const char *scan_word(grad_scanner *s, const char *p, const char *end)
{
    p = grad_scanner_collect(s, p, end);
    if (p == NULL || p == end)
        return p;
    return finish_word(s) ? p : NULL;
}

/* A token that begins with no quote and no bracket. */
static const char *scan_other(grad_scanner *s, const char *p)
{
    if (grad_is_word_byte(*p)) {
        grad_scanner_begin_token(s, p, GRAD_SCAN_WORD);
        return p;
    }
    if (*p != ',')
        return grad_scanner_fail_byte(s, p, "a JSON value or punctuation");
    s->item_count += s->depth == 2;
    return copy(s, p, 1);
}

/* One token outside strings and arrays of numbers. */
static const char *scan_token(grad_scanner *s, const char *p)
{
    bool behind_list_key = s->key_is_list;
    bool is_list = s->value_is_list;

    if (is_behind_document(s))
        return grad_scanner_fail_byte(s, p, "the end of the document");
    s->in_space = s->key_is_list = s->value_is_list = false;
    switch (*p) {
    case '"':
        return begin_string(s, p);
    case '[':
        if (!is_list)
            return open_bracket(s, p);
        return grad_scanner_enter(s, p) ? copy(s, p, 1) : NULL;
    case '{':
        return grad_scanner_enter(s, p) ? copy(s, p, 1) : NULL;
    case ']':
    case '}':
        if (!grad_scanner_leave(s, p))
            return NULL;
        s->state = grad_scanner_behind(s);
        return copy(s, p, 1);
    case ':':
        s->value_is_list = behind_list_key;
        return copy(s, p, 1);
    default:
        return scan_other(s, p);
    }
}

static const char *scan_string(grad_scanner *s, const char *p, const char *end)
{
    const char *run = p;

    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    if (copy(s, run, (size_t)(p - run)) == NULL)
        return NULL;
    if (p == end)
        return p;
    if (*p == '"') {
        s->state = grad_scanner_behind(s);
        s->key_is_list = grad_envelope_is_name(&s->envelope, s->string_begin, lists,
                                               sizeof lists / sizeof *lists);
    } else if (*p == '\\') {
        s->state = GRAD_SCAN_ESCAPE;
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

/* An array of nothing: whether that is right depends on what it was to be. */
static const char *close_empty(grad_scanner *s, const char *p)
{
    s->level = 0;
    s->state = GRAD_SCAN_PLAIN;
    if (!grad_scanner_leave(s, p) ||
        grad_envelope_add(&s->envelope, "[", 1, s->rows[0].offset, &s->error) != GRAD_OK)
        return NULL;
    return copy(s, p, 1);
}

static const char *scan_opening(grad_scanner *s, const char *p)
{
    if (grad_scanner_is_space(*p))
        return p + 1;
    if (*p == '[' && s->level < GRAD_MAX_RANK)
        return open_bracket(s, p);
    if (*p == ']' && s->level == 1)
        return close_empty(s, p);
    grad_scanner_begin_array(s);
    if (*p != '[' && *p != ']')
        return p;
    s->state = GRAD_SCAN_REST_FIRST;
    if (*p == ']')
        return grad_scanner_fail_array(s, p, "empty_tensor", s->rows[0].offset, 0,
                                       GRAD_EMPTY_ARRAY);
    return grad_scanner_fail_array(s, p, "unexpected_type", s->rows[0].offset, 0,
                                   "expected numbers in at most %d dimensions, found more",
                                   GRAD_MAX_RANK);
}

/* ---- The first bytes ------------------------------------------------------------------------- */

/* What is no JSON is named by its first bytes, which are in token. */
static const char *fail_head(grad_scanner *s)
{
    static const char text[] = "JSON in UTF-8", plain[] = "uncompressed JSON";
    static const struct {
        const char *bytes;
        size_t length;
        const char *name, *expected;
    } heads[] = {
        {"\xFF\xFE", 2, GRAD_UTF16, text},
        {"\xFE\xFF", 2, GRAD_UTF16, text},
        {"\0", 1, GRAD_UTF16, text},
        {"\x1F\x8B", 2, "gzip", plain},
        {"\x28\xB5\x2F\xFD", 4, "zstd", plain},
        {"\x78\x01", 2, "zlib", plain},
        {"\x78\x9C", 2, "zlib", plain},
        {"\x78\xDA", 2, "zlib", plain},
        {"PK\x03\x04", 4, "a zip archive (as .npz and .pt files are)", text},
        {"\x93NUM", 4, "a .npy file of NumPy's", text},
        {"\x89HDF", 4, "HDF5", text},
    };

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (s->token_length >= heads[i].length &&
            memcmp(s->token, heads[i].bytes, heads[i].length) == 0)
            return grad_scanner_fail(s, "malformed_json", s->token_offset, 0,
                                     "expected %s, found %s", heads[i].expected, heads[i].name);
    return grad_scanner_fail(s, "malformed_json", s->token_offset, 0,
                             "expected a JSON document, found %s", GRAD_FOUND_BYTE(*s->token));
}

/* A byte order mark is passed over. What begins as JSON may is not looked at here. */
static const char *scan_head(grad_scanner *s, const char *p)
{
    static const char mark[] = "\xEF\xBB\xBF";
    enum { HEAD_MAX = 4, MARK_LENGTH = sizeof mark - 1 };

    if (s->token_length == 0) {
        if (strchr("\xEF\xFF\xFE\x1F\x28\x78P\x93\x89", *p) == NULL) { /* '\0' is found */
            s->state = GRAD_SCAN_PLAIN;
            return p;
        }
        grad_scanner_begin_token(s, p, GRAD_SCAN_HEAD);
    }
    s->token[s->token_length++] = *p++;
    if (s->token_length == MARK_LENGTH && memcmp(s->token, mark, MARK_LENGTH) == 0)
        s->state = GRAD_SCAN_PLAIN;
    else if (s->token_length == HEAD_MAX)
        return fail_head(s);
    return p;
}

static const char *scan_step(grad_scanner *s, const char *p, const char *end)
{
    switch (s->state) {
    case GRAD_SCAN_HEAD:
        return scan_head(s, p);
    case GRAD_SCAN_WORD:
        return scan_word(s, p, end);
    case GRAD_SCAN_PLAIN:
        return grad_scanner_is_space(*p) ? scan_space(s, p, end) : scan_token(s, p);
    case GRAD_SCAN_STRING:
        return scan_string(s, p, end);
    case GRAD_SCAN_ESCAPE:
        return scan_escape(s, p);
    case GRAD_SCAN_OPENING:
        return scan_opening(s, p);
    default:
        return s->state < GRAD_SCAN_FIRST ? grad_scanner_rest(s, p, end)
                                          : grad_scanner_array(s, p, end);
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

/* What is left in token when the document ends. */
static void finish_token(grad_scanner *s)
{
    if (s->state == GRAD_SCAN_WORD)
        finish_word(s);
    else if (s->state == GRAD_SCAN_HEAD && s->token_length > 0)
        fail_head(s);
}

grad_status grad_scanner_end(grad_scanner *s)
{
    bool in_string = s->state == GRAD_SCAN_STRING || s->state == GRAD_SCAN_ESCAPE ||
                     s->state == GRAD_SCAN_REST_STRING;
    const char *where = s->state >= GRAD_SCAN_FIRST ? "inside an array of numbers"
                        : in_string                 ? "inside a string"
                        : s->depth > 0              ? "before it is closed"
                                                    : NULL;
    const grad_text *text = &s->envelope.text;

    finish_token(s);
    if (s->error.status != GRAD_OK)
        return s->error.status;
    if (s->offset == 0)
        return grad_scanner_fail(s, "malformed_json", 0, 0,
                                 "expected a JSON document, found an empty body") == NULL
                   ? s->error.status
                   : GRAD_OK;
    if (text->length == 0 || (text->length == 1 && text->data[0] == ' '))
        where = s->depth > 0 ? where : "before its first value";
    if (where != NULL)
        grad_scanner_fail(s, "malformed_json", s->offset,
                          s->state >= GRAD_SCAN_FIRST ? s->level : 0, "the document ends %s",
                          where);
    return s->error.status;
}
