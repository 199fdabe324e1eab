/* Sizes that cannot wrap around: every count that comes from outside goes through these before it
 * becomes an allocation. */
#ifndef GRAD_CORE_SIZE_H
#define GRAD_CORE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* The elements of an array. */
#define GRAD_COUNT(array) (sizeof(array) / sizeof *(array))

/* *sum = a + b. False, and *sum untouched, where it does not fit. sum may be a or b. */
static inline bool grad_size_add(size_t a, size_t b, size_t *sum)
{
    size_t value;

    if (__builtin_add_overflow(a, b, &value))
        return false;
    *sum = value;
    return true;
}

/* *product = a * b. False, and *product untouched, where it does not fit. */
static inline bool grad_size_mul(size_t a, size_t b, size_t *product)
{
    size_t value;

    if (__builtin_mul_overflow(a, b, &value))
        return false;
    *product = value;
    return true;
}

/* *sum += a * b. False, and *sum untouched, where it does not fit. */
static inline bool grad_size_add_product(size_t a, size_t b, size_t *sum)
{
    size_t product;

    return grad_size_mul(a, b, &product) && grad_size_add(*sum, product, sum);
}

/* *size rounded up to a multiple of alignment, a power of two. False where it does not fit. */
static inline bool grad_size_align(size_t alignment, size_t *size)
{
    size_t value;

    if (!grad_size_add(*size, alignment - 1, &value))
        return false;
    *size = value & ~(alignment - 1);
    return true;
}

/* Quotient rounded up; divisor > 0. Cannot overflow. */
static inline size_t grad_size_ceil_div(size_t a, size_t divisor)
{
    return a / divisor + (a % divisor != 0);
}

static inline size_t grad_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
