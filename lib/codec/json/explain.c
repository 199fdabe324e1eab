/* A small reading of JSON's grammar, which stops at the first error and says what it is. Runs only
 * once there is one, so it is short rather than fast. */
#include "codec/json/explain.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "codec/json/utf8.h"
#include "codec/json/word.h"

enum { DEPTH_MAX = 2048 }; /* jansson's */

/* What may come next. */
typedef enum expectation {
    VALUE,         /* at the beginning, and behind ':' */
    FIRST_ELEMENT, /* behind '[' */
    ELEMENT,       /* behind ',' in an array */
    FIRST_NAME,    /* behind '{' */
    NAME,          /* behind ',' in an object */
    COLON,
    BEHIND /* behind a value */
} expectation;

typedef struct reading {
    const char *p, *end;
    expectation next;
    size_t depth;
    bool objects[DEPTH_MAX]; /* whether what is open at a depth is an object */
    const char *wrong;       /* NULL as long as nothing is */
    char *detail;
    size_t size;
} reading;

grad_found_text grad_found_byte(char c)
{
    grad_found_text found;
    const char *hint = c == '\''              ? "; strings stand in double quotes"
                       : c == '/' || c == '#' ? "; JSON has no comments, and no fractions"
                       : c == '<'             ? ", as in HTML or XML"
                                              : "";

    if ((unsigned char)c > 0x20 && (unsigned char)c < 0x7F)
        snprintf(found.text, sizeof found.text, "'%c'%s", c, hint);
    else
        snprintf(found.text, sizeof found.text, "byte 0x%02X", (unsigned char)c);
    return found;
}

static void fail_at(reading *r, const char *where, const char *expected)
{
    r->wrong = where;
    if (where == r->end)
        snprintf(r->detail, r->size, "expected %s, found the end of the document", expected);
    else
        snprintf(r->detail, r->size, "expected %s, found %s", expected, GRAD_FOUND_BYTE(*where));
}

static bool is_hex4(const char *p, const char *end)
{
    size_t digits = 0;

    while (digits < 4 && p + digits < end && isxdigit((unsigned char)p[digits]) != 0)
        digits++;
    return digits == 4;
}

/* Whether the four digits at p are of a surrogate whose first byte is that. */
static bool is_surrogate(const char *p, const char *thirds)
{
    return (*p | 0x20) == 'd' && strchr(thirds, p[1] | 0x20) != NULL;
}

/* The escape whose letter is at p. */
static const char *read_escape(reading *r, const char *p)
{
    const char *behind = p + 5;

    if (p == r->end || strchr("\"\\/bfnrtu", *p) == NULL || *p == '\0') {
        fail_at(r, p, "an escape such as \\n, \\\" or \\u00e9");
        return NULL;
    }
    if (*p != 'u')
        return p + 1;
    if (!is_hex4(p + 1, r->end)) {
        fail_at(r, p, "four hexadecimal digits behind \\u");
        return NULL;
    }
    if (!is_surrogate(p + 1, "89abcdef"))
        return behind;
    if (is_surrogate(p + 1, "89ab") && r->end - behind >= 6 && behind[0] == '\\' &&
        behind[1] == 'u' && is_hex4(behind + 2, r->end) && is_surrogate(behind + 2, "cdef"))
        return behind + 6;
    r->wrong = p - 1;
    snprintf(r->detail, r->size, "expected surrogates in pairs, found %.6s alone", p - 1);
    return NULL;
}

/* The string whose opening quote is at p. Returns behind it, NULL on an error. */
static const char *read_string(reading *r)
{
    const char *p = r->p + 1;

    while (p != NULL && p < r->end && *p != '"') {
        size_t length = grad_utf8_length(p, r->end);

        if ((unsigned char)*p < 0x20)
            fail_at(r, p, "no control character in a string");
        else if (length == 0)
            fail_at(r, p, "UTF-8");
        if (r->wrong != NULL)
            return NULL;
        p = *p == '\\' ? read_escape(r, p + 1) : p + length;
    }
    if (p == NULL)
        return NULL;
    if (p < r->end)
        return p + 1;
    fail_at(r, p, "the end of a string");
    return NULL;
}

static const char *read_word(reading *r)
{
    const char *p = r->p;
    const char *stop = NULL;
    size_t length = 0;

    while (p + length < r->end && grad_is_word_byte(p[length]))
        length++;
    if (grad_word_of(p, length, &stop) != GRAD_WORD_NONE)
        return p + length;
    r->wrong = p;
    grad_word_explain(p, length, "a JSON value", r->detail, r->size);
    return NULL;
}

static void open_container(reading *r)
{
    if (r->depth == DEPTH_MAX) {
        r->wrong = r->p;
        snprintf(r->detail, r->size, "expected at most %d nested arrays and objects, found more",
                 DEPTH_MAX);
        return;
    }
    r->objects[r->depth++] = *r->p == '{';
    r->next = *r->p++ == '{' ? FIRST_NAME : FIRST_ELEMENT;
}

static void read_value(reading *r)
{
    const char *behind = NULL;

    if (r->p < r->end && (*r->p == '{' || *r->p == '[')) {
        open_container(r);
        return;
    }
    if (r->p < r->end && *r->p == '"')
        behind = read_string(r);
    else if (r->p < r->end && grad_is_word_byte(*r->p))
        behind = read_word(r);
    else
        fail_at(r, r->p, r->next == ELEMENT ? "another element behind the comma" : "a JSON value");
    r->p = behind;
    r->next = BEHIND;
}

static void close_container(reading *r)
{
    r->p++;
    r->depth--;
    r->next = BEHIND;
}

static void read_name(reading *r)
{
    if (r->p < r->end && *r->p == '"')
        r->p = read_string(r);
    else
        fail_at(r, r->p,
                r->next == NAME ? "another field behind the comma, its name in double quotes"
                                : "the name of a field in double quotes or '}'");
    r->next = COLON;
}

static void read_behind(reading *r)
{
    bool is_object = r->depth > 0 && r->objects[r->depth - 1];

    if (r->depth == 0)
        fail_at(r, r->p, "the end of the document");
    else if (r->p < r->end && *r->p == (is_object ? '}' : ']'))
        close_container(r);
    else if (r->p < r->end && *r->p == ',') {
        r->p++;
        r->next = is_object ? NAME : ELEMENT;
    } else
        fail_at(r, r->p, is_object ? "',' or '}' behind a field" : "',' or ']' behind an element");
}

static void read_token(reading *r)
{
    bool closes = r->p < r->end && ((r->next == FIRST_NAME && *r->p == '}') ||
                                    (r->next == FIRST_ELEMENT && *r->p == ']'));

    if (closes)
        close_container(r);
    else if (r->next == FIRST_NAME || r->next == NAME)
        read_name(r);
    else if (r->next == BEHIND)
        read_behind(r);
    else if (r->next != COLON)
        read_value(r);
    else if (r->p < r->end && *r->p == ':') {
        r->p++;
        r->next = VALUE;
    } else
        fail_at(r, r->p, "':' behind the name of a field");
}

void grad_json_explain(const char *text, size_t length, size_t *position, char *detail, size_t size)
{
    reading r = {.p = text, .end = text + length, .detail = detail, .size = size};

    snprintf(detail, size, "expected JSON, found something else");
    do {
        r.p = grad_skip_space(r.p, r.end);
        if (r.p == r.end && r.next == BEHIND && r.depth == 0)
            break;
        read_token(&r);
    } while (r.wrong == NULL);
    *position = r.wrong != NULL ? (size_t)(r.wrong - text) : length;
}

void grad_json_explain_head(const char *bytes, size_t length, char *detail, size_t size)
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

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        if (length >= heads[i].length && memcmp(bytes, heads[i].bytes, heads[i].length) == 0) {
            snprintf(detail, size, "expected %s, found %s", heads[i].expected, heads[i].name);
            return;
        }
    }
    snprintf(detail, size, "expected a JSON document, found %s", GRAD_FOUND_BYTE(*bytes));
}
