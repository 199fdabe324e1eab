/* The C library's conversion of a number's text, for the few that our own cannot decide. Nothing
 * here knows digits. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

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
