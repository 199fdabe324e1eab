/* Whether the ground holds: that the BLAS beneath can be called from several threads. Some builds
 * (OpenBLAS's serial flavour) share one workspace and quietly return wrong products. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "kernels/gemm.h"

/* Large enough for sgemm's packed path, small enough that hundreds take milliseconds. */
#define SIDE 64
#define ELEMENTS ((size_t)SIDE * SIDE)
#define ROUNDS 200
#define THREADS 2

/* One thread's products. */
typedef struct trial {
    float A[ELEMENTS], B[ELEMENTS], C[ELEMENTS];
    float expected[ELEMENTS];
    bool wrong;
} trial;

static void multiply(const float *A, const float *B, float *C)
{
    grad_factor left = {A, SIDE, true}, right = {B, SIDE, false};

    grad_gemm(GRAD_FP32, SIDE, SIDE, SIDE, left, right, C, SIDE);
}

/* Small integers, other ones for each thread: the sums are exact in any order, so that an honest
 * product is right to the bit. */
static void fill(trial *t, size_t thread)
{
    for (size_t i = 0; i < ELEMENTS; i++) {
        t->A[i] = (float)((i * 7 + thread * 5) % 17) - 8;
        t->B[i] = (float)((i * 11 + thread * 3) % 13) - 6;
    }
    multiply(t->A, t->B, t->expected);
    t->wrong = false;
}

static void *repeat(void *argument)
{
    trial *t = argument;

    for (int round = 0; round < ROUNDS; round++) {
        multiply(t->A, t->B, t->C);
        if (memcmp(t->C, t->expected, sizeof t->C) != 0)
            t->wrong = true;
    }
    return NULL;
}

static grad_status run_trials(trial *trials, grad_error *error)
{
    pthread_t second;

    for (size_t thread = 0; thread < THREADS; thread++)
        fill(&trials[thread], thread);
    if (pthread_create(&second, NULL, repeat, &trials[1]) != 0)
        return grad_fail(error, GRAD_OUT_OF_MEMORY, "out_of_memory", "",
                         "expected to start a second thread, the system refused it");
    repeat(&trials[0]);
    pthread_join(second, NULL);
    if (trials[0].wrong || trials[1].wrong)
        return grad_fail(error, GRAD_INVALID, "unsafe_blas", "",
                         "expected products by two threads at once to be those of one, found "
                         "others: use a threaded build of OpenBLAS");
    return GRAD_OK;
}

grad_status grad_self_test(grad_error *error)
{
    trial *trials;
    grad_status status;

    if (!grad_blas_is_thread_safe())
        return grad_fail(error, GRAD_INVALID, "unsafe_blas", "",
                         "expected a BLAS that several threads may call, found OpenBLAS's serial "
                         "flavour: install libopenblas0-pthread");
    trials = malloc(THREADS * sizeof *trials);
    if (trials == NULL)
        return grad_fail_memory(error, THREADS * sizeof *trials);
    status = run_trials(trials, error);
    free(trials);
    return status;
}
