/* Numbers below 10^4 to their digits, many at once: what the writers of floats and of doubles
 * share. Empty where there is no SSE2. */
#ifndef GRAD_CODEC_NUMBER_DIGITS_H
#define GRAD_CODEC_NUMBER_DIGITS_H

#include "codec/number/sse2.h"

#if GRAD_NUMBER_SSE2

/* Four numbers below 10^4, 32 bits each, to 16 digits, one a byte: fours to pairs, and pairs to
 * digits, in all lanes at once, dividing by multiplications. */
GRAD_NUMBER_INLINE __m128i grad_split_fours(__m128i fours)
{
    __m128i pairs, quotient;

    quotient = _mm_srli_epi16(_mm_mulhi_epu16(fours, grad_lane(grad_lane_factors.hundredth)), 3);
    pairs = _mm_sub_epi16(fours, _mm_mullo_epi16(quotient, grad_lane(grad_lane_factors.hundred)));
    pairs = _mm_or_si128(quotient, _mm_slli_epi32(pairs, 16));
    quotient = _mm_mulhi_epu16(pairs, grad_lane(grad_lane_factors.tenth));
    return _mm_add_epi16(_mm_slli_epi16(pairs, 8),
                         _mm_mullo_epi16(quotient, grad_lane(grad_lane_factors.digits_of_ten)));
}

#endif

#endif
