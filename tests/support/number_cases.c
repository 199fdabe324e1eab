/* Numbers for the tests of the number codec, and the C library's reading of them. */
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

double double_from_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

uint64_t bits_of_double(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

double random_double(random_state *random)
{
    for (;;) {
        double value = double_from_bits(random_bits(random));

        if (isfinite(value))
            return value;
    }
}

double random_short(random_state *random)
{
    static const double parts[] = {1, 2, 1024, 10, 1000, 1e6, 1e22};
    double whole = (double)(int64_t)(random_bits(random) >> random_below(random, 64));
    double part = parts[random_below(random, sizeof parts / sizeof *parts)];

    return random_below(random, 3) ? whole / part : whole * part;
}

float number_oracle(const char *text)
{
    return strtof(text, NULL);
}
