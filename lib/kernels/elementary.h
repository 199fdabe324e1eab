/* Elementary functions in double, in a form that the compiler makes vector code of: no branch, no
 * call, no table. exp and its kin, each good to a few units of double; the coefficients come from
 * tests/support/make_polynomials.py. The losses are made of them; float32's are in single.h. */
#ifndef GRAD_KERNELS_ELEMENTARY_H
#define GRAD_KERNELS_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

#include "kernels/loops.h"

/* ---- Polynomials, by Estrin's scheme: short chains, so that the processor can overlap them --- */

GRAD_INLINE double grad_polynomial_4(const double *c, double x, double x2)
{
    return (c[0] + c[1] * x) + (c[2] + c[3] * x) * x2;
}

GRAD_INLINE double grad_polynomial_8(const double *c, double x, double x2, double x4)
{
    return grad_polynomial_4(c, x, x2) + grad_polynomial_4(c + 4, x, x2) * x4;
}

/* ---- The exponential ------------------------------------------------------------------------- */

/* x = k log 2 + r with |r| <= log 2 / 2: exp(x) = 2^k + 2^k rest with rest = exp(r) - 1. */
typedef struct grad_exponential {
    double power; /* 2^k */
    double rest;
} grad_exponential;

/* x is held here, where 2^k comes out as 0: exp is 0 from about -708.7 on. That is so far below
 * float32 that, after products with any two of them, every result still rounds to 0. */
#define GRAD_EXP_LOW (-709.0)

/* Adding it rounds to an integer, which then stands in the low bits. */
#define GRAD_ROUNDER 0x1.8p52

#define GRAD_LOG2_E 0x1.71547652b82fep+0
#define GRAD_LOG_2_HIGH 0x1.62e42feep-1 /* few bits: k times it is exact */
#define GRAD_LOG_2_LOW 0x1.a39ef35793c76p-33

GRAD_INLINE grad_exponential grad_exponential_of(double x)
{
    static const double c[10] = {
        0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
        0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13, 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
        0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26,
    };
    double held = x < GRAD_EXP_LOW ? GRAD_EXP_LOW : x; /* a NaN passes */
    double shifted = held * GRAD_LOG2_E + GRAD_ROUNDER;
    double k = shifted - GRAD_ROUNDER;
    double r = (held - k * GRAD_LOG_2_HIGH) - k * GRAD_LOG_2_LOW;
    double r2 = r * r, r4 = r2 * r2;
    double tail = grad_polynomial_8(c, r, r2, r4) + (c[8] + c[9] * r) * (r4 * r4);
    grad_exponential e = {.rest = r + r2 * tail};
    uint64_t bits;

    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52; /* k is in the low bits: into the exponent's place */
    memcpy(&e.power, &bits, sizeof bits);
    return e;
}

/* For x <= 709; above, the result is any number. */
GRAD_INLINE double grad_exp(double x)
{
    grad_exponential e = grad_exponential_of(x);

    return e.power + e.power * e.rest;
}

/* ---- The logarithm --------------------------------------------------------------------------- */

/* log(1 + e) for 0 <= e <= 1, as 2 atanh(s) with s = e / (2 + e). */
GRAD_INLINE double grad_log1p(double e)
{
    static const double c[10] = {
        0x1.5555555555555p-2, 0x1.999999999a3ddp-3, 0x1.24924923d44c6p-3, 0x1.c71c727143318p-4,
        0x1.745cf0b0e03bdp-4, 0x1.3b18b294bebf9p-4, 0x1.10ac75dc602b1p-4, 0x1.eb905e8575054p-5,
        0x1.687a6e7c95176p-5, 0x1.4b0a26c5f2aefp-4,
    };
    double s = e / (2 + e);
    double w = s * s, w2 = w * w, w4 = w2 * w2;
    double tail = grad_polynomial_8(c, w, w2, w4) + (c[8] + c[9] * w) * (w4 * w4);

    return 2 * (s + s * (w * tail));
}

#endif
