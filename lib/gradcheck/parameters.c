/* What is differentiated by what: each tensor of the analytic answer is a parameter, with some of
 * its elements and one random direction as samples. */
#include <math.h>

#include "core/error.h"
#include "core/real.h"
#include "core/size.h"
#include "gradcheck/state.h"

#define FLOOR 0x1p-5 /* of the typical number of a tensor */

/* SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014). */
static uint64_t mix(uint64_t state)
{
    uint64_t z = state + 0x9E3779B97F4A7C15U;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
}

double grad_check_sign(const grad_check *check, size_t parameter, size_t element)
{
    return (mix(mix(check->options.seed + parameter) + element) & 1) != 0 ? 1 : -1;
}

/* Calls visit for each tensor of the answer, in its order; stops where it returns false. */
static bool each_tensor(grad_check *check,
                        bool (*visit)(grad_check *check, size_t layer, grad_output_kind output,
                                      const grad_tensor *gradient))
{
    const grad_reply *reply = grad_run_reply(check->run);

    for (size_t i = 0; i < reply->layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++) {
            const grad_tensor *tensor = grad_layer_result_tensor(&reply->layers[i], k);

            if (tensor->data != NULL && !visit(check, i, k, tensor))
                return false;
        }
    return reply->grad_input.data == NULL ||
           visit(check, SIZE_MAX, GRAD_GRAD_INPUT, &reply->grad_input);
}

static size_t samples_of(const grad_check *check, const grad_tensor *gradient)
{
    return grad_size_min(grad_tensor_count(gradient), check->options.samples);
}

static bool count_tensor(grad_check *check, size_t layer, grad_output_kind output,
                         const grad_tensor *gradient)
{
    (void)layer;
    (void)output;
    check->parameter_count++;
    return grad_size_add(check->sample_count, samples_of(check, gradient) + 1,
                         &check->sample_count);
}

static const grad_tensor *claim_of(const grad_check *check, size_t layer, grad_output_kind output)
{
    const grad_check_request *request = check->request;
    const grad_tensor *claim = NULL;

    if (layer == SIZE_MAX)
        claim = &request->claimed_grad_input;
    else if (request->claims != NULL)
        claim = grad_layer_result_tensor(&request->claims[layer], output);
    return claim == NULL || claim->data == NULL ? NULL : claim;
}

/* Distinct elements: all of them, or as many as asked for at random, in rising order. */
static void choose_elements(const grad_check *check, size_t parameter, size_t count, size_t chosen,
                            grad_sample *samples)
{
    uint64_t state = mix(check->options.seed ^ (parameter + 1) * 0x5851F42D4C957F2DU);
    size_t taken = 0;

    for (size_t i = 0; i < count && taken < chosen; i++) { /* Knuth's selection sampling */
        double left = (double)(count - i), wanted = (double)(chosen - taken);

        state = mix(state);
        if ((double)(state >> 11) * 0x1p-53 * left >= wanted)
            continue;
        samples[taken++] = (grad_sample){.parameter = parameter, .index = i};
    }
    samples[taken] = (grad_sample){.parameter = parameter, .index = GRAD_ALONG_DIRECTION};
}

static bool add_tensor(grad_check *check, size_t layer, grad_output_kind output,
                       const grad_tensor *gradient)
{
    bool is_network = check->batch.network != NULL;
    grad_parameter *p = &check->parameters[check->parameter_count];
    size_t inner = layer == SIZE_MAX ? 0 : layer, count = grad_tensor_count(gradient);

    *p = (grad_parameter){.layer = layer,
                          .output = output,
                          .objective = &check->objectives[is_network ? 0 : layer],
                          .objective_layer = is_network ? inner : 0,
                          .gradient = gradient,
                          .claim = claim_of(check, layer, output),
                          .first_sample = check->sample_count,
                          .sample_count = samples_of(check, gradient) + 1};
    choose_elements(check, check->parameter_count, count, samples_of(check, gradient),
                    &check->samples[check->sample_count]);
    check->parameter_count++;
    check->sample_count += p->sample_count;
    p->expected.middle = grad_check_take(check, count, 3 * sizeof(double));
    if (p->expected.middle == NULL)
        return false;
    p->expected.kink = p->expected.middle + count;
    p->expected.rounding = p->expected.kink + count;
    return true;
}

/* Everything that there is one of for each parameter or sample. */
static bool take_results(grad_check *check)
{
    size_t samples = check->sample_count, parameters = check->parameter_count;

    check->parameters = grad_check_take(check, parameters, sizeof *check->parameters);
    check->samples = grad_check_take(check, samples, sizeof *check->samples);
    check->report.tensors = grad_check_take(check, parameters, sizeof *check->report.tensors);
    return check->parameters != NULL && check->samples != NULL && check->report.tensors != NULL;
}

grad_status grad_check_make_parameters(grad_check *check, grad_error *error)
{
    if (!each_tensor(check, count_tensor))
        return grad_fail_memory(error, SIZE_MAX);
    if (!take_results(check))
        return grad_fail_memory(error, check->sample_count * sizeof *check->samples);
    check->parameter_count = check->sample_count = 0;
    if (!each_tensor(check, add_tensor))
        return grad_fail_memory(error, check->sample_count * sizeof *check->samples);
    return GRAD_OK;
}

/* ---- Scales ---------------------------------------------------------------------------------- */

static double root_mean_square(grad_datatype type, size_t count, const void *data)
{
    double norm = 0;

    for (size_t i = 0; i < count; i++)
        norm = hypot(norm, grad_real_at(type, data, i));
    return norm / sqrt((double)count);
}

void grad_check_scale_parameters(grad_check *check)
{
    for (size_t i = 0; i < check->parameter_count; i++) {
        grad_parameter *v = &check->parameters[i];
        size_t count = grad_tensor_count(v->gradient);

        v->gradient_scale = root_mean_square(check->batch.datatype, count, v->gradient->data);
        v->gradient_norm = v->gradient_scale * sqrt((double)count);
    }
}

double grad_check_floor(const grad_parameter *p, const grad_sample *s)
{
    return s->index == GRAD_ALONG_DIRECTION ? p->gradient_norm : FLOOR * p->gradient_scale;
}

/* ---- Gradients ------------------------------------------------------------------------------- */

grad_interval grad_check_gradient_at(const grad_check *check, const grad_sample *s)
{
    const grad_tensor *gradient = check->parameters[s->parameter].gradient;
    grad_interval sum = {0, 0, 0};

    if (s->index != GRAD_ALONG_DIRECTION)
        return (grad_interval){grad_real_at(check->batch.datatype, gradient->data, s->index), 0, 0};
    for (size_t i = 0; i < grad_tensor_count(gradient); i++)
        sum.middle += grad_check_sign(check, s->parameter, i) *
                      grad_real_at(check->batch.datatype, gradient->data, i);
    return sum;
}

grad_interval grad_check_expected_at(const grad_check *check, const grad_sample *s)
{
    const grad_parameter *p = &check->parameters[s->parameter];
    const grad_intervals *e = &p->expected;
    size_t i = s->index;
    grad_interval sum = {0, 0, 0};

    if (i != GRAD_ALONG_DIRECTION)
        return (grad_interval){e->middle[i], e->kink[i], e->rounding[i]};
    for (i = 0; i < grad_tensor_count(p->gradient); i++) {
        sum.middle += grad_check_sign(check, s->parameter, i) * e->middle[i];
        sum.kink += e->kink[i];
        sum.rounding += e->rounding[i];
    }
    return sum;
}
