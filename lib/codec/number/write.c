/* float32 to the shortest decimal text that reads back as the same float32. What stands between
 * numbers is the encoder's, but for the commas of a row. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "codec/number/digits.h"
#include "codec/number/number.h"
#include "codec/number/shortest.h"
#include "codec/number/sse2.h"
#include "codec/number/tables.h"
#include "codec/number/wide.h"
#include "codec/number/write_block.h"

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

/* The e and the exponent behind count digits; index is that of the exponent in the tables. */
GRAD_NUMBER_INLINE char *write_exponent(int index, int count, char *p)
{
    p += count + (count > 1);
    memcpy(p, grad_exponent_text[index], 4);
    return p + grad_layouts[index].exponent_length;
}

/* Plain notation was written at p and is longer: scientific instead. */
static char *write_again(grad_shortest d, int length, int index, char *p)
{
    return write_exponent(index, grad_digits_write(d.digits, 12 - length, 1, p), p);
}

/* The shorter of plain and scientific notation, the plain one where they are as long. The zeros
 * that the plain one needs in front come by themselves if the digits stand further back among the
 * 12. */
GRAD_NUMBER_INLINE char *write_decimal(grad_shortest d, char *p)
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
    return write_decimal(grad_find_shortest(magnitude), p);
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

/* The last number goes the other way, which keeps to its room. */
GRAD_NUMBER_MODERN static char *write_row_modern(const float *values, size_t count, char *buffer)
{
    while (count > GRAD_BLOCK_STEP) {
        size_t some = (count - 1) / GRAD_BLOCK_STEP * GRAD_BLOCK_STEP;

        some = some < GRAD_BLOCK_MAX ? some : GRAD_BLOCK_MAX;
        buffer = grad_block_write(values, some, buffer);
        values += some;
        count -= some;
    }
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
