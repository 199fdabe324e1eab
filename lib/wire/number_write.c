/* float32 to the shortest decimal text that reads back as the same float32: R. Giulietti, The
 * Schubfach way to render doubles (2020), for binary32; the digits are then spelled eight at a
 * time. What stands between numbers is the encoder's. */
#include "gradient_wire.h"
#include "wire/number_bits.h"
#include "wire/number_row.h"
#include "wire/number_tables.h"

#include <stdbool.h>

#define MIN_EXPONENT (-149) /* of the last bit of the least float */
#define PLAIN_MIN (-3)      /* exponents of the first digit that need no 'e': 0.00123 … */
#define PLAIN_MAX 8         /* … to 123456789 */
#define EIGHT_ZEROS 0x3030303030303030u

static const uint32_t powers_of_ten[] = {1,      10,      100,      1000,     10000,
                                         100000, 1000000, 10000000, 100000000};

/* digits 10^power */
typedef struct shortest {
    uint32_t digits;
    int power;
} shortest;

/* g cp 2^-64, the bits cut off kept as an odd last one ("rounded to odd"). */
static inline uint32_t scaled_to_odd(uint64_t g, uint32_t cp)
{
    uint64_t low;
    uint32_t high = (uint32_t)grad_wide_product(g, cp, &low);

    return high | (low >> 32 > 1);
}

/* The shortest decimal in the interval of what rounds to c 2^q, and of those the nearest. Sizes are
 * times four: at is the number, below and above are the interval's ends. irregular: the float below
 * is only half as far as the one above. */
static inline shortest find_shortest(uint32_t c, int q, uint32_t irregular)
{
    uint32_t odd = c & 1;
    int k = (q * 1262611 - (irregular ? 524031 : 0)) >> 22; /* floor(log10(2^q or 3/4 2^q)) */
    int h = q + ((-k * 1741647) >> 19) + 1;                 /* floor(log2(10^-k)) */
    uint64_t g = grad_write_powers[-k - GRAD_WRITE_POWER_MIN];
    uint32_t below = scaled_to_odd(g, (4 * c - 2 + irregular) << h) + odd;
    uint32_t at = scaled_to_odd(g, (4 * c) << h);
    uint32_t above = scaled_to_odd(g, (4 * c + 2) << h) - odd;
    uint32_t s = at / 4;
    uint32_t tens = s / 10;
    bool down = below <= 40 * tens;
    bool up = 40 * tens + 40 <= above;

    if (down != up && s >= 10)
        return (shortest){tens + up, k + 1};
    down = below <= 4 * s;
    up = 4 * s + 4 <= above;
    if (down != up)
        return (shortest){s + up, k};
    return (shortest){s + (at > 4 * s + 2 || (at == 4 * s + 2 && (s & 1))), k};
}

static inline int count_digits(uint32_t v)
{
    int guess = (32 - __builtin_clz(v)) * 1233 >> 12; /* log10(2) = 1233 / 4096 */

    return guess + (v >= powers_of_ten[guess]);
}

/* The eight digits of v < 10^8, zeros in front, first digit in the lowest byte, as characters: split
 * into fours, pairs and ones, each step dividing all parts at once by a multiplication. */
static inline uint64_t eight_characters(uint32_t v)
{
    uint64_t parts = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = ((parts * 10486) >> 20) & 0x0000007f0000007fu;
    uint64_t tens;

    parts = hundreds | (parts - 100 * hundreds) << 16;
    tens = ((parts * 103) >> 10) & 0x000f000f000f000fu;
    return (tens | (parts - 10 * tens) << 8) | EIGHT_ZEROS;
}

/* Nine digits, as characters: the first one, the other eight, how many of those count. */
typedef struct spelling {
    char first;
    uint64_t rest;
    int rest_count; /* 0 to 8: trailing zeros are left out */
} spelling;

static inline spelling spell(uint32_t nine_digits)
{
    spelling s = {.first = (char)('0' + nine_digits / 100000000)};

    s.rest = eight_characters(nine_digits % 100000000);
    if (s.rest != EIGHT_ZEROS)
        s.rest_count = 8 - __builtin_clzll(s.rest ^ EIGHT_ZEROS) / 8;
    return s;
}

/* d.ddde-xx; the point only where digits follow it. */
static inline char *put_scientific(spelling s, int exponent, char *p)
{
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);

    *p++ = s.first;
    *p = '.';
    grad_store_eight(s.rest, p + 1);
    p += s.rest_count > 0 ? 1 + s.rest_count : 0;
    *p++ = 'e';
    if (exponent < 0)
        *p++ = '-';
    if (magnitude >= 10)
        *p++ = (char)('0' + magnitude / 10);
    *p++ = (char)('0' + magnitude % 10);
    return p;
}

/* 0.00ddd */
static inline char *put_fraction(spelling s, int exponent, char *p)
{
    memcpy(p, "0.00", 4);
    p += 1 - exponent;
    *p++ = s.first;
    grad_store_eight(s.rest, p);
    return p + s.rest_count;
}

/* ddd.ddd or ddd. The exponent says how many of the eight stand before the point. */
static inline char *put_plain(spelling s, int exponent, char *p)
{
    *p++ = s.first;
    grad_store_eight(s.rest, p);
    if (s.rest_count <= exponent)
        return p + exponent;
    for (int i = s.rest_count; i > exponent; i--)
        p[i] = p[i - 1];
    p[exponent] = '.';
    return p + s.rest_count + 1;
}

/* +0 and -0. Readers that have integers would lose the sign of "-0". */
static char *put_zero(bool negative, char *p)
{
    *p++ = '0';
    if (negative) {
        *p++ = '.';
        *p++ = '0';
    }
    return p;
}

static inline char *write_number(float value, char *p)
{
    uint32_t bits = grad_float_bits(value);
    uint32_t mantissa = bits & 0x7fffff;
    uint32_t biased = bits >> GRAD_MANTISSA_BITS & 0xff;
    uint32_t c = mantissa | (uint32_t)(biased > 0) << GRAD_MANTISSA_BITS;
    shortest d;
    spelling s;
    int count, exponent;

    *p = '-';
    p += bits >> 31;
    if (c == 0)
        return put_zero(bits >> 31, p);
    d = find_shortest(c, (int)biased - (biased > 0) + MIN_EXPONENT, mantissa == 0 && biased > 1);
    count = count_digits(d.digits);
    exponent = d.power + count - 1;
    s = spell(d.digits * powers_of_ten[9 - count]);
    if (exponent < PLAIN_MIN || exponent > PLAIN_MAX)
        return put_scientific(s, exponent, p);
    return exponent < 0 ? put_fraction(s, exponent, p) : put_plain(s, exponent, p);
}

char *grad_number_write(float value, char *buffer)
{
    return write_number(value, buffer);
}

char *grad_number_row_write(const float *values, size_t count, char *buffer)
{
    for (size_t i = 0; i < count; i++) {
        buffer = write_number(values[i], buffer);
        *buffer++ = ',';
    }
    return count > 0 ? buffer - 1 : buffer;
}
