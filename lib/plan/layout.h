/* A batch being laid out: what layout.c (memory) and stages.c (work) share. */
#ifndef GRAD_PLAN_LAYOUT_H
#define GRAD_PLAN_LAYOUT_H

#include "plan/state.h"

typedef struct grad_layout {
    grad_builder *b;
    const grad_scope *scope;
    const grad_batch *batch;
    grad_layer_state *states;
    grad_run *run; /* NULL while counting */
} grad_layout;

static inline const grad_layer *grad_layout_layer(const grad_layout *l, size_t i)
{
    return &l->batch->layers[i];
}

static inline size_t grad_layout_last(const grad_layout *l)
{
    return l->batch->layer_count - 1;
}

static inline bool grad_layout_has_loss(const grad_layout *l)
{
    return l->batch->network != NULL && l->batch->network->loss.kind != GRAD_LOSS_ABSENT;
}

static inline bool grad_state_has_output(const grad_layer_state *s, grad_output_kind output)
{
    return (s->outputs & (1U << output)) != 0;
}

/* Takes the memory of all arrays, and points the states and the answer to them. */
void grad_layout_memory(const grad_layout *l);

#endif
