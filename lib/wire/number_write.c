/* float32 to the shortest decimal text that reads back as the same float32. What stands between
 * numbers is the encoder's, but for the commas of a row.
 *
 * The search is that of R. Giulietti, "The Schubfach way to render doubles", 2020, with one product
 * for the number and the ends of its interval alike: float32 leaves 36 bits of 60 for the error. */
#include "wire/number_digits.h"
#include "wire/number_row.h"

#include <stdbool.h>

/* value = digits * 10^exponent */
typedef struct decimal {
    uint32_t digits;
    int exponent;
} decimal;

/* The shortest decimal in the interval of reals that round to this float, and of those the nearest.
 * bits: of a finite magnitude that isn't 0.
 *
 * Let u be the float's unit in the last place and 10^k <= u < 10^(k+1). The interval reaches half a
 * unit to both sides (but only a quarter down from a power of two), so it holds some multiple of
 * 10^k, and at most one of 10^(k+1): that one is taken if it is there. All of it in 60-bit fractions
 * of 10^k. */
static inline decimal find_shortest(uint32_t bits)
{
    const uint64_t one = (uint64_t)1 << 60, slack = 1 << 25;
    uint32_t field = bits >> 23, mantissa = bits & 0x7FFFFF;
    uint32_t c = mantissa | (uint32_t)(field > 0) << 23, whole, tens;
    uint64_t unit = grad_print_scale[field];
    uint64_t high = (uint64_t)(c << 4) * (unit >> 32), low = (uint64_t)(c << 4) * (uint32_t)unit;
    uint64_t fraction, rest, above, below;
    uint32_t down, up, nearest, chosen;
    int exponent = grad_print_exponent[field];

    high += low >> 32;
    whole = (uint32_t)(high >> 32);
    fraction = (high << 32 | (uint32_t)low) >> 4;
    /* The scale is rounded up: the product is off by less than 2^24, and closer than the slack to
     * an end of the interval only what stands on it, which belongs to even mantissas. */
    above = (unit >> 1) + slack - 2 * slack * (c & 1);
    below = (unit >> (1 + ((mantissa == 0) & (field > 1)))) + slack - 2 * slack * (c & 1);
    if (fraction > below && one - fraction > above)
        return (decimal){10 * whole + (uint32_t)((10 * fraction + one / 2) >> 60), exponent - 1};
    tens = whole / 10;
    rest = (uint64_t)(whole - tens * 10) << 60 | fraction;
    down = rest <= below;
    up = rest + above >= 10 * one;
    nearest = whole + ((fraction + (whole & 1) > one / 2) | (fraction > below));
    chosen = 0 - (down | up); /* no branch: no machine could foretell it */
    return (decimal){(10 * (tens + up) & chosen) | (nearest & ~chosen), exponent};
}

/* Seven digits to nine, as those of normal floats: subnormals get zeros at the end. */
static inline decimal widen(decimal d)
{
    while (d.digits < 1000000) {
        d.digits *= 10;
        d.exponent--;
    }
    return d;
}

/* d.ddde-xx: number is the 16 digits. */
static inline char *write_scientific(uint64_t number, int exponent, char *p)
{
    int count = grad_digits_write(number, 1, p);

    p += count + (count > 1);
    memcpy(p, grad_exponent_text[exponent - GRAD_EXPONENT_MIN], 4);
    return p + 2 + (exponent < 0) + ((exponent > 9) | (exponent < -9));
}

/* The shorter of plain and scientific notation, the plain one where they are as long. point is where
 * the point stands in the digits: 0.digits * 10^point. As many zeros as the plain notation needs in
 * front come by themselves, if the digits are moved back among the 16. */
static inline char *write_positive(decimal d, char *p)
{
    int length = 7 + (d.digits >= 10000000) + (d.digits >= 100000000);
    int point = length + d.exponent, exponent = point - 1;
    int zeros = point > 0 ? 0 : 1 - point, place = point > 0 ? point : 1;
    int end, count, plain, scientific;

    if (point < -2 || point > 13)
        return write_scientific(d.digits * grad_power_of_ten_exactly[16 - length], exponent, p);
    end = grad_digits_write(d.digits * grad_power_of_ten_exactly[16 - length - zeros], place, p);
    count = end - zeros;
    plain = end > place ? end + 1 : place;
    scientific = count + (count > 1) + 2 + (exponent < 0) + (exponent > 9);
    if (plain > scientific)
        return write_scientific(d.digits * grad_power_of_ten_exactly[16 - length], exponent, p);
    return p + plain;
}

/* Writes up to GRAD_NUMBER_WRITE_MAX bytes, and nonsense behind them up to WRITE_ROOM in all. */
enum { WRITE_ROOM = 32 };

static inline char *write_number(float value, char *p)
{
    uint32_t bits, magnitude;
    decimal d;

    memcpy(&bits, &value, sizeof bits);
    magnitude = bits & 0x7FFFFFFF;
    *p = '-';
    p += bits >> 31;
    if (magnitude == 0) {
        memcpy(p, "0.0", 3);
        return p + (bits != 0 ? 3 : 1);
    }
    d = find_shortest(magnitude);
    return write_positive(magnitude < 0x800000 ? widen(d) : d, p);
}

char *grad_number_write(float value, char *buffer)
{
    char text[WRITE_ROOM];
    size_t length = (size_t)(write_number(value, text) - text);

    memcpy(buffer, text, length);
    return buffer + length;
}

/* All but the last number have at least WRITE_ROOM bytes left for the buffer's promised size. */
char *grad_number_row_write(const float *values, size_t count, char *buffer)
{
    if (count == 0)
        return buffer;
    for (size_t i = 0; i < count - 1; i++) {
        buffer = write_number(values[i], buffer);
        *buffer++ = ',';
    }
    return grad_number_write(values[count - 1], buffer);
}
