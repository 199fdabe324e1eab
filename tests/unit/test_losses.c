/* Tests of the losses against their naive twins: every loss, option, reduction and datatype over
 * batches of random numbers; and of the table of losses. Kinks and extremes are in
 * test_losses_extremes.c, what holds between losses in test_losses_identities.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "support/loss_cases.h"

/* ---- Against the twins ----------------------------------------------------------------------- */

static void check_recipe(uint64_t seed, loss_recipe recipe)
{
    loss_case *c = loss_case_of(seed, recipe);

    loss_case_check(c);
    loss_case_free(c);
}

/* The last is kl_div's. */
static int reductions_of(grad_loss_kind kind)
{
    return kind == GRAD_KL_DIV ? GRAD_LOSS_REDUCTION_COUNT : GRAD_LOSS_BATCH_MEAN;
}

/* Every option with every reduction, both datatypes, one loss. */
static void check_options(grad_loss_kind kind, size_t B, size_t N)
{
    for (unsigned options = 0; options < CASE_OPTIONS; options++)
        for (int reduction = 0; reduction < reductions_of(kind); reduction++)
            for (int type = GRAD_FP32; type <= GRAD_FP64; type++)
                check_recipe(options + 1, (loss_recipe){kind, (grad_loss_reduction)reduction,
                                                        (grad_datatype)type, B, N, options});
}

static void every_option_is_right(void **state)
{
    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        check_options((grad_loss_kind)kind, 5, 7);
        check_options((grad_loss_kind)kind, 1, 4);
        check_options((grad_loss_kind)kind, 4, 1);
    }
}

/* Rows of a block and a bit, of whole blocks, and longer than two; one sample of one feature. */
static void every_size_is_right(void **state)
{
    static const size_t sizes[][2] = {{1, 1}, {1, 255}, {1, 256}, {2, 257}, {1, 521}, {1, 8}};

    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (unsigned options = 0; options < CASE_OPTIONS; options += 5)
                check_recipe(i, (loss_recipe){(grad_loss_kind)kind, GRAD_LOSS_MEAN,
                                              i % 2 == 0 ? GRAD_FP64 : GRAD_FP32, sizes[i][0],
                                              sizes[i][1], options});
}

static void fused_losses_are_right(void **state)
{
    static const grad_loss_kind kinds[] = {GRAD_BINARY_CROSS_ENTROPY, GRAD_NLL};
    static const grad_loss_kind fusions[] = {GRAD_BCE_WITH_LOGITS, GRAD_CROSS_ENTROPY};

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (unsigned options = 0; options < CASE_OPTIONS; options++)
            for (int type = GRAD_FP32; type <= GRAD_FP64; type++) {
                size_t N = options == 3 || options == 18 ? 300 : 5;
                loss_recipe recipe = {kinds[k], GRAD_LOSS_MEAN, (grad_datatype)type, 6, N, options};
                loss_case *c = loss_case_of(options, recipe);
                random_state random = {options};

                c->view.fusion = fusions[k];
                for (size_t i = 0; i < 6 * N && type == GRAD_FP32; i++)
                    ((float *)c->y)[i] = (float)(9 * random_signed(&random));
                for (size_t i = 0; i < 6 * N && type == GRAD_FP64; i++)
                    ((double *)c->y)[i] = 9 * random_signed(&random);
                loss_case_check(c);
                loss_case_free(c);
            }
}

/* ---- The table ------------------------------------------------------------------------------- */

static void every_loss_is_found_by_its_name(void **state)
{
    static const char *const names[GRAD_LOSS_COUNT] = {NULL,
                                                       "mse",
                                                       "l1",
                                                       "smooth_l1",
                                                       "huber",
                                                       "log_cosh",
                                                       "binary_cross_entropy",
                                                       "bce_with_logits",
                                                       "cross_entropy",
                                                       "nll",
                                                       "kl_div",
                                                       "hinge",
                                                       "squared_hinge",
                                                       "poisson_nll",
                                                       "gaussian_nll",
                                                       "cosine_embedding",
                                                       "focal"};

    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        const grad_loss_info *info = grad_loss_info_of((grad_loss_kind)kind);

        assert_int_equal(info->kind, kind);
        assert_string_equal(info->name, names[kind]);
        assert_ptr_equal(grad_loss_find(names[kind]), info);
        for (size_t i = 0; info->synonyms[i] != NULL; i++)
            assert_ptr_equal(grad_loss_find(info->synonyms[i]), info);
        assert_true(strlen(info->formula) > 0 && strlen(info->gradient) > 0);
    }
    assert_null(grad_loss_find(""));
    assert_int_equal(grad_loss_find("MSE Loss")->kind, GRAD_MSE);
    assert_null(grad_loss_find("loss"));
    assert_null(grad_loss_find("hingeLoss"));
}

static void defaults_are_pytorchs(void **state)
{
    static const double expected[GRAD_LOSS_COUNT][GRAD_MAX_LOSS_PARAMETERS] = {
        [GRAD_SMOOTH_L1] = {1},
        [GRAD_HUBER] = {1},
        [GRAD_CROSS_ENTROPY] = {0, -100},
        [GRAD_NLL] = {-100},
        [GRAD_HINGE] = {1},
        [GRAD_SQUARED_HINGE] = {1},
        [GRAD_POISSON_NLL] = {1, 0, 1e-8},
        [GRAD_GAUSSIAN_NLL] = {0, 1e-6},
        [GRAD_FOCAL] = {0.25, 2}, /* the paper's, and torchvision's */
    };

    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        grad_loss loss = grad_loss_default((grad_loss_kind)kind);

        assert_int_equal(loss.kind, kind);
        assert_int_equal(loss.reduction, GRAD_LOSS_MEAN);
        assert_memory_equal(loss.parameters, expected[kind], sizeof loss.parameters);
        assert_null(loss.target.data);
        assert_null(loss.sample_weight.data);
    }
}

static void parameters_have_names(void **state)
{
    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        const grad_loss_info *info = grad_loss_info_of((grad_loss_kind)kind);

        assert_true(info->parameter_count <= GRAD_MAX_LOSS_PARAMETERS);
        for (size_t i = 0; i < GRAD_MAX_LOSS_PARAMETERS; i++)
            assert_int_equal(info->parameters[i].name != NULL, i < info->parameter_count);
    }
    assert_string_equal(grad_loss_info_of(GRAD_CROSS_ENTROPY)->parameters[1].name, "ignore_index");
    assert_int_equal(grad_loss_info_of(GRAD_CROSS_ENTROPY)->parameters[1].domain, GRAD_INTEGER);
    assert_int_equal(grad_loss_info_of(GRAD_HUBER)->parameters[0].domain, GRAD_POSITIVE);
    assert_int_equal(grad_loss_info_of(GRAD_SMOOTH_L1)->parameters[0].domain, GRAD_NOT_NEGATIVE);
}

/* ---- What a target is ------------------------------------------------------------------------ */

static bool has_classes(grad_loss_kind kind, size_t B, size_t N, size_t rank, size_t first)
{
    grad_loss loss = grad_loss_default(kind);
    const grad_loss_view view = {.loss = &loss, .B = B, .N = N, .sample_axes = 1};

    loss.target = (grad_tensor){&loss, rank, {first, rank == 2 ? N : 0}};
    return grad_loss_has_classes(&view);
}

static void classes_are_told_from_probabilities(void **state)
{
    (void)state;
    assert_true(has_classes(GRAD_CROSS_ENTROPY, 3, 4, 1, 3));
    assert_false(has_classes(GRAD_CROSS_ENTROPY, 3, 4, 2, 3));
    assert_false(has_classes(GRAD_CROSS_ENTROPY, 4, 4, 2, 4));
    assert_true(has_classes(GRAD_CROSS_ENTROPY, 4, 4, 1, 4));
    assert_true(has_classes(GRAD_CROSS_ENTROPY, 1, 4, 1, 1));
    assert_false(has_classes(GRAD_CROSS_ENTROPY, 1, 4, 1, 4)); /* one sample as a vector */
    assert_false(has_classes(GRAD_CROSS_ENTROPY, 1, 1, 1, 1));
    assert_true(has_classes(GRAD_NLL, 1, 1, 1, 1));
    assert_true(has_classes(GRAD_NLL, 3, 4, 1, 3));
    assert_false(has_classes(GRAD_MSE, 3, 1, 1, 3));
    assert_false(has_classes(GRAD_COSINE_EMBEDDING, 3, 4, 1, 3));
}

static void fusions_are_of_two_pairs(void **state)
{
    (void)state;
    for (int f = 0; f < GRAD_ACTIVATION_COUNT; f++)
        for (int kind = GRAD_LOSS_ABSENT; kind < GRAD_LOSS_COUNT; kind++) {
            grad_loss_kind expected = GRAD_LOSS_ABSENT;

            if (f == GRAD_SIGMOID && kind == GRAD_BINARY_CROSS_ENTROPY)
                expected = GRAD_BCE_WITH_LOGITS;
            if (f == GRAD_LOG_SOFTMAX && kind == GRAD_NLL)
                expected = GRAD_CROSS_ENTROPY;
            assert_int_equal(grad_loss_fusion_of((grad_activation_kind)f, (grad_loss_kind)kind),
                             expected);
        }
}

/* An ignore_index that float32 does not hold is the float32 that a target of it becomes. */
static void ignore_index_is_compared_as_the_datatype(void **state)
{
    grad_loss nll = grad_loss_default(GRAD_NLL), entropy = grad_loss_default(GRAD_CROSS_ENTROPY);

    (void)state;
    assert_true(grad_loss_ignores(&nll, GRAD_FP32, -100));
    assert_true(grad_loss_ignores(&entropy, GRAD_FP64, -100));
    assert_false(grad_loss_ignores(&entropy, GRAD_FP64, 0)); /* label_smoothing's place */
    nll.parameters[0] = -16777217;
    assert_true(grad_loss_ignores(&nll, GRAD_FP32, -16777216));
    assert_false(grad_loss_ignores(&nll, GRAD_FP64, -16777216));
    assert_true(grad_loss_ignores(&nll, GRAD_FP64, -16777217));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_right),
        cmocka_unit_test(every_size_is_right),
        cmocka_unit_test(fused_losses_are_right),
        cmocka_unit_test(every_loss_is_found_by_its_name),
        cmocka_unit_test(defaults_are_pytorchs),
        cmocka_unit_test(parameters_have_names),
        cmocka_unit_test(classes_are_told_from_probabilities),
        cmocka_unit_test(fusions_are_of_two_pairs),
        cmocka_unit_test(ignore_index_is_compared_as_the_datatype),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
