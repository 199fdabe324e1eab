/* Eight decimal digits at a time in one 64-bit word ("SIMD within a register"). The first character
 * is the lowest byte, whatever the machine's order of bytes. */
#ifndef WIRE_NUMBER_SWAR_H
#define WIRE_NUMBER_SWAR_H

#include "gradient_wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t grad_swar_load(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Whether all eight are '0' … '9': the high halves read 3, and still do with 6 added. */
static inline bool grad_swar_is_digits(uint64_t word)
{
    const uint64_t high = 0xF0F0F0F0F0F0F0F0, threes = 0x3030303030303030;

    return ((word & high) == threes) & (((word + 0x0606060606060606) & high) == threes);
}

/* The value of eight digits: pairs, then fours, then eight (D. Lemire, "Number parsing at a
 * gigabyte per second", 2021). */
static inline uint64_t grad_swar_value(uint64_t word)
{
    word = (word & 0x0F0F0F0F0F0F0F0F) * (10 << 8 | 1) >> 8;
    word = (word & 0x00FF00FF00FF00FF) * (100 << 16 | 1) >> 16;
    return (word & 0x0000FFFF0000FFFF) * ((uint64_t)10000 << 32 | 1) >> 32;
}

#endif
