/* Rows of float32 to text by AVX2, in two passes over blocks of numbers. The first takes eight
 * numbers at a time from bits to digits and to a row of a table; the second writes one number after
 * the other, a shuffle and two stores each. No step branches on a number.
 *
 * The arithmetic is that of shortest.h in 28-bit fractions instead of 60-bit ones. What comes close
 * to an end of its interval or to a tie (about one in 2^22), subnormals, and what else is unusual,
 * are found and done over by shortest.h. */
#ifndef GRAD_CODEC_NUMBER_WRITE_BLOCK_H
#define GRAD_CODEC_NUMBER_WRITE_BLOCK_H

#include "codec/number/digits.h"
#include "codec/number/shortest.h"
#include "codec/number/sse2.h"
#include "codec/number/tables.h"

#if GRAD_NUMBER_TWICE

#include <immintrin.h>
#include <string.h>

enum { GRAD_BLOCK_STEP = 8, GRAD_BLOCK_MAX = 64 };

/* What the passes hand on: of each number nine digits as text, of which those behind the last one
 * that counts are not used, a point and a zero, and the row of grad_block_rows. */
typedef struct grad_block {
    _Alignas(32) char source[GRAD_BLOCK_MAX][16];
    _Alignas(32) uint32_t row[GRAD_BLOCK_MAX];
} grad_block;

#define GRAD_BLOCK_INLINE GRAD_NUMBER_MODERN GRAD_NUMBER_INLINE

/* ---- Lanes: eight of 32 bits; those at even and at odd places as four of 64 ------------------ */

typedef struct grad_pair {
    __m256i even, odd;
} grad_pair;

/* Eight lanes as four and four; those at even places still have the others above them. */
GRAD_BLOCK_INLINE grad_pair grad_part(__m256i lanes)
{
    return (grad_pair){lanes, _mm256_srli_epi64(lanes, 32)};
}

GRAD_BLOCK_INLINE grad_pair grad_part_clean(__m256i lanes)
{
    const __m256i low = _mm256_set1_epi64x(0xFFFFFFFF);

    return (grad_pair){_mm256_and_si256(lanes, low), _mm256_srli_epi64(lanes, 32)};
}

/* The low halves of both. */
GRAD_BLOCK_INLINE __m256i grad_join(grad_pair by)
{
    return _mm256_blend_epi32(by.even, _mm256_slli_epi64(by.odd, 32), 0xAA);
}

GRAD_BLOCK_INLINE __m256i grad_at_least(__m256i a, __m256i b)
{
    return _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a);
}

/* ---- From bits to a place: as in shortest.h -------------------------------------------------- */

/* In 2^-28 of a unit: more than the errors of rest and reach, and the margin of odd mantissas. */
enum { GRAD_BLOCK_SLACK = 16 };

#define GRAD_BLOCK_UNIT (1 << 28)

typedef struct grad_places {
    __m256i tens, rest, reach, exponent;
} grad_places;

/* Four products of c and the scale, the whole of the latter in its upper 32 bits. */
GRAD_BLOCK_INLINE __m256i grad_scaled(__m256i c, __m256i scale)
{
    return _mm256_add_epi64(_mm256_mul_epu32(c, _mm256_srli_epi64(scale, 32)),
                            _mm256_srli_epi64(_mm256_mul_epu32(c, scale), 32));
}

/* A tenth of the whole of it. */
GRAD_BLOCK_INLINE __m256i grad_tens(__m256i scaled)
{
    return _mm256_srli_epi64(
        _mm256_mul_epu32(_mm256_srli_epi64(scaled, 28), _mm256_set1_epi64x(0xCCCCCCCD)), 35);
}

GRAD_BLOCK_INLINE __m256i grad_rest(__m256i scaled, __m256i tens)
{
    return _mm256_sub_epi64(
        scaled, _mm256_mul_epu32(tens, _mm256_set1_epi64x((int64_t)10 * GRAD_BLOCK_UNIT)));
}

/* magnitude: bits without sign; of subnormals nothing comes of use. */
GRAD_BLOCK_INLINE grad_places grad_find_places(__m256i magnitude)
{
    const long long *table = (const long long *)(const void *)grad_block_scale;
    grad_pair field = grad_part_clean(_mm256_srli_epi32(magnitude, 23)), c, scale, scaled, tens;
    __m256i mantissa = _mm256_and_si256(magnitude, _mm256_set1_epi32(0x7FFFFF));
    grad_places found;

    c = grad_part(_mm256_or_si256(mantissa, _mm256_set1_epi32(0x800000)));
    scale = (grad_pair){_mm256_i64gather_epi64(table, field.even, 8),
                        _mm256_i64gather_epi64(table, field.odd, 8)};
    scaled = (grad_pair){grad_scaled(c.even, scale.even), grad_scaled(c.odd, scale.odd)};
    tens = (grad_pair){grad_tens(scaled.even), grad_tens(scaled.odd)};
    found.tens = grad_join(tens);
    found.rest =
        grad_join((grad_pair){grad_rest(scaled.even, tens.even), grad_rest(scaled.odd, tens.odd)});
    found.reach = _mm256_srli_epi32(
        _mm256_blend_epi32(_mm256_srli_epi64(scale.even, 32), scale.odd, 0xAA), 1);
    found.exponent = _mm256_and_si256(grad_join(scale), _mm256_set1_epi32(0xFF));
    return found;
}

/* ---- From a place to digits ------------------------------------------------------------------ */

/* The number is 10 tens + digit; unsure ones are to be done over. */
typedef struct grad_decimals {
    __m256i tens, digit, unsure;
} grad_decimals;

/* Whether a difference is within the slack of 0. */
GRAD_BLOCK_INLINE __m256i grad_near(__m256i difference)
{
    const __m256i slack = _mm256_set1_epi32(GRAD_BLOCK_SLACK);

    return grad_at_least(_mm256_set1_epi32(2 * GRAD_BLOCK_SLACK),
                         _mm256_add_epi32(difference, slack));
}

GRAD_BLOCK_INLINE grad_decimals grad_choose_digits(const grad_places *at, __m256i magnitude)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(GRAD_BLOCK_UNIT / 2);
    const __m256i ten = _mm256_set1_epi32((int)(10u * GRAD_BLOCK_UNIT));
    __m256i mantissa = _mm256_and_si256(magnitude, _mm256_set1_epi32(0x7FFFFF));
    __m256i is_power = _mm256_cmpeq_epi32(mantissa, zero);
    __m256i below = _mm256_srlv_epi32(at->reach, _mm256_srli_epi32(is_power, 31));
    __m256i above = _mm256_add_epi32(at->rest, at->reach);
    __m256i fraction = _mm256_and_si256(at->rest, _mm256_set1_epi32(GRAD_BLOCK_UNIT - 1));
    __m256i is_up = grad_at_least(above, ten), is_down = grad_at_least(below, at->rest);
    __m256i digit = _mm256_srli_epi32(_mm256_add_epi32(at->rest, half), 28);
    grad_decimals found;

    found.digit = _mm256_andnot_si256(_mm256_or_si256(is_up, is_down), digit); /* never ten */
    found.tens = _mm256_sub_epi32(at->tens, is_up);
    /* Of a power of two, the nearest may lie below its interval. */
    found.unsure =
        _mm256_and_si256(_mm256_cmpgt_epi32(fraction, below), _mm256_cmpgt_epi32(half, fraction));
    found.unsure = _mm256_or_si256(found.unsure, grad_near(_mm256_sub_epi32(at->rest, below)));
    found.unsure = _mm256_or_si256(found.unsure, grad_near(_mm256_sub_epi32(above, ten)));
    found.unsure = _mm256_or_si256(found.unsure, grad_near(_mm256_sub_epi32(fraction, half)));
    found.unsure =
        _mm256_or_si256(found.unsure, _mm256_cmpgt_epi32(_mm256_set1_epi32(0x800000), magnitude));
    found.unsure = _mm256_or_si256(
        found.unsure, _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(GRAD_LARGEST_BITS)));
    found.unsure = _mm256_andnot_si256(_mm256_cmpeq_epi32(magnitude, zero), found.unsure);
    return found;
}

/* ---- From digits to text --------------------------------------------------------------------- */

/* Numbers below 10^8 to twice four digits, 32 bits each. */
GRAD_BLOCK_INLINE __m256i grad_fours(__m256i eight)
{
    __m256i high = _mm256_srli_epi64(_mm256_mul_epu32(eight, _mm256_set1_epi64x(0xD1B71759)), 45);
    __m256i low = _mm256_sub_epi64(eight, _mm256_mul_epu32(high, _mm256_set1_epi64x(10000)));

    return _mm256_or_si256(high, _mm256_slli_epi64(low, 32));
}

/* Pairs of digits to digits, one a byte. */
GRAD_BLOCK_INLINE __m256i grad_split_pairs(__m256i pairs)
{
    __m256i tens = _mm256_mulhi_epu16(pairs, _mm256_set1_epi16(6554));

    return _mm256_add_epi16(_mm256_slli_epi16(pairs, 8),
                            _mm256_mullo_epi16(tens, _mm256_set1_epi16(1 - (10 << 8))));
}

/* Eight digits of each, zeros in front, the first one lowest. */
GRAD_BLOCK_INLINE grad_pair grad_split_eights(__m256i eights)
{
    grad_pair by = grad_part(eights);
    __m256i fours = _mm256_packus_epi32(grad_fours(by.even), grad_fours(by.odd));
    __m256i hundreds = _mm256_srli_epi16(_mm256_mulhi_epu16(fours, _mm256_set1_epi16(5243)), 3);
    __m256i others = _mm256_sub_epi16(fours, _mm256_mullo_epi16(hundreds, _mm256_set1_epi16(100)));

    return (grad_pair){grad_split_pairs(_mm256_unpacklo_epi16(hundreds, others)),
                       grad_split_pairs(_mm256_unpackhi_epi16(hundreds, others))};
}

/* Bit i: whether byte i of a lane isn't 0. */
GRAD_BLOCK_INLINE __m256i grad_nonzero_bits(__m256i bytes)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i bits = _mm256_set1_epi64x((int64_t)0x8040201008040201);

    return _mm256_sad_epu8(_mm256_and_si256(_mm256_cmpgt_epi8(bytes, zero), bits), zero);
}

/* How many digits there are up to the last one that isn't 0, of nine: the ninth counts where no
 * zeros were in front of the others. 126 and a number's bits are the exponent of it as a float. */
GRAD_BLOCK_INLINE __m256i grad_count_digits(grad_pair eights, __m256i digit, __m256i zeros)
{
    grad_pair bits = {grad_nonzero_bits(eights.even), grad_nonzero_bits(eights.odd)};
    __m256i is_nine = _mm256_cmpeq_epi32(zeros, _mm256_setzero_si256()), found;

    found = _mm256_slli_epi32(_mm256_and_si256(digit, is_nine), 8);
    found = _mm256_add_epi32(grad_join(bits), found);
    found = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(found)), 23);
    return _mm256_min_epi32(_mm256_sub_epi32(found, _mm256_set1_epi32(126)), _mm256_set1_epi32(9));
}

/* The rows of the numbers. exponent: of the first of nine digits, in grad_exponent_text. */
GRAD_BLOCK_INLINE __m256i grad_find_rows(__m256i exponent, __m256i count, __m256i bits)
{
    __m256i is_zero = _mm256_cmpeq_epi32(_mm256_slli_epi32(bits, 1), _mm256_setzero_si256());
    __m256i row = _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(exponent, 3), exponent),
                                   _mm256_sub_epi32(count, _mm256_set1_epi32(1)));
    __m256i zero =
        _mm256_add_epi32(_mm256_set1_epi32(GRAD_BLOCK_ROW_ZERO), _mm256_srli_epi32(bits, 31));

    return _mm256_blendv_epi8(row, zero, is_zero);
}

/* Sixteen bytes of each, in order: the digits, a point and a zero. */
GRAD_BLOCK_INLINE void grad_store_sources(grad_pair eights, grad_pair nine, char (*source)[16])
{
    const __m256i zeros = _mm256_set1_epi8('0'),
                  rest = _mm256_set1_epi64x('0' | '.' << 8 | '0' << 16);
    __m256i even = _mm256_or_si256(eights.even, zeros), odd = _mm256_or_si256(eights.odd, zeros);
    __m256i even_rest = _mm256_or_si256(nine.even, rest),
            odd_rest = _mm256_or_si256(nine.odd, rest);
    __m256i first = _mm256_unpacklo_epi64(even, even_rest);
    __m256i second = _mm256_unpacklo_epi64(odd, odd_rest);
    __m256i third = _mm256_unpackhi_epi64(even, even_rest);
    __m256i fourth = _mm256_unpackhi_epi64(odd, odd_rest);
    __m256i *out = (__m256i *)(void *)source;

    _mm256_store_si256(out, _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_store_si256(out + 1, _mm256_permute2x128_si256(third, fourth, 0x20));
    _mm256_store_si256(out + 2, _mm256_permute2x128_si256(first, second, 0x31));
    _mm256_store_si256(out + 3, _mm256_permute2x128_si256(third, fourth, 0x31));
}

/* One number, exactly. bits: of a magnitude that isn't 0. */
GRAD_NUMBER_MODERN static void grad_block_redo(uint32_t bits, char source[16], uint32_t *row)
{
    grad_shortest d = grad_find_shortest(bits);
    uint32_t four, eight, ninth, count;
    __m128i text;

    while (d.digits < 100000000) {
        d.digits *= 10;
        d.exponent--;
    }
    eight = d.digits / 10;
    ninth = d.digits - 10 * eight;
    four = eight / 10000;
    text = grad_split_fours(_mm_set_epi32(0, 0, (int)(eight - 10000 * four), (int)four));
    count = 8 - (uint32_t)__builtin_clzll((uint64_t)_mm_cvtsi128_si64(text)) / 8;
    _mm_storel_epi64((__m128i *)(void *)source, _mm_or_si128(text, _mm_set1_epi8('0')));
    source[8] = (char)('0' + ninth);
    *row = 9 * (uint32_t)(d.exponent + 8 - GRAD_EXPONENT_MIN) + (ninth != 0 ? 8 : count - 1);
}

/* The first pass, over eight numbers. */
GRAD_BLOCK_INLINE void grad_block_convert(const float *values, char (*source)[16], uint32_t *row)
{
    __m256i bits = _mm256_loadu_si256((const __m256i *)(const void *)values);
    __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF)), zeros, count;
    grad_places at = grad_find_places(magnitude);
    grad_decimals found = grad_choose_digits(&at, magnitude);
    grad_pair eights = grad_split_eights(found.tens), nine = grad_part_clean(found.digit), shift;
    unsigned unsure = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(found.unsure));

    zeros = _mm256_add_epi32(_mm256_cmpgt_epi32(_mm256_set1_epi32(10000000), found.tens),
                             _mm256_cmpgt_epi32(_mm256_set1_epi32(1000000), found.tens));
    at.exponent = _mm256_add_epi32(at.exponent, zeros);
    zeros = _mm256_sub_epi32(_mm256_setzero_si256(), zeros);
    shift = grad_part_clean(_mm256_slli_epi32(zeros, 3));
    eights.even = _mm256_or_si256(
        _mm256_srlv_epi64(eights.even, shift.even),
        _mm256_sllv_epi64(nine.even, _mm256_sub_epi64(_mm256_set1_epi64x(64), shift.even)));
    eights.odd = _mm256_or_si256(
        _mm256_srlv_epi64(eights.odd, shift.odd),
        _mm256_sllv_epi64(nine.odd, _mm256_sub_epi64(_mm256_set1_epi64x(64), shift.odd)));
    count = grad_count_digits(eights, found.digit, zeros);
    _mm256_store_si256((__m256i *)(void *)row, grad_find_rows(at.exponent, count, bits));
    grad_store_sources(eights, nine, source);
    for (; unsure != 0; unsure &= unsure - 1) {
        int i = __builtin_ctz(unsure);
        uint32_t one;

        memcpy(&one, &values[i], sizeof one);
        grad_block_redo(one & 0x7FFFFFFF, source[i], &row[i]);
    }
}

/* Writes values[0 … count), all finite, count of them a multiple of GRAD_BLOCK_STEP and at most
 * GRAD_BLOCK_MAX, with a comma behind each, and nonsense behind that: up to 32 bytes from where the
 * last number begins. Returns the end. */
GRAD_NUMBER_MODERN static char *grad_block_write(const float *values, size_t count, char *p)
{
    grad_block block;

    for (size_t i = 0; i < count; i += GRAD_BLOCK_STEP)
        grad_block_convert(values + i, block.source + i, block.row + i);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *row = grad_block_rows[block.row[i]];
        __m128i text = _mm_load_si128((const __m128i *)(const void *)block.source[i]);
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof bits);
        *p = '-';
        p += bits >> 31;
        text = _mm_shuffle_epi8(text, grad_vector_load(grad_block_shuffles[row[GRAD_ROW_SHUFFLE]]));
        _mm_storeu_si128((__m128i *)(void *)p, text);
        memcpy(p + row[GRAD_ROW_MANTISSA], row, 8);
        p += row[GRAD_ROW_LENGTH];
    }
    return p;
}

#endif

#endif
