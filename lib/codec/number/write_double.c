/* float64 to decimal text: the shortest of 15, 16 and 17 digits that reads back as the same double,
 * laid out as printf's %g does.
 *
 * The search is that of R. Giulietti, "The Schubfach way to render doubles", 2020: a number and the
 * ends of its interval in quarters of 10^k, each by a product with 128 bits of a power of ten. A
 * quarter that has a fraction is odd, which keeps comparisons with even quarters exact. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "codec/number/digits.h"
#include "codec/number/number.h"
#include "codec/number/tables.h"
#include "codec/number/wide.h"

/* ---- From bits to digits --------------------------------------------------------------------- */

/* value = digits * 10^exponent; digits are 17. */
typedef struct long_decimal {
    uint64_t digits;
    int exponent;
} long_decimal;

/* value = c * 2^q with 2^52 <= c < 2^53; the reals that round to it lie between (4 c - below) and
 * (4 c + above) quarters of 2^q, both ends included where is_closed. */
typedef struct binary {
    uint64_t c, below, above;
    int q;
    bool is_closed;
} binary;

#define IMPLICIT_BIT ((uint64_t)1 << 52)
#define MANTISSA (IMPLICIT_BIT - 1)
#define SIXTEEN_DIGITS ((uint64_t)10000000000000000)

/* bits: of a finite magnitude that isn't 0. */
GRAD_NUMBER_INLINE binary take_apart(uint64_t bits)
{
    int field = (int)(bits >> 52);
    uint64_t mantissa = bits & MANTISSA;

    return (binary){.c = mantissa | IMPLICIT_BIT,
                    .below = mantissa == 0 && field > 1 ? 1 : 2,
                    .above = 2,
                    .q = field - 1075,
                    .is_closed = mantissa % 2 == 0};
}

/* A subnormal is shifted to the front, and its interval with it. */
static binary take_apart_subnormal(uint64_t mantissa)
{
    binary value = {.c = mantissa, .below = 2, .q = -1074, .is_closed = mantissa % 2 == 0};

    while (value.c < IMPLICIT_BIT) {
        value.c *= 2;
        value.below *= 2;
        value.q--;
    }
    value.above = value.below;
    return value;
}

/* floor(log10(2^q)), for |q| < 1500. */
GRAD_NUMBER_INLINE int floor_log10_of_two(int q)
{
    return (q * 1262611) >> 22;
}

/* From 2^q to 10^k. */
typedef struct scale {
    grad_wide_power power;
    int shift;
} scale;

GRAD_NUMBER_INLINE scale scale_of(int q, int k)
{
    scale by = {.power = grad_wide_powers[-k - GRAD_WIDE_POWER_MIN],
                .shift = q + grad_floor_log2_of_ten(-k) + 1};

    by.power.low++; /* upwards: no power that is used has 64 ones there */
    return by;
}

/* The whole and the fraction of 10^k, the latter in 2^-64, cut off. */
GRAD_NUMBER_INLINE uint64_t multiply(uint64_t number, scale by, uint64_t *fraction)
{
    uint64_t ignored, low;
    uint64_t carried = grad_wide_product(number << by.shift, by.power.low, &ignored);
    uint64_t whole = grad_wide_product(number << by.shift, by.power.high, &low);

    *fraction = low + carried;
    return whole + (*fraction < carried);
}

/* Quarters of 10^k, odd where there is a fraction. What the power's being rounded adds is less than
 * 2^-64, so that a whole number of quarters stays one. */
static uint64_t rescale(uint64_t quarters, scale by)
{
    uint64_t fraction, whole = multiply(quarters, by, &fraction);

    return whole | (fraction != 0);
}

/* The nearest multiple of step, ties to even ones. */
static uint64_t nearest_multiple(uint64_t quarters, uint64_t step)
{
    uint64_t count = quarters / step, rest = quarters % step;

    return (count + (rest > step / 2 || (rest == step / 2 && count % 2 == 1))) * step;
}

/* The nearest of 15, 16 or 17 digits, exactly and for any number: powers of two, whose interval is
 * shorter below, and subnormals, which fewer digits tell apart, among them. */
static long_decimal find_nearest(binary value)
{
    int k = floor_log10_of_two(value.q) - 1; /* 17 or 18 digits of 10^k */
    scale by = scale_of(value.q, k);
    uint64_t low = rescale(4 * value.c - value.below, by) + !value.is_closed;
    uint64_t middle = rescale(4 * value.c, by);
    uint64_t high = rescale(4 * value.c + value.above, by) - !value.is_closed;
    bool is_long = middle / 4 >= 10 * SIXTEEN_DIGITS;
    uint64_t last = is_long ? 40 : 4, step = 100 * last, found;

    do {
        found = nearest_multiple(middle, step);
        step /= 10;
    } while (step >= last && (found < low || found > high));
    found /= 4;
    while (found >= 10 * SIXTEEN_DIGITS) {
        found /= 10;
        k++;
    }
    return (long_decimal){found, k};
}

#define UNIT ((uint64_t)1 << 60)

/* In units: more than the errors of rest and reach together. */
#define DOUBLE_SLACK 16

/* The shortest of a number whose neighbours are equally far. False where it comes too close to an
 * end of the interval, or to a middle between two decimals, to be sure.
 *
 * Let 10^k <= 2^q < 10^(k+1): the interval holds some multiple of 10^k, and at most one of
 * 10^(k+1), which is taken if it is there. The number is 10 tens + rest, and reach half of the
 * distance to the next one, in 10^k: the latter two in 60-bit fractions of it. */
GRAD_NUMBER_INLINE bool find_shortest_double(uint64_t bits, long_decimal *shortest)
{
    int q = (int)(bits >> 52) - 1075, k = floor_log10_of_two(q);
    scale by = scale_of(q, k);
    uint64_t fraction, whole = multiply((bits & MANTISSA) | IMPLICIT_BIT, by, &fraction);
    uint64_t tens = whole / 10, ones = whole - 10 * tens;
    uint64_t rest = ones << 60 | fraction >> 4, reach = by.power.high >> (5 - by.shift);
    uint64_t is_up = rest + reach >= 10 * UNIT, between = (rest > reach) & (is_up ^ 1);
    uint64_t digits = 10 * (tens + is_up) + ((ones + (fraction >> 63)) & (0 - between));
    uint64_t is_short = digits < SIXTEEN_DIGITS;

    /* Bits rather than branches, which no machine could foretell. */
    *shortest = (long_decimal){digits + (9 * digits & (0 - is_short)), k - (int)is_short};
    return rest - reach + DOUBLE_SLACK > 2 * DOUBLE_SLACK &&
           rest + reach - 10 * UNIT + DOUBLE_SLACK > 2 * DOUBLE_SLACK &&
           (fraction >> 4) - UNIT / 2 + DOUBLE_SLACK > 2 * DOUBLE_SLACK;
}

GRAD_NUMBER_INLINE long_decimal find_any_double(uint64_t bits)
{
    long_decimal found;

    if (bits < IMPLICIT_BIT)
        return find_nearest(take_apart_subnormal(bits));
    if ((bits & MANTISSA) == 0 || !find_shortest_double(bits, &found))
        return find_nearest(take_apart(bits));
    return found;
}

/* ---- From digits to text --------------------------------------------------------------------- */

#if GRAD_NUMBER_SSE2

/* Seventeen digits: the first one, and sixteen as text. */
typedef struct split {
    uint64_t first;
    __m128i others;
    int count; /* up to the last one that isn't 0 */
} split;

GRAD_NUMBER_INLINE split split_digits(uint64_t digits)
{
    uint64_t first = digits / SIXTEEN_DIGITS, others = digits - SIXTEEN_DIGITS * first;
    uint64_t eight = others / 100000000;
    __m128i eights = _mm_set_epi64x((int64_t)(others - 100000000 * eight), (int64_t)eight);
    __m128i fours = _mm_srli_epi64(_mm_mul_epu32(eights, _mm_set1_epi64x(0xD1B71759)), 45), text;
    unsigned nonzero;

    eights = _mm_sub_epi64(eights, _mm_mul_epu32(fours, _mm_set1_epi64x(10000)));
    text = grad_split_fours(_mm_or_si128(fours, _mm_slli_epi64(eights, 32)));
    nonzero = (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(text, _mm_setzero_si128()));
    return (split){.first = first,
                   .others = _mm_or_si128(text, _mm_set1_epi8('0')),
                   .count = 32 - __builtin_clz(2 * nonzero + 1)};
}

/* The other digits: 16 bytes. */
GRAD_NUMBER_INLINE void store_others(split by, char *p)
{
    _mm_storeu_si128((__m128i *)(void *)p, by.others);
}

/* The same, with a point behind the first `before` of them, 0 to 16: 17 bytes. */
GRAD_NUMBER_INLINE void store_pointed(split by, int before, char *p)
{
    __m128i behind = grad_vector_last(16 - before), shifted = _mm_slli_si128(by.others, 1);

    store_others(by, p + 1);
    shifted = _mm_and_si128(behind, shifted);
    by.others = _mm_or_si128(_mm_andnot_si128(behind, by.others), shifted);
    store_others(by, p);
    p[before] = '.';
}

#else

/* Eight digits, one a byte, the first one lowest. */
GRAD_NUMBER_INLINE uint64_t split_eight(uint64_t eight)
{
    uint64_t fours, pairs, tens;

    fours = eight / 10000;
    fours |= (eight - 10000 * fours) << 32;
    pairs = (fours * 10486 >> 20) & 0x0000007F0000007F; /* hundreds: exact below 10^4 */
    pairs |= (fours - 100 * pairs) << 16;
    tens = (pairs * 103 >> 10) & 0x000F000F000F000F; /* exact below 100 */
    return tens | (pairs - 10 * tens) << 8;
}

/* As text at p, in order on any machine. */
GRAD_NUMBER_INLINE void store_eight(uint64_t text, char *p)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    text = __builtin_bswap64(text);
#endif
    memcpy(p, &text, sizeof text);
}

/* With a point behind the first `before` of them, 0 to 8: nine bytes. */
GRAD_NUMBER_INLINE void store_nine(uint64_t text, int before, char *p)
{
    uint64_t front = before < 8 ? ((uint64_t)1 << 8 * before) - 1 : UINT64_MAX;

    store_eight(text, p + 1);
    store_eight((text & front) | (text & ~front) << 8, p);
    p[before] = '.';
}

/* How many bytes there are up to the last one that isn't 0. */
GRAD_NUMBER_INLINE int count_bytes(uint64_t digits)
{
    return digits == 0 ? 0 : 8 - __builtin_clzll(digits) / 8;
}

/* Seventeen digits: the first one, and twice eight. */
typedef struct split {
    uint64_t first, high, low;
    int count; /* up to the last one that isn't 0 */
} split;

GRAD_NUMBER_INLINE split split_digits(uint64_t digits)
{
    uint64_t first = digits / SIXTEEN_DIGITS, others = digits % SIXTEEN_DIGITS;
    split by = {.first = first,
                .high = split_eight(others / 100000000),
                .low = split_eight(others % 100000000)};

    by.count = by.low != 0 ? 9 + count_bytes(by.low) : 1 + count_bytes(by.high);
    by.high |= 0x3030303030303030;
    by.low |= 0x3030303030303030;
    return by;
}

/* As above. */
GRAD_NUMBER_INLINE void store_others(split by, char *p)
{
    store_eight(by.high, p);
    store_eight(by.low, p + 8);
}

GRAD_NUMBER_INLINE void store_pointed(split by, int before, char *p)
{
    if (before < 8) {
        store_nine(by.high, before, p);
        store_eight(by.low, p + 9);
    } else {
        store_eight(by.high, p);
        store_nine(by.low, before - 8, p + 8);
    }
}

#endif

GRAD_NUMBER_INLINE char *write_scientific(split by, int exponent, char *p)
{
    const char *text = grad_double_exponent_text[exponent - GRAD_DOUBLE_EXPONENT_MIN];

    *p = (char)('0' + by.first);
    p[1] = '.';
    store_others(by, p + 2);
    p += by.count + (by.count > 1);
    memcpy(p, text, 8);
    return p + text[7];
}

/* Plain notation for exponents of the first digit from -4 up to the precision, which is at least
 * 15: %g's. */
GRAD_NUMBER_INLINE char *write_long_decimal(long_decimal d, char *p)
{
    split by = split_digits(d.digits);
    int exponent = d.exponent + 16;

    if (exponent < -4 || exponent >= (by.count > 15 ? by.count : 15))
        return write_scientific(by, exponent, p);
    if (exponent < 0) {
        memcpy(p, "0.000", 5);
        p += 1 - exponent;
        *p = (char)('0' + by.first);
        store_others(by, p + 1);
        return p + by.count;
    }
    *p = (char)('0' + by.first);
    store_pointed(by, exponent, p + 1);
    return p + (by.count > exponent + 1 ? by.count + 1 : exponent + 1);
}

GRAD_NUMBER_INLINE char *write_double(double value, char *p)
{
    uint64_t bits, magnitude;

    memcpy(&bits, &value, sizeof bits);
    magnitude = bits & ~((uint64_t)1 << 63);
    *p = '-';
    p += bits >> 63;
    if (magnitude == 0) {
        memcpy(p, "0.0", 3);
        return p + (bits != 0 ? 3 : 1);
    }
    return write_long_decimal(find_any_double(magnitude), p);
}

char *grad_number_write_double(double value, char *buffer)
{
    return write_double(value, buffer);
}

GRAD_NUMBER_INLINE char *write_double_row(const double *values, size_t count, char *buffer)
{
    for (size_t i = 0; i < count; i++) {
        buffer = write_double(values[i], buffer);
        *buffer++ = ',';
    }
    return buffer - (count > 0);
}

#if GRAD_NUMBER_TWICE

GRAD_NUMBER_MODERN static char *write_double_row_modern(const double *values, size_t count,
                                                        char *buffer)
{
    return write_double_row(values, count, buffer);
}

#endif

char *grad_number_row_write_double(const double *values, size_t count, char *buffer)
{
#if GRAD_NUMBER_TWICE
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return write_double_row_modern(values, count, buffer);
#endif
    return write_double_row(values, count, buffer);
}
