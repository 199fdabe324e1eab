/* The activations: a row of the table and two functions each, forward and backward side by side.
 * To add one: the enum in gradient.h, two functions, a row. softmax.c holds the one whose features
 * depend on each other. Nothing here knows of layers.
 *
 * Arithmetic. z and ∂L/∂y are float32; f and f' are worked out in double and rounded once, at the
 * end. So a result is good to an ulp also where f' crosses zero (gelu, silu) or underflows
 * float32 while ∂L/∂y is large; squares and cubes of any float32 stay finite; and exp is only ever
 * taken of numbers <= 0. Comparisons are PyTorch's, also for NaN. Outputs may be an input: each
 * element is read before it is written. */
#include "kernels/activations.h"

#include <math.h>
#include <string.h>

/* All over matrices [B,N] in row-major order; p are the activation's parameters. */
typedef void forward_function(const float *p, size_t B, size_t N, const float *z, float *y);
typedef void backward_function(const float *p, size_t B, size_t N, const float *z, const float *dy,
                               float *dz);

/* ---- Piecewise linear ------------------------------------------------------------------------ */

static void identity_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    memmove(y, z, B * N * sizeof *y);
}

static void identity_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                              float *dz)
{
    (void)p;
    (void)z;
    memmove(dz, dy, B * N * sizeof *dz);
}

static void relu_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
#pragma GCC ivdep
    for (size_t i = 0; i < B * N; i++)
        y[i] = z[i] <= 0 ? 0 : z[i];
}

static void relu_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                          float *dz)
{
    (void)p;
#pragma GCC ivdep
    for (size_t i = 0; i < B * N; i++) {
        float g = dy[i]; /* loaded always: a load under a condition is not vectorised */

        dz[i] = z[i] <= 0 ? 0 : g;
    }
}

static void leaky_relu_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    float slopes[2] = {p[0], 1}; /* looked up, not branched on: the signs of z are random */

#pragma GCC ivdep
    for (size_t i = 0; i < B * N; i++)
        y[i] = z[i] * slopes[z[i] > 0];
}

static void leaky_relu_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                                float *dz)
{
    float slopes[2] = {p[0], 1};

#pragma GCC ivdep
    for (size_t i = 0; i < B * N; i++)
        dz[i] = dy[i] * slopes[z[i] > 0];
}

/* ---- Of the exponential ---------------------------------------------------------------------- */

static void elu_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    double alpha = p[0];

    for (size_t i = 0; i < B * N; i++)
        y[i] = z[i] <= 0 ? (float)(alpha * expm1(z[i])) : z[i];
}

static void elu_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                         float *dz)
{
    double alpha = p[0];

    for (size_t i = 0; i < B * N; i++)
        dz[i] = z[i] <= 0 ? (float)(dy[i] * (alpha * exp(z[i]))) : dy[i];
}

/* σ(u) = 1 / (1 + e^-u) */
static double logistic(double u)
{
    double e = exp(-fabs(u));

    return (u >= 0 ? 1 : e) / (1 + e);
}

/* σ'(u) = σ(u) (1 - σ(u)), without the difference, which loses all digits where σ(u) is near 1 */
static double logistic_slope(double u)
{
    double e = exp(-fabs(u));

    return e / ((1 + e) * (1 + e));
}

static void sigmoid_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++)
        y[i] = (float)logistic(z[i]);
}

static void sigmoid_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                             float *dz)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++)
        dz[i] = (float)(dy[i] * logistic_slope(z[i]));
}

static void tanh_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++)
        y[i] = (float)tanh(z[i]);
}

/* tanh'(z) = 1 / cosh²(z) = 4 σ'(2z) */
static void tanh_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                          float *dz)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++)
        dz[i] = (float)(dy[i] * (4 * logistic_slope(2 * (double)z[i])));
}

/* log(1 + e^u) = max(u, 0) + log(1 + e^-|u|) */
static void softplus_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    double beta = p[0], threshold = p[1];

    for (size_t i = 0; i < B * N; i++) {
        double u = beta * z[i];

        y[i] = u > threshold ? z[i] : (float)((fmax(u, 0) + log1p(exp(-fabs(u)))) / beta);
    }
}

static void softplus_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                              float *dz)
{
    double beta = p[0], threshold = p[1];

    for (size_t i = 0; i < B * N; i++) {
        double u = beta * z[i];

        dz[i] = u > threshold ? dy[i] : (float)(dy[i] * logistic(u));
    }
}

static void silu_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++)
        y[i] = (float)(z[i] * logistic(z[i]));
}

static void silu_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                          float *dz)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++) {
        double e = exp(-fabs((double)z[i]));
        double sigma = (z[i] >= 0 ? 1 : e) / (1 + e);
        double slope = e / ((1 + e) * (1 + e));

        dz[i] = (float)(dy[i] * (sigma + z[i] * slope));
    }
}

/* ---- GELU: Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415 --------------- */

#define SQRT_HALF 0.70710678118654752440        /* √½ */
#define INVERSE_SQRT_2PI 0.39894228040143267794 /* 1/√(2π) */
#define SQRT_8_OVER_PI 1.59576912160573071176   /* 2 √(2/π) */
#define GELU_CUBIC 0.044715

/* Φ(z), the normal distribution. erfc keeps the digits of the left tail, where 1 + erf has none. */
static double normal_cdf(double z)
{
    return 0.5 * erfc(-z * SQRT_HALF);
}

static void gelu_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++)
        y[i] = (float)(z[i] * normal_cdf(z[i]));
}

static void gelu_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                          float *dz)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++) {
        double u = z[i];
        double density = INVERSE_SQRT_2PI * exp(-0.5 * u * u);

        dz[i] = (float)(dy[i] * (normal_cdf(u) + u * density));
    }
}

/* ½ z (1 + tanh(v)) = z σ(2v) with 2v = 2 √(2/π) (z + 0.044715 z³) */
static void gelu_tanh_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++) {
        double u = z[i];

        y[i] = (float)(u * logistic(SQRT_8_OVER_PI * (u + GELU_CUBIC * u * u * u)));
    }
}

static void gelu_tanh_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                               float *dz)
{
    (void)p;
    for (size_t i = 0; i < B * N; i++) {
        double u = z[i];
        double v = SQRT_8_OVER_PI * (u + GELU_CUBIC * u * u * u);
        double dv = SQRT_8_OVER_PI * (1 + 3 * GELU_CUBIC * u * u);
        double e = exp(-fabs(v));
        double sigma = (v >= 0 ? 1 : e) / (1 + e);
        double slope = e / ((1 + e) * (1 + e));

        dz[i] = (float)(dy[i] * (sigma + u * dv * slope));
    }
}

/* ---- The table ------------------------------------------------------------------------------- */

/* clang-format off */
static const struct activation_row {
    grad_activation_info info;
    forward_function *forward;
    backward_function *backward;
    bool couples_features;
} table[GRAD_ACTIVATION_COUNT] = {
    [GRAD_IDENTITY] = {{GRAD_IDENTITY, "identity", "z", "1", 0, {{0}}},
        identity_forward, identity_backward, false},
    [GRAD_RELU] = {{GRAD_RELU, "relu", "max(z, 0)", "z > 0 ? 1 : 0", 0, {{0}}},
        relu_forward, relu_backward, false},
    [GRAD_LEAKY_RELU] = {{GRAD_LEAKY_RELU, "leaky_relu",
        "z > 0 ? z : negative_slope * z",
        "z > 0 ? 1 : negative_slope",
        1, {{"negative_slope", 0.01f, false}}},
        leaky_relu_forward, leaky_relu_backward, false},
    [GRAD_ELU] = {{GRAD_ELU, "elu",
        "z > 0 ? z : alpha * (exp(z) - 1)",
        "z > 0 ? 1 : alpha * exp(z)",
        1, {{"alpha", 1, false}}},
        elu_forward, elu_backward, false},
    [GRAD_SIGMOID] = {{GRAD_SIGMOID, "sigmoid", "1 / (1 + exp(-z))", "y * (1 - y)", 0, {{0}}},
        sigmoid_forward, sigmoid_backward, false},
    [GRAD_TANH] = {{GRAD_TANH, "tanh", "tanh(z)", "1 / cosh(z)^2", 0, {{0}}},
        tanh_forward, tanh_backward, false},
    [GRAD_SOFTPLUS] = {{GRAD_SOFTPLUS, "softplus",
        "beta * z > threshold ? z : log(1 + exp(beta * z)) / beta",
        "beta * z > threshold ? 1 : 1 / (1 + exp(-beta * z))",
        2, {{"beta", 1, true}, {"threshold", 20, false}}},
        softplus_forward, softplus_backward, false},
    [GRAD_SILU] = {{GRAD_SILU, "silu",
        "z * s with s = 1 / (1 + exp(-z))",
        "s + z * s * (1 - s)",
        0, {{0}}},
        silu_forward, silu_backward, false},
    [GRAD_GELU] = {{GRAD_GELU, "gelu",
        "z * P with P = (1 + erf(z / sqrt(2))) / 2",
        "P + z * exp(-z^2 / 2) / sqrt(2 pi)",
        0, {{0}}},
        gelu_forward, gelu_backward, false},
    [GRAD_GELU_TANH] = {{GRAD_GELU_TANH, "gelu_tanh",
        "z * (1 + t) / 2 with t = tanh(v), v = sqrt(2 / pi) * (z + 0.044715 z^3)",
        "(1 + t) / 2 + z * (1 - t^2) / 2 * sqrt(2 / pi) * (1 + 0.134145 z^2)",
        0, {{0}}},
        gelu_tanh_forward, gelu_tanh_backward, false},
    [GRAD_SOFTMAX] = {{GRAD_SOFTMAX, "softmax",
        "exp(z_i) / sum_j exp(z_j)",
        "dy_i/dz_j = y_i * ((i = j) - y_j)",
        0, {{0}}},
        grad_softmax_forward, grad_softmax_backward, true},
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
    return NULL;
}

grad_activation grad_activation_default(grad_activation_kind kind)
{
    grad_activation f = {.kind = kind};

    for (size_t i = 0; i < table[kind].info.parameter_count; i++)
        f.parameters[i] = table[kind].info.parameters[i].default_value;
    return f;
}

void grad_activation_forward(const grad_activation *f, size_t B, size_t N, const float *z, float *y)
{
    table[f->kind].forward(f->parameters, B, N, z, y);
}

void grad_activation_backward(const grad_activation *f, size_t B, size_t N, const float *z,
                              const float *grad_output, float *delta)
{
    table[f->kind].backward(f->parameters, B, N, z, grad_output, delta);
}

bool grad_activation_couples_features(grad_activation_kind kind)
{
    return table[kind].couples_features;
}
