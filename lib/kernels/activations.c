/* The table of activations, and the choice of the loops that this processor runs. */
#include "kernels/activations.h"

#include <string.h>

static const grad_activation_row *const table[GRAD_ACTIVATION_COUNT] = {
#define ROW(KIND, name) [GRAD_##KIND] = &grad_##name##_activation,
    GRAD_ACTIVATIONS(ROW)
#undef ROW
};

const grad_activation_info *grad_activation_info_of(grad_activation_kind kind)
{
    return &table[kind]->info;
}

const grad_activation_info *grad_activation_find(const char *name)
{
    for (size_t kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++)
        if (strcmp(table[kind]->info.name, name) == 0)
            return &table[kind]->info;
    if (grad_foreign_meaning(GRAD_WORDS_OF_ACTIVATIONS, name) != NULL)
        return NULL;
    for (size_t kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++)
        if (grad_vocabulary_has(GRAD_WORDS_OF_ACTIVATIONS, name, table[kind]->info.name,
                                table[kind]->info.synonyms))
            return &table[kind]->info;
    return NULL;
}

grad_activation grad_activation_default(grad_activation_kind kind)
{
    grad_activation f = {.kind = kind};

    for (size_t i = 0; i < table[kind]->info.parameter_count; i++)
        f.parameters[i] = table[kind]->info.parameters[i].default_value;
    return f;
}

bool grad_path_is_supported(grad_path path)
{
#if defined(__x86_64__)
    if (path == GRAD_PATH_AVX2)
        return __builtin_cpu_supports("avx2");
    if (path == GRAD_PATH_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
    return path == GRAD_PATH_PORTABLE;
}

static grad_path best_path(void)
{
    grad_path path = GRAD_PATH_COUNT - 1;

    while (!grad_path_is_supported(path))
        path--;
    return path;
}

void grad_activation_forward(const grad_activation *f, size_t B, size_t N, const float *z, float *y)
{
    const float p[GRAD_MAX_PARAMETERS] = {(float)f->parameters[0], (float)f->parameters[1]};

    table[f->kind]->loops->forward[best_path()](p, B, N, z, y);
}

void grad_activation_backward(const grad_activation *f, size_t B, size_t N, const float *z,
                              const float *grad_output, float *delta)
{
    const float p[GRAD_MAX_PARAMETERS] = {(float)f->parameters[0], (float)f->parameters[1]};

    table[f->kind]->loops->backward[best_path()](p, B, N, z, grad_output, delta);
}

const grad_loops *grad_activation_loops(grad_activation_kind kind)
{
    return table[kind]->loops;
}

bool grad_activation_couples_features(grad_activation_kind kind)
{
    return table[kind]->exact->row != NULL;
}

void grad_double_forward(const grad_activation *f, size_t B, size_t N, const double *z, double *y)
{
    const grad_double_function *exact = table[f->kind]->exact;

    if (exact->row != NULL)
        for (size_t b = 0; b < B; b++)
            exact->row(N, z + b * N, y + b * N);
    else
        for (size_t i = 0; i < B * N; i++)
            y[i] = exact->value(z[i], f->parameters);
}

void grad_double_backward(const grad_activation *f, size_t B, size_t N, const double *z,
                          const double *dy, double *dz)
{
    const grad_double_function *exact = table[f->kind]->exact;

    if (exact->row != NULL)
        for (size_t b = 0; b < B; b++)
            exact->row_delta(N, z + b * N, dy + b * N, dz + b * N);
    else
        for (size_t i = 0; i < B * N; i++)
            dz[i] = exact->delta(z[i], dy[i], f->parameters);
}
