/* float32 to the shortest decimal text that reads back as the same float32: R. Giulietti's
 * Schubfach (The Schubfach way to render doubles, 2020), for binary32. What stands between numbers
 * is the encoder's. */
#include "gradient_wire.h"
#include "wire/number_row.h"
#include "wire/number_tables.h"

#include <string.h>

#define MANTISSA_BITS 23
#define MIN_EXPONENT (-149) /* of the last bit of the least float */

/* digits 10^power */
typedef struct shortest {
    uint32_t digits;
    int power;
} shortest;

/* g cp 2^-64, its discarded bits kept as an odd last one ("round to odd"). */
static inline uint32_t scaled_to_odd(uint64_t g, uint32_t cp)
{
    unsigned __int128 product = (unsigned __int128)g * cp;
    uint32_t integer = (uint32_t)(product >> 64);
    uint32_t fraction = (uint32_t)(product >> 32);

    return integer | (fraction > 1);
}

/* The shortest decimal in the interval that rounds to c 2^q, and of those the nearest. */
static shortest find_shortest(uint32_t c, int q, bool irregular)
{
    uint32_t odd = c & 1;
    int k = (q * 1262611 - (irregular ? 524031 : 0)) >> 22;
    int h = q + ((-k * 1741647) >> 19) + 1;
    uint64_t g = grad_write_powers[-k - GRAD_WRITE_POWER_MIN];
    uint32_t below = scaled_to_odd(g, (4 * c - 2 + irregular) << h) + odd;
    uint32_t at = scaled_to_odd(g, 4 * c << h);
    uint32_t above = scaled_to_odd(g, (4 * c + 2) << h) - odd;
    uint32_t s = at / 4;
    uint32_t tens = s / 10;

    if (s >= 10) {
        bool down = below <= 40 * tens;
        bool up = 40 * tens + 40 <= above;

        if (down != up)
            return (shortest){tens + up, k + 1};
    }
    bool down = below <= 4 * s;
    bool up = 4 * s + 4 <= above;

    if (down != up)
        return (shortest){s + up, k};
    return (shortest){s + (at > 4 * s + 2 || (at == 4 * s + 2 && (s & 1))), k};
}

static shortest without_trailing_zeros(shortest d)
{
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.power++;
    }
    return d;
}

static int count_digits(uint32_t v)
{
    int count = 1;

    for (; v >= 10; v /= 10)
        count++;
    return count;
}

/* Exactly count digits, zeros in front. */
static char *put_digits(uint32_t v, int count, char *p)
{
    for (int i = count; i-- > 0; v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + count;
}

static char *put_zeros(int count, char *p)
{
    memset(p, '0', (size_t)count);
    return p + count;
}

/* d.ddde-xx; the point only where digits follow it. */
static char *put_scientific(uint32_t digits, int count, int exponent, char *p)
{
    char *end = put_digits(digits, count, p + 1);
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);

    p[0] = p[1];
    p[1] = '.';
    if (count == 1)
        end = p + 1;
    *end++ = 'e';
    if (exponent < 0)
        *end++ = '-';
    return put_digits(magnitude, magnitude < 10 ? 1 : 2, end);
}

/* Plain where that is not longer: 0.000123, 123.45, 1230000; else scientific. */
static char *put_decimal(shortest d, char *p)
{
    int count = count_digits(d.digits);
    int exponent = d.power + count - 1; /* of the first digit */

    if (exponent < -4 || exponent > 9 || (d.power > 3 && exponent > 6))
        return put_scientific(d.digits, count, exponent, p);
    if (d.power >= 0)
        return put_zeros(d.power, put_digits(d.digits, count, p));
    if (exponent < 0) {
        p = put_zeros(1, p);
        *p++ = '.';
        return put_digits(d.digits, count, put_zeros(-exponent - 1, p));
    }
    char *end = put_digits(d.digits, count, p) + 1;

    memmove(p + exponent + 2, p + exponent + 1, (size_t)(count - exponent - 1));
    p[exponent + 1] = '.';
    return end;
}

char *grad_number_write(float value, char *buffer)
{
    uint32_t bits;
    uint32_t c, exponent;

    memcpy(&bits, &value, sizeof bits);
    if (bits >> 31)
        *buffer++ = '-';
    c = bits & 0x7fffff;
    exponent = bits >> MANTISSA_BITS & 0xff;
    if (exponent == 0 && c == 0) {
        *buffer++ = '0';
        if (bits >> 31) { /* readers that have integers would lose the sign of -0 */
            *buffer++ = '.';
            *buffer++ = '0';
        }
        return buffer;
    }
    bool irregular = c == 0 && exponent > 1;

    if (exponent > 0)
        c |= 1u << MANTISSA_BITS;
    int q = (exponent > 0 ? (int)exponent - 1 : 0) + MIN_EXPONENT;

    return put_decimal(without_trailing_zeros(find_shortest(c, q, irregular)), buffer);
}

char *grad_number_row_write(const float *values, size_t count, char *buffer)
{
    for (size_t i = 0; i < count; i++) {
        buffer = grad_number_write(values[i], buffer);
        *buffer++ = ',';
    }
    return count > 0 ? buffer - 1 : buffer;
}
