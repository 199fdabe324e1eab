/* From the digits of a decimal text to the nearest float32: what the reader of one number and the
 * reader of rows share. No text is scanned here. */
#ifndef GRAD_CODEC_NUMBER_DECIMAL_H
#define GRAD_CODEC_NUMBER_DECIMAL_H

#include "codec/number/tables.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A double that is off by at most 16 units in the last place decides the nearest float unless it is
 * that close to the middle between two: below a float's 24 bits a double has 29 more, which read
 * 10000…0 there. For normal floats only. */
static inline bool grad_number_near_tie(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x1FFFFFFF) - (0x10000000 - 16) <= 32;
}

/* digits * 10^exponent as the nearest float, possibly infinity; digits may lack a tail worth less
 * than one unit where exact is false. False where that is not enough to tell the nearest.
 *
 * Doubles do it: the product is off by at most 3 roundings of 2^-53 and a missing tail of 2^-59, so
 * the value lies between product * (1 - 2^-50) and product * (1 + 2^-50). Where both ends round to
 * the same float, so does the value, be it normal, subnormal or out of range. */
static inline bool grad_number_round(uint64_t digits, int exponent, bool exact, float *value)
{
    double product;
    float low, high;

    if (exponent == 0 && exact) {
        *value = (float)digits;
        return true;
    }
    if (digits == 0 || exponent < GRAD_POWER_MIN)
        exponent = GRAD_POWER_MIN;
    else if (exponent > GRAD_POWER_MAX)
        exponent = GRAD_POWER_MAX + 1;
    product = (double)digits * grad_power_of_ten[exponent - GRAD_POWER_MIN];
    low = (float)(product * (1 - 0x1p-50));
    high = (float)(product * (1 + 0x1p-50));
    *value = low;
    return low == high;
}

#endif
