/* Tests of what the activations' loops promise beside accuracy: the convention at each kink, the
 * same bits on every path and at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/activations.h"
#include "support/random.h"

#define COUNT 1031 /* a prime: no multiple of any vector's length */

/* ---- Kinks ----------------------------------------------------------------------------------- */

/* f'(z) as PyTorch 1.13 has it at its kinks, with the default parameters. */
static const struct kink {
    grad_activation_kind kind;
    float z, slope;
} kinks[] = {
    {GRAD_RELU, 0, 0},
    {GRAD_RELU, -0.0f, 0},
    {GRAD_RELU6, 0, 0},
    {GRAD_RELU6, 6, 0},
    {GRAD_LEAKY_RELU, 0, 0.01f},
    {GRAD_THRESHOLD, 0, 0},
    {GRAD_HARD_TANH, -1, 0},
    {GRAD_HARD_TANH, 1, 0},
    {GRAD_HARD_SIGMOID, -3, 0},
    {GRAD_HARD_SIGMOID, 3, 0},
    {GRAD_HARDSWISH, -3, -0.5f},
    {GRAD_HARDSWISH, 3, 1},
    {GRAD_SOFTSHRINK, -0.5f, 0},
    {GRAD_SOFTSHRINK, 0.5f, 0},
    {GRAD_HARDSHRINK, -0.5f, 0},
    {GRAD_HARDSHRINK, 0.5f, 0},
    {GRAD_ELU, 0, 1},
    {GRAD_CELU, 0, 1},
    {GRAD_SELU, 0, 1.7580993f},
    {GRAD_SELU, -0.0f, 1.7580993f},
    {GRAD_TANHSHRINK, 0, 0},
    {GRAD_SOFTSIGN, 0, 1},
    {GRAD_RELU, NAN, 1},
    {GRAD_THRESHOLD, NAN, 1},
    {GRAD_LEAKY_RELU, NAN, 0.01f},
    {GRAD_HARD_SIGMOID, NAN, 0},
};

static float slope_at(const grad_activation *f, float z)
{
    float one = 1, dz;

    grad_activation_backward(f, 1, 1, &z, &one, &dz);
    return dz;
}

static void kinks_are_as_in_pytorch(void **state)
{
    grad_activation early_softplus = {GRAD_SOFTPLUS, {1, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof kinks / sizeof *kinks; i++) {
        grad_activation f = grad_activation_default(kinks[i].kind);
        float found = slope_at(&f, kinks[i].z);

        if (found != kinks[i].slope)
            fail_msg("%s at %g: found %g, expected %g", grad_activation_info_of(f.kind)->name,
                     (double)kinks[i].z, (double)found, (double)kinks[i].slope);
    }
    assert_true(slope_at(&early_softplus, 3) < 0.96f);
    assert_true(slope_at(&early_softplus, nextafterf(3, 4)) == 1);
}

static void smooth_activations_pass_a_nan_on(void **state)
{
    static const grad_activation_kind smooth[] = {
        GRAD_EXP,       GRAD_SIGMOID, GRAD_LOG_SIGMOID, GRAD_SOFTPLUS, GRAD_SILU,
        GRAD_MISH,      GRAD_TANH,    GRAD_TANHSHRINK,  GRAD_SOFTSIGN, GRAD_GELU,
        GRAD_GELU_TANH, GRAD_SOFTMAX, GRAD_LOG_SOFTMAX, GRAD_SOFTMIN,
    };

    (void)state;
    for (size_t i = 0; i < sizeof smooth / sizeof *smooth; i++) {
        grad_activation f = grad_activation_default(smooth[i]);
        float z[3] = {1, NAN, 2}, dy[3] = {1, 1, 1}, y[3], dz[3];

        grad_activation_forward(&f, 1, 3, z, y);
        grad_activation_backward(&f, 1, 3, z, dy, dz);
        assert_true(isnan(y[1]) && isnan(dz[1]));
    }
}

/* ---- Paths ----------------------------------------------------------------------------------- */

/* Any bit pattern at all, NaN and infinity among them; the ordinary sizes are half. */
static void fill(random_state *random, float *z)
{
    random_fill(random, COUNT, 8, z);
    for (size_t i = 0; i < COUNT; i += 2) {
        uint32_t bits = (uint32_t)random_bits(random);

        memcpy(&z[i], &bits, sizeof bits);
    }
}

/* The bits, but for the sign and the payload of a NaN, which IEEE 754 leaves open. */
static bool same_bits(const float *a, const float *b)
{
    for (size_t i = 0; i < COUNT; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static void check_paths(const grad_activation *f, size_t B, size_t N, const float *z,
                        const float *dy)
{
    static float first[2][COUNT], other[2][COUNT];
    const grad_loops *loops = grad_activation_loops(f->kind);
    const float p[] = {(float)f->parameters[0], (float)f->parameters[1]};

    assert_true(grad_path_is_supported(GRAD_PATH_PORTABLE));
    loops->forward[GRAD_PATH_PORTABLE](p, B, N, z, first[0]);
    loops->backward[GRAD_PATH_PORTABLE](p, B, N, z, dy, first[1]);
    for (grad_path path = 1; path < GRAD_PATH_COUNT; path++) {
        if (!grad_path_is_supported(path))
            continue;
        loops->forward[path](p, B, N, z, other[0]);
        loops->backward[path](p, B, N, z, dy, other[1]);
        if (!same_bits(first[0], other[0]) || !same_bits(first[1], other[1]))
            fail_msg("%s of %zu: path %d differs", grad_activation_info_of(f->kind)->name, N, path);
    }
}

static void all_paths_give_the_same_bits(void **state)
{
    static const grad_activation others[] = {
        {GRAD_ELU, {-2.5}},        {GRAD_CELU, {0.3}},          {GRAD_SOFTPLUS, {0.25, 3}},
        {GRAD_LEAKY_RELU, {-0.3}}, {GRAD_HARD_TANH, {-2.5, 1}}, {GRAD_SOFTSHRINK, {2}},
    };
    static float z[COUNT], dy[COUNT];
    random_state random = {31};

    (void)state;
    for (int round = 0; round < 20; round++) {
        fill(&random, z);
        fill(&random, dy);
        for (grad_activation_kind kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
            grad_activation f = grad_activation_default(kind);

            check_paths(&f, 1, COUNT, z, dy);
        }
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            check_paths(&others[i], 1, COUNT, z, dy);
    }
}

/* The same of rows without a NaN, which would make all of a row one. */
static void all_paths_give_the_same_rows(void **state)
{
    static const size_t sizes[] = {1, 2, 7, 15, 16, 17, 33, 100, COUNT};
    static float z[COUNT], dy[COUNT];
    random_state random = {33};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (float size = 1e-3f; size < 1e6f; size *= 30)
            for (grad_activation_kind kind = GRAD_SOFTMAX; kind < GRAD_ACTIVATION_COUNT; kind++) {
                grad_activation f = grad_activation_default(kind);

                random_fill(&random, COUNT, size, z);
                random_fill(&random, COUNT, 1, dy);
                check_paths(&f, COUNT / sizes[i], sizes[i], z, dy);
            }
}

/* Wherever a tile begins and however long it is: one by one, then in pieces of growing length. */
static void cuts_do_not_matter(void **state)
{
    static float z[COUNT], dy[COUNT], whole[COUNT], pieces[COUNT];
    random_state random = {32};

    (void)state;
    for (grad_activation_kind kind = 0; kind < GRAD_SOFTMAX; kind++) {
        grad_activation f = grad_activation_default(kind);

        fill(&random, z);
        fill(&random, dy);
        grad_activation_backward(&f, 1, COUNT, z, dy, whole);
        for (size_t begin = 0, length = 1; begin < COUNT; begin += length, length++) {
            length = length < COUNT - begin ? length : COUNT - begin;
            grad_activation_backward(&f, length, 1, z + begin, dy + begin, pieces + begin);
        }
        assert_true(same_bits(whole, pieces));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinks_are_as_in_pytorch),
        cmocka_unit_test(smooth_activations_pass_a_nan_on),
        cmocka_unit_test(all_paths_give_the_same_bits),
        cmocka_unit_test(all_paths_give_the_same_rows),
        cmocka_unit_test(cuts_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
