/* float32 to its shortest decimal, one at a time and exactly.
 *
 * The search is that of R. Giulietti, "The Schubfach way to render doubles", 2020, with one product
 * for the number and the ends of its interval alike: float32 leaves 36 bits of 60 for the error. */
#ifndef GRAD_CODEC_NUMBER_SHORTEST_H
#define GRAD_CODEC_NUMBER_SHORTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/number/tables.h"
#include "codec/number/wide.h"

/* value = digits * 10^exponent */
typedef struct grad_shortest {
    uint32_t digits;
    int exponent;
} grad_shortest;

/* A float's place between multiples of ten units of 10^exponent, in 60-bit fractions of that unit:
 * the float is 10 * tens + rest, and reach is half the distance to the next one. */
typedef struct place {
    uint32_t tens;
    uint64_t rest;
    uint64_t reach;
    int exponent;
} place;

#define UNIT ((uint64_t)1 << 60)

/* The scale is rounded up, so that rest is up to 2^24 too large. Nothing comes closer than this to
 * an end of the interval but what stands on it, which belongs to even mantissas. */
#define SLACK ((uint64_t)1 << 25)

/* How much shorter the reach of an odd mantissa is: what a reader that goes through a double would
 * round to the very end of the interval, and from there to the even neighbour. Half a unit of that
 * double is at most 2^-53 of the number, which is below 2^28 times 2^60 here. */
#define ODD_MARGIN_BITS 35

/* bits: of a finite magnitude that isn't 0. */
GRAD_NUMBER_INLINE place find_place(uint32_t bits)
{
    uint32_t field = bits >> 23;
    uint64_t c = (bits & 0x7FFFFF) | (uint64_t)(field > 0) << 23;
    uint64_t scale = grad_print_scale[field], fraction;
    uint64_t whole = grad_wide_product(c << 4, scale, &fraction);
    place found = {.tens = (uint32_t)whole / 10, .exponent = grad_print_exponent[field]};

    found.rest = (whole - (uint64_t)found.tens * 10) << 60 | fraction >> 4;
    found.reach = (scale >> 1) + SLACK - ((uint64_t)(bits & 1) << ODD_MARGIN_BITS);
    return found;
}

/* The nearest of 0 … 10, ties to even. */
GRAD_NUMBER_INLINE uint32_t nearest_digit(uint64_t rest)
{
    return (uint32_t)((rest + UNIT / 2 - 1 + (rest >> 60 & 1)) >> 60);
}

/* The shortest decimal in the interval of reals that round to this float, and of those the nearest.
 *
 * Let u be the float's unit in the last place and 10^k <= u < 10^(k+1). The interval is as wide as
 * u: it holds some multiple of 10^k, and at most one of 10^(k+1), which is taken if it is there. */
GRAD_NUMBER_INLINE grad_shortest find_shortest(uint32_t bits)
{
    place at = find_place(bits);
    uint32_t up = at.rest + at.reach >= 10 * UNIT;
    uint32_t between = (at.rest > at.reach) & (up ^ 1);

    /* Bits rather than branches, which no machine could foretell. */
    at.tens += up;
    return (grad_shortest){10 * at.tens + (nearest_digit(at.rest) & (0 - between)), at.exponent};
}

/* The same for a power of two: the float below is half as far as the one above, and it may be that
 * only a multiple of 10^(k-1) is in the interval. */
static grad_shortest find_shortest_of_power(uint32_t bits)
{
    place at = find_place(bits);
    uint64_t below = at.reach >> 1, above = at.reach;
    uint64_t fraction = at.rest & (UNIT - 1);
    uint32_t whole = 10 * at.tens + (uint32_t)(at.rest >> 60);

    if (at.rest <= below)
        return (grad_shortest){10 * at.tens, at.exponent};
    if (at.rest + above >= 10 * UNIT)
        return (grad_shortest){10 * at.tens + 10, at.exponent};
    if (fraction > below && UNIT - fraction > above)
        return (grad_shortest){10 * whole + nearest_digit(10 * fraction), at.exponent - 1};
    if (fraction > below)
        return (grad_shortest){whole + 1, at.exponent};
    return (grad_shortest){10 * at.tens + nearest_digit(at.rest), at.exponent};
}

/* Seven digits to nine, as those of most normal floats: the others get zeros at the end. */
static grad_shortest widen(grad_shortest d)
{
    while (d.digits < 1000000) {
        d.digits *= 10;
        d.exponent--;
    }
    return d;
}

/* The nearest decimal of eight digits lies above the largest float. A reader that compares doubles
 * takes that for infinity; the decimal below is as short. */
#define GRAD_LARGEST_BITS 0x7F7FFFFF

/* For mantissas of zeros or ones alone. */
static grad_shortest find_at_edge(uint32_t bits)
{
    if (bits == GRAD_LARGEST_BITS)
        return (grad_shortest){34028234, 31};
    return (bits & 1) == 0 ? find_shortest_of_power(bits) : find_shortest(bits);
}

GRAD_NUMBER_INLINE grad_shortest grad_find_shortest(uint32_t bits)
{
    if (((bits + 1) & 0x7FFFFE) == 0)
        return find_at_edge(bits);
    if (bits < 0x800000)
        return widen(find_shortest(bits));
    return find_shortest(bits);
}

#endif
