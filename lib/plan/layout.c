/* Laying out a run: the shape of each answer, and where every array lies, one behind the other in
 * one block. Nothing here may depend on whether there is memory yet. */
#include "core/size.h"
#include "model/kind.h"
#include "plan/plan.h"

size_t grad_planner_take(grad_planner *p, size_t count, size_t size)
{
    size_t begin = p->plan->block;

    if (!grad_size_add_product(count, size, &p->plan->block) ||
        !grad_size_align(GRAD_RUN_ALIGNMENT, &p->plan->block))
        p->overflow = true;
    return begin;
}

/* The same for rows * cols numbers of the batch's datatype. */
static size_t take_numbers(grad_planner *p, size_t rows, size_t cols)
{
    size_t count = 0;

    if (!grad_size_mul(rows, cols, &count))
        p->overflow = true;
    return grad_planner_take(p, count, grad_datatype_size(p->batch->datatype));
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* The axes of what there is one of a sample, a vector's one sample being an axis too. */
static grad_sample_axes axes_of_samples(const grad_layer_sizes *n)
{
    return n->axes.count > 0 ? n->axes : (grad_sample_axes){1, {1}};
}

static grad_tensor shape_of(const grad_sample_axes *axes)
{
    grad_tensor shape = {.rank = axes->count};

    for (size_t axis = 0; axis < axes->count; axis++)
        shape.shape[axis] = axes->lengths[axis];
    return shape;
}

grad_tensor grad_plan_output_shape(const grad_plan *plan, size_t layer, grad_output_kind output)
{
    const grad_layer_sizes *n = &plan->layers[layer].sizes;
    const grad_sample_axes none = {0}, samples = axes_of_samples(n);
    grad_tensor own = grad_layer_output_shape(&plan->batch->layers[layer], n->K, n->N, output);
    grad_tensor shape = shape_of(plan->batch->reduction == GRAD_PER_SAMPLE ? &samples : &none);

    if (output == GRAD_GRAD_INPUT)
        shape = shape_of(&n->axes);
    for (size_t axis = 0; axis < own.rank; axis++)
        shape.shape[shape.rank++] = own.shape[axis];
    return shape;
}

/* All that a sample has N of. */
static grad_tensor shape_of_outputs(const grad_layer_sizes *n)
{
    grad_tensor shape = shape_of(&n->axes);

    shape.shape[shape.rank++] = n->N;
    return shape;
}

grad_tensor grad_plan_predictions_shape(const grad_plan *plan)
{
    return shape_of_outputs(&plan->layers[plan->batch->layer_count - 1].sizes);
}

grad_tensor grad_plan_losses_shape(const grad_plan *plan)
{
    const grad_layer_sizes *n = &plan->layers[plan->batch->layer_count - 1].sizes;
    const grad_sample_axes samples = axes_of_samples(n);
    const grad_loss *loss = &plan->batch->network->loss;

    if (loss->reduction != GRAD_LOSS_NONE)
        return (grad_tensor){0};
    if ((grad_loss_info_of(loss->kind)->tensors & GRAD_LOSS_PER_SAMPLE) == 0)
        return shape_of_outputs(n);
    return shape_of(&samples);
}

/* Takes memory for an answer of that shape, which is counted. */
static size_t take_answer(grad_planner *p, grad_tensor shape)
{
    size_t rows = grad_tensor_rows(&shape), cols = grad_tensor_columns(&shape), count = 0;
    size_t *numbers = &p->plan->measure.result_numbers;

    if (!grad_size_mul(rows, cols, &count) || !grad_size_add(*numbers, count, numbers))
        p->overflow = true;
    return take_numbers(p, rows, cols);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static void lay_layer(grad_plan *plan, size_t i)
{
    const grad_batch *batch = plan->batch;
    grad_layer_plan *l = &plan->layers[i];

    *l = (grad_layer_plan){.z = GRAD_NOWHERE,
                           .y = GRAD_NOWHERE,
                           .scratch = GRAD_NOWHERE,
                           .gy = GRAD_NOWHERE,
                           .dz = GRAD_NOWHERE,
                           .dx = GRAD_NOWHERE,
                           .dead_op = GRAD_NO_OP};
    for (size_t k = 0; k < GRAD_OUTPUT_COUNT; k++) {
        l->answers[k] = GRAD_NOWHERE;
        l->last_op[k] = l->clip_op[k] = GRAD_NO_OP;
    }
    if (grad_plan_has_failed(plan, i))
        return;
    l->sizes = grad_layer_sizes_of(batch, i, i > 0 ? &plan->layers[i - 1].sizes : NULL);
    l->flow = grad_dataflow_of(plan, i);
    l->outputs = grad_layer_outputs(batch, i);
    if (batch->network != NULL && l->flow.needs_dx && l->flow.dx_is_answer)
        l->outputs |= GRAD_OUTPUT_GRAD_INPUT; /* of the first layer: the network's */
}

static void lay_forward(grad_planner *p, size_t i)
{
    const grad_layer *layer = &p->batch->layers[i];
    const grad_kind *kind = grad_kind_of(layer);
    grad_layer_plan *l = &p->plan->layers[i];
    grad_layer_sizes n = l->sizes;

    if (l->flow.computes_z)
        l->z = take_numbers(p, n.B, n.N);
    if (l->flow.computes_y)
        l->y = i + 1 == p->batch->layer_count && grad_network_wants_predictions(p->batch)
                   ? take_answer(p, grad_plan_predictions_shape(p->plan))
                   : take_numbers(p, n.B, n.N);
    if (kind->scratch != NULL)
        l->scratch = grad_planner_take(p, kind->scratch(layer, &n), 1);
}

/* The loss and its gradient. */
static void lay_loss(grad_planner *p)
{
    const grad_layer_plan *l = &p->plan->layers[p->batch->layer_count - 1];
    grad_tensor losses = grad_plan_losses_shape(p->plan);

    p->plan->loss_sums = grad_planner_take(p, l->sizes.B, sizeof(double));
    if (l->flow.has_backward)
        p->plan->loss_gradient = take_numbers(p, l->sizes.B, l->sizes.N);
    if (losses.rank > 0)
        p->plan->losses = take_answer(p, losses);
}

static void lay_answers(grad_planner *p, size_t i)
{
    grad_layer_plan *l = &p->plan->layers[i];

    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
        if (l->flow.has_backward && grad_layer_has_output(l, k))
            l->answers[k] = take_answer(p, grad_plan_output_shape(p->plan, i, k));
}

static void lay_backward(grad_planner *p, size_t i)
{
    grad_layer_plan *l = &p->plan->layers[i];
    grad_layer_sizes n = l->sizes;

    if (!l->flow.has_backward)
        return;
    if (!l->flow.dz_is_dy && !l->flow.dz_over_dy)
        l->dz = take_numbers(p, n.B, n.N);
    if (l->flow.keeps_gy)
        l->gy = take_numbers(p, n.B, n.N);
    if (l->flow.needs_dx && !l->flow.dx_is_answer)
        l->dx = take_numbers(p, n.B, n.K);
}

void grad_planner_lay_out(grad_planner *p)
{
    size_t layers = p->batch->layer_count;

    p->plan->losses = p->plan->loss_sums = p->plan->loss_gradient = GRAD_NOWHERE;
    for (size_t i = 0; i < layers; i++)
        lay_layer(p->plan, i);
    for (size_t i = 0; i < layers; i++)
        if (!grad_plan_has_failed(p->plan, i))
            lay_forward(p, i);
    if (grad_batch_has_loss(p->batch))
        lay_loss(p);
    for (size_t i = 0; i < layers; i++)
        lay_answers(p, i);
    for (size_t i = layers; i-- > 0;)
        lay_backward(p, i);
}
