/* Random numbers for tests: seeded, the same on every machine. */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* SplitMix64 (Steele, Lea and Flood, 2014): any seed will do. */
typedef struct random_state {
    uint64_t state;
} random_state;

uint64_t random_bits(random_state *random);

/* Uniform in [0, bound); bound > 0. */
size_t random_below(random_state *random, size_t bound);

/* Uniform in [-1, 1). */
double random_signed(random_state *random);

/* Fills x[count] with numbers uniform in [-size, size). */
void random_fill(random_state *random, size_t count, float size, float *x);

/* Puts 0 … count-1 into order in random order. */
void random_permutation(random_state *random, size_t count, size_t *order);

#endif
