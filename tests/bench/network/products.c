/* Times bare matrix products: the three of each dense layer of a network, forward, ΔW and ∂L/∂x, by
 * cblas_sgemm on one thread, as whole matrices. Prints the CPU seconds of all of them together as
 * one JSON object. What a network costs besides is network.py's to say. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kernels/timing.h"

enum { LAYERS_MAX = 16 };

typedef struct products {
    int B, count;
    int widths[LAYERS_MAX + 1];
    float *x, *W, *z;
} products;

static float *filled(size_t count)
{
    float *numbers = malloc(count * sizeof *numbers);

    if (numbers == NULL)
        exit(1);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)((i * 7919) % 1000) / 500 - 1;
    return numbers;
}

/* z = x Wᵀ, then dW = zᵀ x and dx = z W, for every layer. */
static void multiply(void *context)
{
    const products *p = context;

    for (int i = 0; i < p->count; i++) {
        int K = p->widths[i], N = p->widths[i + 1];

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p->B, N, K, 1, p->x, K, p->W, K, 0,
                    p->z, N);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, N, K, p->B, 1, p->z, N, p->x, K, 0,
                    p->W, K);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->B, K, N, 1, p->z, N, p->W, K, 0,
                    p->x, K);
        for (int k = 0; k < K; k += 7) /* nothing grows without bound */
            p->W[k] = p->x[k] = 0.5F;
    }
}

int main(int argc, char **argv)
{
    products p = {0};
    size_t widest = 0, largest = 0;

    if (argc < 5 || argc > 4 + LAYERS_MAX) {
        fprintf(stderr, "usage: products SECONDS B K N [N…]\n");
        return 2;
    }
    p.B = (int)strtol(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) {
        p.widths[i - 3] = (int)strtol(argv[i], NULL, 10);
        widest = (size_t)p.widths[i - 3] > widest ? (size_t)p.widths[i - 3] : widest;
    }
    p.count = argc - 4;
    for (int i = 0; i < p.count; i++) {
        size_t area = (size_t)p.widths[i] * (size_t)p.widths[i + 1];
        largest = area > largest ? area : largest;
    }
    p.x = filled((size_t)p.B * widest);
    p.z = filled((size_t)p.B * widest);
    p.W = filled(largest);
    openblas_set_num_threads(1);
    printf("{\"products_s\": %.9f}\n", time_best(multiply, &p, strtod(argv[1], NULL)));
    return 0;
}
