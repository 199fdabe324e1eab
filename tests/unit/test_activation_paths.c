/* Tests of what the activations' loops promise beside accuracy: the convention at each kink, what
 * becomes of NaN and infinity, the same bits on every path and at every cut. */
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

/* f'(z) as PyTorch 2.14 has it at its kinks, with the default parameters. */
static const struct kink {
    grad_activation_kind kind;
    float z, slope;
} kinks[] = {
    {GRAD_RELU, 0, 0},           {GRAD_RELU, -0.0f, 0},       {GRAD_RELU6, 0, 0},
    {GRAD_RELU6, 6, 0},          {GRAD_LEAKY_RELU, 0, 0.01f}, {GRAD_THRESHOLD, 0, 0},
    {GRAD_HARD_TANH, -1, 0},     {GRAD_HARD_TANH, 1, 0},      {GRAD_HARD_SIGMOID, -3, 0},
    {GRAD_HARD_SIGMOID, 3, 0},   {GRAD_HARDSWISH, -3, 0},     {GRAD_HARDSWISH, 3, 1},
    {GRAD_SOFTSHRINK, -0.5f, 0}, {GRAD_SOFTSHRINK, 0.5f, 0},  {GRAD_HARDSHRINK, -0.5f, 0},
    {GRAD_HARDSHRINK, 0.5f, 0},  {GRAD_SQUARED_RELU, 0, 0},   {GRAD_ELU, 0, 1},
    {GRAD_CELU, 0, 1},           {GRAD_SELU, 0, 1.7580993f},  {GRAD_SELU, -0.0f, 1.7580993f},
    {GRAD_TANHSHRINK, 0, 0},     {GRAD_SOFTSIGN, 0, 1},
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

/* ---- NaN and infinity ------------------------------------------------------------------------ */

/* f and δ of every element of a row of each path, into y and dz. */
static void run_path(grad_path path, const grad_activation *f, size_t N, const float *z,
                     const float *dy, float *y, float *dz)
{
    const grad_loops *loops = grad_activation_loops(f->kind);
    const float p[] = {(float)f->parameters[0], (float)f->parameters[1]};

    loops->forward[path](p, 1, N, z, y);
    loops->backward[path](p, 1, N, z, dy, dz);
}

/* Of every element, wherever it stands, of either sign, and also where ∂L/∂y is 0. The one f' that
 * does not depend on z is identity's. */
static void a_nan_comes_out_as_one(void **state)
{
    static const grad_activation others[] = {
        {GRAD_ELU, {0.5}}, {GRAD_CELU, {0.5}}, {GRAD_SOFTPLUS, {0.25, 3}}, {GRAD_PRELU, {0}}};
    enum { N = 37, OTHERS = sizeof others / sizeof *others };
    float z[N], dy[N], y[N], dz[N];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        z[i] = i % 2 ? NAN : -NAN;
        dy[i] = (float)(i % 3);
    }
    for (grad_path path = 0; path < GRAD_PATH_COUNT && grad_path_is_supported(path); path++)
        for (size_t k = 0; k < (size_t)GRAD_ACTIVATION_COUNT + OTHERS; k++) {
            grad_activation f = k < GRAD_ACTIVATION_COUNT
                                    ? grad_activation_default((grad_activation_kind)k)
                                    : others[k - GRAD_ACTIVATION_COUNT];

            run_path(path, &f, N, z, dy, y, dz);
            for (size_t i = 0; i < N; i++)
                if (!isnan(y[i]) || (f.kind == GRAD_IDENTITY ? dz[i] != dy[i] : !isnan(dz[i])))
                    fail_msg("%s[%zu], path %d: f(NaN) is %g, δ %g",
                             grad_activation_info_of(f.kind)->name, i, path, (double)y[i],
                             (double)dz[i]);
        }
}

/* f and f' at -infinity and infinity: their limits. */
static const struct limit {
    grad_activation_kind kind;
    float y[2], slope[2];
} limits[] = {
    {GRAD_IDENTITY, {-INFINITY, INFINITY}, {1, 1}},
    {GRAD_RELU, {0, INFINITY}, {0, 1}},
    {GRAD_RELU6, {0, 6}, {0, 0}},
    {GRAD_LEAKY_RELU, {-INFINITY, INFINITY}, {0.01f, 1}},
    {GRAD_PRELU, {-INFINITY, INFINITY}, {0.25f, 1}},
    {GRAD_THRESHOLD, {0, INFINITY}, {0, 1}},
    {GRAD_HARD_TANH, {-1, 1}, {0, 0}},
    {GRAD_HARD_SIGMOID, {0, 1}, {0, 0}},
    {GRAD_HARDSWISH, {0, INFINITY}, {0, 1}},
    {GRAD_SOFTSHRINK, {-INFINITY, INFINITY}, {1, 1}},
    {GRAD_HARDSHRINK, {-INFINITY, INFINITY}, {1, 1}},
    {GRAD_SQUARED_RELU, {0, INFINITY}, {0, INFINITY}},
    {GRAD_EXP, {0, INFINITY}, {0, INFINITY}},
    {GRAD_ELU, {-1, INFINITY}, {0, 1}},
    {GRAD_CELU, {-1, INFINITY}, {0, 1}},
    {GRAD_SELU, {-1.7580993f, INFINITY}, {0, 1.050701f}},
    {GRAD_SIGMOID, {0, 1}, {0, 0}},
    {GRAD_LOG_SIGMOID, {-INFINITY, 0}, {1, 0}},
    {GRAD_SOFTPLUS, {0, INFINITY}, {0, 1}},
    {GRAD_SILU, {0, INFINITY}, {0, 1}},
    {GRAD_MISH, {0, INFINITY}, {0, 1}},
    {GRAD_TANH, {-1, 1}, {0, 0}},
    {GRAD_TANHSHRINK, {-INFINITY, INFINITY}, {1, 1}},
    {GRAD_SOFTSIGN, {-1, 1}, {0, 0}},
    {GRAD_SNAKE, {-INFINITY, INFINITY}, {NAN, NAN}}, /* f' has none */
    {GRAD_GELU, {0, INFINITY}, {0, 1}},
    {GRAD_GELU_TANH, {0, INFINITY}, {0, 1}},
    {GRAD_QUICK_GELU, {0, INFINITY}, {0, 1}},
};

static bool is_limit(float found, float expected)
{
    if (isnan(expected))
        return isnan(found);
    return isinf(expected) ? found == expected : fabsf(found - expected) <= 1e-6f;
}

static void infinities_have_their_limits(void **state)
{
    enum { N = 37 };
    float z[N], dy[N], y[N], dz[N];

    (void)state;
    assert_int_equal(sizeof limits / sizeof *limits, GRAD_SOFTMAX);
    for (size_t i = 0; i < N; i++) {
        z[i] = i % 2 ? INFINITY : -INFINITY;
        dy[i] = 1;
    }
    for (grad_path path = 0; path < GRAD_PATH_COUNT && grad_path_is_supported(path); path++)
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
            grad_activation f = grad_activation_default(limits[k].kind);

            run_path(path, &f, N, z, dy, y, dz);
            for (size_t i = 0; i < N; i++)
                if (!is_limit(y[i], limits[k].y[i % 2]) || !is_limit(dz[i], limits[k].slope[i % 2]))
                    fail_msg("%s at %g, path %d: f is %g, f' %g",
                             grad_activation_info_of(f.kind)->name, (double)z[i], path,
                             (double)y[i], (double)dz[i]);
        }
}

/* All of the row is NaN, wherever the infinity or NaN stands, and however long the row is. */
static void a_row_of_no_largest_number_is_nan(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 15, 16, 17, 40, COUNT};
    static const float odd[] = {INFINITY, NAN, -NAN};
    static float z[COUNT], dy[COUNT], y[COUNT], dz[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        dy[i] = 1;
    for (grad_path path = 0; path < GRAD_PATH_COUNT && grad_path_is_supported(path); path++)
        for (size_t c = 0; c < 3 * 3 * 3 * sizeof sizes / sizeof *sizes; c++) {
            grad_activation f = {(grad_activation_kind)(GRAD_SOFTMAX + c % 3), {0}};
            size_t N = sizes[c / 27], at = c / 3 % 3 * (N - 1) / 2;
            float sign = f.kind == GRAD_SOFTMIN ? -1 : 1;

            memset(z, 0, sizeof z);
            z[at] = sign * odd[c / 9 % 3];
            run_path(path, &f, N, z, dy, y, dz);
            for (size_t i = 0; i < N; i++)
                if (!isnan(y[i]) || !isnan(dz[i]))
                    fail_msg("%s of %zu, z[%zu] = %g, path %d: y[%zu] is %g, δ %g",
                             grad_activation_info_of(f.kind)->name, N, at, (double)z[at], path, i,
                             (double)y[i], (double)dz[i]);
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
        {GRAD_SNAKE, {0.3}},       {GRAD_SNAKE, {1e38}},
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
        cmocka_unit_test(a_nan_comes_out_as_one),
        cmocka_unit_test(infinities_have_their_limits),
        cmocka_unit_test(a_row_of_no_largest_number_is_nan),
        cmocka_unit_test(all_paths_give_the_same_bits),
        cmocka_unit_test(all_paths_give_the_same_rows),
        cmocka_unit_test(cuts_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
