/* Checks by differences for tests: made, worked out, asserted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/real.h"
#include "support/checks.h"

const grad_check_report *check_report_of(const grad_check_request *request, grad_check **check)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_measure measure;
    const grad_check_report *report = NULL;

    if (grad_check_measure(request, NULL, &measure, &error) != GRAD_OK ||
        grad_check_create(request, check, &error) != GRAD_OK ||
        grad_check_all(*check, &report, &error) != GRAD_OK)
        fail_msg("%s: %s", error.pointer, error.detail);
    return report;
}

const grad_check_tensor *check_find(const grad_check_report *report, size_t layer,
                                    grad_output_kind output)
{
    for (size_t i = 0; i < report->tensor_count; i++)
        if (report->tensors[i].layer == layer && report->tensors[i].output == output)
            return &report->tensors[i];
    fail_msg("no %s of layer %zu", grad_output_name(output), layer);
    return NULL;
}

void check_assert_passes(grad_batch *batch, bool no_kinks, const char *what)
{
    grad_check_request request = {.batch = batch};
    grad_check *check = NULL;
    const grad_check_report *report = check_report_of(&request, &check);

    for (size_t i = 0; i < report->tensor_count; i++) {
        const grad_check_tensor *t = &report->tensors[i];

        if (t->analytic.verdict == GRAD_CHECK_FAIL || (no_kinks && t->analytic.kinks > 0))
            fail_msg("%s: %s of layer %zu is off by %g at %zu: %.12g, difference %.12g; %zu kinks",
                     what, grad_output_name(t->output), t->layer, t->analytic.largest_error,
                     t->analytic.index, t->analytic.gradient, t->analytic.difference,
                     t->analytic.kinks);
        if (t->analytic.taylor.state == GRAD_ORDER_FOUND && t->analytic.taylor.order < 1.5)
            fail_msg("%s: %s of layer %zu is of order %g", what, grad_output_name(t->output),
                     t->layer, t->analytic.taylor.order);
        assert_true(t->analytic.checked > 1);
    }
    assert_int_equal(report->verdict, GRAD_CHECK_PASS);
    grad_check_destroy(check);
}

grad_run *check_make_claims(network *n, grad_check_request *request)
{
    grad_run *run = network_run(n);
    const grad_reply *reply = grad_run_reply(run);

    request->batch = &n->batch;
    request->claims = reply->layers;
    request->claimed_grad_input = reply->grad_input;
    return run;
}

void check_scale(const network *n, const grad_tensor *tensor, double factor)
{
    grad_datatype type = n->batch.datatype;

    for (size_t i = 0; i < grad_tensor_count(tensor); i++)
        grad_real_put(type, tensor->data, i, factor * grad_real_at(type, tensor->data, i));
}

network *checked_network(grad_datatype type)
{
    const network_recipe two[] = {{GRAD_DENSE, 3, GRAD_TANH, 0, 0, false},
                                  {GRAD_DENSE, 2, GRAD_IDENTITY, 0, 0, false}};
    network *n = network_of(51, type, 2, 2, GRAD_MSE, 2, two);

    n->batch.layers[1].pre_activation = network_tensor(n, 1, 2, 2, 1);
    n->batch.layers[1].bias = (grad_tensor){0};
    return n;
}
