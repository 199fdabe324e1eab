/* Telling words apart, and explaining those that are none of JSON's. */
#include "codec/json/word.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The room for a word that is mended: one byte may be put in front. */
enum { MENDED_SIZE = GRAD_WORD_SHOWN + 2 };

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool is_word_of_any_case(const char *text, size_t length, const char *word)
{
    if (strlen(word) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!grad_is_letter(text[i]) || (text[i] | 0x20) != word[i])
            return false;
    return true;
}

static bool is_number(const char *text, size_t length, const char **stop)
{
    grad_decimal number;

    return length <= GRAD_NUMBER_TEXT_MAX && grad_scan_number(text, text + length, &number, stop) &&
           *stop == text + length;
}

grad_word grad_word_of(const char *text, size_t length, const char **stop)
{
    *stop = text;
    if (*text == '-' || grad_is_digit(*text))
        return is_number(text, length, stop) ? GRAD_WORD_NUMBER : GRAD_WORD_NONE;
    return is_word(text, length, "true")    ? GRAD_WORD_TRUE
           : is_word(text, length, "false") ? GRAD_WORD_FALSE
           : is_word(text, length, "null")  ? GRAD_WORD_NULL
                                            : GRAD_WORD_NONE;
}

bool grad_word_is_non_finite(const char *text, size_t length, double *value)
{
    bool is_negative = length > 0 && *text == '-';
    size_t sign = length > 0 && (*text == '-' || *text == '+');

    if (is_word_of_any_case(text + sign, length - sign, "nan"))
        *value = (double)NAN;
    else if (is_word_of_any_case(text + sign, length - sign, "inf") ||
             is_word_of_any_case(text + sign, length - sign, "infinity"))
        *value = is_negative ? (double)-INFINITY : (double)INFINITY;
    else
        return false;
    return true;
}

const char *grad_word_skip_non_finite(const char *p, const char *end, double *value)
{
    static const char nan[] = "\"NaN\"", plus[] = "\"Infinity\"", minus[] = "\"-Infinity\"";

    if ((size_t)(end - p) < sizeof minus - 1)
        return NULL;
    if (memcmp(p, nan, sizeof nan - 1) == 0) {
        *value = (double)NAN;
        return p + sizeof nan - 1;
    }
    if (memcmp(p, plus, sizeof plus - 1) == 0) {
        *value = (double)INFINITY;
        return p + sizeof plus - 1;
    }
    *value = (double)-INFINITY;
    return memcmp(p, minus, sizeof minus - 1) == 0 ? p + sizeof minus - 1 : NULL;
}

/* What JSON writes for another language's word, or NULL. */
static const char *translation(const char *text, size_t length)
{
    static const char *const words[][2] = {
        {"true", "true"}, {"false", "false"},  {"null", "null"},      {"none", "null"},
        {"nil", "null"},  {"nothing", "null"}, {"undefined", "null"},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word_of_any_case(text, length, words[i][0]))
            return words[i][1];
    return NULL;
}

/* Copies a number's digits as JSON wants them: no separators, Fortran's d an e, and a point only
 * between digits. Returns the length. */
static size_t copy_digits(const char *p, const char *end, char *to)
{
    char *begin = to;

    for (; p < end; p++)
        if (*p == 'd' || *p == 'D')
            *to++ = 'e';
        else if (*p != '_' && (*p != '.' || (p + 1 < end && grad_is_digit(p[1]))))
            *to++ = *p;
    return (size_t)(to - begin);
}

/* Writes what JSON has for a number of another grammar: .5, +1, 1., 01, 1_000, 1.0d0, 2.5f. False
 * where it is none. */
static bool mend_number(const char *text, size_t length, char *mended)
{
    const char *p = text;
    const char *end = text + length;
    const char *stop;
    size_t used = 0;

    if (length > GRAD_WORD_SHOWN)
        return false;
    if (*p == '-')
        mended[used++] = *p;
    if (*p == '-' || *p == '+')
        p++;
    while (end - p > 1 && *p == '0' && grad_is_digit(p[1]))
        p++;
    if (end - p > 1 && strchr("fFlL", end[-1]) != NULL)
        end--;
    if (p < end && *p == '.')
        mended[used++] = '0';
    used += copy_digits(p, end, mended + used);
    mended[used] = '\0';
    return used > 0 && is_number(mended, used, &stop);
}

/* What to write instead, behind a semicolon; "" where nobody knows. */
static void advise(const char *text, size_t length, char *advice, size_t size)
{
    char mended[MENDED_SIZE];
    const char *json = translation(text, length);
    double value;

    advice[0] = '\0';
    if (grad_word_is_non_finite(text, length, &value))
        snprintf(advice, size,
                 "; JSON has no NaN or Infinity: with \"non_finite\": \"allow\" the strings "
                 "\"NaN\", \"Infinity\" and \"-Infinity\" stand for them in arrays of numbers");
    else if (json != NULL)
        snprintf(advice, size, "; JSON writes %s", json);
    else if (mend_number(text, length, mended))
        snprintf(advice, size, "; JSON writes %s", mended);
    else if (length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x')
        snprintf(advice, size, "; JSON has decimal numbers only");
}

static int shown(size_t length)
{
    return length < GRAD_WORD_SHOWN ? (int)length : GRAD_WORD_SHOWN;
}

void grad_word_explain(const char *text, size_t length, const char *what, char *detail, size_t size)
{
    char advice[200];

    advise(text, length, advice, sizeof advice);
    snprintf(detail, size, "expected %s, found %.*s%s%s", what, shown(length), text,
             length > GRAD_WORD_SHOWN ? "…" : "", advice);
}

/* Whether the text may be bytes in base64: of its alphabet, whole, and no name. */
static bool may_be_base64(const char *text, size_t length)
{
    if (length < 8 || length % 4 != 0)
        return false;
    for (int padding = 0; padding < 2 && text[length - 1] == '='; padding++)
        length--;
    for (size_t i = 0; i < length; i++)
        if (!grad_is_letter(text[i]) && !grad_is_digit(text[i]) && strchr("+/", text[i]) == NULL)
            return false;
    return true;
}

void grad_word_explain_string(const char *text, size_t length, const char *what, char *detail,
                              size_t size)
{
    char mended[MENDED_SIZE];
    const char *advice = "";
    const char *stop;

    if (is_number(text, length, &stop) || mend_number(text, length, mended))
        advice = "; numbers stand without quotes";
    else if (is_word(text, length, "NA"))
        advice = "; R's missing value is no number, NaN is spelled \"NaN\"";
    else if (may_be_base64(text, length))
        advice = "; if it is base64, it stands in an object: {\"shape\": [2], \"datatype\": "
                 "\"FP32\", \"base64\": \"…\"}";
    snprintf(detail, size, "expected %s, found the string \"%.*s\"%s%s", what, shown(length), text,
             length > GRAD_WORD_SHOWN ? " …" : "", advice);
}
