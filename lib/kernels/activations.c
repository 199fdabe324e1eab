/* The table of activations, and the choice of the loops that this processor runs. To add an
 * activation: the enum in gradient.h, two functions in the file of its family, their loops' name in
 * activations.h, a row here. No arithmetic lives here, and nothing knows of layers. */
#include "kernels/activations.h"

#include <string.h>

#include "core/foreign.h"

/* clang-format off */
static const struct activation_row {
    grad_activation_info info;
    const grad_loops *loops;
    bool couples_features;
} table[GRAD_ACTIVATION_COUNT] = {
    [GRAD_IDENTITY] = {{GRAD_IDENTITY, "identity", "z", "1", 0, {{0}}, GRAD_SYNONYMS("linear")},
        &grad_identity_loops, false},
    [GRAD_RELU] = {{GRAD_RELU, "relu", "max(z, 0)", "z > 0 ? 1 : 0", 0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_relu_loops, false},
    [GRAD_RELU6] = {{GRAD_RELU6, "relu6",
        "min(max(z, 0), 6)",
        "z > 0 and z < 6 ? 1 : 0",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_relu6_loops, false},
    [GRAD_LEAKY_RELU] = {{GRAD_LEAKY_RELU, "leaky_relu",
        "z > 0 ? z : negative_slope * z",
        "z > 0 ? 1 : negative_slope",
        1, {{"negative_slope", 0.01, false}}, GRAD_NO_SYNONYMS},
        &grad_leaky_relu_loops, false},
    [GRAD_PRELU] = {{GRAD_PRELU, "prelu",
        "z > 0 ? z : slope * z",
        "z > 0 ? 1 : slope",
        1, {{"slope", 0.25, false}}, GRAD_NO_SYNONYMS},
        &grad_leaky_relu_loops, false},
    [GRAD_THRESHOLD] = {{GRAD_THRESHOLD, "threshold",
        "z > threshold ? z : value",
        "z > threshold ? 1 : 0",
        2, {{"threshold", 0, false}, {"value", 0, false}}, GRAD_NO_SYNONYMS},
        &grad_threshold_loops, false},
    [GRAD_HARD_TANH] = {{GRAD_HARD_TANH, "hard_tanh",
        "min(max(z, min_val), max_val)",
        "z > min_val and z < max_val ? 1 : 0",
        2, {{"min_val", -1, false}, {"max_val", 1, false}}, GRAD_NO_SYNONYMS},
        &grad_hard_tanh_loops, false},
    [GRAD_HARD_SIGMOID] = {{GRAD_HARD_SIGMOID, "hard_sigmoid",
        "min(max(z + 3, 0), 6) / 6",
        "z > -3 and z < 3 ? 1 / 6 : 0",
        0, {{0}}, GRAD_SYNONYMS("h_sigmoid")},
        &grad_hard_sigmoid_loops, false},
    [GRAD_HARDSWISH] = {{GRAD_HARDSWISH, "hardswish",
        "z * min(max(z + 3, 0), 6) / 6",
        "z <= -3 ? 0 : z < 3 ? (2 z + 3) / 6 : 1",
        0, {{0}}, GRAD_SYNONYMS("hard_silu", "h_swish")},
        &grad_hardswish_loops, false},
    [GRAD_SOFTSHRINK] = {{GRAD_SOFTSHRINK, "softshrink",
        "z > lambda ? z - lambda : z < -lambda ? z + lambda : 0",
        "z >= -lambda and z <= lambda ? 0 : 1",
        1, {{"lambda", 0.5, false}}, GRAD_NO_SYNONYMS},
        &grad_softshrink_loops, false},
    [GRAD_HARDSHRINK] = {{GRAD_HARDSHRINK, "hardshrink",
        "z >= -lambda and z <= lambda ? 0 : z",
        "z >= -lambda and z <= lambda ? 0 : 1",
        1, {{"lambda", 0.5, false}}, GRAD_NO_SYNONYMS},
        &grad_hardshrink_loops, false},
    [GRAD_EXP] = {{GRAD_EXP, "exp", "exp(z)", "exp(z)", 0, {{0}}, GRAD_SYNONYMS("exponential")},
        &grad_exp_loops, false},
    [GRAD_ELU] = {{GRAD_ELU, "elu",
        "z > 0 ? z : alpha * (exp(z) - 1)",
        "z > 0 ? 1 : alpha * exp(z)",
        1, {{"alpha", 1, false}}, GRAD_NO_SYNONYMS},
        &grad_elu_loops, false},
    [GRAD_CELU] = {{GRAD_CELU, "celu",
        "z > 0 ? z : alpha * (exp(z / alpha) - 1)",
        "z > 0 ? 1 : exp(z / alpha)",
        1, {{"alpha", 1, true}}, GRAD_NO_SYNONYMS},
        &grad_celu_loops, false},
    [GRAD_SELU] = {{GRAD_SELU, "selu",
        "s * (z > 0 ? z : a * (exp(z) - 1)) with s = 1.05070098735548, a = 1.67326324235438",
        "s * (z > 0 ? 1 : a * exp(z))",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_selu_loops, false},
    [GRAD_SIGMOID] = {{GRAD_SIGMOID, "sigmoid",
        "1 / (1 + exp(-z))",
        "y * (1 - y)",
        0, {{0}}, GRAD_SYNONYMS("logistic", "expit")},
        &grad_sigmoid_loops, false},
    [GRAD_LOG_SIGMOID] = {{GRAD_LOG_SIGMOID, "log_sigmoid",
        "-log(1 + exp(-z))",
        "1 / (1 + exp(z))",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_log_sigmoid_loops, false},
    [GRAD_SOFTPLUS] = {{GRAD_SOFTPLUS, "softplus",
        "beta * z > threshold ? z : log(1 + exp(beta * z)) / beta",
        "beta * z > threshold ? 1 : 1 / (1 + exp(-beta * z))",
        2, {{"beta", 1, true}, {"threshold", 20, false}}, GRAD_NO_SYNONYMS},
        &grad_softplus_loops, false},
    [GRAD_SILU] = {{GRAD_SILU, "silu",
        "z * s with s = 1 / (1 + exp(-z))",
        "s + z * s * (1 - s)",
        0, {{0}}, GRAD_SYNONYMS("swish")},
        &grad_silu_loops, false},
    [GRAD_MISH] = {{GRAD_MISH, "mish",
        "z * t with t = tanh(log(1 + exp(z)))",
        "t + z * (1 - t^2) / (1 + exp(-z))",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_mish_loops, false},
    [GRAD_TANH] = {{GRAD_TANH, "tanh", "tanh(z)", "1 / cosh(z)^2", 0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_tanh_loops, false},
    [GRAD_TANHSHRINK] = {{GRAD_TANHSHRINK, "tanhshrink",
        "z - tanh(z)",
        "tanh(z)^2",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_tanhshrink_loops, false},
    [GRAD_SOFTSIGN] = {{GRAD_SOFTSIGN, "softsign",
        "z / (1 + abs(z))",
        "1 / (1 + abs(z))^2",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_softsign_loops, false},
    [GRAD_GELU] = {{GRAD_GELU, "gelu",
        "z * P with P = (1 + erf(z / sqrt(2))) / 2",
        "P + z * exp(-z^2 / 2) / sqrt(2 pi)",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_gelu_loops, false},
    [GRAD_GELU_TANH] = {{GRAD_GELU_TANH, "gelu_tanh",
        "z * (1 + t) / 2 with t = tanh(v), v = sqrt(2 / pi) * (z + 0.044715 z^3)",
        "(1 + t) / 2 + z * (1 - t^2) / 2 * sqrt(2 / pi) * (1 + 0.134145 z^2)",
        0, {{0}}, GRAD_SYNONYMS("gelu_new", "gelu_pytorch_tanh")},
        &grad_gelu_tanh_loops, false},
    [GRAD_SOFTMAX] = {{GRAD_SOFTMAX, "softmax",
        "exp(z_i) / sum_j exp(z_j)",
        "dy_i/dz_j = y_i * ((i = j) - y_j)",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_softmax_loops, true},
    [GRAD_LOG_SOFTMAX] = {{GRAD_LOG_SOFTMAX, "log_softmax",
        "z_i - log(sum_j exp(z_j))",
        "dy_i/dz_j = (i = j) - exp(y_j)",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_log_softmax_loops, true},
    [GRAD_SOFTMIN] = {{GRAD_SOFTMIN, "softmin",
        "exp(-z_i) / sum_j exp(-z_j)",
        "dy_i/dz_j = -y_i * ((i = j) - y_j)",
        0, {{0}}, GRAD_NO_SYNONYMS},
        &grad_softmin_loops, true},
};
/* clang-format on */

const grad_activation_info *grad_activation_info_of(grad_activation_kind kind)
{
    return &table[kind].info;
}

const grad_activation_info *grad_activation_find(const char *name)
{
    for (size_t kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++)
        if (strcmp(table[kind].info.name, name) == 0)
            return &table[kind].info;
    if (grad_foreign_meaning(GRAD_WORDS_OF_ACTIVATIONS, name) != NULL)
        return NULL;
    for (size_t kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++)
        if (grad_vocabulary_has(GRAD_WORDS_OF_ACTIVATIONS, name, table[kind].info.name,
                                table[kind].info.synonyms))
            return &table[kind].info;
    return NULL;
}

grad_activation grad_activation_default(grad_activation_kind kind)
{
    grad_activation f = {.kind = kind};

    for (size_t i = 0; i < table[kind].info.parameter_count; i++)
        f.parameters[i] = table[kind].info.parameters[i].default_value;
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

    table[f->kind].loops->forward[best_path()](p, B, N, z, y);
}

void grad_activation_backward(const grad_activation *f, size_t B, size_t N, const float *z,
                              const float *grad_output, float *delta)
{
    const float p[GRAD_MAX_PARAMETERS] = {(float)f->parameters[0], (float)f->parameters[1]};

    table[f->kind].loops->backward[best_path()](p, B, N, z, grad_output, delta);
}

const grad_loops *grad_activation_loops(grad_activation_kind kind)
{
    return table[kind].loops;
}

bool grad_activation_couples_features(grad_activation_kind kind)
{
    return table[kind].couples_features;
}
