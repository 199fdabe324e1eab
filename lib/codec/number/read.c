/* Decimal text to float32, one number at a time: the cases that need more than a double to decide,
 * and the C library's conversion for the few that our own cannot. Portable; rows of numbers have a
 * faster way, which comes here for whatever is unusual. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number/decimal.h"
#include "codec/number/text.h"

/* It needs a terminated text, and a locale whose point is one. */
double grad_number_exact(grad_datatype datatype, const char *text, const char *end)
{
    char copy[GRAD_NUMBER_TEXT_MAX + 1];
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    bool is_double = datatype == GRAD_FP64;
    double value;

    memcpy(copy, text, (size_t)(end - text));
    copy[end - text] = '\0';
    if (locale == (locale_t)0)
        return is_double ? strtod(copy, NULL) : (double)strtof(copy, NULL);
    value = is_double ? strtod_l(copy, NULL, locale) : (double)strtof_l(copy, NULL, locale);
    freelocale(locale);
    return value;
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
    if (!grad_number_round(number.digits, grad_clamp_exponent(number.exponent), exact, &nearest))
        nearest = (float)grad_number_exact(GRAD_FP32, number.first, *stop);
    if (isinf(nearest))
        return GRAD_NUMBER_OUT_OF_RANGE;
    *value = number.first > text ? -nearest : nearest;
    return GRAD_NUMBER_OK;
}
