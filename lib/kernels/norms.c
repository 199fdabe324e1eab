/* The norms as norms.h says, in blocks of SPAN columns that are widened to
 * double on the stack: memory is read row by row, and one set of loops serves both datatypes. */
#include "kernels/norms.h"

#include "core/real.h"
#include "core/size.h"
#include "kernels/sums.h"

/* ---- Blocks of a row ------------------------------------------------------------------------- */

/* values = vector[first … first + count), or ones (zeros) where there is none */
static void read_or(grad_datatype type, const void *vector, double otherwise, size_t first,
                    size_t count, double *values)
{
    if (vector != NULL)
        grad_real_read(type, vector, first, count, values);
    else
        for (size_t i = 0; i < count; i++)
            values[i] = otherwise;
}

/* hat, x of sample b at columns first … first + count, becomes x̂, group by group. */
static void normalize_groups(const grad_norm *norm, size_t b, size_t first, size_t count,
                             double *hat)
{
    size_t width = norm->N / norm->groups, i = 0;

    for (size_t group = first / width; i < count; group++) {
        const grad_moments *moments = &norm->moments[b * norm->groups + group];
        size_t end = grad_size_min(count, (group + 1) * width - first);

        for (; i < end; i++)
            hat[i] = (hat[i] - moments->mean) * moments->inverse_deviation;
    }
}

/* x̂ of sample b at columns first … first + count */
static void read_normalized(const grad_norm *norm, size_t b, size_t first, size_t count,
                            double *hat)
{
    const grad_moments *moments = norm->moments + first;

    grad_real_read(norm->type, norm->x, b * norm->N + first, count, hat);
    if (norm->by_sample)
        normalize_groups(norm, b, first, count, hat);
    else
        for (size_t i = 0; i < count; i++)
            hat[i] = (hat[i] - moments[i].mean) * moments[i].inverse_deviation;
}

static void read_gradient(const grad_norm *norm, const void *dz, size_t b, size_t first,
                          size_t count, double *values)
{
    grad_real_read(norm->type, dz, b * norm->N + first, count, values);
}

static size_t span(size_t first, size_t end)
{
    return grad_size_min(GRAD_SPAN, end - first);
}

/* ---- Forward --------------------------------------------------------------------------------- */

void grad_norm_forward(const grad_norm *norm, size_t row, size_t rows, void *z)
{
    for (size_t first = 0; first < norm->N; first += GRAD_SPAN) {
        size_t count = span(first, norm->N);
        double gain[GRAD_SPAN], shift[GRAD_SPAN], hat[GRAD_SPAN];

        read_or(norm->type, norm->gain, 1, first, count, gain);
        read_or(norm->type, norm->shift, 0, first, count, shift);
        for (size_t b = row; b < row + rows; b++) {
            read_normalized(norm, b, first, count, hat);
            for (size_t i = 0; i < count; i++)
                hat[i] = gain[i] * hat[i] + shift[i];
            grad_real_write(norm->type, count, hat, z, b * norm->N + first);
        }
    }
}

/* ---- The gain's delta ------------------------------------------------------------------------ */

void grad_norm_gain_delta(const grad_norm *norm, const void *dz, double factor, size_t begin,
                          size_t end, void *dgain)
{
    for (size_t first = begin; first < end; first += GRAD_SPAN) {
        size_t count = span(first, end);
        double hat[GRAD_SPAN], gradient[GRAD_SPAN], sum[GRAD_SPAN] = {0};

        for (size_t b = 0; b < norm->B; b++) {
            read_normalized(norm, b, first, count, hat);
            read_gradient(norm, dz, b, first, count, gradient);
            for (size_t i = 0; i < count; i++)
                sum[i] += gradient[i] * hat[i];
        }
        for (size_t i = 0; i < count; i++)
            sum[i] *= factor;
        grad_real_write(norm->type, count, sum, dgain, first);
    }
}

void grad_norm_sample_gain_deltas(const grad_norm *norm, const void *dz, double factor, size_t row,
                                  size_t rows, void *dgain)
{
    for (size_t b = row; b < row + rows; b++)
        for (size_t first = 0; first < norm->N; first += GRAD_SPAN) {
            size_t count = span(first, norm->N);
            double hat[GRAD_SPAN], gradient[GRAD_SPAN];

            read_normalized(norm, b, first, count, hat);
            read_gradient(norm, dz, b, first, count, gradient);
            for (size_t i = 0; i < count; i++)
                hat[i] = factor * (gradient[i] * hat[i]);
            grad_real_write(norm->type, count, hat, dgain, b * norm->N + first);
        }
}

/* ---- ∂L/∂x of a norm by sample --------------------------------------------------------------- */

/* One block of a group: x̂ and ∂L/∂x̂ = γ dz. */
typedef struct group_block {
    size_t count;
    double hat[GRAD_SPAN], gradient[GRAD_SPAN];
} group_block;

static void read_block(const grad_norm *norm, const void *dz, size_t b, size_t first, size_t end,
                       group_block *block)
{
    double gain[GRAD_SPAN];

    block->count = span(first, end);
    read_normalized(norm, b, first, block->count, block->hat);
    read_gradient(norm, dz, b, first, block->count, block->gradient);
    read_or(norm->type, norm->gain, 1, first, block->count, gain);
    for (size_t i = 0; i < block->count; i++)
        block->gradient[i] *= gain[i];
}

/* dx = (γ dz - mean(γ dz) - x̂ mean(γ dz x̂)) / √(variance + ε): the two means are what z's own
 * mean and variance pass back; a mean that is taken for 0 passes nothing. */
static void group_grad_input(const grad_norm *norm, const void *dz, size_t b, size_t group,
                             void *dx)
{
    size_t width = norm->N / norm->groups, begin = group * width, end = begin + width;
    double sum = 0, product = 0, n = (double)width;
    double inverse_deviation = norm->moments[b * norm->groups + group].inverse_deviation;
    group_block block;

    for (size_t first = begin; first < end; first += GRAD_SPAN) {
        read_block(norm, dz, b, first, end, &block);
        sum += norm->is_uncentred ? 0 : grad_sum(block.count, block.gradient);
        product += grad_sum_of_products(block.count, block.gradient, block.hat);
    }
    for (size_t first = begin; first < end; first += GRAD_SPAN) {
        read_block(norm, dz, b, first, end, &block);
        for (size_t i = 0; i < block.count; i++)
            block.gradient[i] =
                (block.gradient[i] - sum / n - block.hat[i] * (product / n)) * inverse_deviation;
        grad_real_write(norm->type, block.count, block.gradient, dx, b * norm->N + first);
    }
}

void grad_sample_norm_grad_input(const grad_norm *norm, const void *dz, size_t row, size_t rows,
                                 void *dx)
{
    for (size_t b = row; b < row + rows; b++)
        for (size_t group = 0; group < norm->groups; group++)
            group_grad_input(norm, dz, b, group, dx);
}

/* ---- ∂L/∂x of a norm by feature -------------------------------------------------------------- */

/* Means over the batch of dz and of dz x̂; zeros where the moments do not depend on x. */
typedef struct column_means {
    double gradient[GRAD_SPAN], product[GRAD_SPAN];
} column_means;

static void take_means(const grad_norm *norm, const void *dz, size_t first, size_t count,
                       column_means *means)
{
    double hat[GRAD_SPAN], gradient[GRAD_SPAN];

    *means = (column_means){0};
    if (!norm->moments_depend_on_x)
        return;
    for (size_t b = 0; b < norm->B; b++) {
        read_normalized(norm, b, first, count, hat);
        read_gradient(norm, dz, b, first, count, gradient);
        for (size_t i = 0; i < count; i++) {
            means->gradient[i] += gradient[i];
            means->product[i] += gradient[i] * hat[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        means->gradient[i] /= (double)norm->B;
        means->product[i] /= (double)norm->B;
    }
}

/* dx = γ (dz - mean(dz) - x̂ mean(dz x̂)) / √(variance + ε), the means being over the batch */
static void columns_grad_input(const grad_norm *norm, const void *dz, size_t first, size_t count,
                               void *dx)
{
    double hat[GRAD_SPAN], gradient[GRAD_SPAN], factor[GRAD_SPAN];
    column_means means;

    take_means(norm, dz, first, count, &means);
    read_or(norm->type, norm->gain, 1, first, count, factor);
    for (size_t i = 0; i < count; i++)
        factor[i] *= norm->moments[first + i].inverse_deviation;
    for (size_t b = 0; b < norm->B; b++) {
        read_normalized(norm, b, first, count, hat);
        read_gradient(norm, dz, b, first, count, gradient);
        for (size_t i = 0; i < count; i++)
            gradient[i] = factor[i] * (gradient[i] - means.gradient[i] - hat[i] * means.product[i]);
        grad_real_write(norm->type, count, gradient, dx, b * norm->N + first);
    }
}

void grad_batch_norm_grad_input(const grad_norm *norm, const void *dz, size_t begin, size_t end,
                                void *dx)
{
    for (size_t first = begin; first < end; first += GRAD_SPAN)
        columns_grad_input(norm, dz, first, span(first, end), dx);
}
