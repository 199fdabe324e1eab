/* w 10^q to the nearest float32, in a header so that the reader's loop has it inline. What text
 * means is number_read.c's.
 *
 * One product of 64 by 64 bits, or two, decides: D. Lemire, Number Parsing at a Gigabyte per
 * Second, Software: Practice and Experience 51 (2021); that no case needs a fallback: N. Mushtak
 * and D. Lemire, Fast Number Parsing Without Fallback (2023). */
#ifndef GRADIENT_WIRE_NUMBER_ROUND_H
#define GRADIENT_WIRE_NUMBER_ROUND_H

#include "wire/number_bits.h"
#include "wire/number_tables.h"

#include <stdbool.h>

/* The high 64 of the bits of w 10^q, *low the next 64; w has its top bit set. The second product is
 * needed only where the first can't tell how float32 rounds. */
static inline uint64_t grad_scaled_significand(uint64_t w, int64_t q, uint64_t *low)
{
    const uint64_t *power = grad_read_powers[q - GRAD_READ_POWER_MIN];
    const uint64_t undecided = ~(uint64_t)0 >> (GRAD_MANTISSA_BITS + 3);
    uint64_t high = grad_wide_product(w, power[0], low);

    if ((high & undecided) == undecided) {
        uint64_t rest;
        uint64_t carry = grad_wide_product(w, power[1], &rest);

        *low += carry;
        high += *low < carry;
    }
    return high;
}

/* The bits of w 10^q rounded to nearest, ties to even, without a sign. A magnitude beyond float32's
 * gives an exponent of 255 or more: the result is then >= 0x7f800000. */
static inline uint32_t grad_round_decimal(uint64_t w, int64_t q)
{
    uint64_t high, low, mantissa;
    int zeros, top, exponent;

    if (w == 0 || q < GRAD_READ_POWER_MIN)
        return 0;
    if (q > GRAD_READ_POWER_MAX)
        return 0x7f800000u;
    zeros = __builtin_clzll(w);
    high = grad_scaled_significand(w << zeros, q, &low);
    top = (int)(high >> 63);
    /* One bit more than is kept; the biased exponent by floor(q log2(10)) = 217706 q / 2^16. */
    mantissa = high >> (top + 64 - GRAD_MANTISSA_BITS - 3);
    exponent = ((217706 * (int)q) >> 16) + 63 + top - zeros + 127;
    if (exponent <= 0) {
        if (exponent < -62)
            return 0;
        mantissa >>= 1 - exponent;
        return (uint32_t)((mantissa + (mantissa & 1)) >> 1);
    }
    /* Half way between two floats can only be where 5^|q| fits: then nothing is left below. */
    if (low <= 1 && q >= -17 && q <= 10 && (mantissa & 3) == 1 &&
        mantissa << (top + 64 - GRAD_MANTISSA_BITS - 3) == high)
        mantissa--;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    /* The hidden bit, and a carry out of the rounding, add to the exponent by themselves. */
    return ((uint32_t)(exponent - 1) << GRAD_MANTISSA_BITS) + (uint32_t)mantissa;
}

#endif
