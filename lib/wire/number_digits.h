/* Up to 16 decimal digits as text, with a point among them. With SSE2 and without. */
#ifndef WIRE_NUMBER_DIGITS_H
#define WIRE_NUMBER_DIGITS_H

#include "wire/number_sse2.h"

#include <stdint.h>
#include <string.h>

#if GRAD_NUMBER_SSE2

/* The 16 digits of number < 10^16, one a byte, the first one lowest: eights are split into fours,
 * fours into pairs, pairs into digits, all lanes at once, dividing by multiplications. */
static inline __m128i grad_digits_split(uint64_t number)
{
    uint32_t high = (uint32_t)(number / 100000000);
    uint32_t low = (uint32_t)(number - high * (uint64_t)100000000);
    __m128i eights = _mm_set_epi64x(low, high), fours, pairs, quotient;

    quotient = _mm_srli_epi64(_mm_mul_epu32(eights, _mm_set1_epi32((int)0xD1B71759)), 45);
    fours = _mm_sub_epi32(eights, _mm_mul_epu32(quotient, _mm_set1_epi32(10000)));
    fours = _mm_or_si128(quotient, _mm_slli_epi64(fours, 32));
    quotient = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi16(5243)), 3);
    pairs = _mm_sub_epi16(fours, _mm_mullo_epi16(quotient, _mm_set1_epi16(100)));
    pairs = _mm_or_si128(quotient, _mm_slli_epi32(pairs, 16));
    quotient = _mm_mulhi_epu16(pairs, _mm_set1_epi16(6554));
    pairs = _mm_sub_epi16(pairs, _mm_mullo_epi16(quotient, _mm_set1_epi16(10)));
    return _mm_or_si128(quotient, _mm_slli_epi16(pairs, 8));
}

/* Writes the 16 digits of number, 0 < number < 10^16, with a point behind the first `point` (1 to
 * 15) of them; the last digit is lost. 16 bytes are written. Returns how many of the digits there
 * are up to the last one that isn't 0. */
static inline int grad_digits_write(uint64_t number, int point, char *p)
{
    __m128i digits = grad_digits_split(number), behind = grad_vector_last(16 - point), text;
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
static inline int grad_digits_write(uint64_t number, int point, char *p)
{
    char digits[16];
    int count = 16;

    for (int i = 15; i >= 0; i--) {
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
