/* Decimal text to float32, one number at a time: the grammar, and the cases that need more than a
 * double to decide. Portable; rows of numbers have a faster way in number_row_read.c, which comes
 * here for whatever is unusual. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "wire/number_decimal.h"
#include "wire/number_swar.h"

/* The digits of a number: its value is digits * 10^exponent. */
typedef struct decimal {
    uint64_t digits; /* modulo 2^64 where there are more than 19 */
    int64_t exponent;
    const char *first;    /* behind the sign */
    const char *mantissa; /* its end */
    size_t digit_count;   /* zeros in front counted */
} decimal;

/* 10^19 - 1 is the longest row of nines that fits uint64_t. */
enum { DIGITS_MAX = 19 };

/* More than any exponent that a text of GRAD_NUMBER_TEXT_MAX bytes can bring back into range. */
enum { EXPONENT_MAX = 100000 };

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Whether c would go on with a number, or with something meant as one. */
static bool is_number_byte(char c)
{
    return is_digit(c) || c == '.' || c == '+' || c == '-' || c == 'e' || c == 'E';
}

static const char *scan_digits(const char *p, const char *end, uint64_t *digits)
{
    uint64_t value = *digits;

    while (end - p >= 8) {
        uint64_t eight = grad_swar_load(p);

        if (!grad_swar_is_digits(eight))
            break;
        value = value * 100000000 + grad_swar_value(eight);
        p += 8;
    }
    for (; p < end && is_digit(*p); p++)
        value = value * 10 + (uint64_t)(*p - '0');
    *digits = value;
    return p;
}

/* [+-]digits behind the e. *stop is the offending byte where it returns false. */
static bool scan_exponent(const char *p, const char *end, int64_t *exponent, const char **stop)
{
    bool negative = p < end && *p == '-';
    const char *first;
    int64_t value = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (first = p; p < end && is_digit(*p); p++)
        value = value < EXPONENT_MAX ? value * 10 + (*p - '0') : value;
    *exponent += negative ? -value : value;
    *stop = p;
    return p > first;
}

/* The grammar of RFC 8259, 6. *stop is behind the number, or the offending byte. */
static bool scan(const char *p, const char *end, decimal *number, const char **stop)
{
    const char *integer = p, *fraction;

    *number = (decimal){.first = p};
    p = scan_digits(p, end, &number->digits);
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
        p = scan_digits(fraction, end, &number->digits);
        *stop = p;
        if (p == fraction)
            return false;
        number->digit_count += (size_t)(p - fraction);
        number->exponent = fraction - p;
    }
    number->mantissa = p;
    return p == end || (*p != 'e' && *p != 'E') ||
           scan_exponent(p + 1, end, &number->exponent, stop);
}

/* Cuts a number of more than 19 digits to its first 19 that count. Whether it had no more. */
static bool cut_digits(decimal *number)
{
    const char *p = number->first;
    size_t left = number->digit_count, taken = 0;

    if (left <= DIGITS_MAX)
        return true;
    number->digits = 0;
    for (; p < number->mantissa && taken < DIGITS_MAX; p++) {
        if (*p == '.')
            continue;
        left--;
        number->digits = number->digits * 10 + (uint64_t)(*p - '0');
        taken += number->digits != 0;
    }
    number->exponent += (int64_t)left;
    return left == 0;
}

/* The C library's own conversion, exact for any length; it needs a terminated text. */
static float convert_exactly(const char *text, size_t length)
{
    char copy[GRAD_NUMBER_TEXT_MAX + 1];
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    float value;

    memcpy(copy, text, length);
    copy[length] = '\0';
    if (locale == (locale_t)0)
        return strtof(copy, NULL);
    value = strtof_l(copy, NULL, locale);
    freelocale(locale);
    return value;
}

static int clamp_exponent(int64_t exponent)
{
    return exponent < -EXPONENT_MAX  ? -EXPONENT_MAX
           : exponent > EXPONENT_MAX ? EXPONENT_MAX
                                     : (int)exponent;
}

grad_number_status grad_number_read(const char *text, const char *end, float *value,
                                    const char **stop)
{
    const char *limit = end - text > GRAD_NUMBER_TEXT_MAX ? text + GRAD_NUMBER_TEXT_MAX : end;
    bool negative = text < end && *text == '-', exact;
    decimal number;
    float nearest;

    if (!scan(text + negative, limit, &number, stop) || (*stop < end && is_number_byte(**stop)))
        return GRAD_NUMBER_MALFORMED;
    exact = cut_digits(&number);
    if (!grad_number_round(number.digits, clamp_exponent(number.exponent), exact, &nearest))
        nearest = convert_exactly(number.first, (size_t)(*stop - number.first));
    if (isinf(nearest))
        return GRAD_NUMBER_OUT_OF_RANGE;
    *value = negative ? -nearest : nearest;
    return GRAD_NUMBER_OK;
}
