/* The work of a run: which stages there are, which operations each has, and how they are cut. Order
 * is all that is decided here. */
#include "core/size.h"
#include "kernels/activations.h"
#include "model/kind.h"
#include "plan/plan.h"

/* ---- Operations ------------------------------------------------------------------------------ */

/* Operations are added between the two; a stage without tiles is none. */
static void begin_stage(grad_planner *p)
{
    p->open = (grad_stage){.first_op = p->plan->op_count};
}

static void end_stage(grad_planner *p)
{
    if (p->open.tile_count > 0)
        p->plan->stages[p->plan->stage_count++] = p->open;
}

/* Adds an operation; with_partials: its tiles have one each. Returns its number. */
static size_t add_op(grad_planner *p, grad_op_kind kind, size_t i, grad_output_kind output,
                     grad_grid grid, bool with_partials)
{
    grad_plan *plan = p->plan;
    size_t tiles = grad_grid_tile_count(&grid);
    grad_op op = {kind, output, i, grid, p->open.tile_count, GRAD_NO_PARTIALS};

    if (with_partials) {
        op.first_partial = plan->partial_count;
        if (!grad_size_add(plan->partial_count, tiles, &plan->partial_count))
            p->overflow = true;
    }
    if (!grad_size_add(p->open.tile_count, tiles, &p->open.tile_count))
        p->overflow = true;
    p->open.op_count++;
    plan->ops[plan->op_count] = op;
    return plan->op_count++;
}

static void add_plain(grad_planner *p, grad_op_kind kind, size_t i, grad_grid grid)
{
    add_op(p, kind, i, GRAD_OUTPUT_COUNT, grid, false);
}

/* Elements of a function of z: in whole rows where it couples them or has a parameter each. */
static grad_grid function_grid(grad_planner *p, size_t i)
{
    const grad_layer *layer = &p->batch->layers[i];
    grad_layer_sizes n = p->plan->layers[i].sizes;
    bool whole_rows = grad_activation_couples_features(layer->activation.kind) ||
                      (layer->slope.data != NULL && layer->slope.shape[0] > 1);

    p->plan->measure.elements += (double)n.B * (double)n.N;
    return whole_rows ? grad_grid_rows(n.B, n.N) : grad_grid_elements(n.B * n.N);
}

static grad_layer_view view_of(const grad_planner *p, size_t i)
{
    return (grad_layer_view){.layer = &p->batch->layers[i],
                             .sizes = p->plan->layers[i].sizes,
                             .per_sample = p->batch->reduction == GRAD_PER_SAMPLE};
}

static void count_cost(grad_planner *p, size_t i, grad_cost cost)
{
    grad_layer_sizes n = p->plan->layers[i].sizes;

    if (cost == GRAD_COST_PRODUCT)
        p->plan->measure.flops += 2.0 * (double)n.B * (double)n.K * (double)n.N;
    else if (cost == GRAD_COST_ELEMENTS)
        p->plan->measure.elements += (double)n.B * (double)n.N;
}

static void add_operation(grad_planner *p, size_t i, grad_op_kind kind,
                          const grad_operation *operation)
{
    grad_layer_view view = view_of(p, i);

    count_cost(p, i, operation->cost);
    add_plain(p, kind, i, operation->grid(&view));
}

static bool is_prepared(const grad_planner *p, size_t i)
{
    return grad_kind_of(&p->batch->layers[i])->prepare.run != NULL;
}

static void add_forward(grad_planner *p, size_t i)
{
    if (p->plan->layers[i].flow.computes_z)
        add_operation(p, i, GRAD_OP_FORWARD, &grad_kind_of(&p->batch->layers[i])->forward);
}

/* What stands on x alone: what a kind prepares, and z where it needs no such thing. */
static void add_first(grad_planner *p, size_t i)
{
    const grad_dataflow *flow = &p->plan->layers[i].flow;

    if (!is_prepared(p, i))
        add_forward(p, i);
    else if (flow->computes_z || flow->has_backward)
        add_operation(p, i, GRAD_OP_PREPARE, &grad_kind_of(&p->batch->layers[i])->prepare);
}

static void add_second(grad_planner *p, size_t i)
{
    if (is_prepared(p, i))
        add_forward(p, i);
}

static void add_output(grad_planner *p, size_t i)
{
    if (p->plan->layers[i].flow.computes_y)
        add_plain(p, GRAD_OP_OUTPUT, i, function_grid(p, i));
}

static void add_loss(grad_planner *p)
{
    size_t last = p->batch->layer_count - 1;
    grad_layer_plan *l = &p->plan->layers[last];

    p->plan->measure.elements += 4 * (double)l->sizes.B * (double)l->sizes.N;
    add_plain(p, GRAD_OP_LOSS, last, grad_grid_rows(l->sizes.B, l->sizes.N));
}

static void add_join(grad_planner *p, size_t i)
{
    grad_layer_plan *l = &p->plan->layers[i];

    if (l->flow.has_backward && l->flow.adds_to_dy)
        add_plain(p, GRAD_OP_JOIN, i, grad_grid_stream(l->sizes.B * l->sizes.N));
}

static void add_delta(grad_planner *p, size_t i)
{
    grad_layer_plan *l = &p->plan->layers[i];
    bool is_counted = p->batch->statistics &&
                      !grad_activation_couples_features(p->batch->layers[i].activation.kind);

    if (!l->flow.has_backward)
        return;
    if (!l->flow.dz_is_dy) {
        size_t op = add_op(p, GRAD_OP_DELTA, i, GRAD_OUTPUT_COUNT, function_grid(p, i), is_counted);

        if (is_counted)
            l->dead_op = op;
    } else if (is_counted && p->batch->layers[i].activation.kind != GRAD_IDENTITY) {
        l->dead_op = add_op(p, GRAD_OP_DEAD, i, GRAD_OUTPUT_COUNT, function_grid(p, i), true);
    }
}

/* Whether the tiles that work out an answer also look for what is not finite in it. */
static bool is_checked_at_once(const grad_planner *p)
{
    return !grad_batch_is_finished_later(p->batch) &&
           p->batch->non_finite == GRAD_REJECT_NON_FINITE;
}

static void add_answer(grad_planner *p, size_t i, grad_output_kind output, bool is_inner)
{
    bool is_checked = !is_inner && is_checked_at_once(p);
    grad_layer_view view = view_of(p, i);
    grad_operation operation = grad_kind_operation(grad_kind_of(view.layer), output);
    size_t op = add_op(p, GRAD_OP_ANSWER, i, output, operation.grid(&view), is_checked);

    if (is_checked)
        p->plan->layers[i].last_op[output] = op;
    count_cost(p, i, operation.cost);
}

static void add_answers(grad_planner *p, size_t i)
{
    const grad_layer_plan *l = &p->plan->layers[i];

    if (!l->flow.has_backward)
        return;
    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
        if (grad_layer_has_output(l, k))
            add_answer(p, i, k, false);
    if (l->flow.needs_dx && !l->flow.dx_is_answer)
        add_answer(p, i, GRAD_GRAD_INPUT, true);
}

static void add_join_input(grad_planner *p)
{
    grad_layer_plan *l = &p->plan->layers[0];
    bool is_checked = is_checked_at_once(p);
    size_t op;

    if (!grad_network_wants_grad_input(p->batch) ||
        !grad_is_residual_source(p->batch, GRAD_RESIDUAL_INPUT))
        return;
    op = add_op(p, GRAD_OP_JOIN_INPUT, 0, GRAD_GRAD_INPUT,
                grad_grid_stream(l->sizes.B * l->sizes.K), is_checked);
    if (is_checked)
        l->last_op[GRAD_GRAD_INPUT] = op;
}

/* ---- What is done to finished deltas --------------------------------------------------------- */

static grad_grid output_grid(const grad_planner *p, size_t i, grad_output_kind output)
{
    const grad_layer *layer = &p->batch->layers[i];
    grad_layer_sizes n = p->plan->layers[i].sizes;
    bool by_sample = p->batch->reduction == GRAD_PER_SAMPLE || output == GRAD_GRAD_INPUT;
    grad_tensor shape = grad_layer_output_shape(layer, n.K, n.N, output);
    size_t count = by_sample ? n.B : 1;

    for (size_t axis = 0; axis < shape.rank; axis++)
        count *= shape.shape[axis];
    return grad_grid_stream(count);
}

/* Adds that operation for each delta, or with all for each output, that a backward pass gives. */
static void add_for_outputs(grad_planner *p, grad_op_kind kind, bool all)
{
    for (size_t i = 0; i < p->batch->layer_count; i++) {
        grad_layer_plan *l = &p->plan->layers[i];
        size_t *op = all ? l->last_op : l->clip_op;

        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (l->flow.has_backward && grad_layer_has_output(l, k) &&
                (all || k != GRAD_GRAD_INPUT))
                op[k] = add_op(p, kind, i, k, output_grid(p, i, k), true);
    }
}

static void add_finishing(grad_planner *p)
{
    if (grad_batch_has_clip(p->batch)) {
        begin_stage(p);
        add_for_outputs(p, GRAD_OP_CLIP, false);
        end_stage(p);
        begin_stage(p);
        add_plain(p, GRAD_OP_FACTORS, 0, grad_grid_whole());
        end_stage(p);
    }
    if (grad_batch_is_finished_later(p->batch)) {
        begin_stage(p);
        add_for_outputs(p, GRAD_OP_FINISH, true);
        end_stage(p);
    }
}

/* ---- Stages ---------------------------------------------------------------------------------- */

typedef void layer_adder(grad_planner *p, size_t layer);

static layer_adder *const forward_stages[] = {add_first, add_second, add_output};
static layer_adder *const backward_stages[] = {add_join, add_delta, add_answers};

static void add_stage(grad_planner *p, layer_adder *add, size_t begin, size_t end)
{
    begin_stage(p);
    for (size_t i = begin; i < end; i++)
        if (!grad_plan_has_failed(p->plan, i))
            add(p, i);
    end_stage(p);
}

/* Layer by layer, up and down. */
static void add_network(grad_planner *p)
{
    for (size_t i = 0; i < p->batch->layer_count; i++)
        for (size_t k = 0; k < GRAD_COUNT(forward_stages); k++)
            add_stage(p, forward_stages[k], i, i + 1);
    if (grad_batch_has_loss(p->batch)) {
        begin_stage(p);
        add_loss(p);
        end_stage(p);
    }
    for (size_t i = p->batch->layer_count; i-- > 0;)
        for (size_t k = 0; k < GRAD_COUNT(backward_stages); k++)
            add_stage(p, backward_stages[k], i, i + 1);
    begin_stage(p);
    add_join_input(p);
    end_stage(p);
}

/* All layers at once. */
static void add_independent(grad_planner *p)
{
    for (size_t k = 0; k < GRAD_COUNT(forward_stages); k++)
        add_stage(p, forward_stages[k], 0, p->batch->layer_count);
    for (size_t k = 0; k < GRAD_COUNT(backward_stages); k++)
        add_stage(p, backward_stages[k], 0, p->batch->layer_count);
}

void grad_planner_add_stages(grad_planner *p)
{
    if (p->batch->network != NULL)
        add_network(p);
    else
        add_independent(p);
    add_finishing(p);
    if (p->plan->stage_count > 0)
        return;
    begin_stage(p); /* a run has one stage at least, if only to do nothing */
    add_plain(p, GRAD_OP_FACTORS, 0, grad_grid_whole());
    end_stage(p);
}
