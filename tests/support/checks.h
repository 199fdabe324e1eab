/* Checks by differences for tests. */
#ifndef TESTS_SUPPORT_CHECKS_H
#define TESTS_SUPPORT_CHECKS_H

#include "support/networks.h"

/* Options of a check, as a request of the same block points to them:
 * .options = CHECK_OPTIONS(.samples = 3) */
#define CHECK_OPTIONS(...)                                                                         \
    (&(const grad_check_options){.size = sizeof(grad_check_options), __VA_ARGS__})

/* The report of a check that cannot go wrong; *check is the caller's to destroy. */
const grad_check_report *check_report_of(const grad_check_request *request, grad_check **check);

/* That tensor's part of the report; stops the test where there is none. */
const grad_check_tensor *check_find(const grad_check_report *report, size_t layer,
                                    grad_output_kind output);

/* The batch's gradients pass the check, and none is of order 1; where no_kinks, not one of them for
 * want of a slope. */
void check_assert_passes(grad_batch *batch, bool no_kinks, const char *what);

/* What the library answers, as claims that may be spoiled; they belong to the run. */
grad_run *check_make_claims(network *n, grad_check_request *request);

/* Every number of a tensor times factor. */
void check_scale(const network *n, const grad_tensor *tensor, double factor);

/* A network whose second layer gives z without its bias, and leaves its x to the layer before it;
 * the caller frees it. */
network *checked_network(grad_datatype type);

#endif
