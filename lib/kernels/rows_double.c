/* Softmax, softmin and log_softmax over double: as softmax.c says, one feature after the other. The
 * differences u_j - top, which double does not hold exactly, keep their rounding error. */
#include "kernels/activations_double.h"

#include "kernels/wide.h"

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

void grad_softmax_row(double sign, size_t N, const double *z, double *y)
{
    row r = row_of(sign, N, z);

    for (size_t i = 0; i < N; i++)
        y[i] = term(&r, i) / (1 + r.rest);
}

/* ∂L/∂u_i = y_i (g_i - Σ_j y_j g_j) with g_j = dy_j - dy_m, as in softmax.c */
void grad_softmax_row_delta(double sign, size_t N, const double *z, const double *dy, double *dz)
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

void grad_log_softmax_row(size_t N, const double *z, double *y)
{
    row r = row_of(1, N, z);
    double log_of_sum = log1p(r.rest);

    for (size_t i = 0; i < N; i++)
        y[i] = (z[i] - r.top) - log_of_sum;
}

/* δ_i = dy_i - y_i Σ_j dy_j, at the largest z without the cancellation: as in softmax.c */
void grad_log_softmax_row_delta(size_t N, const double *z, const double *dy, double *dz)
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
