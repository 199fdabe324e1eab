/* Up to 16 decimal digits as text, with a point among them. With SSE2 and without. */
#ifndef WIRE_NUMBER_DIGITS_H
#define WIRE_NUMBER_DIGITS_H

#include "codec/number/sse2.h"
#include "codec/number/tables.h"

#include <stdint.h>
#include <string.h>

/* The high 64 bits of a b; *low the others. */
GRAD_NUMBER_INLINE uint64_t grad_wide_product(uint64_t a, uint64_t b, uint64_t *low)
{
#if defined(__SIZEOF_INT128__) && !defined(GRAD_NUMBER_PORTABLE)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);

    *low = a * b;
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (uint32_t)middle) >> 32);
#endif
}

#if GRAD_NUMBER_SSE2

/* The 12 digits of digits * 10^shift < 10^12 and four zeros, one a byte, the first one lowest.
 * Three products give the first 4, 8 and 12 digits; the fours are then split into pairs, and pairs
 * into digits, in all lanes at once, dividing by multiplications. */
GRAD_NUMBER_INLINE __m128i grad_digits_split(uint32_t digits, int shift)
{
    const grad_splitter *by = &grad_splitters[shift];
    uint64_t ignored, scaled = (uint64_t)digits << 8;
    uint64_t four = grad_wide_product(scaled, by->first_four, &ignored);
    uint64_t eight = grad_wide_product(scaled, by->first_eight, &ignored);
    uint64_t twelve = digits * by->all_twelve;
    __m128i fours, pairs, quotient;

    fours = _mm_set_epi64x((int64_t)(twelve - eight * 10000),
                           (int64_t)((eight - four * 10000) << 32 | four));
    quotient = _mm_srli_epi16(_mm_mulhi_epu16(fours, grad_lane(grad_lane_factors.hundredth)), 3);
    pairs = _mm_sub_epi16(fours, _mm_mullo_epi16(quotient, grad_lane(grad_lane_factors.hundred)));
    pairs = _mm_or_si128(quotient, _mm_slli_epi32(pairs, 16));
    quotient = _mm_mulhi_epu16(pairs, grad_lane(grad_lane_factors.tenth));
    return _mm_add_epi16(_mm_slli_epi16(pairs, 8),
                         _mm_mullo_epi16(quotient, grad_lane(grad_lane_factors.digits_of_ten)));
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
#endif
