/* The same twins in double: many times as fast, and far more exact than float32 needs to be judged.
 * The formulae are in element_formulae.h. */
#include "support/twins.h"

#define CERTAIN 700
typedef double real;

#include "support/element_formulae.h"

void twin_activations_fast(const grad_activation *f, size_t count, const float *z, double *y)
{
    const double *p = ROUNDED(f);

    for (size_t i = 0; i < count; i++)
        y[i] = twins[f->kind].value((double)z[i], p);
}

void twin_derivatives_fast(const grad_activation *f, size_t count, const float *z, double *y)
{
    const double *p = ROUNDED(f);

    for (size_t i = 0; i < count; i++)
        y[i] = twins[f->kind].slope((double)z[i], p);
}
