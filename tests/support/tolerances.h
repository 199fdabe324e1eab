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

/* What is asked of each f' (and of each f), over all finite z: so many units in the last place from
 * the correctly rounded float32, wherever that is a normal number; next to a place where f' crosses
 * 0, where it is a difference, so much absolutely; and where it is subnormal, the least normal
 * number: it may come out as 0. What is reached says lib/kernels/activations.h. */
#define ACTIVATION_ULPS 4
#define ALMOST_INFINITE 0x1.fffff8p127L /* less than so many units below what is infinite */
#define TOLERANCE_NEAR_ZERO 1e-7L
#define NEAR_ZERO 0.5f /* |z - that place| */

/* The same relative to the exact result: half an ulp more, and an ulp is at most 2u of it; and u
 * for the product with ∂L/∂y. */
#define TOLERANCE_VALUE ((2 * ACTIVATION_ULPS + 1) * UNIT)
#define TOLERANCE_ACTIVATION (TOLERANCE_VALUE + 1.1 * UNIT)

/* Softmax's y_i = e_i / Σ_j e_j: 2u for each e (its polynomial, its last sum, its argument),
 * which the sum then has too, u for the factor 1/Σ and u for the product; the sum itself is made
 * in double. Magnitude: y_i. log_softmax's, of three roundings, is better. */
#define TOLERANCE_SOFTMAX_VALUE (6.1 * UNIT)

/* Its δ_i = y_i (g_i - Σ_j y_j g_j): 6u of y_i, 3u for two differences and a product, and in the
 * mean 2u of each e, above and below the line: 2 · 2u of Σ_j y_j |g_j - mean|, which is at most
 * twice the magnitude. That is y_i Σ_j y_j |g_i - g_j|. */
#define TOLERANCE_SOFTMAX (17.1 * UNIT)

/* A product of depth D by sgemm, in whatever order: at most D u of the sum of the terms' absolute
 * values (Higham, Accuracy and Stability, 3.5), plus δ's error, u for the factor's. The second is
 * for a δ that is exact but for a rounding, of either datatype. */
#define TOLERANCE_PRODUCT(D) (((double)(D) + 2) * UNIT + TOLERANCE_ACTIVATION)
#define TOLERANCE_PRODUCT_OF(type, D) (((double)(D) + 3) * UNIT_OF(type))

/* Column sums: in double, so only δ's error and the final rounding (u) count. Magnitude: the sum of
 * absolute values. */
#define TOLERANCE_SUM (1.1 * UNIT + TOLERANCE_ACTIVATION)

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
