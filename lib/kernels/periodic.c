/* Activations with a sine: snake. Its argument is an exact product over float, and reduced by as
 * many digits of π as it takes, so that f and f' are as accurate far out as near 0. Arithmetic as
 * activations.h says. */
#include <math.h>

#include "core/size.h"
#include "kernels/double.h"
#include "kernels/elementary.h"
#include "kernels/loops.h"

/* ---- Reduction: h = kπ + r with |r| <= π/2, whose sign sines that are squared do not see ----- */

#define INVERSE_PI 0x1.45f306dc9c883p-2
#define PI_HIGH 0x1.921fb544p+1 /* of 31 bits: quarters of integers below 2^20 times it are exact */
#define PI_MIDDLE 0x1.0b4611a4p-33
#define PI_LOW 0x1.13198a2e03707p-64

/* From here on k would have too many digits. */
#define REDUCTION_FAR 0x1p20

/* h + part π - kπ for |h| < REDUCTION_FAR, part being 0 or a quarter. The difference that loses
 * digits is exact. */
GRAD_INLINE double near_remainder(double h, double part)
{
    double k = (h * INVERSE_PI + part + GRAD_ROUNDER) - GRAD_ROUNDER;
    double q = k - part;

    return ((h - q * PI_HIGH) - q * PI_MIDDLE) - q * PI_LOW;
}

/* 64 binary digits of 1/π behind the first `skipped` - 64 */
static uint64_t digits_of_inverse_pi(size_t skipped)
{
    static const uint64_t digits[] = {
        0,
        UINT64_C(0x517cc1b727220a94),
        UINT64_C(0xfe13abe8fa9a6ee0),
        UINT64_C(0x6db14acc9e21c820),
        UINT64_C(0xff28b1d5ef5de2b0),
        UINT64_C(0xdb92371d2126e970),
        UINT64_C(0x0324977504e8c90e),
    };
    const uint64_t *first = digits + skipped / 64;

    return first[0] << skipped % 64 | first[1] >> 1 >> (63 - skipped % 64);
}

/* The same for REDUCTION_FAR <= |h| < 2^256, which no product of two floats reaches. Payne and
 * Hanek, Radian Reduction for Trigonometric Functions, SIGNUM Newsletter 18 (1983): of h / π those
 * digits are left out that make whole numbers, 2^e m being h. */
static double far_remainder(double h, double part)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t bits, m, fraction;
    size_t skipped;

    memcpy(&bits, &h, sizeof bits);
    m = (bits & 0xFFFFFFFFFFFFF) | UINT64_C(1) << 52;
    skipped = (size_t)(bits >> 52 & 0x7FF) - 1075 + 64;
    fraction = m * digits_of_inverse_pi(skipped) +
               (uint64_t)((wide)m * digits_of_inverse_pi(skipped + 64) >> 64);
    fraction = (h < 0 ? -fraction : fraction) + (uint64_t)(part * 0x1p64);
    return (double)(int64_t)fraction * (M_PI * 0x1p-64);
}

GRAD_INLINE double remainder_of(double h, double part)
{
    return fabs(h) < REDUCTION_FAR ? near_remainder(h, part) : far_remainder(h, part);
}

/* sin r for |r| <= π/2, up to the sixteenth power: good to 4e-12 of it */
GRAD_INLINE double sine(double r)
{
    static const double c[8] = {1,
                                -1 / 6.0,
                                1 / 120.0,
                                -1 / 5040.0,
                                1 / 362880.0,
                                -1 / 39916800.0,
                                1 / 6227020800.0,
                                -1 / 1307674368000.0};
    double w = r * r, w2 = w * w;

    return r * grad_polynomial_8(c, w, w2, w2 * w2);
}

/* ---- snake ----------------------------------------------------------------------------------- */

/* Ziyin, Hartwig and Ueda, Neural Networks Fail to Learn Periodic Functions and How to Fix It,
 * arXiv:2006.08195. f(z) = z + sin²(αz) / α */
GRAD_INLINE float snake_sum(float z, float alpha, double remainder)
{
    double s = sine(remainder);

    return (float)(z + s * s / alpha);
}

/* f'(z) = 1 + sin(2αz) = 2 sin²(αz + π/4), which keeps its digits next to its zeros. */
GRAD_INLINE float snake_product(float dy, double remainder)
{
    double s = sine(remainder);

    return dy * (float)(2 * (s * s));
}

static float snake_value_anywhere(float z, float alpha)
{
    return isfinite(z) ? snake_sum(z, alpha, remainder_of((double)alpha * z, 0)) : z;
}

/* At infinity f' has no limit. */
static float snake_delta_anywhere(float z, float dy, float alpha)
{
    return isfinite(z) ? snake_product(dy, remainder_of((double)alpha * z, 0.25)) : z - z;
}

/* Blocks without a z that is far are vector code. What is far is decided element by element, so
 * that no cut into blocks shows. */
#define BLOCK 256

GRAD_INLINE bool are_near(size_t count, const float *z, float alpha)
{
    bool is_any_far = false;

    for (size_t i = 0; i < count; i++)
        is_any_far |= !(fabs((double)alpha * z[i]) < REDUCTION_FAR);
    return !is_any_far;
}

GRAD_INLINE void snake_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    const float alpha = p[0];

    for (size_t first = 0, end; first < B * N; first = end) {
        end = first + grad_size_min(BLOCK, B * N - first);
        if (are_near(end - first, z + first, alpha))
            _Pragma("GCC ivdep") for (size_t i = first; i < end; i++) y[i] =
                snake_sum(z[i], alpha, near_remainder((double)alpha * z[i], 0));
        else
            for (size_t i = first; i < end; i++)
                y[i] = snake_value_anywhere(z[i], alpha);
    }
}

GRAD_INLINE void snake_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                                float *dz)
{
    const float alpha = p[0];

    for (size_t first = 0, end; first < B * N; first = end) {
        end = first + grad_size_min(BLOCK, B * N - first);
        if (are_near(end - first, z + first, alpha))
            _Pragma("GCC ivdep") for (size_t i = first; i < end; i++) dz[i] =
                snake_product(dy[i], near_remainder((double)alpha * z[i], 0.25));
        else
            for (size_t i = first; i < end; i++)
                dz[i] = snake_delta_anywhere(z[i], dy[i], alpha);
    }
}

GRAD_ALL_PATHS(snake);

/* ---- Over double, with libm's functions ------------------------------------------------------ */

static double sine_of(grad_wide h)
{
    return sin(h.high) * cos(h.low) + cos(h.high) * sin(h.low);
}

static double cosine_of(grad_wide h)
{
    return cos(h.high) * cos(h.low) - sin(h.high) * sin(h.low);
}

/* Where αz overflows, the other term is nothing beside z. */
static double snake_value_double(double z, const double *p)
{
    grad_wide h = grad_wide_product(p[0], z);
    double s = sine_of(h);

    return isfinite(h.high) ? z + s / p[0] * s : z;
}

/* (sin h + cos h)²; where αz overflows, its mean, and at infinity, where it has no limit, NaN */
static double snake_slope(double z, const double *p)
{
    grad_wide h = grad_wide_product(p[0], z);
    double sum = sine_of(h) + cosine_of(h);

    return isfinite(h.high) ? sum * sum : isfinite(z) ? 1 : (double)NAN;
}

GRAD_SMOOTH(snake);

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
GRAD_ACTIVATION_ROW(SNAKE, snake,
    "z + sin(alpha * z)^2 / alpha",
    "1 + sin(2 * alpha * z)",
    1, {{"alpha", 1, GRAD_POSITIVE}}, GRAD_NO_SYNONYMS);
/* clang-format on */
