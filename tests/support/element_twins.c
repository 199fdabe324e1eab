/* Naive twins of the element-wise activations in long double, which has the range to take exp of
 * any number that matters. The formulae are in element_formulae.h. */
#include "support/twins.h"

#define CERTAIN 10000
typedef long double real;

#include "support/element_formulae.h"

long double twin_activation(const grad_activation *f, long double z)
{
    return twins[f->kind].value(z, ROUNDED(f));
}

long double twin_derivative(const grad_activation *f, long double z)
{
    return twins[f->kind].slope(z, ROUNDED(f));
}

long double twin_activation_64(const grad_activation *f, long double z)
{
    return twins[f->kind].value(z, f->parameters);
}

long double twin_derivative_64(const grad_activation *f, long double z)
{
    return twins[f->kind].slope(z, f->parameters);
}
