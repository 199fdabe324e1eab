/* What the reader and the writer of numbers share of SSE2, which every x86-64 has. */
#ifndef WIRE_NUMBER_SSE2_H
#define WIRE_NUMBER_SSE2_H

#if defined(__SSE2__) && !defined(GRAD_NUMBER_PORTABLE)
#define GRAD_NUMBER_SSE2 1

#include "wire/number_tables.h"

#include <emmintrin.h>

static inline __m128i grad_vector_load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* Ones in the last n bytes, for n from -16 to 32 (all from 16 on). */
static inline __m128i grad_vector_last(int n)
{
    return grad_vector_load(grad_last_bytes + 16 + n);
}

#else
#define GRAD_NUMBER_SSE2 0
#endif
#endif
