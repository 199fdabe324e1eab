/* What the tests of the number codec share: how many random cases, random numbers, the oracle. */
#ifndef TESTS_SUPPORT_NUMBER_CASES_H
#define TESTS_SUPPORT_NUMBER_CASES_H

#include "support/random.h"

#include <stdint.h>

/* 10^7, or 10^6 under a sanitizer, which makes each about ten times as slow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NUMBER_CASES 1000000
#else
#define NUMBER_CASES 10000000
#endif

float number_of_bits(uint32_t bits);
uint32_t bits_of_number(float value);

/* A finite float, every bit pattern as likely as any other. */
float random_number(random_state *random);

double double_from_bits(uint64_t bits);
uint64_t bits_of_double(double value);

/* A finite double, every bit pattern as likely as any other. */
double random_double(random_state *random);

/* A double of few digits or few bits, whole or with a fraction, of either sign. */
double random_short(random_state *random);

/* What the C library reads in a terminated text of a JSON number: the nearest float. */
float number_oracle(const char *text);

#endif
