/* A layer's tensors: which must be there, their ranks, and whether their shapes agree. No element
 * is read but running variances. */
#include "model/kind.h"

#include <string.h>

#include "core/error.h"
#include "core/format_number.h"
#include "core/real.h"
#include "core/spelling.h"

static grad_status check_presence(const grad_subject *s, const char *member,
                                  const grad_tensor *tensor, const char *why)
{
    if (tensor->data != NULL)
        return GRAD_OK;
    return grad_fail_layer(s->error, s->batch, s->layer, "missing_field", "",
                           " has no %s, expected one%s", member, why);
}

#define RANKS_OF_STATES "1 (one sample) to 5, the last axis being the features"

_Static_assert(GRAD_MAX_RANK == 5, "the ranks that an error tells");

/* Rank within [least, most], and a last axis that is not of length 0. spelling is how to mend the
 * rank, or "". */
static grad_status check_form(const grad_subject *s, const char *member, const grad_tensor *tensor,
                              size_t least, size_t most, const char *spelling)
{
    size_t rows;

    if (tensor->rank < least || tensor->rank > most)
        return grad_fail_layer(
            s->error, s->batch, s->layer, "shape_mismatch", member, " has rank %zu, expected %s%s",
            tensor->rank, most > least ? RANKS_OF_STATES : grad_pointer_format("%zu", most).text,
            spelling);
    rows = grad_tensor_rows(tensor);
    if (grad_tensor_columns(tensor) == 0)
        return grad_fail_layer(s->error, s->batch, s->layer, "empty_tensor", member,
                               " has %zu row%s of 0 columns, expected at least one column", rows,
                               grad_plural(rows));
    return GRAD_OK;
}

/* "layers/0/pre_activation has 64 columns, grad_output has 63": other says what holds 63. Units are
 * in the singular; other_unit, where it is "", is the same. */
static grad_status check_equal(const grad_subject *s, const char *member, size_t size,
                               const char *unit, const char *other, size_t expected,
                               const char *other_unit)
{
    if (size == expected)
        return GRAD_OK;
    return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", member,
                           " has %zu %s%s, %s has %zu%s%s", size, unit, grad_plural(size), other,
                           expected, other_unit,
                           other_unit[0] == '\0' ? "" : grad_plural(expected));
}

/* The samples of that member are those of another, as many in each axis. */
static grad_status check_samples(const grad_subject *s, const char *member,
                                 const grad_tensor *tensor, const char *other,
                                 const grad_sample_axes *axes, size_t B)
{
    grad_tensor expected = {.rank = axes->count};

    if (grad_has_sample_axes(tensor, axes))
        return GRAD_OK;
    if (axes->count < 2)
        return check_equal(s, member, grad_tensor_rows(tensor), "row", other, B, "");
    for (size_t axis = 0; axis < axes->count; axis++)
        expected.shape[axis] = axes->lengths[axis];
    return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", member,
                           " has shape %s, expected the axes %s of %s before its last",
                           grad_shape_text(tensor).text, grad_shape_text(&expected).text, other);
}

/* ---- States ---------------------------------------------------------------------------------- */

static grad_status check_state(const grad_subject *s, const char *member, const grad_tensor *tensor,
                               bool must_be, const char *why)
{
    grad_status status = must_be ? check_presence(s, member + 1, tensor, why) : GRAD_OK;

    if (status != GRAD_OK || tensor->data == NULL)
        return status;
    return check_form(s, member, tensor, 1, GRAD_MAX_RANK, "");
}

/* x, z and ∂L/∂y, where they are there: each a vector, a matrix, or one of more axes. */
static grad_status check_states(const grad_subject *s, const grad_layer *layer)
{
    bool is_network = s->batch->network != NULL;
    const grad_slot_info *essential = grad_kind_essential(grad_kind_of(layer));
    bool lacks_essential =
        essential != NULL && grad_layer_slot(layer, essential->slot)->data == NULL;
    grad_pointer_text or_slot = {""};
    grad_status status = check_state(s, "/input", &layer->input, !is_network, "");

    if (lacks_essential)
        or_slot = grad_pointer_format(", or the %s that it can be worked out with",
                                      grad_slot_name(essential->slot));
    if (status == GRAD_OK)
        status = check_state(s, "/pre_activation", &layer->pre_activation, lacks_essential,
                             or_slot.text);
    if (status == GRAD_OK)
        status = check_state(s, "/grad_output", &layer->grad_output, !is_network, "");
    return status;
}

/* The network's own input, which its first layer stands on. */
static grad_status check_network_input(const grad_subject *s)
{
    const grad_tensor *x = &s->batch->network->input;
    size_t rows;

    if (x->data == NULL)
        return grad_fail(s->error, GRAD_INVALID, "missing_field", "",
                         "expected a field \"input\", or one in the first layer, found none");
    if (x->rank < 1 || x->rank > GRAD_MAX_RANK)
        return grad_fail(s->error, GRAD_INVALID, "shape_mismatch", "/input",
                         "input has rank %zu, expected " RANKS_OF_STATES, x->rank);
    rows = grad_tensor_rows(x);
    if (grad_tensor_columns(x) == 0)
        return grad_fail(s->error, GRAD_INVALID, "empty_tensor", "/input",
                         "input has %zu row%s of 0 columns, expected at least one column", rows,
                         grad_plural(rows));
    return GRAD_OK;
}

/* How to spell that vector, or another of the layer's states, for the samples of a matrix beside
 * it. */
static grad_spelling_text spelling_of_states(const grad_layer *layer)
{
    const grad_tensor *const states[] = {&layer->pre_activation, &layer->grad_output,
                                         &layer->input};
    const grad_tensor *vector = NULL;
    size_t B = 0;

    for (size_t i = 0; i < 3; i++) {
        if (states[i]->data != NULL && states[i]->rank == 1 && vector == NULL)
            vector = states[i];
        if (states[i]->data != NULL && states[i]->rank == 2)
            B = states[i]->shape[0];
    }
    if (vector == NULL || B == 0)
        return (grad_spelling_text){""};
    return grad_spelling_of_samples(vector, B);
}

static grad_status check_ranks(const grad_subject *s, const grad_layer *layer)
{
    const grad_tensor *x = &layer->input, *z = &layer->pre_activation, *dy = &layer->grad_output;

    if (z->data == NULL && x->rank == dy->rank)
        return GRAD_OK;
    if (z->data != NULL && z->rank == x->rank && z->rank == dy->rank)
        return GRAD_OK;
    if (z->data == NULL)
        return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "/grad_output",
                               " has rank %zu, input has %zu: expected the same of both%s",
                               dy->rank, x->rank, spelling_of_states(layer).text);
    return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "/pre_activation",
                           " has rank %zu, input has %zu and grad_output %zu: expected the same "
                           "of all three%s",
                           z->rank, x->rank, dy->rank, spelling_of_states(layer).text);
}

/* The states of an independent layer agree. */
static grad_status check_agreement(const grad_subject *s, const grad_layer *layer,
                                   const grad_layer_sizes *n)
{
    const grad_tensor *z = &layer->pre_activation, *dy = &layer->grad_output;
    const grad_sample_axes of_dy = grad_tensor_sample_axes(dy);
    grad_status status = check_ranks(s, layer);

    if (status != GRAD_OK)
        return status;
    if (z->data == NULL) {
        status = check_equal(s, "/grad_output", grad_tensor_columns(dy), "column",
                             "the layer's output", n->N, "");
        return status != GRAD_OK ? status
                                 : check_samples(s, "/grad_output", dy, "input", &n->axes, n->B);
    }
    status = check_equal(s, "/pre_activation", n->N, "column", "grad_output",
                         grad_tensor_columns(dy), "");
    if (status == GRAD_OK)
        status =
            check_samples(s, "/pre_activation", z, "grad_output", &of_dy, grad_tensor_rows(dy));
    if (status == GRAD_OK)
        status = check_samples(s, "/input", &layer->input, "pre_activation", &of_dy,
                               grad_tensor_rows(z));
    return status;
}

/* How to spell the state of a network's layer whose rank is another. */
static grad_spelling_text spelling_in_chain(const grad_layer *layer, const grad_sample_axes *axes)
{
    const grad_tensor *x = &layer->input, *z = &layer->pre_activation;
    const grad_tensor *wrong = x->data != NULL && x->rank != axes->count + 1 ? x : z;

    if (axes->count == 0)
        return grad_spelling_of_line(wrong);
    return grad_spelling_of_samples(wrong, axes->count == 1 ? axes->lengths[0] : 0);
}

/* The states that a network's layer carries agree with the layers before it. */
static grad_status check_chain(const grad_subject *s, const grad_layer *layer,
                               const grad_layer_sizes *n)
{
    const grad_tensor *x = &layer->input, *z = &layer->pre_activation;
    const grad_layer_sizes *first = s->layer > 0 ? s->before : n; /* its samples: the network's */
    const grad_sample_axes *axes = &first->axes;
    grad_status status = GRAD_OK;

    if ((x->data != NULL && x->rank != axes->count + 1) ||
        (z->data != NULL && z->rank != axes->count + 1))
        return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "",
                               " has states of another rank than the network's input, which is a "
                               "%s%s",
                               axes->count == 0   ? "vector"
                               : axes->count == 1 ? "matrix"
                                                  : "tensor of more axes",
                               spelling_in_chain(layer, axes).text);
    if (x->data != NULL && s->layer > 0) {
        status = check_samples(s, "/input", x, "the network's input", axes, first->B);
        if (status == GRAD_OK)
            status = check_equal(s, "/input", grad_tensor_columns(x), "column",
                                 "the output of the layer before", s->before->N, "");
    }
    if (status == GRAD_OK && z->data != NULL)
        status = check_samples(s, "/pre_activation", z, "the network's input", axes, first->B);
    return status;
}

/* ---- Parameters ------------------------------------------------------------------------------ */

/* Why the slot that ∂L/∂x needs must be there; NULL: it need not. */
static const char *why_essential(const grad_subject *s)
{
    const grad_batch *batch = s->batch;
    bool is_network = batch->network != NULL;

    if ((batch->outputs & GRAD_OUTPUT_GRAD_INPUT) != 0 && (!is_network || s->layer == 0))
        return " for grad_input";
    if (batch->weight_decay.l1 > 0 || batch->weight_decay.l2 > 0)
        return " for weight_decay";
    if (is_network && s->layer > grad_first_backward(batch))
        return " for the gradient of the layers before";
    return NULL;
}

/* What an error calls the numbers of an axis: of a vector numbers, of a matrix rows and columns,
 * beyond what they are for. */
static const char *unit_of(const grad_slot_info *slot, size_t axis)
{
    static const char *const of_matrix[] = {"row", "column"};
    size_t rank = strlen(slot->shape);

    if (rank <= 2)
        return rank == 1 ? "number" : of_matrix[axis];
    return slot->shape[axis] == 'N' ? "output" : "input";
}

grad_status grad_verify_slot_form(const grad_subject *s, const grad_slot_info *slot,
                                  const grad_tensor *tensor, size_t K)
{
    const char *member = grad_slot_member(slot->slot);
    size_t rank = strlen(slot->shape);
    grad_spelling_text spelling = {""};
    grad_status status;

    if (rank <= 2)
        spelling = rank == 1 ? grad_spelling_of_line(tensor) : grad_spelling_of_rows(tensor, K);
    status = check_form(s, member, tensor, rank, rank, spelling.text);
    for (size_t axis = 0; axis + 1 < rank && status == GRAD_OK; axis++)
        if (tensor->shape[axis] == 0)
            status = grad_fail_layer(s->error, s->batch, s->layer, "empty_tensor", member,
                                     rank == 2 ? " has 0 rows, expected at least one"
                                               : " has an axis of length 0, expected at least 1");
    return status;
}

grad_status grad_verify_slot_axes(const grad_subject *s, const grad_layer *layer,
                                  const grad_slot_info *slot, const grad_layer_sizes *n)
{
    const grad_tensor *tensor = grad_layer_slot(layer, slot->slot);
    bool has_z = layer->pre_activation.data != NULL;
    grad_status status = GRAD_OK;

    for (size_t axis = 0; slot->shape[axis] != '\0' && status == GRAD_OK; axis++) {
        const char *member = grad_slot_member(slot->slot), *unit = unit_of(slot, axis);
        size_t size = tensor->shape[axis];

        if (slot->shape[axis] == 'N' && !slot->is_essential)
            status = check_equal(s, member, size, unit, "the layer", n->N, " output");
        else if (slot->shape[axis] == 'N' && has_z) /* else N is what the slot says */
            status = check_equal(s, member, size, unit, "pre_activation", n->N, " column");
        else if (slot->shape[axis] == 'K')
            status = check_equal(s, member, size, unit,
                                 layer->input.data != NULL || s->layer == 0 ? "input"
                                                                            : "the layer before",
                                 n->K, "");
    }
    return status;
}

/* The slot that the layer's sizes are read from, whose form has been checked. */
static grad_status check_essential(const grad_subject *s, const grad_layer *layer,
                                   const grad_slot_info *slot, const grad_layer_sizes *n)
{
    const grad_tensor *tensor = grad_layer_slot(layer, slot->slot);
    const char *why = why_essential(s);
    grad_status status = GRAD_OK;

    if (why != NULL)
        status = check_presence(s, grad_slot_member(slot->slot) + 1, tensor, why);
    if (status != GRAD_OK || tensor->data == NULL)
        return status;
    return grad_verify_slot_axes(s, layer, slot, n);
}

/* The other slots of the kind, and the activation's. */
static grad_status check_slots(const grad_subject *s, const grad_layer *layer,
                               const grad_layer_sizes *n)
{
    static const grad_slot_info of_activation = {.slot = GRAD_SLOT_SLOPE, .shape = "N"};
    grad_status status = GRAD_OK;

    for (grad_slot i = 0; i < GRAD_SLOT_COUNT && status == GRAD_OK; i++) {
        const grad_tensor *tensor = grad_layer_slot(layer, i);
        const grad_slot_info *slot =
            i == GRAD_SLOT_SLOPE ? &of_activation : grad_kind_slot(grad_kind_of(layer), i);

        if (tensor->data == NULL || slot == NULL || slot->is_essential)
            continue;
        status = grad_verify_slot_form(s, slot, tensor, n->K);
        if (status == GRAD_OK && (i != GRAD_SLOT_SLOPE || tensor->shape[0] != 1)) /* all units' */
            status = grad_verify_slot_axes(s, layer, slot, n);
    }
    return status;
}

static grad_status check_mask(const grad_subject *s, const grad_layer *layer,
                              const grad_layer_sizes *n)
{
    const grad_tensor *mask = &layer->dropout_mask;
    const char *member = "/dropout/mask";
    size_t rank = n->axes.count + 1;
    grad_status status;

    if (mask->data == NULL)
        return GRAD_OK;
    status = check_form(s, member, mask, rank, rank,
                        rank == 1 ? grad_spelling_of_line(mask).text
                                  : grad_spelling_of_rows(mask, n->N).text);
    if (status == GRAD_OK)
        status = check_equal(s, member, grad_tensor_columns(mask), "column", "the layer", n->N,
                             " output");
    if (status == GRAD_OK)
        status = check_samples(s, member, mask, "the batch", &n->axes, n->B);
    return status;
}

/* ---- All of a layer -------------------------------------------------------------------------- */

/* K, as far as it is known before the layer's sizes are. */
static size_t width_of_input(const grad_subject *s)
{
    const grad_tensor *x = grad_layer_input(s->batch, s->layer);

    if (x->data != NULL)
        return grad_tensor_columns(x);
    return s->layer > 0 ? s->before->N : 0;
}

/* Ranks of whatever its sizes are read from. */
static grad_status check_size_sources(const grad_subject *s, const grad_layer *layer)
{
    bool stands_on_network =
        s->batch->network != NULL && s->layer == 0 && layer->input.data == NULL;
    const grad_slot_info *essential = grad_kind_essential(grad_kind_of(layer));
    grad_status status = check_states(s, layer);
    const grad_tensor *tensor;

    if (status == GRAD_OK && stands_on_network)
        status = check_network_input(s);
    if (status != GRAD_OK || essential == NULL)
        return status;
    tensor = grad_layer_slot(layer, essential->slot);
    return tensor->data == NULL ? GRAD_OK
                                : grad_verify_slot_form(s, essential, tensor, width_of_input(s));
}

/* Deltas sample by sample have the samples' axes before their own. */
static grad_status check_axes(const grad_subject *s, const grad_layer *layer,
                              const grad_layer_sizes *n)
{
    static const char *const more[] = {"no", "no", "one", "two", "three", "four"};
    const grad_layer_info *info = &grad_kind_of(layer)->info;
    unsigned outputs = grad_layer_outputs(s->batch, s->layer);

    for (size_t i = 0; i < info->slot_count && s->batch->reduction == GRAD_PER_SAMPLE; i++) {
        grad_output_kind delta = info->slots[i].delta;
        size_t rank = strlen(info->slots[i].shape);

        if ((outputs & 1U << delta) != 0 && n->axes.count + rank > GRAD_MAX_RANK)
            return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "",
                                   " has an input of rank %zu, expected at most %zu with "
                                   "reduction none, as each sample's %s has %s more",
                                   n->axes.count + 1, GRAD_MAX_RANK + 1 - rank,
                                   grad_output_name(delta), more[rank]);
    }
    return GRAD_OK;
}

/* Everything that follows from the sizes. */
static grad_status check_sized(const grad_subject *s, const grad_layer *layer,
                               const grad_layer_sizes *n)
{
    const grad_kind *kind = grad_kind_of(layer);
    const grad_slot_info *essential = grad_kind_essential(kind);
    grad_status status =
        s->batch->network == NULL ? check_agreement(s, layer, n) : check_chain(s, layer, n);

    if (status == GRAD_OK && kind->validate_axes != NULL)
        status = kind->validate_axes(s, layer, n);
    if (status == GRAD_OK)
        status = check_axes(s, layer, n);
    if (status == GRAD_OK)
        status = essential != NULL
                     ? check_essential(s, layer, essential, n)
                     : check_equal(s, "/pre_activation", n->N, "column", "input", n->K, "");
    if (status == GRAD_OK)
        status = check_slots(s, layer, n);
    if (status == GRAD_OK && kind->validate_slots != NULL)
        status = kind->validate_slots(s, layer);
    return status == GRAD_OK ? check_mask(s, layer, n) : status;
}

grad_status grad_verify_tensors(const grad_subject *s, grad_layer_sizes *sizes)
{
    const grad_layer *layer = &s->batch->layers[s->layer];
    grad_status status = check_size_sources(s, layer);
    grad_layer_sizes n;

    if (status != GRAD_OK)
        return status;
    n = grad_layer_sizes_of(s->batch, s->layer, s->before);
    status = check_sized(s, layer, &n);
    if (status == GRAD_OK)
        *sizes = n;
    return status;
}
