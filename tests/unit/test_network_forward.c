/* The forward pass of networks against a naive one: predictions and loss as numbers, where slopes
 * alone would agree with a function that is wrong throughout (dropout or a residual connection left
 * out in both directions). Gradients are test_network.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "support/networks.h"

#define B 5
#define K 6
#define N 6 /* of every layer, so that any of them may be a residual */

static const double *of(const grad_tensor *tensor)
{
    return tensor->data;
}

/* y = f(x Wᵀ + b) mask / (1 - rate) + residual, for f the identity or log_softmax */
static void naive_layer(const grad_layer *l, const double *x, const double *residual, double *y)
{
    double z[N], sum;

    for (size_t b = 0; b < B; b++) {
        for (size_t n = 0; n < N; n++) {
            z[n] = of(&l->bias)[n];
            for (size_t k = 0; k < K; k++)
                z[n] += x[b * K + k] * of(&l->weight)[n * K + k];
        }
        sum = 0;
        for (size_t n = 0; n < N; n++)
            sum += exp(z[n]);
        for (size_t n = 0; n < N; n++) {
            double f = l->activation.kind == GRAD_LOG_SOFTMAX ? z[n] - log(sum) : z[n];

            if (l->dropout_mask.data != NULL)
                f *= of(&l->dropout_mask)[b * N + n] / (1 - l->dropout_rate);
            y[b * N + n] = f + (residual == NULL ? 0 : residual[b * N + n]);
        }
    }
}

static double naive_nll(const double *y, const double *target)
{
    double loss = 0;

    for (size_t b = 0; b < B; b++)
        loss -= y[b * N + (size_t)target[b]] / B;
    return loss;
}

/* Sums of K products of numbers around 1 in double: far below 1e-13. */
static void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-13))
        fail_msg("found %.17g, expected %.17g", found, expected);
}

static void check(const network_recipe *recipes)
{
    network *n = network_of(31, GRAD_FP64, B, K, GRAD_NLL, 2, recipes);
    const double *x = of(&n->network.input);
    double first[B * N], last[B * N];
    const grad_reply *reply;
    grad_run *run;

    n->batch.outputs = GRAD_OUTPUT_PREDICTIONS | GRAD_OUTPUT_WEIGHT_DELTA;
    run = network_run(n);
    reply = grad_run_reply(run);
    naive_layer(&n->batch.layers[0], x, recipes[0].residual == GRAD_RESIDUAL_INPUT ? x : NULL,
                first);
    naive_layer(&n->batch.layers[1], first,
                recipes[1].residual == GRAD_RESIDUAL_OF(0) ? first : NULL, last);
    for (size_t i = 0; i < B * N; i++)
        assert_close(of(&reply->predictions)[i], last[i]);
    assert_close(reply->loss, naive_nll(last, of(&n->network.loss.target)));
    grad_run_destroy(run);
    network_free(n);
}

static void predictions_and_loss_are_right(void **state)
{
    const network_recipe plain[] = {{GRAD_DENSE, N, GRAD_IDENTITY, 0, 0, false},
                                    {GRAD_DENSE, N, GRAD_LOG_SOFTMAX, 0, 0, false}};

    (void)state;
    check(plain);
}

static void dropout_is_in_the_predictions(void **state)
{
    const network_recipe inner[] = {{GRAD_DENSE, N, GRAD_IDENTITY, 0.25, 0, false},
                                    {GRAD_DENSE, N, GRAD_LOG_SOFTMAX, 0, 0, false}};
    const network_recipe last[] = {{GRAD_DENSE, N, GRAD_IDENTITY, 0, 0, false},
                                   {GRAD_DENSE, N, GRAD_LOG_SOFTMAX, 0.5, 0, false}};

    (void)state;
    check(inner);
    check(last);
}

static void residuals_are_in_the_predictions(void **state)
{
    const network_recipe inner[] = {{GRAD_DENSE, N, GRAD_IDENTITY, 0, GRAD_RESIDUAL_INPUT, false},
                                    {GRAD_DENSE, N, GRAD_LOG_SOFTMAX, 0, 0, false}};
    const network_recipe last[] = {
        {GRAD_DENSE, N, GRAD_IDENTITY, 0, 0, false},
        {GRAD_DENSE, N, GRAD_LOG_SOFTMAX, 0, GRAD_RESIDUAL_OF(0), false}};

    (void)state;
    check(inner);
    check(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_and_loss_are_right),
        cmocka_unit_test(dropout_is_in_the_predictions),
        cmocka_unit_test(residuals_are_in_the_predictions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
