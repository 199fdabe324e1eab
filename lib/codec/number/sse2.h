/* What the reader and the writer of numbers share of SSE2, which every x86-64 has. */
#ifndef GRAD_CODEC_NUMBER_SSE2_H
#define GRAD_CODEC_NUMBER_SSE2_H

#if defined(__SSE2__) && !defined(GRAD_NUMBER_PORTABLE)
#define GRAD_NUMBER_SSE2 1

#include "codec/number/tables.h"

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

/* One of grad_lane_factors. */
static inline __m128i grad_lane(const uint16_t lanes[8])
{
    return _mm_load_si128((const __m128i *)(const void *)lanes);
}

#else
#define GRAD_NUMBER_SSE2 0
#endif

/* A row's loop is compiled twice on x86-64: for every machine, and for those that count leading and
 * trailing zeros in one step (x86-64-v3), which is found out at run time. */
#ifndef GRAD_NUMBER_TWICE
#if GRAD_NUMBER_SSE2 && defined(__x86_64__) && defined(__GNUC__)
#define GRAD_NUMBER_TWICE 1
#else
#define GRAD_NUMBER_TWICE 0
#endif
#endif

/* Of memory on the stack that is written before it is read, where the compiler would clear it. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define GRAD_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef GRAD_UNINITIALIZED
#define GRAD_UNINITIALIZED
#endif

/* What a row's loop is made of has to be in both. */
#if defined(__GNUC__)
#define GRAD_NUMBER_MODERN __attribute__((target("avx2,bmi,bmi2,lzcnt")))
#define GRAD_NUMBER_INLINE static inline __attribute__((always_inline))
#else
#define GRAD_NUMBER_INLINE static inline
#endif

#endif
