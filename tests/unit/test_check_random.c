/* The check on random networks of every kind of layer, activation and loss: the library's gradients
 * pass, and where the numbers are such that no difference can tell, they seldom fail.
 * GRADIENTD_LONG=1 makes twenty thousand of the first and five thousand each of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/real.h"
#include "support/checks.h"
#include "support/random.h"

#define MOST_LAYERS 5

/* What the networks of seeds below LATER_SEEDS are made of: one more name in a public list is to
 * leave them as they are. Those from there on are made of everything. */
static const grad_activation_kind first_activations[] = {
    GRAD_IDENTITY,   GRAD_RELU,         GRAD_RELU6,        GRAD_LEAKY_RELU, GRAD_PRELU,
    GRAD_THRESHOLD,  GRAD_HARD_TANH,    GRAD_HARD_SIGMOID, GRAD_HARDSWISH,  GRAD_SOFTSHRINK,
    GRAD_HARDSHRINK, GRAD_SQUARED_RELU, GRAD_EXP,          GRAD_ELU,        GRAD_CELU,
    GRAD_SELU,       GRAD_SIGMOID,      GRAD_LOG_SIGMOID,  GRAD_SOFTPLUS,   GRAD_SILU,
    GRAD_MISH,       GRAD_TANH,         GRAD_TANHSHRINK,   GRAD_SOFTSIGN,   GRAD_GELU,
    GRAD_GELU_TANH,  GRAD_SOFTMAX,      GRAD_LOG_SOFTMAX,  GRAD_SOFTMIN,
};
#define FIRST_LOSSES (GRAD_COSINE_EMBEDDING + 1)
#define LATER_SEEDS (UINT64_C(1) << 32)

/* The recipe of a layer, the widths of what comes before it being known; adds its own. */
static network_recipe random_layer(random_state *random, bool is_later, size_t layer,
                                   size_t *widths)
{
    size_t kind = random_below(random, 6); /* half of them dense */
    network_recipe r = {.kind = kind < 3 ? GRAD_DENSE : (grad_layer_kind)(kind - 2)};
    size_t source;

    r.N = 1 + random_below(random, 10);
    r.activation = is_later ? random_below(random, GRAD_ACTIVATION_COUNT)
                            : first_activations[random_below(
                                  random, sizeof first_activations / sizeof *first_activations)];
    r.dropout = random_below(random, 4) == 0 ? 0.3 : 0;
    source = random_below(random, layer + 1);
    r.inference = r.kind == GRAD_BATCH_NORM && random_below(random, 2) == 0;
    widths[layer + 1] = r.kind == GRAD_DENSE ? r.N : widths[layer];
    if (random_below(random, 3) == 0 && widths[source] == widths[layer + 1])
        r.residual = source == 0 ? GRAD_RESIDUAL_INPUT : GRAD_RESIDUAL_OF(source - 1);
    return r;
}

/* A network, or NULL where the loss makes no sense of so narrow an output. */
static network *random_network(uint64_t seed)
{
    random_state random = {seed};
    size_t widths[MOST_LAYERS + 1] = {1 + random_below(&random, 12)};
    size_t layers = 1 + random_below(&random, MOST_LAYERS), B = 1 + random_below(&random, 12);
    grad_datatype type = random_below(&random, 2) == 0 ? GRAD_FP32 : GRAD_FP64;
    bool is_later = seed >= LATER_SEEDS;
    grad_loss_kind loss = random_below(&random, is_later ? GRAD_LOSS_COUNT : FIRST_LOSSES);
    network_recipe recipes[MOST_LAYERS];
    network_recipe *last = &recipes[layers - 1];
    network *n;

    for (size_t i = 0; i < layers; i++)
        recipes[i] = random_layer(&random, is_later, i, widths);
    if ((loss == GRAD_CROSS_ENTROPY || loss == GRAD_NLL || loss == GRAD_COSINE_EMBEDDING) &&
        widths[layers] == 1)
        return NULL;
    if (loss == GRAD_BINARY_CROSS_ENTROPY)
        *last = (network_recipe){.kind = last->kind, .N = last->N, .activation = GRAD_SIGMOID};
    n = network_of(seed * 1000, type, B, widths[0], loss, layers, recipes);
    if (random_below(&random, 3) == 0)
        check_scale(n, &n->network.input, pow(10, (double)random_below(&random, 4) - 2));
    return n;
}

/* The loss and the gradients are finite: exp of exp need not be. */
static bool is_finite(const network *n)
{
    grad_plan *plan;
    grad_run *run = NULL;
    bool finite = grad_plan_create(&n->batch, NULL, &plan, NULL) == GRAD_OK &&
                  grad_run_create(plan, &run, NULL) == GRAD_OK &&
                  grad_run_all(run, NULL) == GRAD_OK;

    grad_run_destroy(run);
    return finite;
}

/* Whether there was such a network to check. */
static bool check_one(uint64_t seed)
{
    network *n = random_network(seed);
    bool is_sound = n != NULL && is_finite(n);
    char what[40];

    snprintf(what, sizeof what, "network %llu", (unsigned long long)seed);
    if (is_sound)
        check_assert_passes(&n->batch, false, what);
    if (n != NULL)
        network_free(n);
    return is_sound;
}

static void random_networks_pass(void **state)
{
    size_t count = getenv("GRADIENTD_LONG") == NULL ? 400 : 20000, checked = 0;

    (void)state;
    for (uint64_t seed = 0; seed < count; seed++)
        checked += check_one(seed) + check_one(LATER_SEEDS + seed);
    assert_true(checked > 2 * (count - count / 10));
}

/* Norms in float32 whose sums of two or three numbers round to the same for many neighbours, kinks
 * by which extrapolations agree by chance, a flat stretch whose end was taken for rounding; kinks
 * that all of the larger steps went past, as a wrong gradient would let them. */
static void networks_that_once_failed_pass(void **state)
{
    static const uint64_t seeds[] = {5042, 6705, 12039, 12311, 38429, 49241};

    (void)state;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        assert_true(check_one(seeds[i]));
}

/* ---- Hard numbers ---------------------------------------------------------------------------- */

static double whole(double x, random_state *random)
{
    static const double kinks[] = {0, -0.0, 1, -1, 3, -3, 6, 0.5, -0.5, 20};

    (void)x;
    return kinks[random_below(random, sizeof kinks / sizeof *kinks)];
}

static double large(double x, random_state *random)
{
    (void)random;
    return 60 * x;
}

static double small(double x, random_state *random)
{
    (void)random;
    return 2e-3 * x;
}

static double of_any_size(double x, random_state *random)
{
    return 2 * x * pow(10, 6 * random_signed(random));
}

static void change(const network *n, const grad_tensor *tensor, random_state *random,
                   double (*to)(double x, random_state *random))
{
    for (size_t i = 0; i < grad_tensor_count(tensor); i++)
        grad_real_put(n->batch.datatype, tensor->data, i,
                      to(grad_real_at(n->batch.datatype, tensor->data, i), random));
}

static void change_all(network *n, uint64_t seed, double (*to)(double x, random_state *random))
{
    random_state random = {seed};

    change(n, &n->network.input, &random, to);
    for (size_t i = 0; i < n->batch.layer_count; i++) {
        const grad_layer *layer = &n->batch.layers[i];

        change(n, &layer->weight, &random, to);
        change(n, &layer->bias, &random, to);
        change(n, &layer->gain, &random, to);
        change(n, &layer->shift, &random, to);
    }
}

static bool fails(network *n)
{
    grad_check_request request = {.batch = &n->batch};
    grad_check *check = NULL;
    bool failed = check_report_of(&request, &check)->verdict == GRAD_CHECK_FAIL;

    grad_check_destroy(check);
    return failed;
}

/* hard_sigmoid at its end, of numbers that may be off by more than all of it is wide; a jump of
 * hardshrink; a kink so near that the rounding of L seemed to hide it. */
static void whole_numbers_that_once_failed_pass(void **state)
{
    static const uint64_t seeds[] = {737, 3134, 3443, 4861};

    (void)state;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        network *n = random_network(seeds[i]);

        change_all(n, seeds[i], whole);
        assert_false(fails(n));
        network_free(n);
    }
}

/* softplus jumps where it passes its threshold: two samples jumped to either side. */
static void jumps_to_both_sides_have_no_order(void **state)
{
    static const uint64_t seeds[] = {1183, 1583};

    (void)state;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        network *n = random_network(seeds[i]);

        change_all(n, seeds[i], whole);
        check_assert_passes(&n->batch, false, "softplus at 20");
        network_free(n);
    }
}

/* How many right gradients may be called wrong, of a thousand: docs/mathematics.md says why. */
static void hard_numbers_seldom_fail(void **state)
{
    static const struct {
        const char *name;
        double (*to)(double x, random_state *random);
        size_t most;
    } styles[] = {{"whole numbers and kinks", whole, 1},
                  {"numbers within 60", large, 1},
                  {"numbers of a thousandth", small, 1},
                  {"numbers of twelve decades", of_any_size, 10}};
    size_t count = getenv("GRADIENTD_LONG") == NULL ? 250 : 5000;

    (void)state;
    for (size_t style = 0; style < sizeof styles / sizeof *styles; style++) {
        size_t checked = 0, failed = 0;

        for (uint64_t seed = 0; seed < count; seed++) {
            network *n = random_network(seed);

            if (n != NULL)
                change_all(n, seed, styles[style].to);
            if (n != NULL && is_finite(n)) {
                checked++;
                failed += fails(n);
            }
            if (n != NULL)
                network_free(n);
        }
        print_message("%s: %zu of %zu fail\n", styles[style].name, failed, checked);
        assert_true(checked > count / 2);
        assert_true(1000 * failed <= styles[style].most * checked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_networks_pass),
                                       cmocka_unit_test(networks_that_once_failed_pass),
                                       cmocka_unit_test(whole_numbers_that_once_failed_pass),
                                       cmocka_unit_test(jumps_to_both_sides_have_no_order),
                                       cmocka_unit_test(hard_numbers_seldom_fail)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
