/* Tests that a check survives every allocation failing: a status each time, no leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/checks.h"
#include "support/failing_alloc.h"
#include "support/layers.h"

static grad_status check_all(const grad_batch *batch, grad_error *error)
{
    grad_check_request request = {.batch = (grad_batch *)(uintptr_t)batch,
                                  .options = CHECK_OPTIONS(.samples = 2)};
    const grad_check_report *report;
    grad_check *check = NULL;
    grad_measure measure;
    grad_status status = grad_check_measure(&request, NULL, &measure, error);

    if (status == GRAD_OK)
        status = grad_check_create(&request, &check, error);
    if (status == GRAD_OK)
        status = grad_check_all(check, &report, error);
    grad_check_destroy(check);
    return status;
}

static void a_network_survives_failing_allocations(void **state)
{
    network *n = checked_network(GRAD_FP32);

    (void)state;
    assert_true(failing_alloc_each(check_all, &n->batch) > 20);
    network_free(n);
}

static void layers_survive_failing_allocations(void **state)
{
    const layer_recipe recipes[] = {{2, 3, 2, GRAD_TANH, true}, {3, 2, 2, GRAD_SOFTMAX, false}};
    grad_batch *batch = batch_of(52, 2, recipes);

    (void)state;
    assert_true(failing_alloc_each(check_all, batch) > 20);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_survives_failing_allocations),
        cmocka_unit_test(layers_survive_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
