/* Tests of softmax, log_softmax and softmin over double against their twins in long double: random
 * rows, rows far apart, one feature, confident rows. */
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
#include "support/reals.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define N_MAX 257

/* Sums of N terms in double, one after the other (N u), of terms that are a few roundings and an
 * exp each. Magnitude: that of the terms. */
#define TOLERANCE_ROW(N) (((double)(N) + 12) * UNIT_64)

static const grad_activation_kind kinds[] = {GRAD_SOFTMAX, GRAD_LOG_SOFTMAX, GRAD_SOFTMIN};

/* log_softmax's y_i from its own formula: log of softmax's underflows. */
static long double log_softmax(size_t N, const double *z, size_t i)
{
    long double top = z[0], rest = 0;
    size_t m = 0;

    for (size_t j = 0; j < N; j++)
        if (z[j] > top)
            top = z[m = j];
    for (size_t j = 0; j < N; j++)
        rest += j == m ? 0 : expl(z[j] - top);
    return (z[i] - top) - log1pl(rest);
}

static void check_row(grad_activation_kind kind, size_t N, const double *z, const double *dy)
{
    static long double softmax[N_MAX];
    const char *name = grad_activation_info_of(kind)->name;
    grad_activation f = {.kind = kind};
    grad_function function = {&f, GRAD_FP64, NULL, 0};
    double y[N_MAX], dz[N_MAX];

    twin_softmax_64(kind == GRAD_SOFTMIN ? -1 : 1, N, z, softmax);
    grad_function_forward(&function, 1, N, z, y);
    grad_function_backward(&function, 1, N, z, dy, dz);
    for (size_t i = 0; i < N; i++) {
        long double magnitude, delta = twin_row_delta_64(kind, N, softmax, dy, i, &magnitude);
        long double value = kind == GRAD_LOG_SOFTMAX ? log_softmax(N, z, i) : softmax[i];

        /* a y_i that is subnormal is good to its last bit, times the largest dy */
        reals_check(GRAD_FP64, name, i, y[i], value, TOLERANCE_ROW(N) * fabsl(value));
        reals_check(GRAD_FP64, name, i, dz[i], delta,
                    TOLERANCE_ROW(N) * magnitude + (softmax[i] < DBL_MIN ? 0x1p-50 : 0));
    }
}

static void check_kinds(size_t N, const double *z, const double *dy)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        check_row(kinds[k], N, z, dy);
}

static void random_rows_are_right(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 64, 127, N_MAX};
    double z[N_MAX], dy[N_MAX];
    random_state random = {61};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (double size = 1e-3; size < 1e6; size *= 30) {
            reals_fill(&random, GRAD_FP64, sizes[i], size, z);
            reals_fill(&random, GRAD_FP64, sizes[i], 1, dy);
            check_kinds(sizes[i], z, dy);
        }
}

static void extreme_rows_are_right(void **state)
{
    static const double rows[][4] = {
        {DBL_MAX, -DBL_MAX, 0, 1},          {DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX},
        {-DBL_MAX, -DBL_MAX, -DBL_MAX, -1}, {0, -0.0, 0, -0.0},
        {0, -600.7, -699.1, -700},          {1e15, 1e15 - 3.125, 1e15 - 36.5, 1e15 - 700},
        {DBL_TRUE_MIN, 0, 1e-310, -1e-310}, {40, -0.1, -30, -40},
    };
    static const double outer[][4] = {
        {1, 2, 3, 4},           {0, 0, 0, 0},  {1, 1, 1, 1}, {1e300, -1e300, DBL_MAX, -DBL_MAX},
        {DBL_MAX, 1, -1, 1e-9}, {-1, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof outer / sizeof *outer; j++)
            check_kinds(4, rows[i], outer[j]);
}

/* One y near 1, the others tiny: what is small must not be a difference of what is large. */
static void confident_rows_keep_their_digits(void **state)
{
    static const double z[3] = {0, -60, -80}, dy[3] = {1, 3, 7};

    (void)state;
    check_kinds(3, z, dy);
}

/* All of the row is NaN, wherever the infinity or NaN stands. */
static void a_row_of_no_largest_number_is_nan(void **state)
{
    static const double odd[] = {INFINITY, NAN, -NAN}, dy[3] = {1, 2, 4};
    double z[3], y[3], dz[3];

    (void)state;
    for (size_t c = 0; c < 3 * 3 * 3 * 3; c++) {
        grad_activation f = {(grad_activation_kind)(GRAD_SOFTMAX + c % 3), {0}};
        grad_function function = {&f, GRAD_FP64, NULL, 0};
        size_t N = 1 + c / 27, at = c / 3 % 3 * (N - 1) / 2;

        memset(z, 0, sizeof z);
        z[at] = (f.kind == GRAD_SOFTMIN ? -1 : 1) * odd[c / 9 % 3];
        grad_function_forward(&function, 1, N, z, y);
        grad_function_backward(&function, 1, N, z, dy, dz);
        for (size_t i = 0; i < N; i++)
            assert_true(isnan(y[i]) && isnan(dz[i]));
    }
}

static void outputs_may_be_inputs(void **state)
{
    double z[N_MAX], dy[N_MAX], y[N_MAX], dz[N_MAX];
    random_state random = {62};

    (void)state;
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        grad_function function = {&f, GRAD_FP64, NULL, 0};

        reals_fill(&random, GRAD_FP64, N_MAX, 5, z);
        reals_fill(&random, GRAD_FP64, N_MAX, 5, dy);
        grad_function_forward(&function, 1, N_MAX, z, y);
        grad_function_backward(&function, 1, N_MAX, z, dy, dz);
        grad_function_backward(&function, 1, N_MAX, z, dy, dy);
        assert_memory_equal(dy, dz, sizeof dy);
        grad_function_forward(&function, 1, N_MAX, z, z);
        assert_memory_equal(z, y, sizeof y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rows_are_right),
        cmocka_unit_test(extreme_rows_are_right),
        cmocka_unit_test(confident_rows_keep_their_digits),
        cmocka_unit_test(a_row_of_no_largest_number_is_nan),
        cmocka_unit_test(outputs_may_be_inputs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
