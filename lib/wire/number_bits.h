/* What reading and writing numbers share of machine words: eight characters at a time, 128-bit
 * products, the bits of a float32. Portable; little- and big-endian alike. */
#ifndef GRADIENT_WIRE_NUMBER_BITS_H
#define GRADIENT_WIRE_NUMBER_BITS_H

#include <stdint.h>
#include <string.h>

#define GRAD_MANTISSA_BITS 23

/* Eight bytes as a number whose lowest byte is the first one. */
static inline uint64_t grad_load_eight(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void grad_store_eight(uint64_t v, char *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, sizeof v);
}

/* The high 64 bits of a b, and the low ones. */
static inline uint64_t grad_wide_product(uint64_t a, uint64_t b, uint64_t *low)
{
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    uint64_t other = a0 * b1 + (uint32_t)middle;

    *low = a * b;
    return a1 * b1 + (middle >> 32) + (other >> 32);
#endif
}

static inline uint32_t grad_float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float grad_float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
