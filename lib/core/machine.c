/* What the library asks of the machine and of the compiler's flags: elsewhere digits would be wrong
 * in silence, or sizes wrap. Nothing here is ever called. */
#include <float.h>
#include <stddef.h>

_Static_assert(sizeof(size_t) == 8,
               "gradientd needs a 64-bit machine: sizes, budgets and seeds have 64 bits");

/* 1 or 2 (x87; s390x without -fexcess-precision=fast): values are kept wider than their type, and
 * rounded twice. */
_Static_assert(FLT_EVAL_METHOD == 0,
               "gradientd needs float and double evaluated as such: FLT_EVAL_METHOD must be 0");

#ifdef __FAST_MATH__
_Static_assert(0, "gradientd needs IEEE 754 arithmetic: build it without -ffast-math");
#endif

_Static_assert(sizeof(float) == 4 && FLT_MANT_DIG == 24 && FLT_MAX_EXP == 128, "float is binary32");
_Static_assert(sizeof(double) == 8 && DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024,
               "double is binary64");
