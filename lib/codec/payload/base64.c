/* Base64 in blocks. The loops over vectors follow W. Muła and D. Lemire, "Faster Base64 Encoding
 * and Decoding using AVX2 Instructions", ACM Transactions on the Web 12 (2018): the upper half of a
 * character's byte says in which range of the alphabet it is, and so what is to be added to it. */
#include "codec/payload/base64.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(GRAD_PAYLOAD_PORTABLE)
#define GRAD_PAYLOAD_AVX2 1
#include <immintrin.h>
#else
#define GRAD_PAYLOAD_AVX2 0
#endif

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One more than what each character stands for; 0: it is not of the alphabet. */
static const unsigned char letter_values[256] = {
    ['+'] = 63, ['/'] = 64, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58,
    ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,
    ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12,
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20,
    ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,
    ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52};

int grad_base64_value(char c)
{
    return letter_values[(unsigned char)c] - 1;
}

/* ---- AVX2 ------------------------------------------------------------------------------------ */

#if GRAD_PAYLOAD_AVX2

#define GRAD_FOR_AVX2 __attribute__((target("avx2")))

/* The same 16 bytes in both halves. */
#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/* 32 characters to 24 bytes, 32 written; false: one of them is no letter. A character is wrong
 * where the bits that its upper half and its lower half say of it have one in common. */
GRAD_FOR_AVX2 static inline bool decode_vector(const char *text, unsigned char *bytes)
{
    const __m256i by_lower = TWICE(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13,
                                   0x1A, 0x1B, 0x1B, 0x1B, 0x1A);
    const __m256i by_upper = TWICE(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10,
                                   0x10, 0x10, 0x10, 0x10, 0x10);
    const __m256i shifts = TWICE(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i order = TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i slash = _mm256_set1_epi8('/');
    __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)text);
    __m256i upper = _mm256_and_si256(_mm256_srli_epi32(in, 4), slash);
    __m256i lower = _mm256_and_si256(in, slash);
    __m256i shift;

    if (!_mm256_testz_si256(_mm256_shuffle_epi8(by_lower, lower),
                            _mm256_shuffle_epi8(by_upper, upper)))
        return false;
    shift = _mm256_shuffle_epi8(shifts, _mm256_add_epi8(_mm256_cmpeq_epi8(in, slash), upper));
    in = _mm256_add_epi8(in, shift);
    in = _mm256_maddubs_epi16(in, _mm256_set1_epi32(0x01400140));
    in = _mm256_madd_epi16(in, _mm256_set1_epi32(0x00011000));
    in = _mm256_shuffle_epi8(in, order);
    in = _mm256_permutevar8x32_epi32(in, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
    _mm256_storeu_si256((__m256i *)(void *)bytes, in);
    return true;
}

GRAD_FOR_AVX2 static size_t decode_vectors(const char *text, size_t length, unsigned char *bytes)
{
    size_t done = 0;

    while (length - done >= 32 && decode_vector(text + done, bytes + done / 4 * 3))
        done += 32;
    return done;
}

/* 24 bytes to 32 characters; 28 are read. */
GRAD_FOR_AVX2 static inline void encode_vector(const unsigned char *bytes, char *text)
{
    const __m256i order = TWICE(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m256i shifts =
        TWICE('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
              '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)bytes);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 12));
    __m256i in = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order);
    __m256i outer = _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0FC0FC00)),
                                       _mm256_set1_epi32(0x04000040));
    __m256i inner = _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003F03F0)),
                                       _mm256_set1_epi32(0x01000010));
    __m256i range;

    in = _mm256_or_si256(outer, inner);
    range = _mm256_subs_epu8(in, _mm256_set1_epi8(51));
    range = _mm256_or_si256(
        range, _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), in), _mm256_set1_epi8(13)));
    in = _mm256_add_epi8(in, _mm256_shuffle_epi8(shifts, range));
    _mm256_storeu_si256((__m256i *)(void *)text, in);
}

GRAD_FOR_AVX2 static size_t encode_vectors(const unsigned char *bytes, size_t count, char *text)
{
    size_t done = 0;

    for (; count - done >= 28; done += 24)
        encode_vector(bytes + done, text + done / 3 * 4);
    return done;
}

#endif

/* ---- One group after the other --------------------------------------------------------------- */

/* How much the vectors have done, if there are any. */
static size_t decode_fast(const char *text, size_t length, unsigned char *bytes)
{
#if GRAD_PAYLOAD_AVX2
    if (__builtin_cpu_supports("avx2"))
        return decode_vectors(text, length, bytes);
#endif
    (void)text;
    (void)length;
    (void)bytes;
    return 0;
}

static size_t encode_fast(const unsigned char *bytes, size_t count, char *text)
{
#if GRAD_PAYLOAD_AVX2
    if (__builtin_cpu_supports("avx2"))
        return encode_vectors(bytes, count, text);
#endif
    (void)bytes;
    (void)count;
    (void)text;
    return 0;
}

size_t grad_base64_decode(const char *text, size_t length, unsigned char *bytes)
{
    size_t done = decode_fast(text, length, bytes);

    for (; length - done >= 4; done += 4) {
        const unsigned char *in = (const unsigned char *)text + done;
        unsigned char *out = bytes + done / 4 * 3;
        unsigned a = letter_values[in[0]], b = letter_values[in[1]], c = letter_values[in[2]],
                 d = letter_values[in[3]];
        unsigned group = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

        if (a == 0 || b == 0 || c == 0 || d == 0)
            break;
        out[0] = (unsigned char)(group >> 16);
        out[1] = (unsigned char)(group >> 8);
        out[2] = (unsigned char)group;
    }
    return done;
}

/* The last one or two bytes, with what pads them. */
static char *encode_rest(const unsigned char *bytes, size_t count, char *text)
{
    unsigned group = (unsigned)bytes[0] << 16 | (count > 1 ? (unsigned)bytes[1] << 8 : 0);

    text[0] = alphabet[group >> 18];
    text[1] = alphabet[group >> 12 & 63];
    text[2] = '=';
    if (count > 1)
        text[2] = alphabet[group >> 6 & 63];
    text[3] = '=';
    return text + 4;
}

char *grad_base64_encode(const unsigned char *bytes, size_t count, char *text)
{
    size_t done = encode_fast(bytes, count, text);

    text += done / 3 * 4;
    for (; count - done >= 3; done += 3, text += 4) {
        const unsigned char *in = bytes + done;
        unsigned group = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];

        text[0] = alphabet[group >> 18];
        text[1] = alphabet[group >> 12 & 63];
        text[2] = alphabet[group >> 6 & 63];
        text[3] = alphabet[group & 63];
    }
    return done < count ? encode_rest(bytes + done, count - done, text) : text;
}
