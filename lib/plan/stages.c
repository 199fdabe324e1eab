/* The work of a run: which stages there are, which parts each has, and how they are cut. Order is
 * all that is decided here; what a part does is forward.c's, backward.c's and finish.c's. */
#include "plan/layout.h"

/* Whether a stage behind the ones that work out the answers touches them again. */
static bool is_finished_later(const grad_batch *batch)
{
    return grad_batch_has_clip(batch) || grad_batch_has_decay(batch) || batch->statistics;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

static size_t add_part(const grad_layout *l, grad_part_kind kind, size_t i, grad_grid grid)
{
    return grad_builder_part(l->b, kind, i, GRAD_OUTPUT_COUNT, grid, false);
}

/* Elements of a function of z: in whole rows where it couples them or has a parameter each. */
static grad_grid function_grid(const grad_layout *l, size_t i)
{
    const grad_layer *layer = grad_layout_layer(l, i);
    grad_layer_sizes n = l->states[i].sizes;
    bool whole_rows = grad_activation_couples_features(layer->activation.kind) ||
                      (layer->slope.data != NULL && layer->slope.shape[0] > 1);

    l->b->elements += (double)n.B * (double)n.N;
    return whole_rows ? grad_grid_rows(n.B, n.N) : grad_grid_elements(n.B * n.N);
}

static grad_layer_view view_of(const grad_layout *l, size_t i)
{
    return (grad_layer_view){.layer = grad_layout_layer(l, i),
                             .sizes = l->states[i].sizes,
                             .per_sample = l->batch->reduction == GRAD_PER_SAMPLE};
}

static void count_cost(const grad_layout *l, size_t i, grad_cost cost)
{
    grad_layer_sizes n = l->states[i].sizes;

    if (cost == GRAD_COST_PRODUCT)
        l->b->flops += 2.0 * (double)n.B * (double)n.K * (double)n.N;
    else if (cost == GRAD_COST_ELEMENTS)
        l->b->elements += (double)n.B * (double)n.N;
}

static void add_operation(const grad_layout *l, size_t i, grad_part_kind part,
                          const grad_operation *operation)
{
    grad_layer_view view = view_of(l, i);

    count_cost(l, i, operation->cost);
    add_part(l, part, i, operation->grid(&view));
}

static bool is_prepared(const grad_layout *l, size_t i)
{
    return grad_kind_of(grad_layout_layer(l, i))->prepare.run != NULL;
}

static void add_forward(const grad_layout *l, size_t i)
{
    if (l->states[i].flow.computes_z)
        add_operation(l, i, GRAD_PART_FORWARD, &grad_kind_of(grad_layout_layer(l, i))->forward);
}

/* What stands on x alone: what a kind prepares, and z where it needs no such thing. */
static void add_first(const grad_layout *l, size_t i)
{
    const grad_flow *flow = &l->states[i].flow;

    if (!is_prepared(l, i))
        add_forward(l, i);
    else if (flow->computes_z || flow->has_backward)
        add_operation(l, i, GRAD_PART_PREPARE, &grad_kind_of(grad_layout_layer(l, i))->prepare);
}

static void add_second(const grad_layout *l, size_t i)
{
    if (is_prepared(l, i))
        add_forward(l, i);
}

static void add_output(const grad_layout *l, size_t i)
{
    if (l->states[i].flow.computes_y)
        add_part(l, GRAD_PART_OUTPUT, i, function_grid(l, i));
}

static void add_loss(const grad_layout *l)
{
    size_t last = grad_layout_last(l);
    grad_layer_state *s = &l->states[last];

    l->b->elements += 4 * (double)s->sizes.B * (double)s->sizes.N;
    add_part(l, GRAD_PART_LOSS, last, grad_grid_rows(s->sizes.B, s->sizes.N));
}

static void add_join(const grad_layout *l, size_t i)
{
    grad_layer_state *s = &l->states[i];

    if (s->flow.has_backward && s->flow.adds_to_dy)
        add_part(l, GRAD_PART_JOIN, i, grad_grid_stream(s->sizes.B * s->sizes.N));
}

static void add_delta(const grad_layout *l, size_t i)
{
    grad_layer_state *s = &l->states[i];
    bool is_counted = l->batch->statistics &&
                      !grad_activation_couples_features(grad_layout_layer(l, i)->activation.kind);

    if (!s->flow.has_backward)
        return;
    if (!s->flow.dz_is_dy) {
        size_t part = grad_builder_part(l->b, GRAD_PART_DELTA, i, GRAD_OUTPUT_COUNT,
                                        function_grid(l, i), is_counted);

        if (is_counted)
            s->zeros_part = part;
    } else if (is_counted && grad_layout_layer(l, i)->activation.kind != GRAD_IDENTITY) {
        s->zeros_part = grad_builder_part(l->b, GRAD_PART_ZEROS, i, GRAD_OUTPUT_COUNT,
                                          function_grid(l, i), true);
    }
}

/* Whether the tiles that work out an answer also look for what is not finite in it. */
static bool is_judged_at_once(const grad_layout *l)
{
    return !is_finished_later(l->batch) && l->batch->non_finite == GRAD_REJECT_NON_FINITE;
}

static void add_answer(const grad_layout *l, size_t i, grad_output_kind output, bool is_inner)
{
    bool judged = !is_inner && is_judged_at_once(l);
    grad_layer_view view = view_of(l, i);
    grad_operation operation = grad_kind_operation(grad_kind_of(view.layer), output);
    size_t part =
        grad_builder_part(l->b, GRAD_PART_ANSWER, i, output, operation.grid(&view), judged);

    if (judged)
        l->states[i].last_part[output] = part;
    count_cost(l, i, operation.cost);
}

static void add_answers(const grad_layout *l, size_t i)
{
    const grad_layer_state *s = &l->states[i];

    if (!s->flow.has_backward)
        return;
    for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
        if (grad_state_has_output(s, k))
            add_answer(l, i, k, false);
    if (s->flow.needs_dx && !s->flow.dx_is_answer)
        add_answer(l, i, GRAD_GRAD_INPUT, true);
}

static void add_join_input(const grad_layout *l)
{
    grad_layer_state *s = &l->states[0];
    bool judged = is_judged_at_once(l);
    size_t part;

    if (!grad_network_wants_grad_input(l->batch) ||
        !grad_is_residual_source(l->batch, GRAD_RESIDUAL_INPUT))
        return;
    part = grad_builder_part(l->b, GRAD_PART_JOIN_INPUT, 0, GRAD_GRAD_INPUT,
                             grad_grid_stream(s->sizes.B * s->sizes.K), judged);
    if (judged)
        s->last_part[GRAD_GRAD_INPUT] = part;
}

/* ---- What is done to finished deltas --------------------------------------------------------- */

static grad_grid output_grid(const grad_layout *l, size_t i, grad_output_kind output)
{
    const grad_layer *layer = grad_layout_layer(l, i);
    grad_layer_sizes n = l->states[i].sizes;
    bool by_sample = l->batch->reduction == GRAD_PER_SAMPLE || output == GRAD_GRAD_INPUT;
    grad_tensor shape = grad_layer_output_shape(layer, n.K, n.N, output);
    size_t count = by_sample ? n.B : 1;

    for (size_t axis = 0; axis < shape.rank; axis++)
        count *= shape.shape[axis];
    return grad_grid_stream(count);
}

static void add_clips(const grad_layout *l)
{
    for (size_t i = 0; i < l->batch->layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (l->states[i].flow.has_backward && grad_state_has_output(&l->states[i], k) &&
                k != GRAD_GRAD_INPUT)
                l->states[i].clip_part[k] =
                    grad_builder_part(l->b, GRAD_PART_CLIP, i, k, output_grid(l, i, k), true);
}

static void add_finishes(const grad_layout *l)
{
    for (size_t i = 0; i < l->batch->layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (l->states[i].flow.has_backward && grad_state_has_output(&l->states[i], k))
                l->states[i].last_part[k] =
                    grad_builder_part(l->b, GRAD_PART_FINISH, i, k, output_grid(l, i, k), true);
}

static void lay_finish(const grad_layout *l)
{
    if (grad_batch_has_clip(l->batch)) {
        grad_builder_begin_stage(l->b);
        add_clips(l);
        grad_builder_end_stage(l->b);
        grad_builder_begin_stage(l->b);
        add_part(l, GRAD_PART_FACTORS, 0, grad_grid_whole());
        grad_builder_end_stage(l->b);
    }
    if (is_finished_later(l->batch)) {
        grad_builder_begin_stage(l->b);
        add_finishes(l);
        grad_builder_end_stage(l->b);
    }
}

/* ---- Stages ---------------------------------------------------------------------------------- */

typedef void layer_adder(const grad_layout *l, size_t layer);

static layer_adder *const forward_stages[] = {add_first, add_second, add_output};
static layer_adder *const backward_stages[] = {add_join, add_delta, add_answers};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void lay_stage(const grad_layout *l, layer_adder *add, size_t begin, size_t end)
{
    grad_builder_begin_stage(l->b);
    for (size_t i = begin; i < end; i++)
        if (l->scope->failed == NULL || !l->scope->failed[i])
            add(l, i);
    grad_builder_end_stage(l->b);
}

/* Layer by layer, up and down. */
static void lay_network(const grad_layout *l)
{
    for (size_t i = 0; i < l->batch->layer_count; i++)
        for (size_t k = 0; k < COUNT(forward_stages); k++)
            lay_stage(l, forward_stages[k], i, i + 1);
    if (grad_layout_has_loss(l)) {
        grad_builder_begin_stage(l->b);
        add_loss(l);
        grad_builder_end_stage(l->b);
    }
    for (size_t i = l->batch->layer_count; i-- > 0;)
        for (size_t k = 0; k < COUNT(backward_stages); k++)
            lay_stage(l, backward_stages[k], i, i + 1);
    grad_builder_begin_stage(l->b);
    add_join_input(l);
    grad_builder_end_stage(l->b);
}

/* All layers at once. */
static void lay_independent(const grad_layout *l)
{
    for (size_t k = 0; k < COUNT(forward_stages); k++)
        lay_stage(l, forward_stages[k], 0, l->batch->layer_count);
    for (size_t k = 0; k < COUNT(backward_stages); k++)
        lay_stage(l, backward_stages[k], 0, l->batch->layer_count);
}

void grad_layout_walk(grad_builder *b, const grad_scope *scope, grad_layer_state *states,
                      grad_run *run)
{
    grad_layout l = {b, scope, scope->batch, states, run};

    grad_layout_memory(&l);
    if (b->overflow)
        return;
    if (scope->batch->network != NULL)
        lay_network(&l);
    else
        lay_independent(&l);
    lay_finish(&l);
    if (b->program.stage_count > 0)
        return;
    grad_builder_begin_stage(b); /* a run has one stage at least, if only to do nothing */
    add_part(&l, GRAD_PART_FACTORS, 0, grad_grid_whole());
    grad_builder_end_stage(b);
}
