/* From slopes to verdicts: how far a gradient is from the differences, whether that is too far, and
 * where it is worst. */
#include <float.h>
#include <math.h>

#include "gradcheck/state.h"

/* What is told of one gradient at one sample. */
typedef struct opinion {
    grad_check_verdict verdict;
    double error;
    double low, high; /* at a kink */
} opinion;

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
static opinion opinion_of(const grad_check *check, const grad_sample *s, grad_interval told)
{
    double smallest = check->batch.datatype == GRAD_FP64 ? DBL_MIN : (double)FLT_MIN;
    grad_interval e = grad_check_expected_at(check, s);
    double floor = grad_check_floor(&check->parameters[s->parameter], s), size, distance, rounding,
           seen = 0;
    opinion o = {.low = (double)NAN, .high = (double)NAN};

    if (s->slope.contradicts)
        e = (grad_interval){s->slope.value, 0, s->slope.uncertainty};
    rounding = e.rounding + told.rounding + smallest;
    size = fmax(fmax(fabs(told.middle), fabs(e.middle)), floor);
    distance = fmax(fabs(told.middle - e.middle) - e.kink, 0);
    if (isnan(told.middle) || isinf(told.middle))
        distance = (double)INFINITY;
    o.error = relative_error(check, distance, size, isinf(rounding) ? DBL_MAX : rounding);
    if (e.kink > fmax(check->options.tolerance * fmax(fabs(e.middle), floor), e.rounding)) {
        o.low = e.middle - e.kink;
        o.high = e.middle + e.kink;
        o.verdict = GRAD_CHECK_KINK;
    } else if (s->slope.uncertainty <= check->options.tolerance * size)
        seen = relative_error(check, fabs(told.middle - s->slope.value), size, rounding);
    if (o.error > check->options.tolerance)
        o.verdict = GRAD_CHECK_FAIL;
    o.error = fmax(o.error, fmin(seen, check->options.tolerance));
    return o;
}

/* ---- Findings -------------------------------------------------------------------------------- */

/* The worst verdict counts; of those the largest error is told. */
static void add_sample(const grad_check *check, const grad_sample *s, grad_interval told,
                       grad_check_finding *finding)
{
    opinion o = opinion_of(check, s, told);
    bool is_worst = finding->checked == 0 || o.verdict > finding->verdict ||
                    (o.verdict == finding->verdict && o.error > finding->largest_error);

    finding->checked++;
    finding->kinks += o.low < o.high;
    if (!is_worst)
        return;
    finding->verdict = o.verdict;
    finding->largest_error = o.error;
    finding->index = s->index;
    finding->gradient = told.middle;
    finding->difference = s->slope.value;
    finding->low = o.low;
    finding->high = o.high;
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
    for (size_t i = 0; i < p->sample_count; i++) {
        const grad_sample *s = &check->samples[p->first_sample + i];

        add_sample(check, s, grad_check_gradient_at(check, s), &tensor->analytic);
        if (p->claim != NULL)
            add_sample(check, s, grad_check_claim_at(check, s), &tensor->claim);
    }
    tensor->analytic.taylor = p->taylor;
    tensor->claim.taylor = p->claim_taylor;
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
