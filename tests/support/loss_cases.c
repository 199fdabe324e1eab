/* Random batches for losses, each loss's numbers from where it is defined and has a derivative. */
#include "support/loss_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/real.h"
#include "support/tolerances.h"

#define IGNORED (-7)

/* ---- Filling --------------------------------------------------------------------------------- */

void *loss_case_memory(loss_case *c, size_t bytes)
{
    void *memory = calloc(1, bytes);

    assert_non_null(memory);
    assert_true(c->owned_count < sizeof c->owned / sizeof *c->owned);
    c->owned[c->owned_count++] = memory;
    return memory;
}

typedef double source(random_state *random);

/* Off 0 by 1/64 at least: y - t, of multiples of 1/32 and others of odd 1/64, is no kink. */
static double number(random_state *random)
{
    return floor(96 * random_signed(random)) / 32;
}

static double number_between(random_state *random)
{
    return number(random) + 0x1p-6;
}

static double fraction(random_state *random)
{
    return 0.5 + 0.4 * random_signed(random);
}

static double positive(random_state *random)
{
    return 1.25 + random_signed(random);
}

static double log_probability(random_state *random)
{
    return -positive(random) * 2;
}

static double sign(random_state *random)
{
    return random_below(random, 2) != 0 ? 1 : -1;
}

static double bit(random_state *random)
{
    return (double)random_below(random, 2);
}

static double count(random_state *random)
{
    return (double)random_below(random, 7);
}

static grad_tensor tensor_of(loss_case *c, random_state *random, source *next, size_t rank,
                             size_t rows, size_t columns)
{
    size_t all = rank == 1 ? rows : rows * columns;
    grad_tensor tensor = {NULL, rank, {rows, rank == 1 ? 0 : columns}};

    tensor.data = loss_case_memory(c, all * sizeof(double));
    for (size_t i = 0; i < all; i++)
        grad_real_put(c->view.type, tensor.data, i, next(random));
    return tensor;
}

/* Where y and the target of each loss come from. */
static const struct domain {
    source *y, *t;
} domains[GRAD_LOSS_COUNT] = {
    [GRAD_MSE] = {number_between, number},
    [GRAD_L1] = {number_between, number},
    [GRAD_SMOOTH_L1] = {number_between, number},
    [GRAD_HUBER] = {number_between, number},
    [GRAD_LOG_COSH] = {number_between, number},
    [GRAD_BINARY_CROSS_ENTROPY] = {fraction, fraction},
    [GRAD_BCE_WITH_LOGITS] = {number_between, fraction},
    [GRAD_CROSS_ENTROPY] = {number_between, fraction},
    [GRAD_NLL] = {log_probability, NULL},
    [GRAD_KL_DIV] = {log_probability, fraction},
    [GRAD_HINGE] = {number_between, sign},
    [GRAD_SQUARED_HINGE] = {number_between, sign},
    [GRAD_POISSON_NLL] = {number_between, count},
    [GRAD_GAUSSIAN_NLL] = {number_between, number},
    [GRAD_COSINE_EMBEDDING] = {number_between, sign},
    [GRAD_FOCAL] = {number_between, bit},
};

static void fill_classes(loss_case *c, random_state *random, bool some_ignored)
{
    grad_loss *loss = &c->loss;
    size_t B = c->view.B;

    loss->target = tensor_of(c, random, count, 1, B, 0);
    if (some_ignored)
        loss->parameters[loss->kind == GRAD_NLL ? 0 : 1] = IGNORED;
    for (size_t b = 0; b < B; b++) {
        double class = (double)random_below(random, c->view.N);

        grad_real_put(c->view.type, loss->target.data, b,
                      some_ignored && b % 3 == 1 ? IGNORED : class);
    }
}

static void fill_target(loss_case *c, random_state *random, unsigned options)
{
    grad_loss_kind kind = c->loss.kind;
    size_t B = c->view.B, N = c->view.N;
    bool has_classes =
        kind == GRAD_NLL || (kind == GRAD_CROSS_ENTROPY && (options & CASE_PROBABILITIES) == 0);
    source *next = domains[kind].t;

    if (kind == GRAD_KL_DIV && c->loss.parameters[0] != 0)
        next = log_probability;
    if (has_classes)
        fill_classes(c, random, (options & CASE_IGNORED) != 0);
    else
        c->loss.target = tensor_of(c, random, next, kind == GRAD_COSINE_EMBEDDING ? 1 : 2, B, N);
}

static void fill_other_tensors(loss_case *c, random_state *random, unsigned options)
{
    grad_loss *loss = &c->loss;
    unsigned takes = grad_loss_info_of(loss->kind)->tensors;
    bool own = (options & CASE_OWN_TENSOR) != 0;
    size_t B = c->view.B, N = c->view.N;

    if (options & CASE_SAMPLE_WEIGHTS)
        loss->sample_weight = tensor_of(c, random, positive, 1, B, 0);
    if (own && (takes & GRAD_LOSS_CLASS_WEIGHT))
        loss->class_weight = tensor_of(c, random, positive, 1, N, 0);
    if (own && (takes & GRAD_LOSS_POS_WEIGHT))
        loss->pos_weight = tensor_of(c, random, positive, 1, N, 0);
    if (takes & GRAD_LOSS_VARIANCE)
        loss->variance = tensor_of(c, random, positive, 2, B, own ? 1 : N);
    if (takes & GRAD_LOSS_OTHER)
        loss->other = tensor_of(c, random, number_between, 2, B, N);
}

/* Values that no two of a loss's parameters share. */
static void change_parameters(grad_loss *loss)
{
    static const double values[GRAD_LOSS_COUNT][GRAD_MAX_LOSS_PARAMETERS] = {
        [GRAD_SMOOTH_L1] = {0.7},
        [GRAD_HUBER] = {1.3},
        [GRAD_CROSS_ENTROPY] = {0.2, 3},
        [GRAD_NLL] = {2},
        [GRAD_KL_DIV] = {1},
        [GRAD_HINGE] = {0.3},
        [GRAD_SQUARED_HINGE] = {-0.4},
        [GRAD_POISSON_NLL] = {0, 1, 0.25},
        [GRAD_GAUSSIAN_NLL] = {1, 0.75},
        [GRAD_COSINE_EMBEDDING] = {-0.3},
        [GRAD_FOCAL] = {0.6, 1.5},
    };

    memcpy(loss->parameters, values[loss->kind], sizeof loss->parameters);
}

loss_case *loss_case_of(uint64_t seed, loss_recipe recipe)
{
    loss_case *c = calloc(1, sizeof *c);
    random_state random = {seed};
    size_t all = recipe.B * recipe.N;
    source *next = domains[recipe.kind].y;
    bool by_sample = grad_loss_info_of(recipe.kind)->tensors & GRAD_LOSS_PER_SAMPLE;

    assert_non_null(c);
    c->loss = grad_loss_default(recipe.kind);
    c->loss.reduction = recipe.reduction;
    if (recipe.options & CASE_OTHER_PARAMETERS)
        change_parameters(&c->loss);
    if (recipe.kind == GRAD_POISSON_NLL && c->loss.parameters[0] == 0)
        next = positive;
    c->view = (grad_loss_view){.loss = &c->loss, .type = recipe.type, .B = recipe.B, .N = recipe.N};
    c->view.y = c->y = tensor_of(c, &random, next, 2, recipe.B, recipe.N).data;
    fill_target(c, &random, recipe.options);
    fill_other_tensors(c, &random, recipe.options);
    c->loss_count = by_sample ? recipe.B : all;
    c->sums = loss_case_memory(c, recipe.B * sizeof(double));
    c->losses = loss_case_memory(c, c->loss_count * sizeof(double));
    c->grad = loss_case_memory(c, all * sizeof(double));
    loss_case_prepare(c);
    return c;
}

void loss_case_free(loss_case *c)
{
    for (size_t i = 0; i < c->owned_count; i++)
        free(c->owned[i]);
    free(c);
}

void loss_case_prepare(loss_case *c)
{
    c->view.divisor = grad_loss_divisor(&c->view);
}

void loss_case_run(loss_case *c)
{
    grad_loss_rows(&c->view, 0, c->view.B, c->sums, c->losses, c->grad);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

/* The last rounding, u of the result; and LOSS_ROUNDINGS(N) of double's u of the magnitude that the
 * twin gives. The least of all is what a result next to 0 is rounded by, and what an exponential is
 * that the kernels take to be 0. */
long double loss_tolerance(grad_datatype type, size_t N, twin_number expected)
{
    long double unit = type == GRAD_FP32 ? UNIT : UNIT_FP64;
    long double least = type == GRAD_FP32 ? FLT_TRUE_MIN : LOSS_LEAST_FP64;

    return unit * fabsl(expected.value) + LOSS_ROUNDINGS(N) * UNIT_FP64 * expected.magnitude +
           least;
}

static bool is_same(grad_datatype type, double found, long double expected, long double tolerance)
{
    long double largest = type == GRAD_FP32 ? (long double)FLT_MAX : (long double)DBL_MAX;

    if (isnan(expected))
        return isnan(found);
    if (isinf(expected))
        return found == expected;
    if (isinf(found))
        return fabsl(expected) >= largest && (found < 0) == (expected < 0);
    return fabsl(found - expected) <= tolerance; /* never of a NaN */
}

void loss_compare(const loss_case *c, const char *what, size_t i, double found,
                  long double expected, long double tolerance)
{
    if (!is_same(c->view.type, found, expected, tolerance))
        fail_msg("%s, %s, B=%zu N=%zu: %s[%zu] is %a, expected %La within %Lg",
                 grad_loss_info_of(c->loss.kind)->name, c->view.type == GRAD_FP32 ? "FP32" : "FP64",
                 c->view.B, c->view.N, what, i, found, expected, tolerance);
}

loss_twin loss_twin_of(const loss_case *c, grad_loss *alone, long double *y)
{
    const grad_loss_view *v = &c->view;
    loss_twin twin = {alone, v->type, v->B, v->N, false, y};

    *alone = c->loss;
    if (v->fusion == GRAD_BCE_WITH_LOGITS)
        alone->kind = GRAD_BCE_WITH_LOGITS;
    if (v->fusion == GRAD_CROSS_ENTROPY) {
        alone->kind = GRAD_CROSS_ENTROPY;
        alone->parameters[1] = c->loss.parameters[0]; /* ignore_index */
        alone->parameters[0] = 0;
    }
    twin.has_classes =
        alone->kind == GRAD_NLL || (alone->kind == GRAD_CROSS_ENTROPY && alone->target.rank == 1);
    for (size_t i = 0; i < v->B * v->N; i++)
        y[i] = grad_real_at(v->type, v->y, i);
    return twin;
}

static void compare_scaled(const loss_case *c, const char *what, size_t i, const void *found,
                           long double scale, twin_number expected)
{
    grad_datatype type = c->view.type;

    expected.value *= scale;
    expected.magnitude *= fabsl(scale);
    loss_compare(c, what, i, grad_real_at(type, found, i), expected.value,
                 loss_tolerance(type, c->view.N, expected));
}

static void check_sample(const loss_case *c, const loss_twin *twin, size_t b)
{
    long double weight = twin_sample_weight(twin, b), factor = weight / twin_loss_divisor(twin);
    twin_number sum = twin_sample_loss(twin, b);
    size_t N = twin->N;

    if (c->loss_count == twin->B)
        compare_scaled(c, "loss", b, c->losses, weight, sum);
    for (size_t j = 0; j < N && c->loss_count == twin->B * N && N > 1; j++)
        compare_scaled(c, "loss", b * N + j, c->losses, weight, twin_element_loss(twin, b, j));
    for (size_t j = 0; j < N && !twin_is_ignored(twin, b); j++)
        compare_scaled(c, "grad", b * N + j, c->grad, factor, twin_loss_slope(twin, b, j));
    for (size_t j = 0; j < N && twin_is_ignored(twin, b); j++)
        loss_compare(c, "ignored grad", b * N + j, grad_real_at(twin->type, c->grad, b * N + j), 0,
                     0);
    sum.value *= weight;
    sum.magnitude *= weight;
    loss_compare(c, "sum", b, c->sums[b], sum.value, loss_tolerance(GRAD_FP64, N, sum));
}

void loss_case_check(loss_case *c)
{
    size_t B = c->view.B, N = c->view.N;
    long double *y = calloc(B * N, sizeof *y);
    grad_loss alone;
    loss_twin twin;
    twin_number total;

    assert_non_null(y);
    twin = loss_twin_of(c, &alone, y);
    loss_compare(c, "divisor", 0, c->view.divisor, twin_loss_divisor(&twin),
                 LOSS_ROUNDINGS(B) * UNIT_FP64 * twin_loss_divisor(&twin));
    loss_case_run(c);
    for (size_t b = 0; b < B; b++)
        check_sample(c, &twin, b);
    total = twin_loss_total(&twin);
    loss_compare(c, "total", 0, grad_loss_total(&c->view, c->sums), total.value,
                 loss_tolerance(GRAD_FP64, B + N, total));
    free(y);
}
