/* Decimal text to float64. Nothing here is for float32, which has a shorter way. */
#include "codec/number/number.h"

#include <float.h>
#include <math.h>

#include "codec/number/tables.h"
#include "codec/number/text.h"
#include "codec/number/vector.h"
#include "codec/number/wide.h"

/* ---- The nearest double ---------------------------------------------------------------------- */

/* From here to 10^-1 a number of 19 digits may be an integer over 5^-e or lie in the middle between
 * two doubles: their powers are taken as rounded up. Up to TIE_MAX 10^e 5^-e has 53 bits. */
enum { ROUNDED_UP_MIN = -27, TIE_MIN = -4, TIE_MAX = 23, MANTISSA_BITS = 52 };

/* The first bits of digits * 5^exponent, digits with its highest bit set: the high 64 and *low, cut
 * off. Exact to the 55 bits that count: the second half of the power is taken where the first does
 * not tell. */
GRAD_NUMBER_INLINE uint64_t scaled_digits(uint64_t digits, int exponent, uint64_t *low)
{
    const grad_wide_power *power = &grad_wide_powers[exponent - GRAD_WIDE_POWER_MIN];
    bool is_rounded_up = exponent >= ROUNDED_UP_MIN && exponent < 0;
    uint64_t high = grad_wide_product(digits, power->high, low);

    if ((high & 0x1FF) == 0x1FF) {
        uint64_t ignored;
        uint64_t more = grad_wide_product(digits, power->low + is_rounded_up, &ignored);

        *low += more;
        high += *low < more;
    }
    return high;
}

static double double_of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A mantissa with one bit more than a subnormal double has, shifted so far to the right. */
static double round_subnormal(uint64_t mantissa, int shift)
{
    if (shift >= 64)
        return 0;
    mantissa >>= shift;
    return double_of_bits((mantissa + (mantissa & 1)) >> 1);
}

/* digits * 10^exponent as the nearest double, or infinity (D. Lemire, "Number parsing at a gigabyte
 * per second", 2021; N. Mushtak and D. Lemire, "Fast number parsing without fallback", 2023). */
GRAD_NUMBER_INLINE double nearest_double(uint64_t digits, int exponent)
{
    uint64_t high, low, mantissa;
    int shift, is_large, power;

    if (digits == 0 || exponent < GRAD_WIDE_POWER_MIN)
        return 0;
    if (exponent > DBL_MAX_10_EXP)
        return (double)INFINITY;
    shift = __builtin_clzll(digits);
    high = scaled_digits(digits << shift, exponent, &low);
    is_large = (int)(high >> 63);
    mantissa = high >> (is_large + 64 - MANTISSA_BITS - 3);
    power = grad_floor_log2_of_ten(exponent) + 63 + is_large - shift + 1023;
    if (power <= 0)
        return round_subnormal(mantissa, 1 - power);
    if (low <= 1 && exponent >= TIE_MIN && exponent <= TIE_MAX && (mantissa & 3) == 1 &&
        mantissa << (is_large + 64 - MANTISSA_BITS - 3) == high)
        mantissa--;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    power += (int)(mantissa >> (MANTISSA_BITS + 1)); /* rounded up to the next power of two */
    if (power >= 2047)
        return (double)INFINITY;
    return double_of_bits((mantissa & (((uint64_t)1 << MANTISSA_BITS) - 1)) | (uint64_t)power
                                                                                  << MANTISSA_BITS);
}

/* A number whose text is [first, end). */
static double round_decimal(grad_decimal *number, const char *end)
{
    bool is_whole = grad_cut_digits(number);
    int exponent = grad_clamp_exponent(number->exponent);
    double nearest = nearest_double(number->digits, exponent);

    /* What was cut off is less than one unit: it counts where that would. */
    if (!is_whole && nearest_double(number->digits + 1, exponent) != nearest)
        nearest = grad_number_exact(GRAD_FP64, number->first, end);
    return nearest;
}

grad_number_status grad_number_read_double(const char *text, const char *end, double *value,
                                           const char **stop)
{
    grad_decimal number;
    double nearest;

    if (!grad_scan_number(text, end, &number, stop))
        return GRAD_NUMBER_MALFORMED;
    nearest = round_decimal(&number, *stop);
    if (isinf(nearest))
        return GRAD_NUMBER_OUT_OF_RANGE;
    *value = number.first > text ? -nearest : nearest;
    return GRAD_NUMBER_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* NULL where the number doesn't certainly end in [p, end), or is an error. */
static const char *read_any_double(const char *p, const char *end, double *value)
{
    const char *stop;

    if (grad_number_read_double(p, end, value, &stop) != GRAD_NUMBER_OK || stop == end)
        return NULL;
    return stop;
}

GRAD_NUMBER_INLINE const char *read_one_double(const char *begin, const char *p, const char *end,
                                               double *value)
{
#if GRAD_NUMBER_SSE2
    uint64_t digits;
    int exponent, sign;

    if (grad_vector_has_room(begin, p, end)) {
        const char *behind = grad_vector_decimal(begin, p, end, &digits, &exponent, &sign);

        if (behind != NULL && grad_ends_value(*behind)) {
            double nearest = nearest_double(digits, exponent);

            *value = sign ? -nearest : nearest;
            if (nearest <= DBL_MAX)
                return behind;
        }
    }
#else
    (void)begin;
#endif
    return read_any_double(p, end, value);
}

GRAD_NUMBER_INLINE size_t read_row_double(const char *begin, const char *p, const char *end,
                                          double *out, size_t capacity, const char **stop,
                                          bool *after_value)
{
    size_t count = 0;

    *after_value = false;
    p = grad_skip_space(p, end);
    while (count < capacity && p < end) {
        const char *behind = read_one_double(begin, p, end, &out[count]);

        if (behind == NULL)
            break;
        count++;
        p = behind;
        if (*p != ',')
            p = grad_skip_space(p, end);
        *after_value = p == end || *p != ',' || count == capacity;
        if (*after_value)
            break;
        p++;
        if (p < end && (unsigned char)*p <= ' ')
            p = grad_skip_space(p, end);
    }
    *stop = p;
    return count;
}

#if GRAD_NUMBER_TWICE

GRAD_NUMBER_MODERN static size_t read_row_double_modern(const char *begin, const char *p,
                                                        const char *end, double *out,
                                                        size_t capacity, const char **stop,
                                                        bool *after_value)
{
    return read_row_double(begin, p, end, out, capacity, stop, after_value);
}

#endif

size_t grad_number_row_read_double(const char *begin, const char *text, const char *end,
                                   double *out, size_t capacity, const char **stop,
                                   bool *after_value)
{
#if GRAD_NUMBER_TWICE
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return read_row_double_modern(begin, text, end, out, capacity, stop, after_value);
#endif
    return read_row_double(begin, text, end, out, capacity, stop, after_value);
}
