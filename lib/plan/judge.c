/* Under reject, whether what a run answers is finite: deltas from what their tiles noted, the rest
 * here. The first in the order of the answer is told. Why a loss is not is judge_loss.c's. */
#include "core/size.h"
#include "kernels/finite.h"
#include "model/validate.h"
#include "plan/state.h"

static size_t first_bad_element(const grad_run *run, size_t layer, grad_output_kind output)
{
    size_t index = run->layers[layer].last_part[output], first = GRAD_FINITE;
    const grad_part *part;

    if (index == GRAD_NO_PART || run->batch->non_finite == GRAD_ALLOW_NON_FINITE)
        return GRAD_FINITE;
    part = &run->program.parts[index];
    for (size_t tile = 0; tile < grad_grid_tile_count(&part->grid); tile++)
        first = grad_size_min(first, run->program.notes[part->first_note + tile].bad);
    return first;
}

void grad_judge_failed(grad_run *run, size_t layer)
{
    run->results[layer] =
        (grad_layer_result){.name = run->batch->layers[layer].name, .error = &run->errors[layer]};
}

static grad_status judge_layer(grad_run *run, size_t layer, grad_error *error)
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
        grad_fail_output(&run->errors[layer], run->batch, layer, member,
                         grad_run_output(run, layer, k), index);
        run->failed[layer] = true;
        grad_judge_failed(run, layer);
        return GRAD_OK;
    }
    return GRAD_OK;
}

static grad_status judge_tensor(const grad_run *run, const char *pointer, const grad_tensor *tensor,
                                grad_error *error)
{
    size_t count = grad_tensor_count(tensor);
    size_t index = grad_find_non_finite(run->batch->datatype, count, tensor->data);

    if (index == count)
        return GRAD_OK;
    return grad_fail_number(error, pointer, run->batch->datatype, tensor, index);
}

grad_status grad_judge_reply(grad_run *run, grad_error *error)
{
    grad_reply *reply = &run->reply;
    grad_status status;
    size_t index;

    if (run->batch->non_finite == GRAD_ALLOW_NON_FINITE)
        return GRAD_OK;
    status = grad_judge_loss(run, error);
    if (status == GRAD_OK)
        status = judge_tensor(run, "/predictions", &reply->predictions, error);
    for (size_t i = 0; i < run->batch->layer_count && status == GRAD_OK; i++)
        if (run->failed == NULL || !run->failed[i])
            status = judge_layer(run, i, error);
    if (status != GRAD_OK || run->batch->network == NULL)
        return status;
    index = first_bad_element(run, 0, GRAD_GRAD_INPUT);
    if (index == GRAD_FINITE)
        return GRAD_OK;
    return grad_fail_number(error, "/grad_input", run->batch->datatype, &reply->grad_input, index);
}
