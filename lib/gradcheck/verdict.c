/* From slopes to verdicts: which tensors and which of their elements are looked at, what is told
 * and expected of them, how far that is from the differences, and where it is worst. */
#include <float.h>
#include <math.h>

#include "core/error.h"
#include "core/real.h"
#include "core/size.h"
#include "gradcheck/state.h"

#define FLOOR 0x1p-5 /* of the typical number of a tensor */

/* ---- Parameters ------------------------------------------------------------------------------ */

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

/* Distinct elements, all of them or as many as asked for at random, in rising order; and the
 * direction. */
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

/* Counts a tensor of the answer, or, where there is memory, fills in its parameter and samples. */
static bool add_tensor(grad_check *check, size_t layer, grad_output_kind output,
                       const grad_tensor *gradient)
{
    bool is_network = check->batch.network != NULL, is_made = check->parameters == NULL;
    size_t inner = layer == SIZE_MAX ? 0 : layer, count = grad_tensor_count(gradient);
    size_t samples = grad_size_min(count, check->options.samples) + 1;
    size_t number = check->parameter_count++, first = check->sample_count;

    check->sample_count += samples;
    if (!is_made) {
        grad_parameter p = {.layer = layer,
                            .output = output,
                            .objective = &check->objectives[is_network ? 0 : layer],
                            .objective_layer = is_network ? inner : 0,
                            .gradient = gradient,
                            .claim = grad_check_claim_of(check->request, layer, output),
                            .expected = grad_check_take(check, count, sizeof *p.expected),
                            .first_sample = first,
                            .sample_count = samples};

        choose_elements(check, number, count, samples - 1, &check->samples[first]);
        check->parameters[number] = p;
        is_made = p.expected != NULL;
    }
    return is_made;
}

/* All tensors of the answer, in its order. */
static bool add_tensors(grad_check *check)
{
    const grad_reply *reply = grad_run_reply(check->run);
    bool is_made = true;

    check->parameter_count = check->sample_count = 0;
    for (size_t i = 0; i < reply->layer_count && is_made; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT && is_made; k++) {
            const grad_tensor *tensor = grad_layer_result_tensor(&reply->layers[i], k);

            is_made = tensor->data == NULL || add_tensor(check, i, k, tensor);
        }
    return is_made && (reply->grad_input.data == NULL ||
                       add_tensor(check, SIZE_MAX, GRAD_GRAD_INPUT, &reply->grad_input));
}

grad_status grad_check_make_parameters(grad_check *check, grad_error *error)
{
    size_t bytes;

    add_tensors(check);
    bytes = check->sample_count * sizeof *check->samples;
    check->samples = grad_check_take(check, check->sample_count, sizeof *check->samples);
    check->report.tensors =
        grad_check_take(check, check->parameter_count, sizeof *check->report.tensors);
    check->parameters = grad_check_take(check, check->parameter_count, sizeof *check->parameters);
    if (check->samples == NULL || check->report.tensors == NULL || check->parameters == NULL ||
        !add_tensors(check))
        return grad_fail_memory(error, bytes);
    return GRAD_OK;
}

/* ---- Gradients ------------------------------------------------------------------------------- */

double grad_check_floor(const grad_parameter *p, const grad_sample *s)
{
    double count = (double)grad_tensor_count(p->gradient);

    return s->index == GRAD_ALONG_DIRECTION ? p->gradient_norm
                                            : FLOOR * p->gradient_norm / sqrt(count);
}

/* One element of a claim. What differences are taken of is the loss, so that what the request makes
 * of the sum of a parameter's deltas, scale (reduction + decay), is undone here:
 *     Σ of the samples' deltas = D (claim / scale - l1 sign(W) - l2 W)     D: B of a mean, else 1
 * Four roundings are allowed for: reduced, decayed and scaled, and one over. */
static grad_interval claim_at(const grad_check *check, const grad_parameter *p, size_t i)
{
    const grad_batch *batch = check->request->batch;
    const grad_decay *d = &batch->weight_decay;
    double claimed = grad_real_at(batch->datatype, p->claim->data, i), decay = 0, divisor = 1, size;
    double unit = batch->datatype == GRAD_FP64 ? DBL_EPSILON / 2 : (double)FLT_EPSILON / 2;
    double least = batch->datatype == GRAD_FP64 ? DBL_TRUE_MIN : (double)FLT_TRUE_MIN;
    grad_extent extent = {0};

    if (p->output != GRAD_GRAD_INPUT && batch->reduction == GRAD_MEAN)
        divisor = (double)grad_extent_of(batch, batch->network != NULL ? 0 : p->layer, &extent).B;
    if (p->output == GRAD_WEIGHT_DELTA && (d->l1 > 0 || d->l2 > 0)) {
        double w = grad_real_at(batch->datatype, batch->layers[p->layer].weight.data, i);

        decay = d->l1 * ((w > 0) - (w < 0)) + d->l2 * w;
    }
    if (p->output == GRAD_GRAD_INPUT || (batch->scale == 1 && divisor == 1 && decay == 0))
        return (grad_interval){claimed, 0, 0};
    claimed /= batch->scale;
    size = unit * (fabs(claimed) + fabs(decay)) + least / fabs(batch->scale);
    return (grad_interval){(claimed - decay) * divisor, 0, 4 * size * divisor};
}

static grad_interval element_at(const grad_check *check, const grad_parameter *p, size_t i,
                                grad_source source)
{
    if (source == GRAD_EXPECTED)
        return p->expected[i];
    if (source == GRAD_CLAIM)
        return claim_at(check, p, i);
    return (grad_interval){grad_real_at(check->batch.datatype, p->gradient->data, i), 0, 0};
}

/* The roundings of claims have random signs, and add up as a random walk. */
static grad_interval sum_along(const grad_check *check, const grad_parameter *p, grad_source source)
{
    size_t parameter = (size_t)(p - check->parameters), count = grad_tensor_count(p->gradient);
    grad_interval sum = {0, 0, 0};

    if (source == GRAD_CLAIM && p->claim == NULL)
        return sum;
    for (size_t i = 0; i < count && grad_check_goes_on(check, i, 1); i++) {
        grad_interval one = element_at(check, p, i, source);

        sum.middle += grad_check_sign(check, parameter, i) * one.middle;
        sum.kink += one.kink;
        sum.rounding =
            source == GRAD_CLAIM ? hypot(sum.rounding, one.rounding) : sum.rounding + one.rounding;
    }
    return sum;
}

void grad_check_sum_along(const grad_check *check, grad_parameter *p)
{
    for (grad_source source = 0; source < GRAD_SOURCES; source++)
        p->along[source] = sum_along(check, p, source);
}

grad_interval grad_check_at(const grad_check *check, const grad_sample *s, grad_source source)
{
    const grad_parameter *p = &check->parameters[s->parameter];

    if (s->index == GRAD_ALONG_DIRECTION)
        return p->along[source];
    return source == GRAD_CLAIM && p->claim == NULL ? (grad_interval){0, 0, 0}
                                                    : element_at(check, p, s->index, source);
}

void grad_check_scale_parameters(grad_check *check)
{
    for (size_t n = 0; n < check->parameter_count; n++) {
        grad_parameter *p = &check->parameters[n];
        size_t count = grad_tensor_count(p->gradient);

        p->gradient_norm = 0;
        for (size_t i = 0; i < count && grad_check_goes_on(check, i, 1); i++)
            p->gradient_norm =
                hypot(p->gradient_norm, element_at(check, p, i, GRAD_ANALYTIC).middle);
    }
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

bool grad_check_is_kink(const grad_check *check, const grad_sample *s, grad_interval expected)
{
    double size =
        fmax(fabs(expected.middle), grad_check_floor(&check->parameters[s->parameter], s));

    return expected.kink > fmax(check->options.tolerance * size, expected.rounding);
}

/* Passes where error <= tolerance. */
static double relative_error(const grad_check *check, double distance, double size,
                             double allowance)
{
    double error = distance / fmax(size, allowance / check->options.tolerance);

    return distance == 0 ? 0 : isnan(error) ? (double)INFINITY : error;
}

/* Right is what lies within the radii and the tolerance of what is expected; where differences
 * contradict that, of the slope that they have. The error of what is right is told from the slope,
 * where differences have one that is as certain as the tolerance. */
static grad_check_finding judge(const grad_check *check, const grad_sample *s, grad_interval told)
{
    double smallest = check->batch.datatype == GRAD_FP64 ? DBL_MIN : (double)FLT_MIN, seen = 0;
    grad_interval e = s->slope.contradicts
                          ? (grad_interval){s->slope.value, 0, s->slope.uncertainty}
                          : grad_check_at(check, s, GRAD_EXPECTED);
    double rounding = e.rounding + told.rounding + smallest;
    double size = fmax(fmax(fabs(told.middle), fabs(e.middle)),
                       grad_check_floor(&check->parameters[s->parameter], s));
    double distance = fmax(fabs(told.middle - e.middle) - e.kink, 0);
    grad_check_finding found = {.index = s->index,
                                .gradient = told.middle,
                                .difference = s->slope.value,
                                .low = (double)NAN,
                                .high = (double)NAN};

    if (!isfinite(told.middle))
        distance = (double)INFINITY;
    found.largest_error =
        relative_error(check, distance, size, isinf(rounding) ? DBL_MAX : rounding);
    if (grad_check_is_kink(check, s, e)) {
        found.low = e.middle - e.kink;
        found.high = e.middle + e.kink;
        found.verdict = GRAD_CHECK_KINK;
    } else if (s->slope.uncertainty <= check->options.tolerance * size)
        seen = relative_error(check, fabs(told.middle - s->slope.value), size, rounding);
    if (found.largest_error > check->options.tolerance)
        found.verdict = GRAD_CHECK_FAIL;
    found.largest_error = fmax(found.largest_error, fmin(seen, check->options.tolerance));
    return found;
}

/* The worst verdict counts; of those the largest error is told. */
static grad_check_finding judge_samples(const grad_check *check, const grad_parameter *p,
                                        grad_source source)
{
    grad_check_finding worst = {0};
    size_t kinks = 0;

    for (size_t i = 0; i < p->sample_count; i++) {
        const grad_sample *s = &check->samples[p->first_sample + i];
        grad_check_finding found = judge(check, s, grad_check_at(check, s, source));

        kinks += found.low < found.high;
        if (i == 0 || found.verdict > worst.verdict ||
            (found.verdict == worst.verdict && found.largest_error > worst.largest_error))
            worst = found;
    }
    worst.checked = p->sample_count;
    worst.kinks = kinks;
    worst.taylor = source == GRAD_CLAIM ? p->claim_taylor : p->taylor;
    return worst;
}

static grad_check_verdict judge_parameter(const grad_check *check, const grad_parameter *p,
                                          grad_check_tensor *tensor)
{
    *tensor = (grad_check_tensor){.layer = p->layer,
                                  .output = p->output,
                                  .rank = p->gradient->rank,
                                  .has_claim = p->claim != NULL};
    if (p->layer != SIZE_MAX)
        tensor->layer_name = check->batch.layers[p->layer].name;
    for (size_t i = 0; i < GRAD_MAX_RANK; i++)
        tensor->shape[i] = p->gradient->shape[i];
    tensor->analytic = judge_samples(check, p, GRAD_ANALYTIC);
    if (tensor->has_claim)
        tensor->claim = judge_samples(check, p, GRAD_CLAIM);
    return tensor->has_claim && tensor->claim.verdict > tensor->analytic.verdict
               ? tensor->claim.verdict
               : tensor->analytic.verdict;
}

void grad_check_judge(grad_check *check)
{
    grad_check_report *report = &check->report;
    const grad_reply *reply = grad_run_reply(check->run);

    report->id = check->batch.id;
    report->has_loss = reply->has_loss;
    report->loss = reply->loss;
    report->tolerance = check->options.tolerance;
    report->verdict = GRAD_CHECK_PASS;
    report->tensor_count = check->parameter_count;
    report->note_count = reply->note_count;
    report->notes = reply->notes;
    for (size_t i = 0; i < check->parameter_count; i++)
        if (judge_parameter(check, &check->parameters[i], &report->tensors[i]) == GRAD_CHECK_FAIL)
            report->verdict = GRAD_CHECK_FAIL;
}
