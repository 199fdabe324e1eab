/* float32 to the shortest decimal text that reads back as the same float32. What stands between
 * numbers is the encoder's, but for the commas of a row.
 *
 * The search is that of R. Giulietti, "The Schubfach way to render doubles", 2020, with one product
 * for the number and the ends of its interval alike: float32 leaves 36 bits of 60 for the error. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "codec/number/digits.h"
#include "codec/number/number.h"
#include "codec/number/sse2.h"
#include "codec/number/tables.h"
#include "codec/number/wide.h"

/* ---- Up to 16 digits as text, with a point among them ---------------------------------------- */

#if GRAD_NUMBER_SSE2

/* The 12 digits of digits * 10^shift < 10^12 and four zeros, one a byte, the first one lowest.
 * Three products give the first 4, 8 and 12 digits. */
GRAD_NUMBER_INLINE __m128i grad_digits_split(uint32_t digits, int shift)
{
    const grad_splitter *by = &grad_splitters[shift];
    uint64_t ignored, scaled = (uint64_t)digits << 8;
    uint64_t four = grad_wide_product(scaled, by->first_four, &ignored);
    uint64_t eight = grad_wide_product(scaled, by->first_eight, &ignored);
    uint64_t twelve = digits * by->all_twelve;
    __m128i fours = _mm_set_epi64x((int64_t)(twelve - eight * 10000),
                                   (int64_t)((eight - four * 10000) << 32 | four));
    return grad_split_fours(fours);
}

/* Writes the 12 digits of digits * 10^shift, which is positive and below 10^12, and zeros behind
 * them, with a point behind the first `point` (1 to 15) of all: 16 bytes. shift is 0 to 5. Returns
 * how many digits there are up to the last one that isn't 0. */
GRAD_NUMBER_INLINE int grad_digits_write(uint32_t significand, int shift, int point, char *p)
{
    __m128i digits = grad_digits_split(significand, shift), behind = grad_vector_last(16 - point),
            text;
    unsigned nonzero = (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(digits, _mm_setzero_si128()));

    digits = _mm_or_si128(digits, _mm_set1_epi8('0'));
    text = _mm_or_si128(_mm_andnot_si128(behind, digits),
                        _mm_and_si128(behind, _mm_slli_si128(digits, 1)));
    _mm_storeu_si128((__m128i *)(void *)p, text);
    p[point] = '.';
    return 32 - __builtin_clz(nonzero);
}

#else

/* As above. */
static inline int grad_digits_write(uint32_t significand, int shift, int point, char *p)
{
    uint64_t number = significand * grad_splitters[shift].all_twelve;
    char digits[16];
    int count = 12;

    memset(digits, '0', sizeof digits);
    for (int i = 11; i >= 0; i--) {
        digits[i] = (char)('0' + number % 10);
        number /= 10;
    }
    while (digits[count - 1] == '0')
        count--;
    memcpy(p, digits, (size_t)point);
    p[point] = '.';
    memcpy(p + point + 1, digits + point, (size_t)(15 - point));
    return count;
}

#endif

/* ---- Numbers --------------------------------------------------------------------------------- */

/* value = digits * 10^exponent */
typedef struct decimal {
    uint32_t digits;
    int exponent;
} decimal;

/* A float's place between multiples of ten units of 10^exponent, in 60-bit fractions of that unit:
 * the float is 10 * tens + rest, and reach is half the distance to the next one. */
typedef struct place {
    uint32_t tens;
    uint64_t rest;
    uint64_t reach;
    int exponent;
} place;

#define UNIT ((uint64_t)1 << 60)

/* The scale is rounded up, so that rest is up to 2^24 too large. Nothing comes closer than this to
 * an end of the interval but what stands on it, which belongs to even mantissas. */
#define SLACK ((uint64_t)1 << 25)

/* How much shorter the reach of an odd mantissa is: what a reader that goes through a double would
 * round to the very end of the interval, and from there to the even neighbour. Half a unit of that
 * double is at most 2^-53 of the number, which is below 2^28 times 2^60 here. */
#define ODD_MARGIN_BITS 35

/* bits: of a finite magnitude that isn't 0. */
GRAD_NUMBER_INLINE place find_place(uint32_t bits)
{
    uint32_t field = bits >> 23;
    uint64_t c = (bits & 0x7FFFFF) | (uint64_t)(field > 0) << 23;
    uint64_t scale = grad_print_scale[field], fraction;
    uint64_t whole = grad_wide_product(c << 4, scale, &fraction);
    place found = {.tens = (uint32_t)whole / 10, .exponent = grad_print_exponent[field]};

    found.rest = (whole - (uint64_t)found.tens * 10) << 60 | fraction >> 4;
    found.reach = (scale >> 1) + SLACK - ((uint64_t)(bits & 1) << ODD_MARGIN_BITS);
    return found;
}

/* The nearest of 0 … 10, ties to even. */
GRAD_NUMBER_INLINE uint32_t nearest_digit(uint64_t rest)
{
    return (uint32_t)((rest + UNIT / 2 - 1 + (rest >> 60 & 1)) >> 60);
}

/* The shortest decimal in the interval of reals that round to this float, and of those the nearest.
 *
 * Let u be the float's unit in the last place and 10^k <= u < 10^(k+1). The interval is as wide as
 * u: it holds some multiple of 10^k, and at most one of 10^(k+1), which is taken if it is there. */
GRAD_NUMBER_INLINE decimal find_shortest(uint32_t bits)
{
    place at = find_place(bits);
    uint32_t up = at.rest + at.reach >= 10 * UNIT;
    uint32_t between = (at.rest > at.reach) & (up ^ 1);

    /* Bits rather than branches, which no machine could foretell. */
    at.tens += up;
    return (decimal){10 * at.tens + (nearest_digit(at.rest) & (0 - between)), at.exponent};
}

/* The same for a power of two: the float below is half as far as the one above, and it may be that
 * only a multiple of 10^(k-1) is in the interval. */
static decimal find_shortest_of_power(uint32_t bits)
{
    place at = find_place(bits);
    uint64_t below = at.reach >> 1, above = at.reach;
    uint64_t fraction = at.rest & (UNIT - 1);
    uint32_t whole = 10 * at.tens + (uint32_t)(at.rest >> 60);

    if (at.rest <= below)
        return (decimal){10 * at.tens, at.exponent};
    if (at.rest + above >= 10 * UNIT)
        return (decimal){10 * at.tens + 10, at.exponent};
    if (fraction > below && UNIT - fraction > above)
        return (decimal){10 * whole + nearest_digit(10 * fraction), at.exponent - 1};
    if (fraction > below)
        return (decimal){whole + 1, at.exponent};
    return (decimal){10 * at.tens + nearest_digit(at.rest), at.exponent};
}

/* Seven digits to nine, as those of most normal floats: the others get zeros at the end. */
static decimal widen(decimal d)
{
    while (d.digits < 1000000) {
        d.digits *= 10;
        d.exponent--;
    }
    return d;
}

/* The nearest decimal of eight digits lies above the largest float. A reader that compares doubles
 * takes that for infinity; the decimal below is as short. */
#define LARGEST 0x7F7FFFFF

/* For mantissas of zeros or ones alone. */
static decimal find_at_edge(uint32_t bits)
{
    if (bits == LARGEST)
        return (decimal){34028234, 31};
    return (bits & 1) == 0 ? find_shortest_of_power(bits) : find_shortest(bits);
}

GRAD_NUMBER_INLINE decimal find_any(uint32_t bits)
{
    if (((bits + 1) & 0x7FFFFE) == 0)
        return find_at_edge(bits);
    if (bits < 0x800000)
        return widen(find_shortest(bits));
    return find_shortest(bits);
}

/* The e and the exponent behind count digits; index is that of the exponent in the tables. */
GRAD_NUMBER_INLINE char *write_exponent(int index, int count, char *p)
{
    p += count + (count > 1);
    memcpy(p, grad_exponent_text[index], 4);
    return p + grad_layouts[index].exponent_length;
}

/* Plain notation was written at p and is longer: scientific instead. */
static char *write_again(decimal d, int length, int index, char *p)
{
    return write_exponent(index, grad_digits_write(d.digits, 12 - length, 1, p), p);
}

/* The shorter of plain and scientific notation, the plain one where they are as long. The zeros
 * that the plain one needs in front come by themselves if the digits stand further back among the
 * 12. */
GRAD_NUMBER_INLINE char *write_decimal(decimal d, char *p)
{
    int length = 7 + (d.digits >= 10000000) + (d.digits >= 100000000);
    int index = d.exponent + length - 1 - GRAD_EXPONENT_MIN;
    const grad_layout *layout = &grad_layouts[index];
    int end = grad_digits_write(d.digits, 12 - length - layout->zeros, layout->point, p);

    if (end > layout->scientific)
        return p + (end > layout->point ? end + 1 : layout->point);
    if (layout->scientific < 16)
        return write_again(d, length, index, p);
    return write_exponent(index, end, p);
}

/* Writes up to GRAD_NUMBER_WRITE_MAX bytes, and nonsense behind them up to WRITE_ROOM in all. */
enum { WRITE_ROOM = 32 };

GRAD_NUMBER_INLINE char *write_number(float value, char *p)
{
    uint32_t bits, magnitude;

    memcpy(&bits, &value, sizeof bits);
    magnitude = bits & 0x7FFFFFFF;
    *p = '-';
    p += bits >> 31;
    if (magnitude == 0) {
        memcpy(p, "0.0", 3);
        return p + (bits != 0 ? 3 : 1);
    }
    return write_decimal(find_any(magnitude), p);
}

char *grad_number_write(float value, char *buffer)
{
    char text[WRITE_ROOM];
    size_t length = (size_t)(write_number(value, text) - text);

    memcpy(buffer, text, length);
    return buffer + length;
}

/* All but the last number have at least WRITE_ROOM bytes left of the buffer's promised size. */
GRAD_NUMBER_INLINE char *write_row(const float *values, size_t count, char *buffer)
{
    for (size_t i = 0; i < count - 1; i++) {
        buffer = write_number(values[i], buffer);
        *buffer++ = ',';
    }
    return grad_number_write(values[count - 1], buffer);
}

#if GRAD_NUMBER_TWICE

GRAD_NUMBER_MODERN static char *write_row_modern(const float *values, size_t count, char *buffer)
{
    return write_row(values, count, buffer);
}

#endif

char *grad_number_row_write(const float *values, size_t count, char *buffer)
{
    if (count == 0)
        return buffer;
#if GRAD_NUMBER_TWICE
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return write_row_modern(values, count, buffer);
#endif
    return write_row(values, count, buffer);
}
