/* From slopes to verdicts: how far a gradient is from the differences, whether that is too far, and
 * where it is worst. */
#include <math.h>

#include "core/error.h"
#include "core/real.h"
#include "differences/state.h"

#define TOLERANCE_FP64 1e-6
#define TOLERANCE_FP32 1e-4

static double tolerance_of(const grad_check *check)
{
    if (check->options.tolerance > 0)
        return check->options.tolerance;
    return check->batch.datatype == GRAD_FP64 ? TOLERANCE_FP64 : TOLERANCE_FP32;
}

/* What that gradient says of the sample's slope: an element, or its part along the direction. */
static double gradient_at(const grad_check *check, const grad_sample *s,
                          const grad_tensor *gradient)
{
    double sum = 0;

    if (s->index != GRAD_ALONG_DIRECTION)
        return grad_real_at(check->batch.datatype, gradient->data, s->index);
    for (size_t i = 0; i < grad_tensor_count(gradient); i++)
        sum += grad_check_direction(check, s, i) *
               grad_real_at(check->batch.datatype, gradient->data, i);
    return sum;
}

/* A number far below the others of its tensor is held to their scale. */
static double relative_error(const grad_variable *v, const grad_sample *s, double gradient)
{
    double floor = s->index == GRAD_ALONG_DIRECTION ? v->gradient_norm : v->gradient_scale;
    double size = fmax(fmax(fabs(gradient), fabs(s->slope)), floor);
    double error = fabs(gradient - s->slope);

    return error == 0 ? 0 : error / size;
}

/* At a kink any slope from one side's to the other's is right; where several meet, some more. */
static bool is_between_sides(const grad_sample *s, double gradient)
{
    double low = fmin(s->up, s->down), high = fmax(s->up, s->down), margin = high - low;

    return gradient >= low - margin - s->uncertainty && gradient <= high + margin + s->uncertainty;
}

static grad_check_verdict verdict_of(const grad_check *check, const grad_variable *v,
                                     const grad_sample *s, double gradient, double error)
{
    double floor = s->index == GRAD_ALONG_DIRECTION ? v->gradient_norm : v->gradient_scale;
    double size = fmax(fmax(fabs(gradient), fabs(s->slope)), floor);

    if (error * size <= tolerance_of(check) * size + s->uncertainty)
        return GRAD_CHECK_PASS;
    if (s->at_kink && is_between_sides(s, gradient))
        return GRAD_CHECK_KINK;
    return GRAD_CHECK_FAIL; /* and where anything is NaN */
}

/* The worst verdict counts; of those the largest error is told. */
static void add_sample(const grad_check *check, const grad_variable *v, const grad_sample *s,
                       const grad_tensor *gradient, grad_check_finding *finding)
{
    double found = gradient_at(check, s, gradient);
    double error = relative_error(v, s, found);
    grad_check_verdict verdict = verdict_of(check, v, s, found, error);
    bool is_worst = finding->checked == 0 || verdict > finding->verdict ||
                    (verdict == finding->verdict && !(error <= finding->largest_error));

    finding->checked++;
    finding->kinks += verdict == GRAD_CHECK_KINK;
    if (!is_worst)
        return;
    finding->verdict = verdict;
    finding->largest_error = error;
    finding->index = s->index;
    finding->gradient = found;
    finding->difference = s->slope;
}

static grad_check_verdict judge_variable(const grad_check *check, const grad_variable *v,
                                         grad_check_tensor *tensor)
{
    *tensor = (grad_check_tensor){.layer = v->layer,
                                  .output = v->output,
                                  .rank = v->gradient->rank,
                                  .has_claim = v->claim != NULL};
    if (v->layer != SIZE_MAX)
        tensor->layer_name = check->batch.layers[v->layer].name;
    for (size_t i = 0; i < GRAD_MAX_RANK; i++)
        tensor->shape[i] = v->gradient->shape[i];
    for (size_t i = 0; i < v->sample_count; i++) {
        const grad_sample *s = &check->samples[v->first_sample + i];

        add_sample(check, v, s, v->gradient, &tensor->analytic);
        if (v->claim != NULL)
            add_sample(check, v, s, v->claim, &tensor->claim);
    }
    return tensor->has_claim && tensor->claim.verdict > tensor->analytic.verdict
               ? tensor->claim.verdict
               : tensor->analytic.verdict;
}

/* Why a sample could not be worked out. */
static grad_status fail_sample(const grad_sample *s, grad_error *error)
{
    if (s->status == GRAD_OUT_OF_MEMORY)
        return grad_fail_memory(error, sizeof(double));
    return grad_fail(error, s->status, "non_finite", "",
                     "expected a finite loss beside the point too, found none");
}

grad_status grad_check_judge(grad_check *check, grad_error *error)
{
    grad_check_report *report = &check->report;
    const grad_reply *reply = grad_run_reply(check->run);

    for (size_t i = 0; i < check->sample_count; i++)
        if (check->samples[i].status != GRAD_OK)
            return fail_sample(&check->samples[i], error);
    report->id = check->batch.id;
    report->has_loss = reply->has_loss;
    report->loss = reply->loss;
    report->tolerance = tolerance_of(check);
    report->verdict = GRAD_CHECK_PASS;
    report->tensor_count = check->variable_count;
    for (size_t i = 0; i < check->variable_count; i++)
        if (judge_variable(check, &check->variables[i], &report->tensors[i]) == GRAD_CHECK_FAIL)
            report->verdict = GRAD_CHECK_FAIL;
    return GRAD_OK;
}
