/* Products of 128 bits, on machines with and without them. */
#ifndef GRAD_CODEC_NUMBER_WIDE_H
#define GRAD_CODEC_NUMBER_WIDE_H

#include <stdint.h>

#include "codec/number/sse2.h"

/* The high 64 bits of a b; *low the others. */
GRAD_NUMBER_INLINE uint64_t grad_wide_product(uint64_t a, uint64_t b, uint64_t *low)
{
#if defined(__SIZEOF_INT128__) && !defined(GRAD_NUMBER_PORTABLE)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);

    *low = a * b;
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (uint32_t)middle) >> 32);
#endif
}

/* floor(log2(10^exponent)) of the powers in grad_wide_powers: 217706 is 2^16 log2(10), cut off;
 * nothing negative is divided. */
GRAD_NUMBER_INLINE int grad_floor_log2_of_ten(int exponent)
{
    return (int)(217706 * (uint64_t)(exponent + 65536) >> 16) - 217706;
}

#endif
