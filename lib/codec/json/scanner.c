/* The scanner: one state machine over the bytes of a document. Outside arrays of numbers it copies
 * tokens into the envelope, and leaves grammar that can wait to jansson. Inside them it reads rows
 * of numbers. Behind an error in an array it passes the rest over: only strings that are not plain
 * and objects go to the envelope, where jansson judges them. */
#include "codec/json/scanner.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json/scanner_errors.h"
#include "codec/json/scanner_rows.h"
#include "core/format_number.h"
#include "core/size.h"

grad_status grad_scanner_init(grad_scanner *s, const grad_wire_limits *limits,
                              grad_datatype datatype, size_t expected_bytes, grad_error *error)
{
    *s = (grad_scanner){.error = GRAD_ERROR_INIT};
    s->max_depth = grad_size_min(limits->max_depth, GRAD_DEPTH_MAX);
    if (grad_envelope_init(&s->envelope, limits->max_envelope, error) != GRAD_OK ||
        grad_number_block_init(&s->block, datatype, limits->max_numbers, expected_bytes, error) !=
            GRAD_OK) {
        grad_scanner_free(s);
        return GRAD_OUT_OF_MEMORY;
    }
    return GRAD_OK;
}

void grad_scanner_free(grad_scanner *s)
{
    grad_envelope_free(&s->envelope);
    free(s->block.numbers);
    s->block.numbers = NULL;
}

/* ---- Brackets -------------------------------------------------------------------------------- */

/* What is open innermost. */
static grad_scan_bracket innermost(const grad_scanner *s)
{
    return s->depth > 0 ? (grad_scan_bracket)s->open[s->depth - 1] : GRAD_SCAN_NOTHING;
}

/* A bracket at p: opens an array or object, against the limit, or closes the one that is open. */
static bool enter(grad_scanner *s, const char *p)
{
    if (s->depth == s->max_depth) {
        fail_limit(s, "max_depth", s->max_depth, offset_of(s, p), "nested arrays and objects");
        return false;
    }
    s->open[s->depth++] = *p == '{' ? GRAD_SCAN_OBJECT : GRAD_SCAN_ARRAY;
    return true;
}

static bool leave(grad_scanner *s, const char *p)
{
    bool is_object = innermost(s) == GRAD_SCAN_OBJECT;

    if (s->depth == 0 || is_object != (*p == '}')) {
        fail_byte(s, p,
                  s->depth == 0 ? "the end of the document"
                  : is_object   ? "'}' to close the object"
                                : "']' to close the array");
        return false;
    }
    s->depth--;
    return true;
}

/* The state behind a value: what is open may be such a rest. */
static grad_scan_state state_behind(const grad_scanner *s)
{
    return innermost(s) == GRAD_SCAN_REST ? GRAD_SCAN_BEHIND : GRAD_SCAN_PLAIN;
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

/* Copies bytes that end at p + length - 1 of this piece. Returns behind them, NULL on an error. */
static const char *copy(grad_scanner *s, const char *p, size_t length)
{
    grad_status status = grad_envelope_add(&s->envelope, p, length, offset_of(s, p), &s->error);

    return status == GRAD_OK ? p + length : NULL;
}

/* Copies the byte at p, punctuation of the document. */
static const char *copy_token(grad_scanner *s, const char *p)
{
    grad_status status = grad_envelope_add_token(&s->envelope, *p, offset_of(s, p), &s->error);

    return status == GRAD_OK ? p + 1 : NULL;
}

static void begin_token(grad_scanner *s, const char *p, grad_scan_state state)
{
    s->token_length = 0;
    s->token_offset = offset_of(s, p);
    s->state = state;
}

/* Adds the bytes of a word to token, byte by byte. Returns behind the last, NULL on an error. */
static const char *collect(grad_scanner *s, const char *p, const char *end)
{
    while (p < end && grad_is_word_byte(*p)) {
        if (s->token_length == sizeof s->token)
            return fail_limit(s, "max_number_text", sizeof s->token, s->token_offset,
                              "bytes in one number");
        s->token[s->token_length++] = *p++;
    }
    return p;
}

/* ---- Arrays of numbers ----------------------------------------------------------------------- */

/* The open brackets of the array being read; in the rest of one with an error there are none. */
static bool is_in_rest(const grad_scanner *s)
{
    return s->level == 0;
}

/* Where an error is: at that byte, at the indices of the array's first levels dimensions. */
static void set_place(const grad_scanner *s, grad_array_error *wrong, int64_t offset, size_t levels)
{
    wrong->offset = offset;
    wrong->levels = levels;
    for (size_t i = 0; i < levels; i++)
        wrong->index[i] = s->rows[i].count;
}

/* The array being read has that error, which is kept for the reader that comes to it; its numbers
 * are dropped, and the rest is passed over from p on. Returns p, NULL on an error. */
static const char *skip_array(grad_scanner *s, const char *p, const grad_array_error *wrong)
{
    for (size_t i = 1; i <= s->level; i++)
        s->open[s->depth - i] = GRAD_SCAN_REST;
    s->block.count = s->array.first;
    s->level = 0;
    return grad_envelope_begin_rest(&s->envelope, wrong, s->array.flags, s->rows[0].offset,
                                    &s->error) == GRAD_OK
               ? p
               : NULL;
}

__attribute__((format(printf, 6, 7))) static const char *fail_array(grad_scanner *s, const char *p,
                                                                    const char *code,
                                                                    int64_t offset, size_t levels,
                                                                    const char *format, ...)
{
    grad_array_error wrong = {.code = code};
    va_list arguments;

    set_place(s, &wrong, offset, levels);
    va_start(arguments, format);
    vsnprintf(wrong.detail, sizeof wrong.detail, format, arguments);
    va_end(arguments);
    return skip_array(s, p, &wrong);
}

/* Room for one more number, at least. */
static bool reserve_number(grad_scanner *s, int64_t offset)
{
    grad_status status = grad_number_block_reserve(&s->block, &s->error);

    if (status == GRAD_TOO_LARGE)
        fail_limit(s, "max_numbers", s->block.max, offset, "numbers");
    return status == GRAD_OK;
}

/* Adds the number whose text is in token; in a document of floats value is one. */
static bool add_number(grad_scanner *s, double value)
{
    if (!reserve_number(s, s->token_offset))
        return false;
    grad_number_block_add(&s->block, value);
    s->rows[s->level - 1].count++;
    s->state = GRAD_SCAN_BEHIND;
    return true;
}

/* true or false in token: 1 or 0, if the array turns out to be one of flags. */
static bool add_flag(grad_scanner *s, double value, grad_array_error *wrong)
{
    size_t index = 0;

    if (s->array.flags == 0) {
        set_place(s, wrong, s->token_offset, s->level);
        if (grad_envelope_keep_array_error(&s->envelope, wrong, &index, &s->error) != GRAD_OK)
            return false;
        s->array.flags = index + 1;
    }
    return add_number(s, value);
}

/* The element in token is whole; p is behind it. */
static const char *finish_element(grad_scanner *s, const char *p)
{
    const char *stop = NULL;
    double value = 0;
    grad_array_error wrong = {0};

    switch (grad_number_block_read(&s->block, s->token, s->token_length, &value, &stop, &wrong)) {
    case GRAD_ELEMENT_NUMBER:
        return add_number(s, value) ? p : NULL;
    case GRAD_ELEMENT_FLAG:
        return add_flag(s, value, &wrong) ? p : NULL;
    case GRAD_ELEMENT_OTHER:
        s->state = GRAD_SCAN_BEHIND;
        set_place(s, &wrong, s->token_offset, s->level);
        return skip_array(s, p, &wrong);
    case GRAD_ELEMENT_MALFORMED:
        break;
    }
    return fail_word(s, stop, "a number");
}

/* The same in the rest of an array: a number needs to be one, of any size. */
static const char *drop_element(grad_scanner *s, const char *p)
{
    const char *stop = NULL;

    if (*s->token != '"' && grad_word_of(s->token, s->token_length, &stop) == GRAD_WORD_NONE)
        return fail_word(s, stop, "an element of the array");
    s->state = GRAD_SCAN_BEHIND;
    return p;
}

/* Adds a comma, and bytes that were in the document at offset. */
static bool add_to_rest(grad_scanner *s, const char *bytes, size_t length, int64_t offset)
{
    return grad_envelope_add(&s->envelope, ",", 1, offset - 1, &s->error) == GRAD_OK &&
           grad_envelope_add(&s->envelope, bytes, length, offset, &s->error) == GRAD_OK;
}

/* In the rest a string that is not plain goes to the envelope, from its beginning on. */
static const char *keep_string(grad_scanner *s, const char *p)
{
    if (!add_to_rest(s, s->token, s->token_length, s->token_offset))
        return NULL;
    s->string_begin = s->envelope.text.length - s->token_length + 1;
    s->state = GRAD_SCAN_STRING;
    return p;
}

/* A string: a plain one is read to its end. */
static const char *scan_literal(grad_scanner *s, const char *p, const char *end)
{
    for (; p < end; s->token[s->token_length++] = *p++) {
        bool is_plain = *p >= 0x20 && *p < 0x7F && *p != '\\';

        if (s->token_length > 0 && *p == '"')
            return is_in_rest(s) ? drop_element(s, p + 1) : finish_element(s, p + 1);
        if (is_plain && s->token_length < sizeof s->token)
            continue;
        if (is_in_rest(s))
            return keep_string(s, p);
        return fail_array(s, p, "unexpected_type", s->token_offset, s->level,
                          "expected a number, found a string");
    }
    return p;
}

/* The way for numbers that a piece cuts, for words, and for all errors. */
static const char *scan_number(grad_scanner *s, const char *p, const char *end)
{
    p = collect(s, p, end);
    if (p == NULL || p == end)
        return p;
    return is_in_rest(s) ? drop_element(s, p) : finish_element(s, p);
}

/* A number begins at p. Those that are whole in this piece are read together, with the rows that
 * follow. */
static const char *scan_numbers(grad_scanner *s, const char *p, const char *end)
{
    const char *stop = p;
    bool behind_value = false;

    for (; p != NULL; p = behind_value ? grad_scanner_next_row(s, stop, end) : NULL) {
        if (!reserve_number(s, offset_of(s, p)))
            return NULL;
        p = grad_scanner_read_rows(s, p, end);
        s->rows[s->level - 1].count +=
            grad_number_block_read_row(&s->block, s->piece, p, end, &stop, &behind_value);
    }
    s->state = behind_value ? GRAD_SCAN_BEHIND : GRAD_SCAN_NEXT;
    if (!behind_value && stop < end && grad_is_word_byte(*stop))
        begin_token(s, stop, GRAD_SCAN_NUMBER);
    return stop;
}

static const char *close_row(grad_scanner *s, const char *p)
{
    size_t level = s->level - 1;
    size_t *expected = &s->array.shape[level];
    const grad_scan_row *row = &s->rows[level];

    if (*expected == 0)
        *expected = row->count;
    if (*expected != row->count) {
        s->state = GRAD_SCAN_BEHIND;
        return fail_array(
            s, p, "ragged_array", row->offset, level,
            "expected rows of the same length: row %zu has %zu element%s, the first has %zu",
            s->rows[level - 1].count, row->count, grad_plural(row->count), *expected);
    }
    s->level = level;
    s->depth--;
    if (level > 0) {
        s->rows[level - 1].count++;
        s->state = GRAD_SCAN_BEHIND;
        return p + 1;
    }
    s->state = GRAD_SCAN_PLAIN;
    return grad_envelope_add_array(&s->envelope, &s->array, s->rows[0].offset, &s->error) == GRAD_OK
               ? p + 1
               : NULL;
}

static const char *open_row(grad_scanner *s, const char *p)
{
    int64_t offset = offset_of(s, p);

    if (s->level == s->array.rank) {
        s->state = GRAD_SCAN_NEXT;
        return fail_array(s, p, "ragged_array", offset, s->level,
                          "expected a number as before, found an array");
    }
    s->rows[s->level++] = (grad_scan_row){.offset = offset};
    s->depth++;
    s->state = GRAD_SCAN_FIRST;
    return p + 1;
}

/* Strings begin at p. Those of ours that stand for a NaN or an infinity are read together. */
static const char *scan_literals(grad_scanner *s, const char *p, const char *end)
{
    const char *behind;
    double value;

    begin_token(s, p, GRAD_SCAN_LITERAL);
    while ((behind = grad_word_skip_non_finite(p, end, &value)) != NULL) {
        if (!add_number(s, value))
            return NULL;
        if (end - behind < 2 || behind[0] != ',' || behind[1] != '"')
            return behind;
        p = behind + 1;
        begin_token(s, p, GRAD_SCAN_LITERAL);
    }
    return p;
}

/* A number, a word or a string, at p. */
static const char *scan_leaf(grad_scanner *s, const char *p, const char *end)
{
    if (s->level < s->array.rank) {
        s->state = GRAD_SCAN_NEXT;
        return fail_array(s, p, "ragged_array", offset_of(s, p), s->level,
                          "expected an array as before, found %s", grad_word_kind(*p));
    }
    if (*p == '-' || grad_is_digit(*p))
        return scan_numbers(s, p, end);
    if (*p == '"')
        return scan_literals(s, p, end);
    begin_token(s, p, GRAD_SCAN_NUMBER);
    return p;
}

static const char *scan_element(grad_scanner *s, const char *p, const char *end)
{
    if (*p == '"' || grad_is_word_byte(*p))
        return scan_leaf(s, p, end);
    if (*p == '[')
        return open_row(s, p);
    if (*p == ']' && s->state == GRAD_SCAN_FIRST)
        return close_row(s, p);
    if (*p == ']')
        return fail_byte(s, p, "another element behind the comma");
    if (*p != '{')
        return fail_byte(s, p, "a number");
    s->state = GRAD_SCAN_NEXT;
    return fail_array(s, p, "unexpected_type", offset_of(s, p), s->level,
                      "expected a number, found an object" GRAD_TYPED_ARRAY);
}

static const char *close_array(grad_scanner *s, const char *p)
{
    if (!leave(s, p))
        return NULL;
    s->state = state_behind(s);
    if (s->state == GRAD_SCAN_PLAIN &&
        grad_envelope_end_rest(&s->envelope, offset_of(s, p), &s->error) != GRAD_OK)
        return NULL;
    return p + 1;
}

static const char *open_array(grad_scanner *s, const char *p)
{
    if (!enter(s, p))
        return NULL;
    s->open[s->depth - 1] = GRAD_SCAN_REST;
    s->state = GRAD_SCAN_FIRST;
    return p + 1;
}

static const char *open_object(grad_scanner *s, const char *p)
{
    if (!enter(s, p) || !add_to_rest(s, p, 1, offset_of(s, p)))
        return NULL;
    s->state = GRAD_SCAN_PLAIN;
    return p + 1;
}

static const char *scan_rest(grad_scanner *s, const char *p)
{
    if (*p == '[')
        return open_array(s, p);
    if (*p == '{')
        return open_object(s, p);
    if (*p == ']' && s->state == GRAD_SCAN_FIRST)
        return close_array(s, p);
    if (*p == '"' || grad_is_word_byte(*p)) {
        begin_token(s, p, *p == '"' ? GRAD_SCAN_LITERAL : GRAD_SCAN_NUMBER);
        return p;
    }
    return fail_byte(s, p, "an element of the array");
}

static const char *scan_behind(grad_scanner *s, const char *p)
{
    if (*p == ']')
        return is_in_rest(s) ? close_array(s, p) : close_row(s, p);
    if (*p != ',')
        return fail_byte(s, p, "a comma or a closing bracket");
    s->state = GRAD_SCAN_NEXT;
    return p + 1;
}

/* Goes on in an array, till it or the piece ends. */
static const char *scan_array(grad_scanner *s, const char *p, const char *end)
{
    while (p != NULL && p < end && s->state >= GRAD_SCAN_FIRST)
        if (s->state == GRAD_SCAN_NUMBER)
            p = scan_number(s, p, end);
        else if (s->state == GRAD_SCAN_LITERAL)
            p = scan_literal(s, p, end);
        else if (grad_is_space(*p))
            p++;
        else if (s->state == GRAD_SCAN_BEHIND)
            p = scan_behind(s, p);
        else
            p = is_in_rest(s) ? scan_rest(s, p) : scan_element(s, p, end);
    return p;
}

/* ---- Arrays of numbers that come as bytes ---------------------------------------------------- */

/* Makes numbers of the last array's bytes: its object is over, or other numbers come. */
static bool convert_bytes(grad_scanner *s, const char *p)
{
    const grad_envelope *envelope = &s->envelope;
    grad_number_array *array = &envelope->arrays[s->bytes_of - 1];
    grad_status status;

    array->wire = grad_byte_array_datatype(envelope, envelope->places[s->bytes_place].parent);
    s->bytes_of = 0;
    status = grad_byte_array_convert(&s->block, array->first, array->bytes, array->wire,
                                     &array->shape[0], &s->error);
    if (status == GRAD_TOO_LARGE)
        fail_limit(s, "max_numbers", s->block.max, offset_of(s, p), "numbers");
    return status == GRAD_OK;
}

static const char *begin_base64(grad_scanner *s, const char *p)
{
    if (s->bytes_of > 0 && !convert_bytes(s, p))
        return NULL;
    begin_token(s, p, GRAD_SCAN_BASE64);
    grad_byte_array_begin(&s->bytes, &s->block);
    return p + 1;
}

/* The string is over: what stands for its array goes to the envelope. */
static bool add_bytes(grad_scanner *s)
{
    const grad_number_array array = {
        .first = s->bytes.first, .rank = 1, .is_bytes = true, .bytes = s->bytes.bytes};

    s->state = GRAD_SCAN_PLAIN;
    if (grad_envelope_add_array(&s->envelope, &array, s->token_offset, &s->error) != GRAD_OK)
        return false;
    s->bytes_of = s->envelope.array_count;
    s->bytes_place = s->envelope.place;
    s->bytes_depth = s->depth;
    return true;
}

static const char *scan_base64(grad_scanner *s, const char *p, const char *end)
{
    grad_array_error wrong = {0};
    grad_status status =
        grad_byte_array_read_base64(&s->bytes, &s->block, &p, end, &wrong, &s->error);

    if (status == GRAD_MALFORMED)
        return fail(s, wrong.code, offset_of(s, p) + wrong.offset, 0, "%s", wrong.detail);
    if (status == GRAD_TOO_LARGE)
        return fail_limit(s, "max_numbers", s->block.max, offset_of(s, p), "numbers");
    if (status != GRAD_OK || (s->bytes.is_complete && !add_bytes(s)))
        return NULL;
    return p;
}

/* ---- Outside arrays of numbers --------------------------------------------------------------- */

/* A bracket that opens an array of numbers, as far as is known: it is kept back. */
static const char *open_bracket(grad_scanner *s, const char *p)
{
    if (!enter(s, p))
        return NULL;
    s->rows[s->level++] = (grad_scan_row){.offset = offset_of(s, p)};
    s->state = GRAD_SCAN_OPENING;
    return p + 1;
}

static const char *scan_space(grad_scanner *s, const char *p, const char *end)
{
    if (!s->in_space &&
        grad_envelope_add(&s->envelope, " ", 1, offset_of(s, p), &s->error) != GRAD_OK)
        return NULL;
    s->in_space = true;
    return grad_skip_space(p, end);
}

/* Whether the object or array that is the document has been closed. */
static bool is_behind_document(const grad_scanner *s)
{
    return s->depth == 0 && (grad_envelope_last_byte(&s->envelope) == ']' ||
                             grad_envelope_last_byte(&s->envelope) == '}');
}

/* The word in token ends here. */
static bool finish_word(grad_scanner *s)
{
    bool is_name =
        innermost(s) == GRAD_SCAN_OBJECT && (grad_envelope_last_byte(&s->envelope) == '{' ||
                                             grad_envelope_last_byte(&s->envelope) == ',');
    const char *stop = NULL;

    if (is_name)
        fail(s, "malformed_json", s->token_offset, 0,
             "expected the name of a field in double quotes, found %.*s%s",
             (int)grad_size_min(s->token_length, GRAD_WORD_SHOWN), s->token,
             s->token_length > GRAD_WORD_SHOWN ? "…" : "");
    else if (grad_word_of(s->token, s->token_length, &stop) == GRAD_WORD_NONE)
        fail_word(s, stop, "a JSON value");
    else
        grad_envelope_add_value(&s->envelope, s->token, s->token_length, s->token_offset,
                                &s->error);
    s->state = GRAD_SCAN_PLAIN;
    return s->error.status == GRAD_OK;
}

static const char *scan_word(grad_scanner *s, const char *p, const char *end)
{
    p = collect(s, p, end);
    if (p == NULL || p == end)
        return p;
    return finish_word(s) ? p : NULL;
}

/* Whether the last string names a member whose arrays hold something else than numbers. */
static bool names_list(const grad_scanner *s)
{
    static const char *const lists[] = {"layers", "outputs", "shape", "tensors",
                                        "notes",  "sizes",   "inputs"};
    const size_t count = GRAD_COUNT(lists) - (s->takes_inputs ? 0 : 1);

    return grad_envelope_is_name(&s->envelope, s->string_begin, lists, count);
}

/* Whether it names a member whose string is an array of numbers. */
static bool names_bytes(const grad_scanner *s)
{
    static const char *const names[] = {"base64"};

    return s->envelope.open_rests == 0 &&
           grad_envelope_is_name(&s->envelope, s->string_begin, names, GRAD_COUNT(names));
}

/* Goes on in a string; outside of one its opening quote is at p. */
static const char *scan_string(grad_scanner *s, const char *p, const char *end)
{
    bool begins = s->state != GRAD_SCAN_STRING;
    const char *run = p;
    grad_status status;

    p += begins;
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    s->is_behind_string = p < end && *p == '"';
    s->state = s->is_behind_string ? state_behind(s) : GRAD_SCAN_STRING;
    p += s->is_behind_string;
    status = (begins ? grad_envelope_add_value : grad_envelope_add)(
        &s->envelope, run, (size_t)(p - run), offset_of(s, run), &s->error);
    if (status != GRAD_OK || p == end || s->is_behind_string)
        return status == GRAD_OK ? p : NULL;
    if (*p != '\\')
        return fail_byte(s, p, "no control character in a string");
    s->state = GRAD_SCAN_ESCAPE;
    return copy(s, p, 1);
}

/* A bracket at p that opens an array or an object. */
static const char *scan_open(grad_scanner *s, const char *p, bool is_behind_name)
{
    if (*p == '[' && (!is_behind_name || !names_list(s)))
        return open_bracket(s, p);
    return enter(s, p) ? copy_token(s, p) : NULL;
}

/* And one that closes it. */
static const char *scan_close(grad_scanner *s, const char *p)
{
    if (s->bytes_of > 0 && s->depth == s->bytes_depth && !convert_bytes(s, p))
        return NULL;
    if (!leave(s, p))
        return NULL;
    p = copy_token(s, p);
    s->state = state_behind(s);
    return p;
}

/* One token outside strings and arrays of numbers. */
static const char *scan_token(grad_scanner *s, const char *p, const char *end)
{
    bool is_behind_string = s->is_behind_string;
    bool is_behind_name = s->is_behind_name;

    if (is_behind_document(s))
        return fail_byte(s, p, "the end of the document");
    s->in_space = s->is_behind_string = s->is_behind_name = false;
    switch (*p) {
    case '"':
        if (is_behind_name && names_bytes(s))
            return begin_base64(s, p);
        s->string_begin = s->envelope.text.length + 1;
        return scan_string(s, p, end);
    case '[':
    case '{':
        return scan_open(s, p, is_behind_name);
    case ']':
    case '}':
        return scan_close(s, p);
    case ':':
        s->is_behind_name = is_behind_string;
        return copy(s, p, 1);
    case ',':
        s->item_count += s->depth == 2;
        return copy_token(s, p);
    default:
        if (!grad_is_word_byte(*p))
            return fail_byte(s, p, "a JSON value or punctuation");
        begin_token(s, p, GRAD_SCAN_WORD);
        return p;
    }
}

static const char *scan_escape(grad_scanner *s, const char *p)
{
    if ((unsigned char)*p < 0x20)
        return fail_byte(s, p, "an escape");
    s->state = GRAD_SCAN_STRING;
    return copy(s, p, 1);
}

/* An array of nothing: whether that is right depends on what it was to be. */
static const char *close_empty(grad_scanner *s, const char *p)
{
    s->level = 0;
    s->state = GRAD_SCAN_PLAIN;
    if (!leave(s, p) ||
        grad_envelope_add_value(&s->envelope, "[", 1, s->rows[0].offset, &s->error) != GRAD_OK)
        return NULL;
    return copy(s, p, 1);
}

static const char *scan_opening(grad_scanner *s, const char *p)
{
    if (grad_is_space(*p))
        return p + 1;
    if (*p == '[' && s->level < GRAD_MAX_RANK)
        return open_bracket(s, p);
    if (*p == ']' && s->level == 1)
        return close_empty(s, p);
    if (s->bytes_of > 0 && !convert_bytes(s, p))
        return NULL;
    s->array = (grad_number_array){.first = s->block.count, .rank = s->level};
    s->state = GRAD_SCAN_FIRST;
    if (*p != '[' && *p != ']')
        return p;
    if (*p == ']')
        return fail_array(s, p, "empty_tensor", s->rows[0].offset, 0, GRAD_EMPTY_ARRAY);
    return fail_array(s, p, "unexpected_type", s->rows[0].offset, 0,
                      "expected numbers in at most %d dimensions, found more", GRAD_MAX_RANK);
}

/* ---- The first bytes ------------------------------------------------------------------------- */

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
        begin_token(s, p, GRAD_SCAN_HEAD);
    }
    s->token[s->token_length++] = *p++;
    if (s->token_length == MARK_LENGTH && memcmp(s->token, mark, MARK_LENGTH) == 0)
        s->state = GRAD_SCAN_PLAIN;
    else if (s->token_length == HEAD_MAX)
        return fail_head(s);
    return p;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static const char *scan_step(grad_scanner *s, const char *p, const char *end)
{
    switch (s->state) {
    case GRAD_SCAN_HEAD:
        return scan_head(s, p);
    case GRAD_SCAN_WORD:
        return scan_word(s, p, end);
    case GRAD_SCAN_PLAIN:
        return grad_is_space(*p) ? scan_space(s, p, end) : scan_token(s, p, end);
    case GRAD_SCAN_STRING:
        return scan_string(s, p, end);
    case GRAD_SCAN_ESCAPE:
        return scan_escape(s, p);
    case GRAD_SCAN_BASE64:
        return scan_base64(s, p, end);
    case GRAD_SCAN_OPENING:
        return scan_opening(s, p);
    case GRAD_SCAN_FIRST:
    case GRAD_SCAN_NEXT:
    case GRAD_SCAN_BEHIND:
    case GRAD_SCAN_NUMBER:
    case GRAD_SCAN_LITERAL:
        break;
    }
    return scan_array(s, p, end);
}

grad_status grad_scanner_push(grad_scanner *s, const char *bytes, size_t length)
{
    const char *p = bytes, *end = bytes + length;

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
    bool in_array = s->state >= GRAD_SCAN_FIRST && !is_in_rest(s);
    bool in_string = s->state == GRAD_SCAN_STRING || s->state == GRAD_SCAN_ESCAPE ||
                     s->state == GRAD_SCAN_BASE64 || s->state == GRAD_SCAN_LITERAL;
    const char *where = in_array       ? "inside an array of numbers"
                        : in_string    ? "inside a string"
                        : s->depth > 0 ? "before it is closed"
                                       : NULL;
    const grad_text *text = &s->envelope.text;

    finish_token(s);
    if (s->error.status != GRAD_OK)
        return s->error.status;
    if (text->length == 0 || (text->length == 1 && text->data[0] == ' '))
        where = s->depth > 0 ? where : "before its first value";
    if (s->offset == 0)
        fail(s, "malformed_json", 0, 0, "expected a JSON document, found an empty body");
    else if (where != NULL)
        fail(s, "malformed_json", s->offset, levels_of(s), "the document ends %s", where);
    return s->error.status;
}
