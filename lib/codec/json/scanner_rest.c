/* The scanner behind a fault in an array of numbers: the rest of it is passed over. Numbers, plain
 * strings, true, false and null are looked at here and dropped, however many there are; other
 * strings and all objects go to the envelope, where jansson judges them. No fault is found here. */
#include "codec/json/scanner.h"
#include "codec/json/word.h"

/* Adds a comma, and bytes that were in the document at offset. */
static bool add_element(grad_scanner *s, const char *bytes, size_t length, int64_t offset)
{
    return grad_envelope_add(&s->envelope, ",", 1, offset - 1, &s->error) == GRAD_OK &&
           grad_envelope_add(&s->envelope, bytes, length, offset, &s->error) == GRAD_OK;
}

static const char *close_array(grad_scanner *s, const char *p)
{
    if (!grad_scanner_leave(s, p))
        return NULL;
    s->state = grad_scanner_behind(s);
    if (s->state == GRAD_SCAN_PLAIN &&
        grad_envelope_add(&s->envelope, "]", 1, grad_scanner_offset(s, p), &s->error) != GRAD_OK)
        return NULL;
    return p + 1;
}

static const char *open_array(grad_scanner *s, const char *p)
{
    if (!grad_scanner_enter(s, p))
        return NULL;
    grad_scanner_mark_rest(s, 1);
    s->state = GRAD_SCAN_REST_FIRST;
    return p + 1;
}

static const char *open_object(grad_scanner *s, const char *p)
{
    if (!grad_scanner_enter(s, p) || !add_element(s, p, 1, grad_scanner_offset(s, p)))
        return NULL;
    s->state = GRAD_SCAN_PLAIN;
    return p + 1;
}

static const char *rest_element(grad_scanner *s, const char *p)
{
    if (*p == '[')
        return open_array(s, p);
    if (*p == '{')
        return open_object(s, p);
    if (*p == ']' && s->state == GRAD_SCAN_REST_FIRST)
        return close_array(s, p);
    if (*p == '"' || grad_is_word_byte(*p)) {
        grad_scanner_begin_token(s, p, *p == '"' ? GRAD_SCAN_REST_STRING : GRAD_SCAN_REST_WORD);
        return p;
    }
    return grad_scanner_fail_byte(s, p, "an element of the array");
}

static const char *rest_behind(grad_scanner *s, const char *p)
{
    if (*p == ']')
        return close_array(s, p);
    if (*p != ',')
        return grad_scanner_fail_byte(s, p, "a comma or a closing bracket");
    s->state = GRAD_SCAN_REST_NEXT;
    return p + 1;
}

/* A number needs to be one, of any size. */
static const char *rest_word(grad_scanner *s, const char *p, const char *end)
{
    const char *stop = NULL;

    p = grad_scanner_collect(s, p, end);
    if (p == NULL || p == end)
        return p;
    if (grad_word_of(s->token, s->token_length, &stop) == GRAD_WORD_NONE)
        return grad_scanner_fail_word(s, stop, "an element of the array");
    s->state = GRAD_SCAN_REST_BEHIND;
    return p;
}

/* A string that is not plain goes to the envelope, from its beginning on. */
static const char *keep_string(grad_scanner *s, const char *p)
{
    if (!add_element(s, s->token, s->token_length, s->token_offset))
        return NULL;
    s->string_begin = s->envelope.text.length - s->token_length + 1;
    s->state = GRAD_SCAN_STRING;
    return p;
}

static const char *rest_string(grad_scanner *s, const char *p, const char *end)
{
    while (p < end) {
        bool is_plain = *p >= 0x20 && *p < 0x7F && *p != '\\';

        if (s->token_length > 0 && *p == '"') {
            s->state = GRAD_SCAN_REST_BEHIND;
            return p + 1;
        }
        if (!is_plain || s->token_length == sizeof s->token)
            return keep_string(s, p);
        s->token[s->token_length++] = *p++;
    }
    return p;
}

const char *grad_scanner_rest(grad_scanner *s, const char *p, const char *end)
{
    switch (s->state) {
    case GRAD_SCAN_REST_WORD:
        return rest_word(s, p, end);
    case GRAD_SCAN_REST_STRING:
        return rest_string(s, p, end);
    default:
        if (grad_scanner_is_space(*p))
            return p + 1;
        return s->state == GRAD_SCAN_REST_BEHIND ? rest_behind(s, p) : rest_element(s, p);
    }
}
