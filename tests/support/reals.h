/* Arrays of either datatype for tests: memory, random numbers, and a comparison that says what was
 * wrong. */
#ifndef TESTS_SUPPORT_REALS_H
#define TESTS_SUPPORT_REALS_H

#include "gradient_core.h"
#include "support/random.h"

/* An array of zeros, to be freed: a block of its own, so that the sanitizers see a step beyond it.
 * Stops the test where there is no memory. */
void *reals_new(grad_datatype type, size_t count);

/* x[count] uniform in [-size, size), rounded to the datatype. */
void reals_fill(random_state *random, grad_datatype type, size_t count, double size, void *x);

/* A new array so filled. */
void *reals_random(random_state *random, grad_datatype type, size_t count, double size);

/* Fails the test unless |found - expected| <= tolerance + the least subnormal: a NaN fails, and an
 * infinity passes only where expected is beyond the datatype. `what` and `index` are for the
 * message. */
void reals_check(grad_datatype type, const char *what, size_t index, double found,
                 long double expected, long double tolerance);

#endif
