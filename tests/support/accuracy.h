/* What is asked of the float32 activations, written once: how far a value, or a δ, may be from its
 * twin's. The tests that ask it are tests/unit/test_activation*.c. */
#ifndef TESTS_SUPPORT_ACCURACY_H
#define TESTS_SUPPORT_ACCURACY_H

#include <stdbool.h>

#include "gradient.h"

/* Whether z is so near to a place where f' is 0, and passes through it, that f' is a difference of
 * nearly equal numbers. */
bool is_near_zero_of_derivative(grad_activation_kind kind, float z);

/* Whether found is f(z) = expected as float32 arithmetic can have it. A NaN is not. */
bool is_close_value(const grad_activation *f, float found, long double expected);

/* The same of dy f'(z), slope being f'(z). */
bool is_close_delta(grad_activation_kind kind, float z, float dy, float found, long double slope);

#endif
