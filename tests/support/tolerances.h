/* How far results may be from the naive twins in higher precision: every tolerance of the tests of
 * the arithmetic, each with its reason. u = 2^-24 is float32's unit of rounding; an error bound is
 *
 *     relative * magnitude + FLT_TRUE_MIN
 *
 * where magnitude is what the reason says; the last term is the rounding of subnormal results.
 * UNIT_OF is u of either datatype. */
#ifndef TESTS_SUPPORT_TOLERANCES_H
#define TESTS_SUPPORT_TOLERANCES_H

#include <float.h>

#define UNIT 0x1p-24
#define UNIT_64 0x1p-53
#define UNIT_OF(type) ((type) == GRAD_FP64 ? UNIT_64 : UNIT)

/* What is asked of each f' (and of each f), over all finite z: so many units in the last place of
 * the right float32, wherever that is a normal number; next to a place where f' crosses 0, where it
 * is a difference, so much absolutely; and where it is subnormal, the least normal number: it may
 * come out as 0. What is reached is about half of that, see lib/kernels/activations.h. */
#define ACTIVATION_ULPS 4
#define TOLERANCE_NEAR_ZERO 1e-7L
#define NEAR_ZERO 0.5f /* |z - that place| */

/* The same relative to the result: an ulp is at most 2u of it; and u for the product with ∂L/∂y. */
#define TOLERANCE_VALUE (2 * ACTIVATION_ULPS * UNIT)
#define TOLERANCE_ACTIVATION (TOLERANCE_VALUE + 1.1 * UNIT)

/* Softmax's δ_i = y_i Σ_j y_j (g_i - g_j): one rounding (u of the result), plus N roundings of
 * double in the sum, whose terms may cancel. Magnitude: y_i Σ_j y_j |g_i - g_j|; N is at most a few
 * thousand in the tests. */
#define TOLERANCE_SOFTMAX (1.1 * UNIT)

/* A product of depth D by sgemm, in whatever order: at most D u of the sum of the terms' absolute
 * values (Higham, Accuracy and Stability, 3.5), plus u for δ's rounding, u for the factor's. */
#define TOLERANCE_PRODUCT(D) (((double)(D) + 3) * UNIT)
#define TOLERANCE_PRODUCT_OF(type, D) (((double)(D) + 3) * UNIT_OF(type))

/* Column sums: in double, so only δ's rounding (u) and the final one (u) count. Magnitude: the sum
 * of absolute values. */
#define TOLERANCE_SUM (2.1 * UNIT)

/* The same of either datatype: D - 1 roundings of double in the sum, one for the factor and the
 * final one. What is summed is exact. Magnitude: as above, times the factor. */
#define TOLERANCE_SUM_OF(type, D) (((double)(D) + 1) * UNIT_64 + UNIT_OF(type))

/* Central differences in long double with step 2^-12: the truncation error is the third derivative,
 * at most about 4 here, times h²/6. Magnitude: Σ |∂L/∂y| |direction|. */
#define DIFFERENCE_STEP 0x1p-12
#define TOLERANCE_DIFFERENCE (8 * DIFFERENCE_STEP * DIFFERENCE_STEP / 6 + 2 * UNIT)

/* The unit of rounding of double. */
#define UNIT_FP64 0x1p-53

/* Losses are worked out in double: besides the last rounding, an elementary function (4 units), the
 * few products, quotients and sums around it, the weights and the divisor (12 together) and a sum
 * of N terms (at most N). Magnitude: twin_number's. */
#define LOSS_ROUNDINGS(N) (16 + (long double)(N))

/* An exponential below e^-708.7 is 0 to the kernels (elementary.h): times a few weights, this. */
#define LOSS_LEAST_FP64 0x1p-1018L

#endif
