/* Floats for the tests of the number codec, and the C library's reading of them. */
#include "support/number_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

float number_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t bits_of_number(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float random_number(random_state *random)
{
    for (;;) {
        float value = number_of_bits((uint32_t)random_bits(random));

        if (isfinite(value))
            return value;
    }
}

float number_oracle(const char *text)
{
    return strtof(text, NULL);
}
