/* From slopes to verdicts: how far a gradient is from the differences, whether that is too far, and
 * where it is worst. */
#include <float.h>
#include <math.h>

#include "differences/state.h"

#define ROUNDING 32 /* spreads of the neighbours that rounding may come to: others round worse */
#define KINK 1.5    /* jumps that a gradient may be off by at a kink: half a one is either side */
#define JUMP 1.5 /* the same, of jumps that the jolted neighbours have: some, not all there are */

/* ---- Allowances ------------------------------------------------------------------------------ */

/* By how much rounding has moved the gradient at that sample; and as much as it has moved the
 * others of its tensor, since sums of few numbers round to the same again and again. */
static double spread_of(const grad_check *check, const grad_variable *v, size_t sample)
{
    size_t variable = check->samples[sample].variable;
    double spread = 0, norm = 0;

    for (size_t i = 0; i < GRAD_ROUNDED; i++) {
        spread = fmax(spread, check->spreads[i * check->sample_count + sample]);
        norm = fmax(norm, check->norms[i * check->variable_count + variable]);
    }
    return fmax(spread, norm / sqrt((double)grad_tensor_count(v->gradient)));
}

/* By how much the analytic gradient jumps around the point. */
static double jump_of(const grad_check *check, size_t sample)
{
    double jump = 0;

    for (size_t i = GRAD_ROUNDED; i < GRAD_NEIGHBOURS; i++)
        jump = fmax(jump, check->spreads[i * check->sample_count + sample]);
    return jump;
}

/* What is told of one gradient at one sample. */
typedef struct opinion {
    grad_check_verdict verdict;
    double error;
} opinion;

/* Passes where error <= tolerance. */
static double relative_error(const grad_check *check, double distance, double size,
                             double allowance)
{
    double error = distance / fmax(size, allowance / check->options.tolerance);

    return distance == 0 ? 0 : isnan(error) ? (double)INFINITY : error;
}

/* Whether kinks explain the distance: there the slope is any number between the two sides'. */
static bool is_at_kink(double gradient, double distance, double kink, double jump)
{
    return isfinite(gradient) &&
           (isinf(kink) || distance <= KINK * kink || distance <= JUMP * jump);
}

static opinion opinion_of(const grad_check *check, const grad_variable *v, size_t sample,
                          grad_told told)
{
    const grad_sample *s = &check->samples[sample];
    double smallest = check->batch.datatype == GRAD_FP64 ? DBL_MIN : (double)FLT_MIN;
    double gradient = told.value, slope = s->slope.value, distance = fabs(gradient - slope);
    double size = fmax(fmax(fabs(gradient), fabs(slope)), grad_check_floor(v, s));
    double sure = fmax(s->slope.uncertainty, smallest) + told.rounding;
    double error = relative_error(check, distance, size, sure);

    if (error <= check->options.tolerance)
        return (opinion){GRAD_CHECK_PASS, error};
    if (is_at_kink(gradient, distance, s->slope.kink, 0))
        return (opinion){GRAD_CHECK_KINK, error};
    error = relative_error(check, distance, size, sure + ROUNDING * spread_of(check, v, sample));
    if (error <= check->options.tolerance)
        return (opinion){GRAD_CHECK_PASS, error};
    if (is_at_kink(gradient, distance, s->slope.near_kink, jump_of(check, sample)))
        return (opinion){GRAD_CHECK_KINK, error};
    return (opinion){GRAD_CHECK_FAIL, error};
}

/* ---- Findings -------------------------------------------------------------------------------- */

/* The worst verdict counts; of those the largest error is told. */
static void add_sample(const grad_check *check, const grad_variable *v, size_t sample,
                       grad_told told, grad_check_finding *finding)
{
    const grad_sample *s = &check->samples[sample];
    opinion o = opinion_of(check, v, sample, told);
    bool is_worst = finding->checked == 0 || o.verdict > finding->verdict ||
                    (o.verdict == finding->verdict && o.error > finding->largest_error);

    finding->checked++;
    finding->kinks += o.verdict == GRAD_CHECK_KINK;
    if (!is_worst)
        return;
    finding->verdict = o.verdict;
    finding->largest_error = o.error;
    finding->index = s->index;
    finding->gradient = told.value;
    finding->difference = s->slope.value;
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
        size_t sample = v->first_sample + i;
        const grad_sample *s = &check->samples[sample];

        add_sample(check, v, sample, grad_check_gradient_at(check, s, v->gradient),
                   &tensor->analytic);
        if (v->claim != NULL)
            add_sample(check, v, sample, grad_check_claim_at(check, v, s), &tensor->claim);
    }
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
    report->tensor_count = check->variable_count;
    report->note_count = reply->note_count;
    report->notes = reply->notes;
    for (size_t i = 0; i < check->variable_count; i++)
        if (judge_variable(check, &check->variables[i], &report->tensors[i]) == GRAD_CHECK_FAIL)
            report->verdict = GRAD_CHECK_FAIL;
}
