/* softmax, softmin and log_softmax. The loops over float are in softmax_rows.h, compiled once for
 * each kind of processor; over double one feature is worked out after the other, and the
 * differences u_j - top, which double does not hold exactly, keep their rounding error. */
#include "kernels/softmax.h"

#include "kernels/activations.h"
#include "kernels/wide.h"

#define LOOPS(prefix)                                                                              \
    static const grad_loops prefix##_loops = {                                                     \
        {grad_##prefix##_forward_portable, grad_##prefix##_forward_avx2,                           \
         grad_##prefix##_forward_avx512},                                                          \
        {grad_##prefix##_backward_portable, grad_##prefix##_backward_avx2,                         \
         grad_##prefix##_backward_avx512}}

LOOPS(softmax);
LOOPS(softmin);
LOOPS(log_softmax);

/* ---- Over double ----------------------------------------------------------------------------- */

/* A row u = sign z. */
typedef struct row {
    size_t N;
    const double *z;
    double sign;
    size_t m;    /* where the largest u is */
    double top;  /* that u */
    double rest; /* Σ_{j≠m} e^(u_j - top); NaN where top is infinite */
} row;

/* e^(u_j - top) */
static double term(const row *r, size_t j)
{
    double u = r->sign * r->z[j];
    grad_wide difference = grad_wide_sum(u, -r->top);

    return difference.high < -1000 ? 0 : grad_wide_exp(difference);
}

static row row_of(double sign, size_t N, const double *z)
{
    row r = {.N = N, .z = z, .sign = sign, .top = sign * z[0]};

    for (size_t j = 1; j < N; j++)
        if (sign * z[j] > r.top) {
            r.m = j;
            r.top = sign * z[j];
        }
    r.rest = r.top - r.top; /* 0 if that is a number */
    for (size_t j = 0; j < N; j++)
        r.rest += j == r.m ? 0 : term(&r, j);
    return r;
}

/* What dy is multiplied with so that sums and differences of it do not overflow. */
static double scale_of(size_t N, const double *dy)
{
    for (size_t j = 0; j < N; j++)
        if (fabs(dy[j]) > 0x1p+900)
            return 0x1p-100;
    return 1;
}

static void signed_row(double sign, size_t N, const double *z, double *y)
{
    row r = row_of(sign, N, z);

    for (size_t i = 0; i < N; i++)
        y[i] = term(&r, i) / (1 + r.rest);
}

/* ∂L/∂u_i = y_i (g_i - Σ_j y_j g_j) with g_j = dy_j - dy_m, as in softmax_rows.h */
static void signed_row_delta(double sign, size_t N, const double *z, const double *dy, double *dz)
{
    row r = row_of(sign, N, z);
    double scale = scale_of(N, dy), shift = scale * dy[r.m], sum = 0;

    for (size_t j = 0; j < N; j++)
        sum += j == r.m ? 0 : term(&r, j) * (scale * dy[j] - shift);
    for (size_t i = 0; i < N; i++) {
        double g = scale * dy[i] - shift, y = term(&r, i) / (1 + r.rest);

        dz[i] = sign * (y / scale) * (g - sum / (1 + r.rest));
    }
}

static void log_softmax_row(size_t N, const double *z, double *y)
{
    row r = row_of(1, N, z);
    double log_of_sum = log1p(r.rest);

    for (size_t i = 0; i < N; i++)
        y[i] = (z[i] - r.top) - log_of_sum;
}

/* δ_i = dy_i - y_i Σ_j dy_j, at the largest z without the cancellation: as in softmax_rows.h */
static void log_softmax_row_delta(size_t N, const double *z, const double *dy, double *dz)
{
    row r = row_of(1, N, z);
    double scale = scale_of(N, dy), top = scale * dy[r.m], others = 0;
    double whole = 1 + r.rest;

    for (size_t j = 0; j < N; j++)
        others += j == r.m ? 0 : scale * dy[j];
    for (size_t i = 0; i < N; i++)
        dz[i] = i == r.m ? (r.rest * top - others) / whole / scale
                         : (scale * dy[i] - term(&r, i) * ((others + top) / whole)) / scale;
}

static void softmax_row(size_t N, const double *z, double *y)
{
    signed_row(1, N, z, y);
}

static void softmax_row_delta(size_t N, const double *z, const double *dy, double *dz)
{
    signed_row_delta(1, N, z, dy, dz);
}

static void softmin_row(size_t N, const double *z, double *y)
{
    signed_row(-1, N, z, y);
}

static void softmin_row_delta(size_t N, const double *z, const double *dy, double *dz)
{
    signed_row_delta(-1, N, z, dy, dz);
}

static const grad_double_function softmax_double = {.row = softmax_row,
                                                    .row_delta = softmax_row_delta};
static const grad_double_function softmin_double = {.row = softmin_row,
                                                    .row_delta = softmin_row_delta};
static const grad_double_function log_softmax_double = {.row = log_softmax_row,
                                                        .row_delta = log_softmax_row_delta};

/* ---- The rows -------------------------------------------------------------------------------- */

/* clang-format off */
GRAD_ACTIVATION_ROW(SOFTMAX, softmax,
    "exp(z_i) / sum_j exp(z_j)",
    "dy_i/dz_j = y_i * ((i = j) - y_j)",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(LOG_SOFTMAX, log_softmax,
    "z_i - log(sum_j exp(z_j))",
    "dy_i/dz_j = (i = j) - exp(y_j)",
    0, {{0}}, GRAD_NO_SYNONYMS);

GRAD_ACTIVATION_ROW(SOFTMIN, softmin,
    "exp(-z_i) / sum_j exp(-z_j)",
    "dy_i/dz_j = -y_i * ((i = j) - y_j)",
    0, {{0}}, GRAD_NO_SYNONYMS);
/* clang-format on */
