/* Times the kernels through the public library: every activation forward and backward, and the
 * batch computation (all stages of a run) against a bare cblas_sgemm of the same product. Prints
 * one JSON object. Before that it writes what the activations gave into a file, to be compared with
 * PyTorch's: z, the gradient, then f(z) and δ of each activation, [64,256] floats each. */
#include "gradient.h"
#include "timing.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

#define LARGE_ELEMENTS 1000000
#define LARGE_FEATURES 250

static float *random_array(size_t count, unsigned seed)
{
    float *a = malloc(count * sizeof(float));
    if (!a) {
        fprintf(stderr, "kernels: out of memory\n");
        exit(1);
    }
    srand(seed);
    for (size_t i = 0; i < count; i++)
        a[i] = (float)rand() / (float)RAND_MAX * 8.0f - 4.0f;
    return a;
}

struct activation_case {
    grad_activation f;
    size_t B, N;
    const float *z, *g;
    float *out;
};

static void run_forward(void *context)
{
    const struct activation_case *c = context;
    grad_activation_forward(&c->f, c->B, c->N, c->z, c->out);
}

static void run_backward(void *context)
{
    const struct activation_case *c = context;
    grad_activation_backward(&c->f, c->B, c->N, c->z, c->g, c->out);
}

enum { SAMPLE_B = 64, SAMPLE_N = 256, SAMPLE = SAMPLE_B * SAMPLE_N };

static void bench_activations(double seconds)
{
    float *z = random_array(SAMPLE, 1), *g = random_array(SAMPLE, 2),
          *out = random_array(SAMPLE, 3);
    printf("\"activations\": {");
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        struct activation_case c = {f, SAMPLE_B, SAMPLE_N, z, g, out};
        double forward = time_best(run_forward, &c, seconds) / SAMPLE;
        double backward = time_best(run_backward, &c, seconds) / SAMPLE;
        printf("%s\"%s\": {\"forward_ns\": %.3f, \"backward_ns\": %.3f}", kind ? ", " : "",
               grad_activation_info_of(f.kind)->name, forward * 1e9, backward * 1e9);
    }
    printf("}");
    free(z);
    free(g);
    free(out);
}

static void write_array(FILE *file, const float *a)
{
    if (fwrite(a, sizeof(float), SAMPLE, file) != SAMPLE) {
        fprintf(stderr, "kernels: cannot write the sample\n");
        exit(1);
    }
}

static void write_sample(const char *path)
{
    float *z = random_array(SAMPLE, 1), *g = random_array(SAMPLE, 2),
          *out = random_array(SAMPLE, 3);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        exit(1);
    }
    write_array(file, z);
    write_array(file, g);
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        grad_activation_forward(&f, SAMPLE_B, SAMPLE_N, z, out);
        write_array(file, out);
        grad_activation_backward(&f, SAMPLE_B, SAMPLE_N, z, g, out);
        write_array(file, out);
    }
    fclose(file);
    free(z);
    free(g);
    free(out);
}

/* Backward over arrays that the caches do not hold, as the reference is measured. */
static void bench_large_activations(double seconds)
{
    enum { B = LARGE_ELEMENTS / LARGE_FEATURES, N = LARGE_FEATURES };
    float *z = random_array(LARGE_ELEMENTS, 1), *g = random_array(LARGE_ELEMENTS, 2);
    float *out = random_array(LARGE_ELEMENTS, 3);
    printf("\"large\": {");
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_activation f = grad_activation_default((grad_activation_kind)kind);
        struct activation_case c = {f, B, N, z, g, out};
        printf("%s\"%s\": {\"forward_ns\": %.3f, \"backward_ns\": %.3f}", kind ? ", " : "",
               grad_activation_info_of(f.kind)->name,
               time_best(run_forward, &c, seconds) / LARGE_ELEMENTS * 1e9,
               time_best(run_backward, &c, seconds) / LARGE_ELEMENTS * 1e9);
    }
    printf("}");
    free(z);
    free(g);
    free(out);
}

struct product_case {
    size_t B, K, N;
    float *x, *z, *g, *dW;
    grad_layer layer;
    grad_batch batch;
};

static void run_product(void *context)
{
    const struct product_case *c = context;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)c->N, (int)c->K, (int)c->B, 1.0f,
                c->g, (int)c->N, c->x, (int)c->K, 0.0f, c->dW, (int)c->K);
}

static void run_batch(void *context)
{
    struct product_case *c = context;
    grad_error error = GRAD_ERROR_INIT;
    grad_plan *plan;
    grad_run *run = NULL;
    if (grad_plan_create(&c->batch, NULL, &plan, &error) != GRAD_OK ||
        grad_run_create(plan, &run, &error) != GRAD_OK || grad_run_all(run, &error) != GRAD_OK) {
        fprintf(stderr, "kernels: %s\n", error.detail);
        exit(1);
    }
    grad_run_destroy(run);
}

static grad_tensor matrix_of(float *data, size_t rows, size_t columns)
{
    return (grad_tensor){.data = data, .rank = 2, .shape = {rows, columns}};
}

static void bench_product(size_t B, size_t K, size_t N, double seconds)
{
    struct product_case c = {.B = B, .K = K, .N = N};
    c.x = random_array(B * K, 4);
    c.z = random_array(B * N, 5);
    c.g = random_array(B * N, 6);
    c.dW = random_array(N * K, 7);
    c.layer.activation = grad_activation_default(GRAD_RELU);
    c.layer.input = matrix_of(c.x, B, K);
    c.layer.pre_activation = matrix_of(c.z, B, N);
    c.layer.grad_output = matrix_of(c.g, B, N);
    c.batch = (grad_batch){.scale = 1, .layer_count = 1, .layers = &c.layer};
    double product = time_best(run_product, &c, seconds);
    double batch = time_best(run_batch, &c, seconds);
    printf("{\"B\": %zu, \"K\": %zu, \"N\": %zu, \"sgemm_us\": %.2f, \"batch_us\": %.2f, "
           "\"batch_over_sgemm\": %.3f}",
           B, K, N, product * 1e6, batch * 1e6, batch / product);
    free(c.x);
    free(c.z);
    free(c.g);
    free(c.dW);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0.2;
    if (argc > 2)
        write_sample(argv[2]);
    printf("{");
    bench_activations(seconds / 10);
    printf(", ");
    bench_large_activations(seconds / 10);
    printf(", \"products\": [");
    bench_product(8, 64, 32, seconds);
    printf(", ");
    bench_product(64, 512, 256, seconds);
    printf(", ");
    bench_product(256, 1024, 1024, seconds);
    printf("]}\n");
    return 0;
}
