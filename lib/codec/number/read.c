/* Decimal text to float32, one number at a time: the cases that need more than a double to decide.
 * Portable; rows of numbers have a faster way in row_read.c, which comes here for whatever
 * is unusual. Doubles are double.c's. */
#include <math.h>

#include "codec/number/decimal.h"
#include "codec/number/text.h"

static int clamp_exponent(int64_t exponent)
{
    return exponent < -GRAD_EXPONENT_LIMIT  ? -GRAD_EXPONENT_LIMIT
           : exponent > GRAD_EXPONENT_LIMIT ? GRAD_EXPONENT_LIMIT
                                            : (int)exponent;
}

grad_number_status grad_number_read(const char *text, const char *end, float *value,
                                    const char **stop)
{
    bool exact;
    grad_decimal number;
    float nearest;

    if (!grad_scan_number(text, end, &number, stop))
        return GRAD_NUMBER_MALFORMED;
    exact = grad_cut_digits(&number);
    if (!grad_number_round(number.digits, clamp_exponent(number.exponent), exact, &nearest))
        nearest = (float)grad_number_exact(GRAD_FP32, number.first, *stop);
    if (isinf(nearest))
        return GRAD_NUMBER_OUT_OF_RANGE;
    *value = number.first > text ? -nearest : nearest;
    return GRAD_NUMBER_OK;
}
