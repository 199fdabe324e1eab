/* The scanner inside arrays of numbers: shape, elements, numbers that the end of a piece cuts, and
 * what is a fault. How a number is read is the room number's. */
#include <stdio.h>
#include <stdlib.h>

#include "codec/json/scanner.h"
#include "codec/json/word.h"
#include "codec/number/double.h"
#include "codec/number/row.h"
#include "core/error.h"
#include "core/figure.h"
#include "core/real.h"
#include "core/size.h"

void grad_scanner_begin_array(grad_scanner *s)
{
    s->array = (grad_number_array){.first = s->number_count, .rank = s->level};
    s->state = GRAD_SCAN_FIRST;
}

/* Room for one more number, at least. */
static bool reserve_number(grad_scanner *s, int64_t offset)
{
    size_t capacity = s->number_capacity;
    size_t bytes;
    void *numbers;

    if (s->number_count < capacity)
        return true;
    if (capacity == s->max_numbers) {
        grad_scanner_fail_limit(s, "max_numbers", s->max_numbers, offset, "numbers");
        return false;
    }
    capacity = capacity > s->max_numbers / 2 ? s->max_numbers : capacity * 2;
    if (!grad_size_mul(capacity, grad_datatype_size(s->datatype), &bytes))
        bytes = SIZE_MAX;
    numbers = realloc(s->numbers, bytes);
    if (numbers == NULL) {
        grad_fail_memory(&s->error, bytes);
        return false;
    }
    s->numbers = numbers;
    s->number_capacity = capacity;
    return true;
}

/* Adds the number whose text is in token; in a document of floats value is one. */
static bool add_number(grad_scanner *s, double value)
{
    if (!reserve_number(s, s->token_offset))
        return false;
    grad_real_put(s->datatype, s->numbers, s->number_count++, value);
    s->rows[s->level - 1].count++;
    s->state = GRAD_SCAN_BEHIND;
    return true;
}

void grad_scanner_begin_token(grad_scanner *s, const char *p, grad_scan_state state)
{
    s->token_length = 0;
    s->token_offset = grad_scanner_offset(s, p);
    s->state = state;
}

/* The string in token ends here; p is behind its closing quote. */
static const char *finish_literal(grad_scanner *s, const char *p)
{
    const char *text = s->token + 1;
    size_t length = s->token_length - 1;
    char detail[GRAD_DETAIL_SIZE];
    double value;

    if (grad_word_is_non_finite(text, length, &value))
        return add_number(s, value) ? p : NULL;
    grad_word_explain_string(text, length, "a number", detail, sizeof detail);
    s->state = GRAD_SCAN_REST_BEHIND;
    return grad_scanner_fail_array(s, p, "unexpected_type", s->token_offset, s->level, "%s",
                                   detail);
}

/* A string among numbers: a plain one is read to its end. */
static const char *scan_literal(grad_scanner *s, const char *p, const char *end)
{
    for (; p < end; s->token[s->token_length++] = *p++) {
        bool is_plain = *p >= 0x20 && *p < 0x7F && *p != '\\';

        if (s->token_length > 0 && *p == '"')
            return finish_literal(s, p + 1);
        if (!is_plain || s->token_length == sizeof s->token) {
            s->state = GRAD_SCAN_REST_STRING;
            return grad_scanner_fail_array(s, p, "unexpected_type", s->token_offset, s->level,
                                           "expected a number, found a string");
        }
    }
    return p;
}

/* One number as the document's datatype has it. */
static grad_number_status read_number(const grad_scanner *s, double *value, const char **stop)
{
    const char *end = s->token + s->token_length;
    grad_number_status status;
    float single = 0;

    if (s->datatype == GRAD_FP64)
        return grad_number_read_double(s->token, end, value, stop);
    status = grad_number_read(s->token, end, &single, stop);
    *value = (double)single;
    return status;
}

static int shown_length(const grad_scanner *s)
{
    return (int)grad_size_min(s->token_length, GRAD_WORD_SHOWN);
}

/* The number in token is beyond the datatype; p is behind it. */
static const char *fail_range(grad_scanner *s, const char *p)
{
    const char *end = s->token + s->token_length;
    const char *stop;
    double value;
    bool fits_double = s->datatype == GRAD_FP32 &&
                       grad_number_read_double(s->token, end, &value, &stop) == GRAD_NUMBER_OK;

    s->state = GRAD_SCAN_REST_BEHIND;
    return grad_scanner_fail_array(s, p, "number_out_of_range", s->token_offset, s->level,
                                   "expected a number within float%s's range, found %.*s%s%s",
                                   s->datatype == GRAD_FP64 ? "64" : "32", shown_length(s),
                                   s->token, s->token_length > GRAD_WORD_SHOWN ? "…" : "",
                                   fits_double ? GRAD_FP64_HOLDS_IT : "");
}

/* true or false in token: 1 or 0, if the array turns out to be one of flags. */
static bool add_flag(grad_scanner *s, bool flag)
{
    grad_fault fault = {.code = "unexpected_type", .offset = s->token_offset, .levels = s->level};
    size_t index = 0;

    if (s->array.flags == 0) {
        for (size_t i = 0; i < s->level; i++)
            fault.index[i] = s->rows[i].count;
        snprintf(fault.detail, sizeof fault.detail, GRAD_NO_FLAG, flag ? "true" : "false");
        if (grad_envelope_keep_fault(&s->envelope, &fault, &index, &s->error) != GRAD_OK)
            return false;
        s->array.flags = index + 1;
    }
    return add_number(s, flag ? 1 : 0);
}

/* The word in token is whole, and begins as no number does; p is behind it. */
static const char *finish_word(grad_scanner *s, const char *p)
{
    const char *stop = NULL;
    grad_word word = grad_word_of(s->token, s->token_length, &stop);

    if (word == GRAD_WORD_TRUE || word == GRAD_WORD_FALSE)
        return add_flag(s, word == GRAD_WORD_TRUE) ? p : NULL;
    if (word != GRAD_WORD_NULL)
        return grad_scanner_fail_word(s, stop, "a number");
    s->state = GRAD_SCAN_REST_BEHIND;
    return grad_scanner_fail_array(s, p, "unexpected_type", s->token_offset, s->level,
                                   "expected a number, found " GRAD_FOUND_NULL);
}

/* The number in token is whole; p is behind it. */
static const char *finish_number(grad_scanner *s, const char *p)
{
    const char *stop = NULL;
    double value = 0;
    grad_number_status status = read_number(s, &value, &stop);

    if (status == GRAD_NUMBER_OUT_OF_RANGE)
        return fail_range(s, p);
    if (status == GRAD_NUMBER_MALFORMED || stop != s->token + s->token_length)
        return grad_scanner_fail_word(s, stop, "a number");
    return add_number(s, value) ? p : NULL;
}

const char *grad_scanner_collect(grad_scanner *s, const char *p, const char *end)
{
    while (p < end && grad_is_word_byte(*p)) {
        if (s->token_length == sizeof s->token)
            return grad_scanner_fail_limit(s, "max_number_text", sizeof s->token, s->token_offset,
                                           "bytes in one number");
        s->token[s->token_length++] = *p++;
    }
    return p;
}

/* The way for numbers that a piece cuts, for words, and for all errors. */
static const char *scan_number(grad_scanner *s, const char *p, const char *end)
{
    p = grad_scanner_collect(s, p, end);
    if (p == NULL || p == end)
        return p;
    return *s->token == '-' || grad_is_digit(*s->token) ? finish_number(s, p) : finish_word(s, p);
}

/* The row reader stopped behind a value, but inside a token that only begins with a number (1e5.3):
 * its value is taken back, and its begin returned. NULL where it stopped between tokens. */
static const char *take_back(grad_scanner *s, const char *p, const char *stop, const char *end)
{
    const char *begin = stop;

    if (stop == end || !grad_is_word_byte(*stop) || !grad_is_number_byte(stop[-1]))
        return NULL;
    while (begin > p && grad_is_number_byte(begin[-1]))
        begin--;
    s->number_count--;
    s->rows[s->level - 1].count--;
    return begin;
}

/* Reads numbers into the free end of the block. */
static size_t read_row(grad_scanner *s, const char *p, const char *end, const char **stop,
                       bool *behind_value)
{
    size_t room = s->number_capacity - s->number_count;

    if (s->datatype == GRAD_FP64)
        return grad_number_row_read_double(p, end, (double *)s->numbers + s->number_count, room,
                                           stop, behind_value);
    return grad_number_row_read(p, end, (float *)s->numbers + s->number_count, room, stop,
                                behind_value);
}

/* A number begins at p. Those that are whole in this piece are read together. */
static const char *scan_numbers(grad_scanner *s, const char *p, const char *end)
{
    const char *stop = p;
    bool behind_value = false;
    size_t count;

    if (!reserve_number(s, grad_scanner_offset(s, p)))
        return NULL;
    count = read_row(s, p, end, &stop, &behind_value);
    s->number_count += count;
    s->rows[s->level - 1].count += count;
    s->state = behind_value ? GRAD_SCAN_BEHIND : GRAD_SCAN_NEXT;
    if (behind_value) {
        const char *begin = take_back(s, p, stop, end);

        if (begin == NULL)
            return stop;
        stop = begin;
    }
    if (behind_value || count == 0)
        grad_scanner_begin_token(s, stop, GRAD_SCAN_NUMBER);
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
        s->state = GRAD_SCAN_REST_BEHIND;
        return grad_scanner_fail_array(
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
    if (grad_envelope_add_array(&s->envelope, &s->array, s->rows[0].offset, &s->error) != GRAD_OK)
        return NULL;
    return p + 1;
}

static const char *open_row(grad_scanner *s, const char *p)
{
    int64_t offset = grad_scanner_offset(s, p);

    if (s->level == s->array.rank) {
        s->state = GRAD_SCAN_REST_NEXT;
        return grad_scanner_fail_array(s, p, "ragged_array", offset, s->level,
                                       "expected a number as before, found an array");
    }
    s->rows[s->level++] = (grad_scan_row){.offset = offset};
    s->depth++;
    s->state = GRAD_SCAN_FIRST;
    return p + 1;
}

/* What begins at p, for an error. */
static const char *element_name(char c)
{
    return c == '"' ? "a string" : c == 't' || c == 'f' ? "true or false" : "a number";
}

/* A number, a word or a string, at p. */
static const char *scan_leaf(grad_scanner *s, const char *p, const char *end)
{
    if (s->level < s->array.rank) {
        s->state = GRAD_SCAN_REST_NEXT;
        return grad_scanner_fail_array(s, p, "ragged_array", grad_scanner_offset(s, p), s->level,
                                       "expected an array as before, found %s", element_name(*p));
    }
    if (*p == '-' || grad_is_digit(*p))
        return scan_numbers(s, p, end);
    grad_scanner_begin_token(s, p, *p == '"' ? GRAD_SCAN_LITERAL : GRAD_SCAN_NUMBER);
    return p;
}

static const char *fail_object(grad_scanner *s, const char *p)
{
    s->state = GRAD_SCAN_REST_NEXT;
    return grad_scanner_fail_array(s, p, "unexpected_type", grad_scanner_offset(s, p), s->level,
                                   "expected a number, found an object" GRAD_TYPED_ARRAY);
}

static const char *scan_element(grad_scanner *s, const char *p, const char *end)
{
    if (*p == '"' || grad_is_word_byte(*p))
        return scan_leaf(s, p, end);
    if (*p == '[')
        return open_row(s, p);
    if (*p == '{')
        return fail_object(s, p);
    if (*p != ']')
        return grad_scanner_fail_byte(s, p, "a number");
    if (s->state == GRAD_SCAN_FIRST)
        return close_row(s, p);
    return grad_scanner_fail_byte(s, p, "another element behind the comma");
}

static const char *scan_behind(grad_scanner *s, const char *p)
{
    if (*p == ']')
        return close_row(s, p);
    if (*p != ',')
        return grad_scanner_fail_byte(s, p, "a comma or a closing bracket");
    s->state = GRAD_SCAN_NEXT;
    return p + 1;
}

const char *grad_scanner_array(grad_scanner *s, const char *p, const char *end)
{
    while (p != NULL && p < end && s->state >= GRAD_SCAN_FIRST)
        if (s->state == GRAD_SCAN_NUMBER)
            p = scan_number(s, p, end);
        else if (s->state == GRAD_SCAN_LITERAL)
            p = scan_literal(s, p, end);
        else if (grad_scanner_is_space(*p))
            p++;
        else
            p = s->state == GRAD_SCAN_BEHIND ? scan_behind(s, p) : scan_element(s, p, end);
    return p;
}
