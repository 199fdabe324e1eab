/* The value of a function where one of its tensors is moved: a forward run in double. What is moved
 * is a copy; the functions are shared by all tiles. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "differences/state.h"

/* A function with one tensor of its own. */
typedef struct moved {
    grad_function_of_layers function;
    grad_layer *layers;
    double *numbers;
} moved;

static void moved_free(moved *m)
{
    free(m->layers);
    free(m->numbers);
}

static grad_status copy_layers(const grad_function_of_layers *f, moved *m, grad_error *error)
{
    size_t bytes = f->batch.layer_count * sizeof *f->layers;

    *m = (moved){.function = *f, .layers = malloc(bytes)};
    if (m->layers == NULL)
        return grad_fail_memory(error, bytes);
    memcpy(m->layers, f->layers, bytes);
    m->function.layers = m->function.batch.layers = m->layers;
    m->function.batch.network = &m->function.network;
    return GRAD_OK;
}

/* Gives *tensor numbers of its own, the same ones; where it is absent, that many of value. */
static grad_status own(moved *m, grad_tensor *tensor, size_t count, double value, grad_error *error)
{
    size_t bytes = count * sizeof *m->numbers;

    m->numbers = malloc(bytes);
    if (m->numbers == NULL)
        return grad_fail_memory(error, bytes);
    if (tensor->data != NULL)
        memcpy(m->numbers, tensor->data, bytes);
    for (size_t i = 0; tensor->data == NULL && i < count; i++)
        m->numbers[i] = value;
    if (tensor->data == NULL)
        *tensor = (grad_tensor){.rank = 1, .shape = {count}};
    tensor->data = m->numbers;
    return GRAD_OK;
}

/* Where a dense layer's z stands for itself: z + h (x Dᵀ), z + h d, or z + h (D Wᵀ). */
static grad_status move_state(const grad_check *check, const grad_variable *v,
                              const grad_sample *sample, double h, moved *m, grad_error *error)
{
    grad_layer *layer = &m->layers[v->function_layer];
    const grad_tensor *input = &m->function.network.input;
    const double *x = input->data, *W = layer->weight.data;
    size_t K = input->shape[input->rank - 1], B = grad_tensor_count(input) / K;
    size_t N = grad_tensor_count(&layer->pre_activation) / B;
    grad_status status = own(m, &layer->pre_activation, B * N, 0, error);

    for (size_t e = 0; status == GRAD_OK && e < B * N; e++) {
        size_t b = e / N, n = e % N;
        double change = 0;

        if (v->output == GRAD_BIAS_DELTA)
            change = grad_check_direction(check, sample, n);
        for (size_t k = 0; v->output == GRAD_WEIGHT_DELTA && k < K; k++)
            change += x[b * K + k] * grad_check_direction(check, sample, n * K + k);
        for (size_t k = 0; v->output == GRAD_GRAD_INPUT && k < K; k++)
            change += W[n * K + k] * grad_check_direction(check, sample, b * K + k);
        m->numbers[e] += h * change;
    }
    return status;
}

/* The tensor that the variable's numbers are, and what they are where it is absent. */
static grad_tensor *tensor_of(moved *m, const grad_variable *v, double *otherwise)
{
    grad_layer *layer = &m->layers[v->function_layer];

    *otherwise = 0;
    switch (v->output) {
    case GRAD_WEIGHT_DELTA:
        return &layer->weight;
    case GRAD_BIAS_DELTA:
        return &layer->bias;
    case GRAD_GAIN_DELTA:
        return &layer->gain;
    case GRAD_SHIFT_DELTA:
        return &layer->shift;
    case GRAD_SLOPE_DELTA:
        *otherwise = layer->activation.parameters[0];
        return &layer->slope;
    default:
        return &m->function.network.input;
    }
}

static grad_status move(const grad_check *check, const grad_variable *v, const grad_sample *sample,
                        double h, moved *m, grad_error *error)
{
    const grad_layer *layer = &m->layers[v->function_layer];
    size_t count = grad_tensor_count(v->gradient);
    double otherwise;
    grad_tensor *tensor;
    grad_status status;

    if (layer->kind == GRAD_DENSE && layer->pre_activation.data != NULL &&
        v->output != GRAD_SLOPE_DELTA)
        return move_state(check, v, sample, h, m, error);
    tensor = tensor_of(m, v, &otherwise);
    status = own(m, tensor, count, otherwise, error);
    for (size_t i = 0; status == GRAD_OK && i < count; i++)
        m->numbers[i] += h * grad_check_direction(check, sample, i);
    return status;
}

/* L: the loss, or Σ ∂L/∂y y, summed with the rounding of each sum carried along (Neumaier). */
static void read_value(const grad_function_of_layers *f, const grad_reply *reply, double *value,
                       double *magnitude)
{
    const double *dy = f->network.grad_output.data, *y = reply->predictions.data;
    double sum = 0, carried = 0;

    *magnitude = 0;
    if (reply->has_loss) {
        *value = reply->loss;
        *magnitude = fabs(reply->loss);
        return;
    }
    for (size_t i = 0; i < grad_tensor_count(&reply->predictions); i++) {
        double term = dy[i] * y[i], next = sum + term;

        carried += fabs(sum) >= fabs(term) ? (sum - next) + term : (term - next) + sum;
        sum = next;
        *magnitude += fabs(term);
    }
    *value = sum + carried;
}

static grad_status run(const grad_function_of_layers *f, double *value, double *magnitude,
                       grad_error *error)
{
    grad_run *forward = NULL;
    grad_measure measure;
    grad_status status = grad_batch_measure(&f->batch, NULL, &measure, error);

    if (status == GRAD_OK)
        status = grad_run_create(&f->batch, &forward, error);
    if (status == GRAD_OK)
        status = grad_run_all(forward, error);
    if (status == GRAD_OK)
        read_value(f, grad_run_reply(forward), value, magnitude);
    grad_run_destroy(forward);
    if (status == GRAD_OK && !isfinite(*value))
        return grad_fail(error, GRAD_INVALID, "non_finite", "",
                         "expected a finite loss to take differences of, found %g", *value);
    return status;
}

grad_status grad_check_evaluate(const grad_check *check, const grad_function_of_layers *function,
                                const grad_variable *variable, const grad_sample *sample, double h,
                                double *value, double *magnitude, grad_error *error)
{
    moved m;
    grad_status status;

    if (variable == NULL)
        return run(function, value, magnitude, error);
    status = copy_layers(function, &m, error);
    if (status != GRAD_OK)
        return status;
    status = move(check, variable, sample, h, &m, error);
    if (status == GRAD_OK)
        status = run(&m.function, value, magnitude, error);
    moved_free(&m);
    return status;
}
