/* The number codec as an x86-64 without AVX2 runs it gives the same. */
#define GRAD_NUMBER_TWICE 0

#include "support/number_variants.h"

int main(void)
{
    return run_variant_tests();
}
