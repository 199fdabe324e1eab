/* Tests that a loss's gradient is the gradient of its value: central differences in long double of
 * the twins' value against the kernels' gradient, number by number and along a random direction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "core/real.h"
#include "support/loss_cases.h"
#include "support/tolerances.h"

/* Steps h = 2^-20. The truncation error is h²/6 times the third derivative, at most 2000 here (2/y³
 * of binary_cross_entropy at y = 0.1), times the weights, at most 4 where it is that large.
 * Magnitude: Σ |direction| / divisor. The two values' own rounding, 2^-64 each, is divided by 2h; a
 * few hundred terms make it 64 times that. Magnitude: the total's. */
#define STEP 0x1p-20L
#define THIRD_DERIVATIVE 2000
#define TRUNCATION (4 * THIRD_DERIVATIVE * STEP * STEP / 6)
#define CANCELLATION (0x1p-58L / STEP)

typedef struct moved {
    loss_twin twin;
    grad_loss alone;
    long double *y, *from;
    size_t count;
} moved;

static moved *moved_of(const loss_case *c)
{
    moved *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->count = c->view.B * c->view.N;
    m->y = calloc(m->count, sizeof *m->y);
    m->from = calloc(m->count, sizeof *m->from);
    assert_true(m->y != NULL && m->from != NULL);
    m->twin = loss_twin_of(c, &m->alone, m->y);
    for (size_t i = 0; i < m->count; i++)
        m->from[i] = m->y[i];
    return m;
}

static void moved_free(moved *m)
{
    free(m->y);
    free(m->from);
    free(m);
}

/* (L(y + h d) - L(y - h d)) / 2h */
static long double slope_along(moved *m, const double *direction)
{
    long double ahead, behind;

    for (size_t i = 0; i < m->count; i++)
        m->y[i] = m->from[i] + STEP * direction[i];
    ahead = twin_loss_total(&m->twin).value;
    for (size_t i = 0; i < m->count; i++)
        m->y[i] = m->from[i] - STEP * direction[i];
    behind = twin_loss_total(&m->twin).value;
    return (ahead - behind) / (2 * STEP);
}

static void check_direction(const loss_case *c, moved *m, const double *direction, size_t i)
{
    twin_number total = twin_loss_total(&m->twin);
    long double expected = slope_along(m, direction), found = 0, size = 0, terms = 0;
    long double unit = c->view.type == GRAD_FP32 ? UNIT : UNIT_FP64;

    for (size_t k = 0; k < m->count; k++) {
        double slope = grad_real_at(c->view.type, c->grad, k);

        found += slope * direction[k];
        terms += fabs(slope * direction[k]);
        size += fabs(direction[k]);
    }
    loss_compare(c, "slope", i, (double)found, expected,
                 TRUNCATION * size / c->view.divisor + CANCELLATION * total.magnitude +
                     (2 + LOSS_ROUNDINGS(c->view.N) * (c->view.type == GRAD_FP64)) * unit * terms);
}

static void check_case(loss_case *c)
{
    moved *m = moved_of(c);
    double *direction = calloc(m->count, sizeof *direction);
    random_state random = {m->count};

    assert_non_null(direction);
    loss_case_run(c);
    for (size_t i = 0; i < m->count; i++) {
        direction[i] = 1;
        check_direction(c, m, direction, i);
        direction[i] = 0;
    }
    for (size_t i = 0; i < m->count; i++)
        direction[i] = random_signed(&random);
    check_direction(c, m, direction, SIZE_MAX);
    free(direction);
    moved_free(m);
}

static void every_gradient_is_that_of_its_value(void **state)
{
    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++)
        for (unsigned options = 0; options < CASE_OPTIONS; options++)
            for (int reduction = GRAD_LOSS_MEAN; reduction <= GRAD_LOSS_NONE; reduction++) {
                loss_case *c = loss_case_of(
                    options, (loss_recipe){(grad_loss_kind)kind, (grad_loss_reduction)reduction,
                                           options % 2 ? GRAD_FP32 : GRAD_FP64, 4, 5, options});

                check_case(c);
                loss_case_free(c);
            }
}

/* The logits of a fused loss are where its z is. */
static void every_fused_gradient_is_that_of_its_value(void **state)
{
    (void)state;
    for (unsigned options = 0; options < 2 * CASE_OPTIONS; options++) {
        bool is_sigmoid = options < CASE_OPTIONS;
        loss_recipe recipe = {is_sigmoid ? GRAD_BINARY_CROSS_ENTROPY : GRAD_NLL,
                              GRAD_LOSS_MEAN,
                              GRAD_FP64,
                              4,
                              5,
                              options % CASE_OPTIONS};
        loss_case *c = loss_case_of(options, recipe);

        c->view.fusion = is_sigmoid ? GRAD_BCE_WITH_LOGITS : GRAD_CROSS_ENTROPY;
        check_case(c);
        loss_case_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gradient_is_that_of_its_value),
        cmocka_unit_test(every_fused_gradient_is_that_of_its_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
