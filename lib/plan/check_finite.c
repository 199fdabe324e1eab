/* Under reject, whether what a run answers is finite: deltas from what their tiles found, the rest
 * here. The first in the order of the answer is reported. Of a loss it says why: which sample made
 * it so, and what of it the loss has no number for; what a request alone can tell was asked before
 * the run. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/format_number.h"
#include "core/real.h"
#include "core/size.h"
#include "kernels/finite.h"
#include "model/validate.h"
#include "plan/run.h"

/* A loss that is not finite. */
typedef struct finding {
    size_t sample;
    bool is_element; /* of one output of the sample, not of the whole sample */
    size_t output;
    double value;
} finding;

/* Room for a cause: a few words and two numbers. */
typedef struct cause_text {
    char text[GRAD_DETAIL_SIZE / 2];
} cause_text;

static bool is_by_sample(const grad_run *run)
{
    return (grad_loss_info_of(run->loss.loss->kind)->tensors & GRAD_LOSS_PER_SAMPLE) != 0;
}

/* ---- A loss: where --------------------------------------------------------------------------- */

/* Among the losses that are answered one by one. */
static bool find_answered(const grad_run *run, finding *found)
{
    const grad_tensor *losses = &run->reply.losses;
    size_t count = grad_tensor_count(losses), N = is_by_sample(run) ? 1 : run->loss.N;
    size_t index = grad_find_non_finite(run->batch->datatype, count, losses->data);

    if (index == count)
        return false;
    *found = (finding){index / N, !is_by_sample(run), index % N,
                       grad_real_at(run->batch->datatype, losses->data, index)};
    return true;
}

/* Among the sums that the loss is made of. */
static bool find_summed(const grad_run *run, finding *found)
{
    for (size_t b = 0; b < run->loss.B; b++)
        if (!isfinite(run->loss_sums[b])) {
            *found = (finding){b, false, 0, run->loss_sums[b]};
            return true;
        }
    return false;
}

/* The sample's target, or its element. */
static grad_pointer_text target_of(const grad_run *run, const finding *found)
{
    const grad_tensor *target = &run->loss.loss->target;
    const grad_sample_axes *axes = &run->plan->layers[run->batch->layer_count - 1].sizes.axes;
    grad_tensor samples = {.rank = axes->count > 0 ? axes->count : 1, .shape = {1}};
    size_t N = run->loss.N;

    if (found->is_element)
        return grad_element_pointer("/loss/target", target, found->sample * N + found->output);
    if (axes->count == 0 && grad_tensor_count(target) != run->loss.B)
        return grad_pointer_format("/loss/target"); /* all of it is the one sample's */
    memcpy(samples.shape, axes->lengths, axes->count * sizeof *samples.shape);
    return grad_element_pointer("/loss/target", &samples, found->sample);
}

/* ---- A loss: why ----------------------------------------------------------------------------- */

/* What y must be for the loss to have a number for it, or NULL where it is. Fused, y is z. */
static const char *what_y_must_be(const grad_loss_view *view, double y)
{
    const grad_loss_row *row = grad_loss_row_of(view->loss->kind);

    if (!isfinite(y))
        return "a finite number";
    if (view->fusion != GRAD_LOSS_ABSENT || row->output == NULL)
        return NULL;
    return row->output(view->loss->parameters, y);
}

/* Which number is meant: "output 1 of it", or "that output". */
static cause_text name_of(const grad_run *run, const finding *found, size_t n)
{
    bool is_fused = run->loss.fusion != GRAD_LOSS_ABSENT;
    const char *what = is_fused ? "pre_activation" : "output";
    cause_text name;

    if (found->is_element)
        snprintf(name.text, sizeof name.text, "that %s", what);
    else
        snprintf(name.text, sizeof name.text, "%s %zu of it", what, n);
    return name;
}

/* Whether the variance of an output is 0, and no eps (parameter 1) is put in its place. */
static bool lacks_variance(const grad_loss_view *view, size_t sample, size_t n)
{
    const grad_tensor *variance = &view->loss->variance;
    size_t at = grad_tensor_count(variance) == view->B * view->N ? sample * view->N + n : sample;

    return variance->data != NULL && view->loss->parameters[1] == 0 &&
           grad_real_at(view->type, variance->data, at) == 0;
}

/* What is wrong with the sample's outputs, or with that one. */
static cause_text cause_of(const grad_run *run, const finding *found)
{
    const grad_loss_view *view = &run->loss;
    size_t begin = found->is_element ? found->output : 0;
    size_t end = found->is_element ? begin + 1 : view->N;
    cause_text cause = {"its outputs and targets are too large"};

    for (size_t n = begin; n < end; n++) {
        double y = grad_real_at(view->type, view->y, found->sample * view->N + n);
        const char *expected = what_y_must_be(view, y);

        if (expected == NULL && lacks_variance(view, found->sample, n))
            return (cause_text){"its variance is 0, expected a positive one, eps being 0"};
        if (expected == NULL)
            continue;
        snprintf(cause.text, sizeof cause.text, "%.60s is %s, expected %s",
                 name_of(run, found, n).text, GRAD_NUMBER_TEXT(view->type, y), expected);
        break;
    }
    return cause;
}

static grad_status fail_sample(const grad_run *run, const finding *found, grad_error *error)
{
    grad_pointer_text output = grad_pointer_format(" at output %zu", found->output);

    return grad_fail(error, GRAD_INVALID, "non_finite", target_of(run, found).text,
                     "loss of sample %zu%s is %s, expected a finite number: %s", found->sample,
                     found->is_element ? output.text : "",
                     GRAD_NUMBER_TEXT(run->batch->datatype, found->value),
                     cause_of(run, found).text);
}

static grad_status check_loss(const grad_run *run, grad_error *error)
{
    const grad_reply *reply = &run->reply;
    finding found;

    if (run->loss_sums == NULL)
        return GRAD_OK;
    if (!reply->has_loss)
        return find_answered(run, &found) ? fail_sample(run, &found, error) : GRAD_OK;
    if (isfinite(reply->loss))
        return GRAD_OK;
    if (find_summed(run, &found))
        return fail_sample(run, &found, error);
    return grad_fail(
        error, GRAD_INVALID, "non_finite", "/loss/target",
        "loss is %s, expected a finite number: the losses of its samples are too large "
        "to add up",
        GRAD_NUMBER_TEXT(GRAD_FP64, reply->loss));
}

/* ---- The answer ------------------------------------------------------------------------------ */

static size_t first_bad_element(const grad_run *run, size_t layer, grad_output_kind output)
{
    size_t index = run->plan->layers[layer].last_op[output], first = GRAD_FINITE;
    const grad_op *op;

    if (index == GRAD_NO_OP || run->batch->non_finite == GRAD_ALLOW_NON_FINITE)
        return GRAD_FINITE;
    op = &run->plan->ops[index];
    for (size_t tile = 0; tile < grad_grid_tile_count(&op->grid); tile++)
        first = grad_size_min(first, run->partials[op->first_partial + tile].bad);
    return first;
}

void grad_answer_failed(grad_run *run, size_t layer)
{
    run->results[layer] = (grad_layer_result){.name = run->batch->layers[layer].name,
                                              .error = &run->plan->errors[layer]};
}

static grad_status check_layer(grad_run *run, size_t layer, grad_error *error)
{
    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++) {
        size_t index = run->batch->network != NULL && k == GRAD_GRAD_INPUT
                           ? GRAD_FINITE
                           : first_bad_element(run, layer, k);
        const char *member = grad_output_name(k);

        if (index == GRAD_FINITE)
            continue;
        if (!run->batch->continue_on_error)
            return grad_fail_output(error, run->batch, layer, member,
                                    grad_run_output(run, layer, k), index);
        grad_fail_output(&run->plan->errors[layer], run->batch, layer, member,
                         grad_run_output(run, layer, k), index);
        run->plan->failed[layer] = true;
        grad_answer_failed(run, layer);
        return GRAD_OK;
    }
    return GRAD_OK;
}

static grad_status check_tensor(const grad_run *run, const char *pointer, const grad_tensor *tensor,
                                grad_error *error)
{
    size_t count = grad_tensor_count(tensor);
    size_t index = grad_find_non_finite(run->batch->datatype, count, tensor->data);

    if (index == count)
        return GRAD_OK;
    return grad_fail_number(error, pointer, run->batch->datatype, tensor, index);
}

grad_status grad_check_finite(grad_run *run, grad_error *error)
{
    grad_reply *reply = &run->reply;
    grad_status status;
    size_t index;

    if (run->batch->non_finite == GRAD_ALLOW_NON_FINITE)
        return GRAD_OK;
    status = check_loss(run, error);
    if (status == GRAD_OK)
        status = check_tensor(run, "/predictions", &reply->predictions, error);
    for (size_t i = 0; i < run->batch->layer_count && status == GRAD_OK; i++)
        if (!grad_plan_has_failed(run->plan, i))
            status = check_layer(run, i, error);
    if (status != GRAD_OK || run->batch->network == NULL)
        return status;
    index = first_bad_element(run, 0, GRAD_GRAD_INPUT);
    if (index == GRAD_FINITE)
        return GRAD_OK;
    return grad_fail_number(error, "/grad_input", run->batch->datatype, &reply->grad_input, index);
}
