/* Reads decimal texts in whole vectors of 16 bytes, with SSE2. It takes the usual forms and
 * declines the others; it never errs. text is the first byte that may be read. */
#ifndef GRAD_CODEC_NUMBER_VECTOR_H
#define GRAD_CODEC_NUMBER_VECTOR_H

#include "codec/number/decimal.h"
#include "codec/number/sse2.h"
#include "codec/number/text.h"

#include <float.h>
#include <stddef.h>

#if GRAD_NUMBER_SSE2

/* What is read in front of a token, and from its start on: nothing outside [text, end). */
enum {
    GRAD_VECTOR_BEFORE = 16,
    GRAD_VECTOR_ROOM = 24,
    GRAD_VECTOR_WIDE_BEFORE = 40,
    GRAD_VECTOR_WIDE_ROOM = 40
};

/* Bit i tells whether byte i of the 16 at p may stand in a plain number; *dots, where dots are. */
GRAD_NUMBER_INLINE unsigned grad_vector_classify(const char *p, unsigned *dots)
{
    __m128i bytes = grad_vector_load(p);
    __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)),
                                  _mm_cmplt_epi8(bytes, _mm_set1_epi8('9' + 1)));
    __m128i dot = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'));

    *dots = (unsigned)_mm_movemask_epi8(dot);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(digit, dot));
}

/* The 16 digits that end at last, as two numbers of eight in the low lanes; the first 16 - n count
 * as zeros; a dot stands in front of the last `fraction` of them. The digits in front
 * of the dot are taken from a second load, one byte earlier. */
GRAD_NUMBER_INLINE __m128i grad_vector_halves(const char *last, int fraction, int n)
{
    __m128i behind = grad_vector_load(last - 16);
    __m128i before = grad_vector_load(last - 17);
    __m128i use_behind = grad_vector_last(fraction);
    __m128i digits =
        _mm_or_si128(_mm_and_si128(use_behind, behind), _mm_andnot_si128(use_behind, before));
    __m128i pairs, fours;

    digits = _mm_and_si128(digits, _mm_and_si128(grad_vector_last(n), _mm_set1_epi8(0x0F)));
    pairs = _mm_srli_epi16(_mm_mullo_epi16(digits, grad_lane(grad_lane_factors.pair)), 8);
    fours = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
    fours = _mm_packs_epi32(fours, fours);
    return _mm_madd_epi16(fours, _mm_set1_epi32(1 << 16 | 10000));
}

/* The number that such halves make, exactly up to 2^53. */
GRAD_NUMBER_INLINE double grad_halves_double(__m128i halves)
{
    __m128d both = _mm_cvtepi32_pd(halves);

    return _mm_cvtsd_f64(both) * 1e8 + _mm_cvtsd_f64(_mm_unpackhi_pd(both, both));
}

GRAD_NUMBER_INLINE uint64_t grad_halves_integer(__m128i halves)
{
    uint64_t both = (uint64_t)_mm_cvtsi128_si64(halves);

    return (both & 0xFFFFFFFF) * 100000000 + (both >> 32);
}

/* Where a token's parts are, from its start on; what there is no dot of stands behind the end. */
typedef struct grad_token {
    int sign;     /* 1 with a minus */
    int dot;      /* the dot, or the end */
    int end;      /* behind the last digit */
    int fraction; /* digits behind the dot */
    int digits;   /* digits together */
} grad_token;

/* Finds the parts of a token; false where it isn't plain, -?(0|[1-9][0-9]*)(\.[0-9]+)?, or where it
 * doesn't end within the bytes classified. */
GRAD_NUMBER_INLINE bool grad_token_split(const char *p, uint32_t plain, uint32_t dots,
                                         uint32_t window, grad_token *token)
{
    uint32_t outside = ~plain & window & ~(uint32_t)1;
    uint32_t digits = plain & ~dots, end_bit;
    bool whole;

    if (outside == 0)
        return false;
    token->end = __builtin_ctz(outside);
    token->sign = *p == '-';
    end_bit = outside & (0 - outside);
    dots &= end_bit - 1;
    whole = dots == 0;
    token->dot = __builtin_ctz(dots | end_bit);
    token->fraction = token->end - token->dot - 1 + whole;
    token->digits = token->end - token->sign - 1 + whole;
    return !(((dots & (dots - 1)) != 0) | ((digits >> token->sign & 1) == 0) |
             ((p[token->sign] == '0') & (token->dot > token->sign + 1)) |
             ((dots & end_bit >> 1) != 0));
}

/* Adds the exponent behind an e: a sign or none, one to three digits. NULL where it is anything
 * else, or longer. */
GRAD_NUMBER_INLINE const char *grad_vector_exponent(const char *p, int *exponent)
{
    bool negative = *p == '-';
    int value;

    p += negative | (*p == '+');
    value = *p - '0';
    if ((unsigned)value > 9)
        return NULL;
    p++;
    for (int i = 1; i < 3 && (unsigned)(*p - '0') <= 9; i++)
        value = value * 10 + *p++ - '0';
    *exponent += negative ? -value : value;
    return p;
}

GRAD_NUMBER_INLINE float grad_with_sign(float magnitude, int negative)
{
    uint32_t bits;

    memcpy(&bits, &magnitude, sizeof bits);
    bits |= (uint32_t)negative << 31;
    memcpy(&magnitude, &bits, sizeof bits);
    return magnitude;
}

/* A token of at most 15 bytes with an exponent behind it. */
GRAD_NUMBER_INLINE const char *grad_vector_scaled(const char *p, const grad_token *token,
                                                  __m128i halves, float *value)
{
    int exponent = -token->fraction;
    const char *stop = grad_vector_exponent(p + token->end + 1, &exponent);
    float magnitude;

    if (stop == NULL ||
        !grad_number_round(grad_halves_integer(halves), exponent, true, &magnitude) ||
        magnitude > FLT_MAX)
        return NULL;
    *value = grad_with_sign(magnitude, token->sign);
    return stop;
}

/* Finds the parts of a token of 16 to 31 bytes. */
GRAD_NUMBER_INLINE bool grad_vector_split_wide(const char *text, const char *p, const char *end,
                                               grad_token *token)
{
    unsigned dots_low, dots_high, low, high;

    if (p - text < GRAD_VECTOR_WIDE_BEFORE || end - p < GRAD_VECTOR_WIDE_ROOM)
        return false;
    low = grad_vector_classify(p, &dots_low);
    high = grad_vector_classify(p + 16, &dots_high);
    return grad_token_split(p, low | high << 16, dots_low | dots_high << 16, 0xFFFFFFFF, token);
}

/* Such a token, perhaps with an exponent behind it. Digits in front of the last 16 make a double of
 * their own, so that there may be any number of them. */
GRAD_NUMBER_INLINE const char *grad_vector_wide(const char *text, const char *p, const char *end,
                                                float *value)
{
    grad_token token;
    const char *last, *stop;
    int exponent;
    double product;

    if (!grad_vector_split_wide(text, p, end, &token))
        return NULL;
    last = p + token.sign + token.digits + 1;
    stop = p + token.end;
    exponent = -token.fraction;
    if ((*stop | 0x20) == 'e')
        stop = grad_vector_exponent(stop + 1, &exponent);
    if (stop == NULL || exponent < GRAD_POWER_MIN || exponent > GRAD_POWER_MAX)
        return NULL;
    product =
        grad_halves_double(grad_vector_halves(last - 16, token.fraction - 16, token.digits - 16));
    product =
        product * 1e16 + grad_halves_double(grad_vector_halves(last, token.fraction, token.digits));
    product *= grad_power_of_ten[exponent - GRAD_POWER_MIN];
    if (grad_number_near_tie(product) || product > FLT_MAX || (product < FLT_MIN && product != 0))
        return NULL;
    *value = grad_with_sign((float)product, token.sign);
    return stop;
}

/* Reads the number at p, which stands where a value is expected, and returns its end; NULL where
 * the portable way must judge. GRAD_VECTOR_BEFORE and GRAD_VECTOR_ROOM bytes are there. What stands
 * behind the number is the caller's to check: 'e' or a digit may. */
GRAD_NUMBER_INLINE const char *grad_vector_read(const char *text, const char *p, const char *end,
                                                float *value)
{
    unsigned dots, plain = grad_vector_classify(p, &dots);
    grad_token token;
    __m128i halves;
    double product;

    if ((~plain & 0xFFFE) == 0)
        return grad_vector_wide(text, p, end, value);
    if (!grad_token_split(p, plain, dots, 0xFFFF, &token))
        return NULL;
    halves = grad_vector_halves(p + token.sign + token.digits + 1, token.fraction, token.digits);
    if ((p[token.end] | 0x20) == 'e')
        return grad_vector_scaled(p, &token, halves, value);
    product = grad_halves_double(halves) * grad_power_of_ten[-token.fraction - GRAD_POWER_MIN];
    if (grad_number_near_tie(product))
        return NULL;
    *value = grad_with_sign((float)product, token.sign);
    return p + token.end;
}

/* The digits of the number at p, its exponent and its sign, for double precision: as above; NULL
 * where the digits need more than 64 bits, too. */
GRAD_NUMBER_INLINE const char *grad_vector_decimal(const char *text, const char *p, const char *end,
                                                   uint64_t *digits, int *exponent, int *sign)
{
    unsigned dots, plain = grad_vector_classify(p, &dots);
    bool is_wide = (~plain & 0xFFFE) == 0;
    grad_token token;
    const char *last;

    if (is_wide ? !grad_vector_split_wide(text, p, end, &token)
                : !grad_token_split(p, plain, dots, 0xFFFF, &token))
        return NULL;
    last = p + token.sign + token.digits + 1;
    *digits = grad_halves_integer(grad_vector_halves(last, token.fraction, token.digits));
    if (is_wide) {
        uint64_t high = grad_halves_integer(
            grad_vector_halves(last - 16, token.fraction - 16, token.digits - 16));

        if (high >= 1000)
            return NULL;
        *digits += high * 10000000000000000;
    }
    *sign = token.sign;
    *exponent = -token.fraction;
    p += token.end;
    return (*p | 0x20) == 'e' ? grad_vector_exponent(p + 1, exponent) : p;
}

/* Whether there is room for reading a number at p in vectors. */
GRAD_NUMBER_INLINE bool grad_vector_has_room(const char *text, const char *p, const char *end)
{
    return p - text >= GRAD_VECTOR_BEFORE && end - p >= GRAD_VECTOR_ROOM;
}

#endif
#endif
