/* From one element to arrays: the loops over f and its delta, written once by a macro and compiled
 * for any processor, for those with AVX2 and for those with AVX-512. What f is, is said where the
 * macro is used.
 *
 * All paths give the same bits: the compiler makes vector code of plain C, joins no product and
 * sum into one rounding (-ffp-contract=off), and reorders nothing. So the bits depend neither on
 * the processor nor on where a tile begins. */
#ifndef GRAD_KERNELS_LOOPS_H
#define GRAD_KERNELS_LOOPS_H

#include "gradient.h"

typedef enum grad_path {
    GRAD_PATH_PORTABLE,
    GRAD_PATH_AVX2, /* this and those below only where grad_path_is_supported */
    GRAD_PATH_AVX512,
    GRAD_PATH_COUNT
} grad_path;

/* All over matrices [B,N] in row-major order; p are the activation's parameters. Outputs may be an
 * input: each element is read before it is written. */
typedef void grad_forward_function(const float *p, size_t B, size_t N, const float *z, float *y);
typedef void grad_backward_function(const float *p, size_t B, size_t N, const float *z,
                                    const float *dy, float *dz);

typedef struct grad_loops {
    grad_forward_function *forward[GRAD_PATH_COUNT];
    grad_backward_function *backward[GRAD_PATH_COUNT];
} grad_loops;

#if defined(__x86_64__)
#define GRAD_FOR_AVX2 __attribute__((target("avx2")))
#define GRAD_FOR_AVX512                                                                            \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")))
#else
#define GRAD_FOR_AVX2
#define GRAD_FOR_AVX512
#endif

/* A function of one element, or of a row, that becomes part of each loop that calls it. */
#define GRAD_INLINE static inline __attribute__((always_inline))

/* For GRAD_INLINE functions prefix_forward(p, B, N, z, y) and prefix_backward(p, B, N, z, dy, dz):
 * both compiled for every path, as prefix_loops. */
#define GRAD_PATH_PAIR(prefix, path, ATTRIBUTE)                                                    \
    ATTRIBUTE static void prefix##_forward_##path(const float *p, size_t B, size_t N,              \
                                                  const float *z, float *y)                        \
    {                                                                                              \
        prefix##_forward(p, B, N, z, y);                                                           \
    }                                                                                              \
    ATTRIBUTE static void prefix##_backward_##path(const float *p, size_t B, size_t N,             \
                                                   const float *z, const float *dy, float *dz)     \
    {                                                                                              \
        prefix##_backward(p, B, N, z, dy, dz);                                                     \
    }

#define GRAD_ALL_PATHS(prefix)                                                                     \
    GRAD_PATH_PAIR(prefix, portable, )                                                             \
    GRAD_PATH_PAIR(prefix, avx2, GRAD_FOR_AVX2)                                                    \
    GRAD_PATH_PAIR(prefix, avx512, GRAD_FOR_AVX512)                                                \
    static const grad_loops prefix##_loops = {                                                     \
        {prefix##_forward_portable, prefix##_forward_avx2, prefix##_forward_avx512},               \
        {prefix##_backward_portable, prefix##_backward_avx2, prefix##_backward_avx512}}

/* prefix_forward and prefix_backward over value, an expression in z_i, and delta, one in z_i and
 * dy_i; both may use the parameters a and b. */
#define GRAD_ELEMENT_FUNCTIONS(prefix, value, delta)                                               \
    GRAD_INLINE void prefix##_forward(const float *p, size_t B, size_t N, const float *z,          \
                                      float *y)                                                    \
    {                                                                                              \
        const float a = p[0], b = p[1];                                                            \
                                                                                                   \
        (void)a, (void)b;                                                                          \
        _Pragma("GCC ivdep") for (size_t i = 0; i < B * N; i++)                                    \
        {                                                                                          \
            const float z_i = z[i];                                                                \
                                                                                                   \
            y[i] = value;                                                                          \
        }                                                                                          \
    }                                                                                              \
    GRAD_INLINE void prefix##_backward(const float *p, size_t B, size_t N, const float *z,         \
                                       const float *dy, float *dz)                                 \
    {                                                                                              \
        const float a = p[0], b = p[1];                                                            \
                                                                                                   \
        (void)a, (void)b;                                                                          \
        _Pragma("GCC ivdep") for (size_t i = 0; i < B * N; i++)                                    \
        {                                                                                          \
            const float z_i = z[i], dy_i = dy[i];                                                  \
                                                                                                   \
            dz[i] = delta;                                                                         \
        }                                                                                          \
    }

/* The same for every path. */
#define GRAD_ELEMENT_LOOPS(prefix, value, delta)                                                   \
    GRAD_ELEMENT_FUNCTIONS(prefix, value, delta)                                                   \
    GRAD_ALL_PATHS(prefix)

/* f_loops, from f_value(z) and f_delta(z, dy), GRAD_INLINE functions of one element. */
#define GRAD_ELEMENT_WISE(f) GRAD_ELEMENT_LOOPS(f, f##_value(z_i), f##_delta(z_i, dy_i))

/* The same where f has one parameter, or two: they follow the other arguments. */
#define GRAD_ELEMENT_WISE_1(f) GRAD_ELEMENT_LOOPS(f, f##_value(z_i, a), f##_delta(z_i, dy_i, a))
#define GRAD_ELEMENT_WISE_2(f)                                                                     \
    GRAD_ELEMENT_LOOPS(f, f##_value(z_i, a, b), f##_delta(z_i, dy_i, a, b))

/* f_loops of two sets of functions: those of plain where the first parameter is 1, which it is
 * unless a user says otherwise, else those of scaled. */
#define GRAD_ELEMENT_WISE_OR_SCALED(f, plain, scaled)                                              \
    GRAD_INLINE void f##_forward(const float *p, size_t B, size_t N, const float *z, float *y)     \
    {                                                                                              \
        if (p[0] == 1)                                                                             \
            plain##_forward(p, B, N, z, y);                                                        \
        else                                                                                       \
            scaled##_forward(p, B, N, z, y);                                                       \
    }                                                                                              \
    GRAD_INLINE void f##_backward(const float *p, size_t B, size_t N, const float *z,              \
                                  const float *dy, float *dz)                                      \
    {                                                                                              \
        if (p[0] == 1)                                                                             \
            plain##_backward(p, B, N, z, dy, dz);                                                  \
        else                                                                                       \
            scaled##_backward(p, B, N, z, dy, dz);                                                 \
    }                                                                                              \
    GRAD_ALL_PATHS(f)

#endif
