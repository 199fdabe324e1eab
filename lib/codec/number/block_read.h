/* Rows of plain decimals to float32 with AVX2, in two passes over some 2 KB of text: the first
 * finds where each number begins and ends, and whether the text is one of numbers, 64 bytes at a
 * time; the second reads four numbers at once. It takes what certainly is right, up to the first
 * byte that is not; it never errs. Exponents and numbers of more than 32 bytes are not taken. */
#ifndef GRAD_CODEC_NUMBER_BLOCK_READ_H
#define GRAD_CODEC_NUMBER_BLOCK_READ_H

#include "codec/number/decimal.h"
#include "codec/number/number.h"
#include "codec/number/sse2.h"

#if GRAD_NUMBER_TWICE

#include <immintrin.h>

#define GRAD_BLOCK_INLINE GRAD_NUMBER_MODERN __attribute__((always_inline)) static inline

/* What is read in front of a number's end, words of 64 bytes in a block, numbers there at most. */
enum { GRAD_BLOCK_BEFORE = 33, GRAD_BLOCK_WORDS = 32, GRAD_BLOCK_NUMBERS = GRAD_BLOCK_WORDS * 32 };

/* ---- The first pass: bit i of a mask is byte i of the word ----------------------------------- */

typedef struct grad_byte_masks {
    uint64_t digits, zeros, dots, minus, commas, spaces, open, close, others;
    bool is_plain; /* digits, dots, minus and commas only */
} grad_byte_masks;

GRAD_BLOCK_INLINE uint64_t grad_block_mask(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

GRAD_BLOCK_INLINE uint64_t grad_block_equal(__m256i low, __m256i high, char c)
{
    return grad_block_mask(_mm256_cmpeq_epi8(low, _mm256_set1_epi8(c)),
                           _mm256_cmpeq_epi8(high, _mm256_set1_epi8(c)));
}

GRAD_BLOCK_INLINE __m256i grad_block_digits(__m256i bytes)
{
    __m256i digits = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));

    return _mm256_cmpeq_epi8(_mm256_min_epu8(digits, _mm256_set1_epi8(9)), digits);
}

/* The white space that has these low four bits is looked up by them; elsewhere stands what has
 * others. */
GRAD_BLOCK_INLINE __m256i grad_block_spaces(__m256i bytes)
{
    const __m256i spaces = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0));

    return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, bytes), bytes);
}

GRAD_BLOCK_INLINE grad_byte_masks grad_block_classify(const char *p)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    grad_byte_masks masks = {
        .digits = grad_block_mask(grad_block_digits(low), grad_block_digits(high)),
        .zeros = grad_block_equal(low, high, '0'),
        .dots = grad_block_equal(low, high, '.'),
        .minus = grad_block_equal(low, high, '-'),
        .commas = grad_block_equal(low, high, ','),
    };

    masks.others = ~(masks.digits | masks.dots | masks.minus | masks.commas);
    masks.is_plain = masks.others == 0;
    if (masks.is_plain)
        return masks;
    masks.spaces = grad_block_mask(grad_block_spaces(low), grad_block_spaces(high));
    masks.others &= ~masks.spaces;
    if (masks.others == 0)
        return masks;
    masks.open = grad_block_equal(low, high, '[');
    masks.close = grad_block_equal(low, high, ']');
    masks.others &= ~(masks.open | masks.close);
    return masks;
}

/* What one word hands on to the next: each 0 or 1, for its first byte. */
typedef struct grad_block_carries {
    uint64_t close, row, row_comma, bracket, value, start, number, end, minus, zero, integer, dot;
    uint64_t pending; /* one of those that plain words have none of */
} grad_block_carries;

/* The next byte of each. */
GRAD_BLOCK_INLINE uint64_t grad_block_next(uint64_t bits, uint64_t *carry)
{
    uint64_t next = bits << 1 | *carry;

    *carry = bits >> 63;
    return next;
}

/* From each on the first byte that is not to be skipped: the sum carries through those that are. */
GRAD_BLOCK_INLINE uint64_t grad_block_skip(uint64_t bits, uint64_t skipped, uint64_t *carry)
{
    uint64_t sum, from = bits | *carry;

    *carry = __builtin_add_overflow(from, skipped, &sum);
    return sum & ~skipped;
}

/* What a word holds: the first byte of each number, the one behind it, what ends an element (a
 * comma or a bracket), and whatever is wrong, from its first byte on. */
typedef struct grad_block_word {
    uint64_t starts, ends, delimiters, wrong;
} grad_block_word;

/* -?(0|[1-9][0-9]*)(\.[0-9]+)? from each start on. Returns what is wrong. */
GRAD_BLOCK_INLINE uint64_t grad_block_judge(const grad_byte_masks *m, uint64_t starts,
                                            grad_block_carries *c)
{
    uint64_t first = (starts & ~m->minus) | grad_block_next(starts & m->minus, &c->minus);
    uint64_t behind_integer = grad_block_skip(first, m->digits, &c->integer);

    return (m->minus & ~starts) | (first & ~m->digits) |
           (grad_block_next(first & m->zeros, &c->zero) & m->digits) | (m->dots & ~behind_integer) |
           (grad_block_next(m->dots, &c->dot) & ~m->digits);
}

/* "],[" counts as a comma. */
GRAD_BLOCK_INLINE grad_block_word grad_block_parse(const grad_byte_masks *m, grad_block_carries *c)
{
    uint64_t numbers = m->digits | m->dots | m->minus, before, row_commas, brackets;
    grad_block_word word = {.wrong = m->others};

    row_commas = grad_block_skip(grad_block_next(m->close, &c->close), m->spaces, &c->row);
    brackets = grad_block_skip(grad_block_next(row_commas, &c->row_comma), m->spaces, &c->bracket);
    word.wrong |= (row_commas & ~m->commas) | (brackets ^ m->open);
    word.delimiters = (m->commas & ~row_commas) | m->close;
    word.starts = grad_block_skip(grad_block_next(word.delimiters, &c->value),
                                  m->spaces | row_commas | brackets, &c->start);
    before = grad_block_next(numbers, &c->number);
    word.ends = before & ~numbers;
    word.wrong |= (numbers & ~before) ^ word.starts;
    word.wrong |= grad_block_skip(word.ends, m->spaces, &c->end) ^ word.delimiters;
    word.wrong |= grad_block_judge(m, word.starts, c);
    return word;
}

/* Numbers of a block by where they begin and end. */
typedef struct grad_block {
    size_t start_count, end_count, count; /* count: with what ends the element */
    uint16_t starts[GRAD_BLOCK_NUMBERS + 16], ends[GRAD_BLOCK_NUMBERS + 16];
} grad_block;

/* Adds n to eight places. */
GRAD_BLOCK_INLINE void grad_block_move(const uint16_t *places, size_t n, uint16_t *to)
{
    _mm_storeu_si128((__m128i *)(void *)to,
                     _mm_add_epi16(grad_vector_load(places), _mm_set1_epi16((short)n)));
}

/* Writes the places of four ones, the lowest first. Returns the others. */
GRAD_BLOCK_INLINE uint64_t grad_block_list_four(uint64_t bits, uint16_t *list)
{
    list[0] = (uint16_t)_tzcnt_u64(bits);
    bits = _blsr_u64(bits);
    list[1] = (uint16_t)_tzcnt_u64(bits);
    bits = _blsr_u64(bits);
    list[2] = (uint16_t)_tzcnt_u64(bits);
    bits = _blsr_u64(bits);
    list[3] = (uint16_t)_tzcnt_u64(bits);
    return _blsr_u64(bits);
}

/* Writes the places of all, mostly at most eight, counted from offset on; room for eight more than
 * there are. Returns how many there are. */
GRAD_BLOCK_INLINE size_t grad_block_list(uint64_t bits, size_t offset, uint16_t *list)
{
    size_t count = (size_t)__builtin_popcountll(bits), i = 0;

    do {
        bits = grad_block_list_four(bits, list + i);
        bits = grad_block_list_four(bits, list + i + 4);
        grad_block_move(list + i, offset, list + i);
        i += 8;
    } while (__builtin_expect(i < count, 0));
    return count;
}

/* The lowest bytes, up to the first that is wrong. */
GRAD_BLOCK_INLINE uint64_t grad_block_right(uint64_t wrong)
{
    return _blsmsk_u64(wrong) >> (wrong != 0);
}

/* Every row has to end where its length says: the first bracket that does not is wrong. *row_end is
 * the number of the next that should have one behind it. */
GRAD_BLOCK_INLINE uint64_t grad_block_judge_rows(const grad_block_word *word, uint64_t close,
                                                 size_t count, size_t columns, size_t *row_end)
{
    close &= grad_block_right(word->wrong);
    for (; close != 0; close = _blsr_u64(close)) {
        uint64_t to_bracket = word->delimiters & _blsmsk_u64(close);

        if (count + (size_t)__builtin_popcountll(to_bracket) != *row_end)
            return _blsi_u64(close);
        *row_end += columns;
    }
    return 0;
}

/* Takes a word of numbers with a comma behind each and nothing else: they end at the commas and
 * begin behind them. Returns what is wrong. */
GRAD_BLOCK_INLINE uint64_t grad_block_take_plain(grad_block *block, const grad_byte_masks *m,
                                                 size_t offset, grad_block_carries *c)
{
    size_t is_start = c->value;
    uint64_t starts = grad_block_next(m->commas, &c->value);
    uint64_t wrong = grad_block_judge(m, starts, c), right = grad_block_right(wrong);
    uint16_t *behind = block->starts + block->start_count, *ends = block->ends + block->count;
    size_t count = grad_block_list(m->commas & right, offset, ends);

    *behind = (uint16_t)offset;
    behind += is_start;
    grad_block_move(ends, 1, behind);
    for (size_t i = 8; __builtin_expect(i < count, 0); i += 8)
        grad_block_move(ends + i, 1, behind + i);
    block->start_count += (size_t)__builtin_popcountll(starts & right);
    block->end_count = block->count += count;
    c->number = c->value ^ 1;
    return wrong;
}

/* The same for a word with white space or brackets. */
GRAD_BLOCK_INLINE uint64_t grad_block_take_any(grad_block *block, const grad_byte_masks *m,
                                               size_t offset, size_t columns, size_t *row_end,
                                               grad_block_carries *c)
{
    grad_block_word word = grad_block_parse(m, c);
    uint64_t right;

    c->pending = c->close | c->row | c->row_comma | c->bracket | c->start | c->end;
    if (m->close != 0)
        word.wrong |= columns == 0
                          ? m->close
                          : grad_block_judge_rows(&word, m->close, block->count, columns, row_end);
    right = grad_block_right(word.wrong);
    block->start_count +=
        grad_block_list(word.starts & right, offset, block->starts + block->start_count);
    block->end_count += grad_block_list(word.ends & right, offset, block->ends + block->end_count);
    block->count += (size_t)__builtin_popcountll(word.delimiters & right);
    return word.wrong;
}

/* Finds the numbers from p on, where a value is expected, in whole words in front of end. Returns
 * how many may be read: behind each stands another. */
GRAD_BLOCK_INLINE size_t grad_block_find(const char *p, const char *end, size_t columns,
                                         size_t filled, grad_block *block)
{
    size_t words = (size_t)(end - p) / 64, row_end = columns - filled, count;
    grad_block_carries carries = {.value = 1};
    uint64_t wrong = 0;

    block->start_count = block->end_count = block->count = 0;
    words = words < GRAD_BLOCK_WORDS ? words : GRAD_BLOCK_WORDS;
    for (size_t i = 0; i < words && wrong == 0; i++) {
        grad_byte_masks masks = grad_block_classify(p + 64 * i);

        wrong = masks.is_plain && carries.pending == 0
                    ? grad_block_take_plain(block, &masks, 64 * i, &carries)
                    : grad_block_take_any(block, &masks, 64 * i, columns, &row_end, &carries);
    }
    if (block->start_count == 0)
        return 0;
    count = block->count < block->start_count ? block->count : block->start_count - 1;
    return columns == 0 || count < row_end ? count : row_end - 1;
}

/* ---- The second pass: four numbers, from where they end -------------------------------------- */

/* 10^-f and -10^-f at 2 f. */
#define GRAD_BLOCK_POWER(f) 1e-##f, -1e-##f
static const double grad_block_powers[64] = {
    GRAD_BLOCK_POWER(0),  GRAD_BLOCK_POWER(1),  GRAD_BLOCK_POWER(2),  GRAD_BLOCK_POWER(3),
    GRAD_BLOCK_POWER(4),  GRAD_BLOCK_POWER(5),  GRAD_BLOCK_POWER(6),  GRAD_BLOCK_POWER(7),
    GRAD_BLOCK_POWER(8),  GRAD_BLOCK_POWER(9),  GRAD_BLOCK_POWER(10), GRAD_BLOCK_POWER(11),
    GRAD_BLOCK_POWER(12), GRAD_BLOCK_POWER(13), GRAD_BLOCK_POWER(14), GRAD_BLOCK_POWER(15),
    GRAD_BLOCK_POWER(16), GRAD_BLOCK_POWER(17), GRAD_BLOCK_POWER(18), GRAD_BLOCK_POWER(19),
    GRAD_BLOCK_POWER(20), GRAD_BLOCK_POWER(21), GRAD_BLOCK_POWER(22), GRAD_BLOCK_POWER(23),
    GRAD_BLOCK_POWER(24), GRAD_BLOCK_POWER(25), GRAD_BLOCK_POWER(26), GRAD_BLOCK_POWER(27),
    GRAD_BLOCK_POWER(28), GRAD_BLOCK_POWER(29), GRAD_BLOCK_POWER(30), GRAD_BLOCK_POWER(31)};

/* 16 bytes without the one in front of the last f, at f: those before it move up, and a zero comes
 * in. Nothing moves at 0. */
#define GRAD_BLOCK_GAP(f, i) ((i) < 16 - (f) ? ((i) == 0 ? 0x80 : (i)-1) : (i))
#define GRAD_BLOCK_GAPS(f)                                                                         \
    {                                                                                              \
        GRAD_BLOCK_GAP(f, 0), GRAD_BLOCK_GAP(f, 1), GRAD_BLOCK_GAP(f, 2), GRAD_BLOCK_GAP(f, 3),    \
            GRAD_BLOCK_GAP(f, 4), GRAD_BLOCK_GAP(f, 5), GRAD_BLOCK_GAP(f, 6),                      \
            GRAD_BLOCK_GAP(f, 7), GRAD_BLOCK_GAP(f, 8), GRAD_BLOCK_GAP(f, 9),                      \
            GRAD_BLOCK_GAP(f, 10), GRAD_BLOCK_GAP(f, 11), GRAD_BLOCK_GAP(f, 12),                   \
            GRAD_BLOCK_GAP(f, 13), GRAD_BLOCK_GAP(f, 14), GRAD_BLOCK_GAP(f, 15)                    \
    }
static const uint8_t grad_block_gaps[16][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    GRAD_BLOCK_GAPS(1),
    GRAD_BLOCK_GAPS(2),
    GRAD_BLOCK_GAPS(3),
    GRAD_BLOCK_GAPS(4),
    GRAD_BLOCK_GAPS(5),
    GRAD_BLOCK_GAPS(6),
    GRAD_BLOCK_GAPS(7),
    GRAD_BLOCK_GAPS(8),
    GRAD_BLOCK_GAPS(9),
    GRAD_BLOCK_GAPS(10),
    GRAD_BLOCK_GAPS(11),
    GRAD_BLOCK_GAPS(12),
    GRAD_BLOCK_GAPS(13),
    GRAD_BLOCK_GAPS(14),
    GRAD_BLOCK_GAPS(15)};

/* Digits behind the dot, by the places of dots up to the number's end, the highest bit last; 0
 * where the dot is of a number before it. */
GRAD_BLOCK_INLINE size_t grad_block_fraction(uint32_t dots, size_t length)
{
    size_t fraction = _lzcnt_u32(dots);

    return fraction < length ? fraction : 0;
}

/* Sixteen or 32 characters of digits, or less than '0', to fours of digits in 32 bits each. */
GRAD_BLOCK_INLINE __m256i grad_block_fours(__m256i text)
{
    __m256i digits = _mm256_subs_epu8(text, _mm256_set1_epi8('0'));
    __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(1 << 8 | 10));

    return _mm256_madd_epi16(pairs, _mm256_set1_epi32(1 << 16 | 100));
}

/* Sixteen digits in each lane, as doubles: four lanes of fours, those of a number side by side. */
GRAD_BLOCK_INLINE __m256d grad_block_doubles(__m256i fours, __m256i others)
{
    const __m256i magic = _mm256_set1_epi64x(0x4330000000000000); /* 2^52 */
    __m256i eights =
        _mm256_madd_epi16(_mm256_packus_epi32(fours, others), _mm256_set1_epi32(1 << 16 | 10000));
    __m256d high = _mm256_castsi256_pd(_mm256_blend_epi32(eights, magic, 0xAA));
    __m256d low = _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64(eights, 32), magic));

    high = _mm256_sub_pd(high, _mm256_castsi256_pd(magic));
    low = _mm256_sub_pd(low, _mm256_castsi256_pd(magic));
    return _mm256_add_pd(_mm256_mul_pd(high, _mm256_set1_pd(1e8)), low);
}

/* The characters of a number of up to 16, without its dot, behind zeros. */
GRAD_BLOCK_INLINE __m128i grad_block_narrow(const char *text, size_t start, size_t end,
                                            const double **power)
{
    size_t length = end - start, fraction;
    __m128i bytes = grad_vector_load(text + end - 16);
    __m128i dots = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'));

    fraction = grad_block_fraction((uint32_t)_mm_movemask_epi8(dots) << 16, length);
    *power = &grad_block_powers[2 * fraction + (text[start] == '-')];
    bytes = _mm_and_si128(bytes, grad_vector_last((int)length));
    return _mm_shuffle_epi8(bytes, grad_vector_load(grad_block_gaps[fraction]));
}

/* Ones in the last n bytes of 32. */
GRAD_BLOCK_INLINE __m256i grad_block_last(size_t n)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(grad_last_bytes + n));
}

/* The same of up to 32. */
GRAD_BLOCK_INLINE __m256i grad_block_wide(const char *text, size_t start, size_t end,
                                          const double **power)
{
    size_t length = end - start, fraction;
    __m256i behind = _mm256_loadu_si256((const __m256i *)(const void *)(text + end - 32));
    __m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(text + end - 33));
    __m256i dots = _mm256_cmpeq_epi8(behind, _mm256_set1_epi8('.')), use_behind;

    fraction = grad_block_fraction((uint32_t)_mm256_movemask_epi8(dots), length);
    *power = &grad_block_powers[2 * fraction + (text[start] == '-')];
    use_behind = grad_block_last(fraction > 0 ? fraction : 32);
    behind = _mm256_blendv_epi8(before, behind, use_behind);
    return _mm256_and_si256(behind, grad_block_last(length - (fraction > 0)));
}

GRAD_BLOCK_INLINE __m256i grad_block_join(__m128i low, __m128i high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/* Four numbers without their powers of ten, which are powers[0 … 3]. */
GRAD_BLOCK_INLINE __m256d grad_block_narrow_digits(const char *text, const uint16_t *starts,
                                                   const uint16_t *ends, const double *powers[4])
{
    __m128i first = grad_block_narrow(text, starts[0], ends[0], &powers[0]);
    __m128i second = grad_block_narrow(text, starts[1], ends[1], &powers[1]);
    __m128i third = grad_block_narrow(text, starts[2], ends[2], &powers[2]);
    __m128i fourth = grad_block_narrow(text, starts[3], ends[3], &powers[3]);

    return grad_block_doubles(grad_block_fours(grad_block_join(first, third)),
                              grad_block_fours(grad_block_join(second, fourth)));
}

GRAD_BLOCK_INLINE __m256d grad_block_wide_digits(const char *text, const uint16_t *starts,
                                                 const uint16_t *ends, const double *powers[4])
{
    __m256i first = grad_block_fours(grad_block_wide(text, starts[0], ends[0], &powers[0]));
    __m256i second = grad_block_fours(grad_block_wide(text, starts[1], ends[1], &powers[1]));
    __m256i third = grad_block_fours(grad_block_wide(text, starts[2], ends[2], &powers[2]));
    __m256i fourth = grad_block_fours(grad_block_wide(text, starts[3], ends[3], &powers[3]));
    __m256d left = grad_block_doubles(first, second), right = grad_block_doubles(third, fourth);
    __m256d high = _mm256_permute2f128_pd(left, right, 0x20);
    __m256d low = _mm256_permute2f128_pd(left, right, 0x31);

    return _mm256_add_pd(_mm256_mul_pd(high, _mm256_set1_pd(1e16)), low);
}

/* Bit i: number i is that close to the middle between two floats (grad_number_near_tie). */
GRAD_BLOCK_INLINE int grad_block_near_ties(__m256d values)
{
    __m256i rest = _mm256_and_si256(_mm256_castpd_si256(values), _mm256_set1_epi64x(0x1FFFFFFF));
    __m256i above = _mm256_cmpgt_epi64(rest, _mm256_set1_epi64x(0x10000000 - 17));
    __m256i below = _mm256_cmpgt_epi64(_mm256_set1_epi64x(0x10000000 + 17), rest);

    return _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_and_si256(above, below)));
}

/* Reads again, one by one, those of four whose bit is set. */
__attribute__((noinline, unused)) static void grad_block_settle(const char *text,
                                                                const uint16_t *starts,
                                                                const uint16_t *ends, int which,
                                                                float *out)
{
    const char *stop;

    for (size_t i = 0; i < 4; i++)
        if ((which >> i & 1) != 0)
            grad_number_read(text + starts[i], text + ends[i], &out[i], &stop);
}

/* Reads four numbers; false where one has more than 32 bytes. */
GRAD_BLOCK_INLINE bool grad_block_read_four(const char *text, const uint16_t *starts,
                                            const uint16_t *ends, float *out)
{
    unsigned longest = (unsigned)((ends[0] - starts[0] - 1) | (ends[1] - starts[1] - 1) |
                                  (ends[2] - starts[2] - 1) | (ends[3] - starts[3] - 1));
    const double *powers[4] GRAD_UNINITIALIZED;
    __m256d values;
    int ties;

    if (longest >= 32)
        return false;
    values = longest < 16 ? grad_block_narrow_digits(text, starts, ends, powers)
                          : grad_block_wide_digits(text, starts, ends, powers);
    values = _mm256_mul_pd(values, _mm256_set_pd(*powers[3], *powers[2], *powers[1], *powers[0]));
    _mm_storeu_ps(out, _mm256_cvtpd_ps(values));
    ties = grad_block_near_ties(values);
    if (__builtin_expect(ties != 0, 0))
        grad_block_settle(text, starts, ends, ties, out);
    return true;
}

/* Reads the first count numbers, or less where there are long ones. Returns how many. */
GRAD_BLOCK_INLINE size_t grad_block_convert(const char *text, const grad_block *block, size_t count,
                                            float *out)
{
    uint16_t starts[4] = {0}, ends[4] = {0};
    size_t i = 0;
    float four[4];

    for (; i + 4 <= count; i += 4)
        if (!grad_block_read_four(text, block->starts + i, block->ends + i, out + i))
            return i;
    for (size_t j = 0; i < count && j < 4; j++) { /* what stands behind repeats the last */
        size_t k = i + j < count ? i + j : count - 1;

        starts[j] = block->starts[k];
        ends[j] = block->ends[k];
    }
    if (i == count || !grad_block_read_four(text, starts, ends, four))
        return i;
    memcpy(out + i, four, (count - i) * sizeof *four);
    return count;
}

#endif
#endif
