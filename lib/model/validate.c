/* Every question asked of a batch, cheap ones first: options, then layer by layer, the loss, and at
 * last the elements. */
#include "model/validate.h"

#include <math.h>
#include <stddef.h>

#include "core/error.h"
#include "core/format_number.h"
#include "kernels/finite.h"

#define ALL_OUTPUTS ((1U << GRAD_OUTPUT_COUNT) - 1)

/* ---- Options --------------------------------------------------------------------------------- */

static grad_status check_enumerations(const grad_batch *batch, grad_error *error)
{
    const char *code = "unsupported_value";
    unsigned known = ALL_OUTPUTS | (batch->network != NULL ? GRAD_OUTPUT_PREDICTIONS : 0U);

    if (batch->datatype != GRAD_FP32 && batch->datatype != GRAD_FP64)
        return grad_fail(error, GRAD_INVALID, code, "/datatype",
                         "datatype is %d, expected FP32 or FP64", (int)batch->datatype);
    if (batch->reduction != GRAD_SUM && batch->reduction != GRAD_MEAN &&
        batch->reduction != GRAD_PER_SAMPLE)
        return grad_fail(error, GRAD_INVALID, code, "/reduction",
                         "reduction is %d, expected sum, mean or none", (int)batch->reduction);
    if (batch->non_finite != GRAD_REJECT_NON_FINITE && batch->non_finite != GRAD_ALLOW_NON_FINITE)
        return grad_fail(error, GRAD_INVALID, code, "/non_finite",
                         "non_finite is %d, expected reject or allow", (int)batch->non_finite);
    if ((batch->outputs & ~known) != 0)
        return grad_fail(error, GRAD_INVALID, code, "/outputs",
                         "outputs has the bits 0x%x, expected none outside 0x%x", batch->outputs,
                         known);
    return GRAD_OK;
}

/* A bound that is set, or a rate of decay: finite and not negative. */
static grad_status check_bound(const char *pointer, double value, grad_error *error)
{
    if (isfinite(value) && value >= 0)
        return GRAD_OK;
    return grad_fail(error, GRAD_INVALID, "bad_parameter", pointer,
                     "%s is %s, expected a finite number that is not negative", pointer + 1,
                     GRAD_NUMBER_TEXT(GRAD_FP64, value));
}

static grad_status check_finishing(const grad_batch *batch, grad_error *error)
{
    const struct {
        const char *pointer;
        double value;
        bool is_of_sums; /* has no meaning for one sample's delta */
    } bounds[] = {{"/clip/value", batch->clip.value, false},
                  {"/clip/layer_norm", batch->clip.layer_norm, true},
                  {"/clip/global_norm", batch->clip.global_norm, true},
                  {"/weight_decay/l1", batch->weight_decay.l1, true},
                  {"/weight_decay/l2", batch->weight_decay.l2, true}};

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        grad_status status = check_bound(bounds[i].pointer, bounds[i].value, error);

        if (status != GRAD_OK)
            return status;
        if (bounds[i].is_of_sums && bounds[i].value > 0 && batch->reduction == GRAD_PER_SAMPLE)
            return grad_fail(error, GRAD_INVALID, "unsupported_value", bounds[i].pointer,
                             "%s is for deltas of the whole batch, expected none of it with "
                             "reduction none",
                             bounds[i].pointer + 1);
    }
    return GRAD_OK;
}

grad_status grad_verify_options(const grad_batch *batch, size_t max_layers, grad_error *error)
{
    grad_status status = check_enumerations(batch, error);

    if (status != GRAD_OK)
        return status;
    if (!isfinite(batch->scale))
        return grad_fail(error, GRAD_INVALID, "unsupported_value", "/scale",
                         "scale is %s, expected a finite number",
                         GRAD_NUMBER_TEXT(GRAD_FP64, batch->scale));
    status = check_finishing(batch, error);
    if (status != GRAD_OK)
        return status;
    if (batch->layer_count == 0)
        return grad_fail(error, GRAD_INVALID, "empty_batch", "/layers",
                         "expected at least one layer, found none");
    if (max_layers != 0 && batch->layer_count > max_layers)
        return grad_fail_limit(error, "max_layers", max_layers, "/layers",
                               "expected at most %zu layer%s, found %zu", max_layers,
                               grad_plural(max_layers), batch->layer_count);
    return GRAD_OK;
}

/* ---- All layers ------------------------------------------------------------------------------ */

/* A question of one layer, for which status is the answer; *own holds its error. Passes it on, or
 * marks the layer. */
static grad_status settle(const grad_batch *batch, size_t layer, grad_status status,
                          const grad_error *own, bool *failed, grad_error *errors,
                          grad_error *error)
{
    bool is_its_own = failed != NULL && batch->network == NULL && status == GRAD_INVALID;

    if (status == GRAD_OK)
        return GRAD_OK;
    if (!is_its_own) {
        if (error != NULL && error->status == GRAD_OK)
            *error = *own;
        return status;
    }
    failed[layer] = true;
    errors[layer] = *own;
    return GRAD_OK;
}

grad_status grad_verify_shapes(const grad_batch *batch, bool *failed, grad_error *errors,
                               grad_error *error)
{
    grad_layer_sizes sizes = {0}, before = {0};
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++) {
        grad_error own = GRAD_ERROR_INIT;
        grad_subject s = {batch, i, &before, &own};

        before = sizes;
        status = settle(batch, i, grad_verify_layer(&s, &sizes), &own, failed, errors, error);
    }
    if (status == GRAD_OK && batch->network != NULL)
        status = grad_verify_loss(batch, &sizes, error);
    return status;
}

/* ---- Elements -------------------------------------------------------------------------------- */

/* A tensor within a structure, and its pointer there. */
typedef struct member {
    const char *pointer;
    size_t offset;
} member;

static const grad_tensor *tensor_at(const void *structure, size_t offset)
{
    return (const grad_tensor *)(const void *)((const char *)structure + offset);
}

static grad_status check_tensor(const grad_batch *batch, size_t layer, const char *pointer,
                                const grad_tensor *tensor, grad_error *error)
{
    size_t count = grad_tensor_count(tensor);
    size_t index = grad_find_non_finite(batch->datatype, count, tensor->data);

    return index < count ? grad_fail_element(error, batch, layer, pointer, tensor, index) : GRAD_OK;
}

static grad_status check_layer_elements(const grad_batch *batch, size_t layer, grad_error *error)
{
    const grad_layer *l = &batch->layers[layer];
    grad_status status = check_tensor(batch, layer, "/input", &l->input, error);

    if (status == GRAD_OK)
        status = check_tensor(batch, layer, "/pre_activation", &l->pre_activation, error);
    if (status == GRAD_OK)
        status = check_tensor(batch, layer, "/grad_output", &l->grad_output, error);
    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT && status == GRAD_OK; slot++)
        status =
            check_tensor(batch, layer, grad_slot_member(slot), grad_layer_slot(l, slot), error);
    return status == GRAD_OK ? check_tensor(batch, layer, "/dropout/mask", &l->dropout_mask, error)
                             : status;
}

static grad_status check_network_elements(const grad_batch *batch, grad_error *error)
{
    static const member members[] = {
        {"/input", offsetof(grad_network, input)},
        {"/grad_output", offsetof(grad_network, grad_output)},
        {"/loss/target", offsetof(grad_network, loss.target)},
        {"/loss/sample_weight", offsetof(grad_network, loss.sample_weight)},
        {"/loss/class_weight", offsetof(grad_network, loss.class_weight)},
        {"/loss/pos_weight", offsetof(grad_network, loss.pos_weight)},
        {"/loss/variance", offsetof(grad_network, loss.variance)},
        {"/loss/other", offsetof(grad_network, loss.other)},
    };

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const grad_tensor *tensor = tensor_at(batch->network, members[i].offset);
        size_t count = grad_tensor_count(tensor);
        size_t index = grad_find_non_finite(batch->datatype, count, tensor->data);

        if (index < count)
            return grad_fail_number(error, members[i].pointer, batch->datatype, tensor, index);
    }
    return GRAD_OK;
}

grad_status grad_verify_elements(const grad_batch *batch, bool *failed, grad_error *errors,
                                 grad_error *error)
{
    grad_status status = GRAD_OK;

    if (batch->non_finite == GRAD_ALLOW_NON_FINITE)
        return GRAD_OK;
    if (batch->network != NULL)
        status = check_network_elements(batch, error);
    for (size_t i = 0; i < batch->layer_count && status == GRAD_OK; i++) {
        grad_error own = GRAD_ERROR_INIT;

        if (failed != NULL && failed[i])
            continue;
        status =
            settle(batch, i, check_layer_elements(batch, i, &own), &own, failed, errors, error);
    }
    return status;
}
