/* The number codec without SSE2 and 128-bit products, as other machines have it, gives the same. */
#define GRAD_NUMBER_PORTABLE

#include "support/number_variants.h"

int main(void)
{
    return run_variant_tests();
}
