/* Words of a document: what is neither punctuation nor in quotes. JSON knows numbers, true, false
 * and null; the others are what people and programs write in their place, and what to say of it. */
#ifndef GRAD_CODEC_JSON_WORD_H
#define GRAD_CODEC_JSON_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/number/text.h"

typedef enum grad_word {
    GRAD_WORD_NONE, /* of JSON's */
    GRAD_WORD_NUMBER,
    GRAD_WORD_TRUE,
    GRAD_WORD_FALSE,
    GRAD_WORD_NULL
} grad_word;

/* Where numbers are expected and an array of none stands. */
#define GRAD_EMPTY_ARRAY                                                                           \
    "expected at least one number, found an empty array; no samples of 3 numbers are "             \
    "{\"shape\": [0, 3], \"data\": []}"

/* Bytes of a word in an error. */
enum { GRAD_WORD_SHOWN = 40 };

static inline bool grad_is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

/* Whether c goes on with a word. */
static inline bool grad_is_word_byte(char c)
{
    return grad_is_number_byte(c) || grad_is_letter(c) || c == '_';
}

/* What a value that begins with c would be, for an error. */
static inline const char *grad_word_kind(char c)
{
    return c == '"' ? "a string" : c == 't' || c == 'f' ? "true or false" : "a number";
}

/* Which word it is. *stop is the offending byte of what begins as a number does, else text. */
grad_word grad_word_of(const char *text, size_t length, const char **stop);

/* Whether a word spells a NaN or an infinity as any program does: nan, +inf, -Infinity, in any
 * case. */
bool grad_word_is_non_finite(const char *text, size_t length, double *value);

/* Behind one of the strings that gradientd writes for what is no number, quotes and all, at p; NULL
 * where another is, or perhaps not the whole of it. */
const char *grad_word_skip_non_finite(const char *p, const char *end, double *value);

/* What is wrong with a word that is none of JSON's: "expected WHAT, found .5; JSON writes 0.5".
 * detail has room for size bytes. */
void grad_word_explain(const char *text, size_t length, const char *what, char *detail,
                       size_t size);

/* The same for a string that stands where numbers are expected, its quotes left out. */
void grad_word_explain_string(const char *text, size_t length, const char *what, char *detail,
                              size_t size);

#endif
