/* Softmax over the features of each sample, forward and backward. Arithmetic as in activations.c:
 * in double, rounded once; the largest z is taken off first, so that exp never overflows. */
#include <math.h>

#include "kernels/activations.h"

static size_t largest(size_t N, const float *z)
{
    size_t m = 0;

    for (size_t i = 1; i < N; i++)
        if (z[i] > z[m])
            m = i;
    return m;
}

void grad_softmax_forward(const float *p, size_t B, size_t N, const float *z, float *y)
{
    (void)p;
    for (size_t b = 0; b < B; b++, z += N, y += N) {
        double top = z[largest(N, z)];
        double sum = 0;

        for (size_t i = 0; i < N; i++)
            sum += exp(z[i] - top);
        for (size_t i = 0; i < N; i++)
            y[i] = (float)(exp(z[i] - top) / sum);
    }
}

/* δ_i = y_i (g_i - Σ_j y_j g_j), where g is ∂L/∂y less its value at the largest z. As Σ y = 1 the
 * shift changes nothing but the rounding: a confident row (one y near 1, the others tiny) would
 * otherwise be a difference of two nearly equal numbers. The exponentials are worked out twice, as
 * nothing is allocated here and dz may be dy. */
void grad_softmax_backward(const float *p, size_t B, size_t N, const float *z, const float *dy,
                           float *dz)
{
    (void)p;
    for (size_t b = 0; b < B; b++, z += N, dy += N, dz += N) {
        size_t m = largest(N, z);
        double top = z[m], shift = dy[m], sum = 0, dot = 0;

        for (size_t i = 0; i < N; i++) {
            double e = exp(z[i] - top);

            sum += e;
            dot += e * (dy[i] - shift);
        }
        dot /= sum;
        for (size_t i = 0; i < N; i++)
            dz[i] = (float)(exp(z[i] - top) / sum * (dy[i] - shift - dot));
    }
}
