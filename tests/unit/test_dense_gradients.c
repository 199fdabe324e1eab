/* The simple entry against plain loops in double: every output, alone and together, by activations
 * of both families; and each of its errors, after which nothing was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradient.h"
#include "support/random.h"
#include "support/tolerances.h"
#include "support/twins.h"

#define MOST (13 * 17)

/* A layer and what it is answered with. */
typedef struct problem {
    size_t B, K, N;
    float x[MOST], W[MOST], b[MOST], dy[MOST];
    float dW[MOST], db[MOST], dx[MOST];
} problem;

static problem problem_of(uint64_t seed, size_t B, size_t K, size_t N)
{
    random_state random = {seed};
    problem p = {.B = B, .K = K, .N = N};

    random_fill(&random, B * K, 1, p.x);
    random_fill(&random, N * K, 1, p.W);
    random_fill(&random, N, 1, p.b);
    random_fill(&random, B * N, 1, p.dy);
    return p;
}

static grad_status solve(problem *p, const char *activation, grad_error *error)
{
    return grad_dense_gradients(p->B, p->K, p->N, activation, p->x, p->W, p->b, p->dy, p->dW, p->db,
                                p->dx, error);
}

static void close_to(const char *what, size_t i, double found, double expected, double size)
{
    if (!(fabs(found - expected) <= 64 * UNIT * size + FLT_TRUE_MIN))
        fail_msg("%s[%zu] is %.9g, expected %.12g", what, i, found, expected);
}

/* z = x Wᵀ + b, then δ by the twin of f. */
static void delta_of(problem *p, const char *activation, bool has_bias, double *dz)
{
    float z[MOST];
    grad_layer layer = {.grad_output = {p->dy, 2, {p->B, p->N}},
                        .pre_activation = {z, 2, {p->B, p->N}},
                        .activation =
                            grad_activation_default(grad_activation_find(activation)->kind)};

    for (size_t e = 0; e < p->B * p->N; e++) {
        double sum = has_bias ? (double)p->b[e % p->N] : 0;

        for (size_t k = 0; k < p->K; k++)
            sum += (double)p->x[e / p->N * p->K + k] * (double)p->W[e % p->N * p->K + k];
        z[e] = (float)sum;
    }
    twin_delta(&layer, p->B, p->N, dz);
}

static void compare(problem *p, const char *activation, bool has_bias)
{
    size_t B = p->B, K = p->K, N = p->N;
    double dz[MOST];

    delta_of(p, activation, has_bias, dz);
    for (size_t n = 0; n < N; n++) {
        double sum = 0;

        for (size_t b = 0; b < B; b++)
            sum += dz[b * N + n];
        close_to("bias_delta", n, p->db[n], sum, (double)B);
        for (size_t k = 0; k < K; k++) {
            sum = 0;
            for (size_t b = 0; b < B; b++)
                sum += dz[b * N + n] * (double)p->x[b * K + k];
            close_to("weight_delta", n * K + k, p->dW[n * K + k], sum, (double)B);
        }
    }
    for (size_t e = 0; e < B * K; e++) {
        double sum = 0;

        for (size_t n = 0; n < N; n++)
            sum += dz[e / K * N + n] * (double)p->W[n * K + e % K];
        close_to("grad_input", e, p->dx[e], sum, (double)N);
    }
}

static void gradients_are_right(void **state)
{
    static const char *const names[] = {"identity", "tanh", "softmax", "GELU", "leaky-relu"};
    static const size_t sizes[][3] = {{1, 1, 1}, {1, 5, 3}, {13, 7, 17}, {6, 17, 2}};
    grad_error error = GRAD_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
            problem p = problem_of(7 * i + f, sizes[i][0], sizes[i][1], sizes[i][2]);

            if (solve(&p, names[f], &error) != GRAD_OK)
                fail_msg("%s", error.detail);
            compare(&p, names[f], true);
        }
}

static void a_bias_may_be_left_out(void **state)
{
    problem p = problem_of(3, 4, 5, 6);

    (void)state;
    assert_int_equal(
        grad_dense_gradients(4, 5, 6, "sigmoid", p.x, p.W, NULL, p.dy, p.dW, p.db, p.dx, NULL),
        GRAD_OK);
    compare(&p, "sigmoid", false);
}

/* The same bits as all together. */
static void each_output_may_be_left_out(void **state)
{
    problem all = problem_of(5, 8, 9, 10);

    (void)state;
    assert_int_equal(solve(&all, "relu", NULL), GRAD_OK);
    for (unsigned wanted = 0; wanted < 8; wanted++) {
        problem p = problem_of(5, 8, 9, 10);
        bool dW = wanted & 1, db = wanted & 2, dx = wanted & 4;
        static const problem untouched;

        assert_int_equal(grad_dense_gradients(8, 9, 10, "relu", p.x, p.W, p.b, p.dy,
                                              dW ? p.dW : NULL, db ? p.db : NULL, dx ? p.dx : NULL,
                                              NULL),
                         GRAD_OK);
        assert_memory_equal(p.dW, dW ? all.dW : untouched.dW, sizeof p.dW);
        assert_memory_equal(p.db, db ? all.db : untouched.db, sizeof p.db);
        assert_memory_equal(p.dx, dx ? all.dx : untouched.dx, sizeof p.dx);
    }
}

/* No samples: sums of nothing. */
static void a_batch_may_be_of_no_samples(void **state)
{
    problem p = problem_of(9, 2, 3, 4);

    (void)state;
    assert_int_equal(solve(&p, "relu", NULL), GRAD_OK);
    p.B = 0;
    assert_int_equal(solve(&p, "relu", NULL), GRAD_OK);
    for (size_t i = 0; i < 12; i++)
        assert_true(p.dW[i] == 0 && p.db[i / 3] == 0);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void assert_fails(problem *p, const char *activation, const char *code, const char *pointer)
{
    grad_error error = GRAD_ERROR_INIT;
    problem before = *p;

    assert_int_not_equal(solve(p, activation, &error), GRAD_OK);
    assert_string_equal(error.code, code);
    assert_string_equal(error.pointer, pointer);
    assert_memory_equal(&before, p, sizeof before);
}

static void what_is_wrong_is_told(void **state)
{
    problem p = problem_of(1, 2, 3, 4), q;

    (void)state;
    assert_fails(&p, "rely", "unknown_name", "/layers/0/activation");
    assert_fails(&p, NULL, "unknown_name", "/layers/0/activation");
    q = p;
    q.K = 0;
    assert_fails(&q, "relu", "empty_tensor", "/layers/0/input");
    q = p;
    q.N = SIZE_MAX / 2;
    assert_fails(&q, "relu", "size_overflow", "/layers");
    q = p;
    q.x[4] = NAN;
    assert_fails(&q, "relu", "non_finite", "/layers/0/input/1/1");
    q = p;
    q.x[0] = q.x[3] = 1;
    q.dy[0] = q.dy[4] = FLT_MAX;
    assert_fails(&q, "identity", "non_finite", "/layers/0/weight_delta/0/0");
}

static void arrays_are_needed(void **state)
{
    problem p = problem_of(1, 2, 3, 4);
    float *const arrays[] = {p.x, p.W, p.dy};
    static const char *const members[] = {"input", "weight", "grad_output"};

    (void)state;
    for (size_t missing = 0; missing < 3; missing++) {
        grad_error error = GRAD_ERROR_INIT;
        const float *a[3];

        for (size_t i = 0; i < 3; i++)
            a[i] = i == missing ? NULL : arrays[i];
        assert_int_equal(
            grad_dense_gradients(2, 3, 4, "tanh", a[0], a[1], p.b, a[2], p.dW, p.db, p.dx, &error),
            GRAD_INVALID);
        assert_string_equal(error.code, "missing_field");
        assert_non_null(strstr(error.detail, members[missing]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_right),
        cmocka_unit_test(a_bias_may_be_left_out),
        cmocka_unit_test(each_output_may_be_left_out),
        cmocka_unit_test(a_batch_may_be_of_no_samples),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(arrays_are_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
