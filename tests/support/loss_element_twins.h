/* The twins of the losses of one element: a part of loss_twins.h, which is what tests include. */
#ifndef TESTS_SUPPORT_LOSS_ELEMENT_TWINS_H
#define TESTS_SUPPORT_LOSS_ELEMENT_TWINS_H

#include "support/loss_twins.h"

/* One element: y, its target, the variance or pos_weight, and the loss's parameters. */
typedef struct loss_element {
    long double y, t, extra;
    const double *p;
} loss_element;

/* The value of the loss and its derivative by y. */
typedef struct loss_element_twin {
    twin_number (*value)(loss_element e);
    twin_number (*slope)(loss_element e);
} loss_element_twin;

/* NULL where the loss is not a sum over elements. */
const loss_element_twin *loss_element_twin_of(grad_loss_kind kind);

#endif
