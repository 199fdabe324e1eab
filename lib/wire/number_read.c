/* Decimal text to float32, correctly rounded: never through a double that was rounded first. Digits
 * are taken eight at a time, up to 19 of them in a 64-bit integer w; number_round.h rounds w 10^q.
 * Longer numbers are strtof's. Reading has two ways: a straight one for the numbers that trainers
 * send, and a slow one for all others, the end of the text, and errors. What JSON has around
 * numbers is the scanner's. */
#include "gradient_wire.h"
#include "wire/number_round.h"
#include "wire/number_row.h"

#include <locale.h>
#include <stdlib.h>

#define MAX_DIGITS 19 /* any 19 digits fit 64 bits */
#define INFINITY_BITS 0x7f800000u
#define STRAIGHT_MAX 32 /* the straight way looks at no more bytes than these */

/* A number's parts as they stand in the text. */
typedef struct decimal {
    uint64_t w;    /* its digits; meaningless where there are more than MAX_DIGITS */
    int64_t q;     /* power of ten of the last digit */
    size_t digits; /* an upper bound of the significant ones */
    bool negative;
} decimal;

static const uint64_t powers_of_ten[] = {1,      10,      100,      1000,     10000,
                                         100000, 1000000, 10000000, 100000000};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* How many digits the eight bytes of v begin with. */
static inline unsigned leading_digits(uint64_t v)
{
    uint64_t low = v ^ 0x3030303030303030u; /* 0 to 9 where there are digits */
    uint64_t others =
        (((low & 0x7f7f7f7f7f7f7f7fu) + 0x7676767676767676u) | low) & 0x8080808080808080u;

    return others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
}

/* The number that the first count (0 to 8) of the digits in v spell. By pairs, fours, eights: each
 * step multiplies the earlier digits and adds the later ones. */
static inline uint64_t spelled(uint64_t v, unsigned count)
{
    v = (v ^ 0x3030303030303030u) << 8 * ((8 - count) & 7); /* zeros come in front */
    v = (v * 10 + (v >> 8)) & 0x00ff00ff00ff00ffu;
    v = (v * 100 + (v >> 16)) & 0x0000ffff0000ffffu;
    v = (v * 10000 + (v >> 32)) & 0xffffffffu;
    return count == 0 ? 0 : v;
}

/* ---- The slow way ---------------------------------------------------------------------------- */

static const char *take_digits(const char *p, const char *end, uint64_t *w)
{
    for (; p < end && is_digit(*p); p++)
        *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
}

/* Behind an 'e': adds the exponent to *q. It saturates far beyond what digits could make up for.
 * NULL where there are no digits; *stop is then the byte that should have been one. */
static const char *take_exponent(const char *p, const char *end, int64_t *q, const char **stop)
{
    bool negative = p < end && *p == '-';
    int64_t exponent = 0;

    p += p < end && (*p == '-' || *p == '+');
    if (p == end || !is_digit(*p)) {
        *stop = p;
        return NULL;
    }
    for (; p < end && is_digit(*p); p++)
        exponent = exponent < 1000000 ? exponent * 10 + (*p - '0') : exponent;
    *q += negative ? -exponent : exponent;
    return p;
}

static size_t significant_digits(const char *first, const char *last)
{
    size_t digits = 0;

    for (; first < last; first++)
        if (is_digit(*first) && (digits > 0 || *first != '0'))
            digits++;
    return digits;
}

/* Takes the number at p apart by JSON's grammar. Returns its end, or NULL with *stop at the byte
 * that breaks it. */
static const char *take_number(const char *p, const char *end, decimal *d, const char **stop)
{
    const char *first;

    *d = (decimal){.negative = p < end && *p == '-'};
    p += d->negative;
    first = p;
    p = take_digits(p, end, &d->w);
    if (p == first || (*first == '0' && p - first > 1)) {
        *stop = p == first ? p : first + 1;
        return NULL;
    }
    if (p < end && *p == '.') {
        const char *point = ++p;

        p = take_digits(p, end, &d->w);
        if (p == point) {
            *stop = p;
            return NULL;
        }
        d->q = -(p - point);
    }
    d->digits = (size_t)(p - first);
    if (d->digits > MAX_DIGITS)
        d->digits = significant_digits(first, p);
    if (p < end && (*p == 'e' || *p == 'E'))
        p = take_exponent(p + 1, end, &d->q, stop);
    return p;
}

/* The bits of a number of many digits, in the C locale whatever the program's is. */
static uint32_t round_long(const char *text, size_t length)
{
    char copy[GRAD_NUMBER_TEXT_MAX + 1];
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc's own, not allocated */
    float value;

    memcpy(copy, text, length);
    copy[length] = '\0';
    value = strtof_l(copy, NULL, c_locale);
    freelocale(c_locale);
    return grad_float_bits(value) & 0x7fffffffu;
}

grad_number_status grad_number_read(const char *text, const char *end, float *value,
                                    const char **stop)
{
    decimal d;
    const char *behind = take_number(text, end, &d, stop);
    uint32_t bits;

    if (behind == NULL)
        return GRAD_NUMBER_MALFORMED;
    if (behind - text > GRAD_NUMBER_TEXT_MAX) {
        *stop = text + GRAD_NUMBER_TEXT_MAX;
        return GRAD_NUMBER_MALFORMED;
    }
    *stop = behind;
    bits = d.digits <= MAX_DIGITS ? grad_round_decimal(d.w, d.q)
                                  : round_long(text, (size_t)(behind - text));
    if (bits >= INFINITY_BITS)
        return GRAD_NUMBER_OUT_OF_RANGE;
    *value = grad_float_of_bits(bits | (uint32_t)d.negative << 31);
    return GRAD_NUMBER_OK;
}

/* ---- The straight way ------------------------------------------------------------------------ */

/* Reads -d.dddde-xx: one digit before the point, up to 16 behind it, an exponent of at most two.
 * STRAIGHT_MAX bytes can be looked at. Returns the end, or NULL where the number is of another
 * kind: nothing is known of it then. */
static inline const char *read_straight(const char *p, float *value)
{
    uint32_t negative = *p == '-';
    unsigned digit, count, more;
    uint64_t w, v;
    int64_t q;
    uint32_t bits;

    p += negative;
    digit = (unsigned char)(*p - '0');
    if (digit > 9 || p[1] != '.')
        return NULL;
    v = grad_load_eight(p + 2);
    count = leading_digits(v);
    w = digit * powers_of_ten[count] + spelled(v, count);
    p += 2 + count;
    q = -(int64_t)count;
    if (count == 8) {
        v = grad_load_eight(p);
        more = leading_digits(v);
        w = w * powers_of_ten[more] + spelled(v, more);
        p += more;
        q -= more;
    }
    if (*p == 'e' || *p == 'E') {
        bool down = p[1] == '-';
        const char *first = p + 1 + (down || p[1] == '+');
        int exponent = *first - '0';

        if (!is_digit(*first))
            return NULL;
        if (is_digit(first[1]))
            exponent = exponent * 10 + (*++first - '0');
        q += down ? -exponent : exponent;
        p = first + 1;
    }
    bits = grad_round_decimal(w, q);
    if (count == 0 || is_digit(*p) || bits >= INFINITY_BITS)
        return NULL;
    *value = grad_float_of_bits(bits | negative << 31);
    return p;
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* The number at p by either way; NULL where it is wrong, or may go on behind end. */
static inline const char *read_whole(const char *p, const char *end, float *value)
{
    const char *behind = end - p >= STRAIGHT_MAX ? read_straight(p, value) : NULL;

    if (behind != NULL)
        return behind;
    if (grad_number_read(p, end, value, &behind) != GRAD_NUMBER_OK || behind == end)
        return NULL;
    return behind;
}

size_t grad_number_row_read(const char *text, const char *end, float *out, size_t capacity,
                            const char **stop, bool *after_value)
{
    const char *p = skip_space(text, end);
    size_t count = 0;

    *after_value = false;
    while (count < capacity) {
        const char *behind = read_whole(p, end, &out[count]);

        if (behind == NULL)
            break;
        count++;
        p = skip_space(behind, end);
        if (p == end || *p != ',') {
            *after_value = true;
            break;
        }
        p = skip_space(p + 1, end);
    }
    *stop = p;
    return count;
}
