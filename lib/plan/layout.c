/* Laying out a run: the arrays of each layer and of the answer, one behind the other in its block.
 * Done once to count and once to write; nothing here may depend on a pointer that only the second
 * time has. The parts of the work are in stages.c. */
#include "plan/layout.h"

void grad_states_prepare(const grad_scope *scope, grad_layer_state *states)
{
    const grad_batch *batch = scope->batch;

    for (size_t i = 0; i < batch->layer_count; i++) {
        grad_layer_state *s = &states[i];

        *s = (grad_layer_state){.zeros_part = GRAD_NO_PART, .factor = 1};
        for (size_t k = 0; k < GRAD_OUTPUT_COUNT; k++)
            s->last_part[k] = s->clip_part[k] = GRAD_NO_PART;
        if (scope->failed != NULL && scope->failed[i])
            continue;
        s->sizes = grad_layer_sizes_of(batch, i, i > 0 ? &states[i - 1].sizes : NULL);
        s->flow = grad_flow_of(scope, i);
        s->outputs = grad_layer_outputs(batch, i);
    }
}

/* y of the layer: the last one's is the answer's where it is asked for. */
static void *lay_y(const grad_layout *l, size_t i)
{
    grad_layer_sizes n = l->states[i].sizes;
    grad_tensor *predictions = l->run == NULL ? NULL : &l->run->reply.predictions;

    if (i < grad_layout_last(l) || !grad_network_wants_predictions(l->batch))
        return grad_builder_numbers(l->b, n.B, n.N);
    grad_builder_answer(l->b, predictions, &n.axes, GRAD_NO_AXIS, n.N);
    return predictions == NULL ? NULL : predictions->data;
}

static void lay_forward(const grad_layout *l, size_t i)
{
    const grad_layer *layer = grad_layout_layer(l, i);
    const grad_tensor *input = grad_layer_input(l->batch, i);
    const grad_kind *kind = grad_kind_of(layer);
    grad_layer_state *s = &l->states[i];
    grad_layer_sizes n = s->sizes;

    s->x = input->data != NULL ? input->data : l->states[i - 1].y;
    if (s->flow.computes_z)
        s->own_z = grad_builder_numbers(l->b, n.B, n.N);
    if (s->flow.computes_y)
        s->own_y = lay_y(l, i);
    if (kind->scratch != NULL)
        s->scratch = grad_builder_take(l->b, kind->scratch(&n), 1);
    s->z = s->own_z;
    if (!s->flow.computes_z)
        s->z = layer->pre_activation.data != NULL ? layer->pre_activation.data : s->x;
    s->y = s->flow.y_is_z ? s->z : s->own_y;
}

/* ∂L/∂y of the layer, known once the layer above it is laid out. */
static void *find_dy(const grad_layout *l, size_t i)
{
    if (l->batch->network == NULL)
        return grad_layout_layer(l, i)->grad_output.data;
    if (i < grad_layout_last(l))
        return l->states[i + 1].dx;
    if (grad_layout_has_loss(l))
        return l->run == NULL ? NULL : l->run->loss_gradient;
    return l->batch->network->grad_output.data;
}

static void lay_backward(const grad_layout *l, size_t i)
{
    grad_layer_state *s = &l->states[i];
    grad_layer_sizes n = s->sizes;

    if (!s->flow.has_backward)
        return;
    s->dy = s->dz = find_dy(l, i);
    if (!s->flow.dz_is_dy && !s->flow.dz_over_dy)
        s->dz = grad_builder_numbers(l->b, n.B, n.N);
    s->gy = s->flow.keeps_gy ? grad_builder_numbers(l->b, n.B, n.N) : s->dy;
    if (s->flow.needs_dx && !s->flow.dx_is_answer)
        s->dx = grad_builder_numbers(l->b, n.B, n.K);
}

/* The axes of what there is one of a sample, a vector's one sample being an axis too. */
static grad_sample_axes axes_of_samples(const grad_layer_sizes *n)
{
    return n->axes.count > 0 ? n->axes : (grad_sample_axes){1, {1}};
}

/* The tensor of an answer: per sample, with the axes of the samples in front. */
static void lay_answer(const grad_layout *l, size_t i, grad_output_kind output)
{
    grad_layer_state *s = &l->states[i];
    grad_layer_sizes n = s->sizes;
    const grad_sample_axes none = {0}, samples = axes_of_samples(&n);
    const grad_sample_axes *axes = l->batch->reduction == GRAD_PER_SAMPLE ? &samples : &none;
    grad_tensor *tensor = l->run == NULL ? NULL : grad_run_output(l->run, i, output);
    grad_tensor shape = grad_layer_output_shape(grad_layout_layer(l, i), n.K, n.N, output);

    if (output == GRAD_GRAD_INPUT)
        axes = &n.axes;
    grad_builder_answer(l->b, tensor, axes, shape.rank > 1 ? shape.shape[0] : GRAD_NO_AXIS,
                        shape.shape[shape.rank - 1]);
    if (output == GRAD_GRAD_INPUT && tensor != NULL)
        s->dx = tensor->data;
}

static void lay_answers(const grad_layout *l, size_t i)
{
    grad_layer_state *s = &l->states[i];

    if (l->run != NULL)
        l->run->results[i] = (grad_layer_result){.name = grad_layout_layer(l, i)->name};
    if (!s->flow.has_backward)
        return;
    if (l->batch->network != NULL && s->flow.needs_dx && s->flow.dx_is_answer)
        s->outputs |= GRAD_OUTPUT_GRAD_INPUT; /* of the first layer: the network's */
    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
        if (grad_state_has_output(s, k))
            lay_answer(l, i, k);
}

/* A number a sample, in the samples' own axes, the last of which is the tensor's last. */
static void lay_sample_losses(const grad_layout *l, grad_tensor *losses, grad_sample_axes axes)
{
    size_t last = axes.lengths[--axes.count];

    grad_builder_answer(l->b, losses, &axes, GRAD_NO_AXIS, last);
}

/* The loss and its gradient. */
static void lay_loss(const grad_layout *l)
{
    grad_layer_state *s = &l->states[grad_layout_last(l)];
    grad_layer_sizes n = s->sizes;
    const grad_loss *loss = &l->batch->network->loss;
    grad_tensor *losses = l->run == NULL ? NULL : &l->run->reply.losses;
    bool by_sample = (grad_loss_info_of(loss->kind)->tensors & GRAD_LOSS_PER_SAMPLE) != 0;
    double *sums = grad_builder_take(l->b, n.B, sizeof *sums);
    void *gradient = s->flow.has_backward ? grad_builder_numbers(l->b, n.B, n.N) : NULL;

    if (loss->reduction == GRAD_LOSS_NONE && !by_sample)
        grad_builder_answer(l->b, losses, &n.axes, GRAD_NO_AXIS, n.N);
    else if (loss->reduction == GRAD_LOSS_NONE)
        lay_sample_losses(l, losses, axes_of_samples(&n));
    if (l->run != NULL) {
        l->run->loss_sums = sums;
        l->run->loss_gradient = gradient;
    }
}

void grad_layout_memory(const grad_layout *l)
{
    for (size_t i = 0; i < l->batch->layer_count; i++)
        if (l->scope->failed == NULL || !l->scope->failed[i])
            lay_forward(l, i);
    if (grad_layout_has_loss(l))
        lay_loss(l);
    for (size_t i = 0; i < l->batch->layer_count; i++)
        lay_answers(l, i);
    for (size_t i = l->batch->layer_count; i-- > 0;)
        lay_backward(l, i);
}
