/* A kind of layer, described: its slots and attributes, and the operations that a plan puts
 * together, none of which a plan knows by name. Each kind, or family of kinds, is a file; to add
 * one: a line of GRAD_LAYER_KINDS in gradient.h, and its row. */
#ifndef GRAD_MODEL_KIND_H
#define GRAD_MODEL_KIND_H

#include "core/foreign.h"
#include "model/tiles.h"
#include "model/validate.h"

/* A layer as its operations see it. Arrays are whole, and NULL where the plan has none. */
typedef struct grad_layer_view {
    const grad_layer *layer;
    grad_datatype type;
    grad_layer_sizes sizes;
    const void *x;   /* [B,K] */
    const void *z;   /* [B,N] */
    const void *gy;  /* ∂L/∂f(z) [B,N] */
    const void *dz;  /* δ [B,N] */
    void *scratch;   /* the kind's own */
    bool per_sample; /* deltas are [B,…], one a sample */
    double factor;   /* what deltas are multiplied with */
} grad_layer_view;

/* What an operation costs besides its output. */
typedef enum grad_cost {
    GRAD_COST_NOTHING,
    GRAD_COST_ELEMENTS, /* B N of them are worked out */
    GRAD_COST_PRODUCT   /* of B, K and N */
} grad_cost;

/* Works out one array, block by block. */
typedef struct grad_operation {
    /* How the array is cut; of the view, layer, sizes and per_sample are there. */
    grad_grid (*grid)(const grad_layer_view *v);
    /* One block of it. NULL: there is no such operation. */
    void (*run)(const grad_layer_view *v, grad_block block, void *out);
    grad_cost cost;
} grad_operation;

/* All there is of a kind of layer. */
typedef struct grad_kind {
    grad_layer_info info;
    /* The bytes of its scratch; NULL: none. */
    size_t (*scratch)(const grad_layer *layer, const grad_layer_sizes *n);
    grad_operation prepare;                      /* scratch, from x; before all others */
    grad_operation forward;                      /* z; none: z is x */
    grad_operation grad_input;                   /* ∂L/∂x [B,K] */
    grad_operation deltas[GRAD_MAX_LAYER_SLOTS]; /* of info.slots */
    /* Questions of its own, behind those that hold for every kind; NULL: none. */
    grad_status (*validate_axes)(const grad_subject *s, const grad_layer *layer,
                                 const grad_layer_sizes *n);
    grad_status (*validate_slots)(const grad_subject *s, const grad_layer *layer);
} grad_kind;

#define GRAD_KIND_DECLARED(KIND, name) extern const grad_kind grad_kind_##name;
GRAD_LAYER_KINDS(GRAD_KIND_DECLARED)
#undef GRAD_KIND_DECLARED

const grad_kind *grad_kind_of(const grad_layer *layer);

/* The slot that z and ∂L/∂x cannot be worked out without, or NULL. */
const grad_slot_info *grad_kind_essential(const grad_kind *kind);

/* That slot of a kind, or NULL. */
const grad_slot_info *grad_kind_slot(const grad_kind *kind, grad_slot slot);

/* The shape, without numbers, of a slot's tensor in a layer of K inputs and N outputs: own says
 * those axes that no size of the layer does. */
grad_tensor grad_slot_shape(const grad_slot_info *slot, const grad_tensor *own, size_t K, size_t N);

/* Whether a tensor is of the slot's rank, and of no axis 0 long. K: the layer's inputs, for those
 * who spell it otherwise; 0: not known. */
grad_status grad_verify_slot_form(const grad_subject *s, const grad_slot_info *slot,
                                  const grad_tensor *tensor, size_t K);

/* Whether a layer's tensor of that slot, which has its form, has the axes of the sizes. */
grad_status grad_verify_slot_axes(const grad_subject *s, const grad_layer *layer,
                                  const grad_slot_info *slot, const grad_layer_sizes *n);

/* The operation that works out that output; .run is NULL where there is none. Of any kind of layer:
 * slope_delta is prelu's. */
grad_operation grad_kind_operation(const grad_kind *kind, grad_output_kind output);

/* Δslope of prelu. */
extern const grad_operation grad_slope_operation;

/* The sums over the samples of δ, which a bias and a shift have for a delta; sample by sample δ. */
grad_grid grad_sums_grid(const grad_layer_view *v);
void grad_sums_run(const grad_layer_view *v, grad_block block, void *out);

#endif
