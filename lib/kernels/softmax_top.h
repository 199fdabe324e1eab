/* The lanes and blocks in which softmax_rows.h walks along a row, and its first walk: the largest
 * u, and where it is. Compiled with it for each path. */
#ifndef GRAD_KERNELS_SOFTMAX_TOP_H
#define GRAD_KERNELS_SOFTMAX_TOP_H

#include <stdint.h>
#include <string.h>

#include "kernels/loops.h"

/* Sums are made of LANES partial ones, by loops of that many steps exactly: the compiler makes of
 * them what vectors the processor has. The last LANES features of a row are a step of their own,
 * which overlaps the one before; what was there already counts nothing. */
#define LANES 16
#define BLOCK 1024 /* a multiple of LANES */

/* A float's bits as an integer in the same order, where a NaN without a sign is above all; and
 * back. */
GRAD_INLINE int32_t ordered_bits(int32_t bits)
{
    return bits ^ (bits < 0 ? INT32_MAX : 0);
}

/* The largest of top and count u's. */
GRAD_INLINE int32_t raise_top(int32_t top, size_t count, float sign, const float *z)
{
    for (size_t i = 0; i < count; i++) {
        float u = sign * z[i];
        int32_t bits;

        memcpy(&bits, &u, sizeof bits);
        bits = ordered_bits(bits);
        top = bits > top ? bits : top;
    }
    return top;
}

static float largest(size_t N, float sign, const float *z)
{
    int32_t top = raise_top(INT32_MIN, N / LANES * LANES, sign, z);
    float u;

    if (N % LANES != 0)
        top = raise_top(top, LANES, sign, z + N - LANES);
    top = ordered_bits(top);
    memcpy(&u, &top, sizeof u);
    return u;
}

/* The least i < count with u_i = top, or BLOCK. */
GRAD_INLINE int32_t place_among(int32_t count, float sign, float top, const float *z)
{
    int32_t place = BLOCK;

    for (int32_t i = 0; i < count; i++) {
        int32_t here = sign * z[i] == top ? i : BLOCK;

        place = here < place ? here : place;
    }
    return place;
}

/* Where u is the largest: the first of several such places; 0 if there is none. */
static size_t place_of_top(size_t N, float sign, const float *z, float top)
{
    const size_t whole = N / LANES * LANES, last = N - LANES;
    int32_t place;

    for (size_t begin = 0; begin < whole; begin += BLOCK) {
        size_t count = whole - begin < BLOCK ? whole - begin : BLOCK;

        place = place_among((int32_t)(count / LANES * LANES), sign, top, z + begin);
        if (place < BLOCK)
            return begin + (size_t)place;
    }
    place = place_among(LANES, sign, top, z + last);
    return place < BLOCK ? last + (size_t)place : 0;
}

#endif
