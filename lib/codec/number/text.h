/* The grammar of a JSON number (RFC 8259, 6) and the digits in its text: what the readers of floats
 * and of doubles share. Nothing is rounded in this file. */
#ifndef GRAD_CODEC_NUMBER_TEXT_H
#define GRAD_CODEC_NUMBER_TEXT_H

#include "gradient_wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ---- Eight digits at a time in one word; the first is the lowest byte, on any machine -------- */

static inline uint64_t grad_swar_load(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Whether all eight are '0' … '9': the high halves read 3, and still do with 6 added. */
static inline bool grad_swar_is_digits(uint64_t word)
{
    const uint64_t high = 0xF0F0F0F0F0F0F0F0, threes = 0x3030303030303030;

    return ((word & high) == threes) & (((word + 0x0606060606060606) & high) == threes);
}

/* The value of eight digits: pairs, then fours, then eight (D. Lemire, "Number parsing at a
 * gigabyte per second", 2021). */
static inline uint64_t grad_swar_value(uint64_t word)
{
    word = (word & 0x0F0F0F0F0F0F0F0F) * (10 << 8 | 1) >> 8;
    word = (word & 0x00FF00FF00FF00FF) * (100 << 16 | 1) >> 16;
    return (word & 0x0000FFFF0000FFFF) * ((uint64_t)10000 << 32 | 1) >> 32;
}

/* ---- A number's text ------------------------------------------------------------------------- */

/* The digits of a number: its value is digits * 10^exponent. */
typedef struct grad_decimal {
    uint64_t digits; /* modulo 2^64 where there are more than 19 */
    int64_t exponent;
    const char *first;    /* behind the sign */
    const char *mantissa; /* its end */
    size_t digit_count;   /* zeros in front counted */
} grad_decimal;

/* 10^19 - 1 is the longest row of nines that fits uint64_t. */
enum { GRAD_DIGITS_MAX = 19 };

/* The number between text and end, which is one, without its sign, of any length: the nearest float
 * or double, or infinity. Slow, exact. */
double grad_number_exact(grad_datatype datatype, const char *text, const char *end);

/* More than any exponent that a text of GRAD_NUMBER_TEXT_MAX bytes can bring back into range. */
enum { GRAD_EXPONENT_LIMIT = 100000 };

static inline bool grad_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *grad_skip_space(const char *p, const char *end)
{
    while (p < end && grad_is_space(*p))
        p++;
    return p;
}

static inline bool grad_is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* What may stand behind a value in a row. */
static inline bool grad_ends_value(char c)
{
    return c == ',' || c == ']' || grad_is_space(c);
}

/* Behind "],[" at p, with white space or without, if a number follows, else NULL; *bracket is the
 * one that opens. */
static inline const char *grad_skip_between_rows(const char *p, const char *end,
                                                 const char **bracket)
{
    if (p == end || *p != ']')
        return NULL;
    p = grad_skip_space(p + 1, end);
    if (p == end || *p != ',')
        return NULL;
    *bracket = p = grad_skip_space(p + 1, end);
    if (p == end || *p != '[')
        return NULL;
    p = grad_skip_space(p + 1, end);
    return p < end && (*p == '-' || grad_is_digit(*p)) ? p : NULL;
}

/* Whether c would go on with a number, or with something meant as one. */
static inline bool grad_is_number_byte(char c)
{
    return grad_is_digit(c) || c == '.' || c == '+' || c == '-' || c == 'e' || c == 'E';
}

static inline const char *grad_scan_digits(const char *p, const char *end, uint64_t *digits)
{
    uint64_t value = *digits;

    while (end - p >= 8) {
        uint64_t eight = grad_swar_load(p);

        if (!grad_swar_is_digits(eight))
            break;
        value = value * 100000000 + grad_swar_value(eight);
        p += 8;
    }
    for (; p < end && grad_is_digit(*p); p++)
        value = value * 10 + (uint64_t)(*p - '0');
    *digits = value;
    return p;
}

/* [+-]digits behind the e. *stop is the offending byte where it returns false. */
static inline bool grad_scan_exponent(const char *p, const char *end, int64_t *exponent,
                                      const char **stop)
{
    bool negative = p < end && *p == '-';
    const char *first;
    int64_t value = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (first = p; p < end && grad_is_digit(*p); p++)
        value = value < GRAD_EXPONENT_LIMIT ? value * 10 + (*p - '0') : value;
    *exponent += negative ? -value : value;
    *stop = p;
    return p > first;
}

/* A number behind its sign. *stop is behind the number, or the offending byte. */
static inline bool grad_scan_decimal(const char *p, const char *end, grad_decimal *number,
                                     const char **stop)
{
    const char *integer = p, *fraction;

    *number = (grad_decimal){.first = p};
    p = grad_scan_digits(p, end, &number->digits);
    *stop = p;
    if (p == integer)
        return false;
    if (*integer == '0' && p - integer > 1) {
        *stop = integer + 1;
        return false;
    }
    number->digit_count = (size_t)(p - integer);
    if (p < end && *p == '.') {
        fraction = p + 1;
        p = grad_scan_digits(fraction, end, &number->digits);
        *stop = p;
        if (p == fraction)
            return false;
        number->digit_count += (size_t)(p - fraction);
        number->exponent = fraction - p;
    }
    number->mantissa = p;
    return p == end || (*p != 'e' && *p != 'E') ||
           grad_scan_exponent(p + 1, end, &number->exponent, stop);
}

/* The whole number at text, sign and all, which has to end before another byte of a number does. */
static inline bool grad_scan_number(const char *text, const char *end, grad_decimal *number,
                                    const char **stop)
{
    const char *limit = end - text > GRAD_NUMBER_TEXT_MAX ? text + GRAD_NUMBER_TEXT_MAX : end;
    bool negative = text < end && *text == '-';

    return grad_scan_decimal(text + negative, limit, number, stop) &&
           !(*stop < end && grad_is_number_byte(**stop));
}

static inline int grad_clamp_exponent(int64_t exponent)
{
    return exponent < -GRAD_EXPONENT_LIMIT  ? -GRAD_EXPONENT_LIMIT
           : exponent > GRAD_EXPONENT_LIMIT ? GRAD_EXPONENT_LIMIT
                                            : (int)exponent;
}

/* Cuts a number of more than 19 digits to its first 19 that count. Whether it had no more. */
static inline bool grad_cut_digits(grad_decimal *number)
{
    const char *p = number->first;
    size_t left = number->digit_count, taken = 0;

    if (left <= GRAD_DIGITS_MAX)
        return true;
    number->digits = 0;
    for (; p < number->mantissa && taken < GRAD_DIGITS_MAX; p++) {
        if (*p == '.')
            continue;
        left--;
        number->digits = number->digits * 10 + (uint64_t)(*p - '0');
        taken += number->digits != 0;
    }
    number->exponent += (int64_t)left;
    return left == 0;
}

#endif
