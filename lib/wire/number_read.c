/* Decimal text to float32, correctly rounded, never through a double that was rounded first. Digits
 * are taken eight at a time, up to 19 in a 64-bit integer w, so that a number is w 10^q; w 10^q is
 * rounded to binary32 by one 64x128-bit product (D. Lemire, Number Parsing at a Gigabyte per
 * Second, Software: Practice and Experience 51, 2021; N. Mushtak, D. Lemire, Fast Number Parsing
 * Without Fallback, 2023). More digits than that are strtof's. What JSON has around numbers is the
 * scanner's. */
#include "gradient_wire.h"
#include "wire/number_row.h"
#include "wire/number_tables.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIGITS 19 /* any 19 digits fit 64 bits */
#define INFINITE_EXPONENT 0xFF
#define MANTISSA_BITS 23

/* A number's parts as they stand in the text. */
typedef struct decimal {
    uint64_t w;    /* its digits; meaningless where digits > MAX_DIGITS */
    int64_t q;     /* power of ten of the last digit */
    size_t digits; /* significant ones: leading zeros are not counted */
    bool negative;
} decimal;

static const uint32_t powers_of_ten[] = {1,      10,      100,      1000,     10000,
                                         100000, 1000000, 10000000, 100000000};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* The eight bytes at p, the first one lowest: the same on machines of either byte order. */
static inline uint64_t load_eight(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* A bit in each byte that is no digit. */
static inline uint64_t non_digits(uint64_t v)
{
    uint64_t low = (v ^ 0x3030303030303030u); /* digits are now 0 to 9 */

    return (((low & 0x7f7f7f7f7f7f7f7fu) + 0x7676767676767676u) | low) & 0x8080808080808080u;
}

/* The number that eight digit bytes (0 to 9, the first one lowest) spell, by pairs, fours, eights. */
static inline uint32_t eight_digits(uint64_t v)
{
    v = (v * 10 + (v >> 8)) & 0x00ff00ff00ff00ffu;
    v = (v * 100 + (v >> 16)) & 0x0000ffff0000ffffu;
    return (uint32_t)(v * 10000 + (v >> 32));
}

/* Takes the digits at p into *w: eight at once where there are eight bytes to look at. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *w)
{
    while (end - p >= 8) {
        uint64_t v = load_eight(p);
        uint64_t stop = non_digits(v);
        unsigned count = stop ? (unsigned)__builtin_ctzll(stop) / 8 : 8;

        if (count == 0)
            return p;
        v = (v ^ 0x3030303030303030u) << (64 - 8 * count); /* zeros come in front */
        *w = *w * powers_of_ten[count] + eight_digits(v);
        p += count;
        if (count < 8)
            return p;
    }
    for (; p < end && is_digit(*p); p++)
        *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
}

/* Behind an 'e': adds the exponent to *q, which saturates far beyond any float's. NULL where there
 * are no digits; *stop is then the byte that should have been one. */
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
static inline const char *take_number(const char *p, const char *end, decimal *d, const char **stop)
{
    const char *first;
    const char *last;

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
    last = p;
    if (p < end && (*p | 0x20) == 'e')
        p = take_exponent(p + 1, end, &d->q, stop);
    d->digits = (size_t)(last - first);
    if (d->digits > MAX_DIGITS)
        d->digits = significant_digits(first, last);
    return p;
}

static inline float from_bits(uint32_t mantissa, uint32_t exponent, bool negative)
{
    uint32_t bits = (uint32_t)negative << 31 | exponent << MANTISSA_BITS | mantissa;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The top 64 of the 128 bits that matter of w 10^q, w having its top bit set; *low the next. The
 * second product is needed only where the first can't tell how binary32 will round. */
static inline uint64_t scaled(uint64_t w, int64_t q, uint64_t *low)
{
    const uint64_t *power = grad_read_powers[q - GRAD_READ_POWER_MIN];
    unsigned __int128 product = (unsigned __int128)w * power[0];
    const uint64_t undecided = ~(uint64_t)0 >> (MANTISSA_BITS + 3);

    if (((uint64_t)(product >> 64) & undecided) == undecided)
        product += ((unsigned __int128)w * power[1]) >> 64;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
}

/* A subnormal or the least normal: mantissa has one bit more than is kept, exponent is <= 0. */
static float from_tiny(uint64_t mantissa, int exponent, bool negative)
{
    if (-exponent + 1 >= 64)
        return from_bits(0, 0, negative);
    mantissa >>= -exponent + 1;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    return from_bits((uint32_t)mantissa, 0, negative); /* a carry makes the exponent 1 by itself */
}

/* w 10^q rounded to nearest, ties to even. False where that is an infinity. */
static inline bool round_decimal(uint64_t w, int64_t q, bool negative, float *value)
{
    uint64_t high, low, mantissa;
    int zeros, carry, exponent;

    if (w == 0 || q < GRAD_READ_POWER_MIN) {
        *value = from_bits(0, 0, negative);
        return true;
    }
    if (q > GRAD_READ_POWER_MAX)
        return false;
    zeros = __builtin_clzll(w);
    high = scaled(w << zeros, q, &low);
    carry = (int)(high >> 63);
    mantissa = high >> (carry + 64 - MANTISSA_BITS - 3);
    exponent = (((152170 + 65536) * (int)q) >> 16) + 63 + carry - zeros + 127;
    if (exponent <= 0) {
        *value = from_tiny(mantissa, exponent, negative);
        return true;
    }
    /* Exactly half way can only be for these q, and shows in nothing being left below. */
    if (low <= 1 && q >= -17 && q <= 10 && (mantissa & 3) == 1 &&
        mantissa << (carry + 64 - MANTISSA_BITS - 3) == high)
        mantissa &= ~(uint64_t)1;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >= (uint64_t)2 << MANTISSA_BITS) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent >= INFINITE_EXPONENT)
        return false;
    *value = from_bits((uint32_t)mantissa & 0x7fffff, (uint32_t)exponent, negative);
    return true;
}

/* A number of more than 19 digits, in the C locale whatever the program's is. False: infinity. */
static bool round_long(const char *text, const char *end, float *value)
{
    char copy[GRAD_NUMBER_TEXT_MAX + 1];
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc's is static */
    float rounded;

    memcpy(copy, text, (size_t)(end - text));
    copy[end - text] = '\0';
    rounded = strtof_l(copy, NULL, c_locale);
    freelocale(c_locale);
    if (rounded - rounded != 0)
        return false;
    *value = rounded;
    return true;
}

static inline grad_number_status read_number(const char *text, const char *end, float *value,
                                             const char **stop)
{
    decimal d;
    const char *behind = take_number(text, end, &d, stop);
    bool finite;

    if (behind == NULL)
        return GRAD_NUMBER_MALFORMED;
    *stop = behind;
    if (d.digits <= MAX_DIGITS) {
        finite = round_decimal(d.w, d.q, d.negative, value);
    } else if (behind - text > GRAD_NUMBER_TEXT_MAX) {
        *stop = text + GRAD_NUMBER_TEXT_MAX;
        return GRAD_NUMBER_MALFORMED;
    } else {
        finite = round_long(text, behind, value);
    }
    return finite ? GRAD_NUMBER_OK : GRAD_NUMBER_OUT_OF_RANGE;
}

grad_number_status grad_number_read(const char *text, const char *end, float *value,
                                    const char **stop)
{
    return read_number(text, end, value, stop);
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

size_t grad_number_row_read(const char *text, const char *end, float *out, size_t capacity,
                            const char **stop, bool *after_value)
{
    const char *p = text;
    size_t count = 0;

    *after_value = false;
    while (count < capacity) {
        const char *behind;

        p = skip_space(p, end);
        if (read_number(p, end, &out[count], &behind) != GRAD_NUMBER_OK || behind == end)
            break;
        count++;
        p = skip_space(behind, end);
        if (p == end || *p != ',') {
            *after_value = true;
            break;
        }
        p++;
    }
    *stop = p;
    return count;
}
