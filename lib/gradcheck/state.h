/* What a gradient check is made of. It stands on the public functions alone: what it judges is what
 * any caller gets. Internal to gradcheck/. */
#ifndef GRAD_GRADCHECK_STATE_H
#define GRAD_GRADCHECK_STATE_H

#include <stdatomic.h>

#include "gradcheck/richardson.h"
#include "gradient_network.h"

#define GRAD_CHECK_SLOTS 16 /* tiles that may hold memory at once: each stage has so many */

/* A number, and how far it may be moved: by the slopes chosen at kinks, and by rounding. */
typedef struct grad_interval {
    double middle, kink, rounding;
} grad_interval;

/* What there is to be known of a gradient. */
typedef enum grad_source {
    GRAD_ANALYTIC, /* as the run answers it, without radii */
    GRAD_CLAIM,    /* as the client has it, freed of the request's reduction, decay and scale; its
                    * rounding is what they may have done to it; 0 where there is none */
    GRAD_EXPECTED, /* by the backward pass of radii */
    GRAD_SOURCES
} grad_source;

/* A network in double precision whose loss is differentiated: the request's own, or one for each
 * of its independent layers. L is the sum of its terms over the divisor: the losses of elements or
 * samples, or ∂L/∂y ⊙ y. */
typedef struct grad_objective {
    grad_batch batch;
    grad_network network;
    grad_layer *layers;
    grad_layer *given; /* the same with all states and parameters that the request has */
    double *terms;     /* at the baseline */
    size_t term_count;
    double divisor;
    double noise; /* standard deviation of L's rounding in double, at least */
} grad_objective;

/* A tensor by which an objective is differentiated. */
typedef struct grad_parameter {
    size_t layer; /* of the request; of a network's input SIZE_MAX */
    grad_output_kind output;
    grad_objective *objective;
    size_t objective_layer;      /* the layer within the objective */
    const grad_tensor *gradient; /* of the analytic run, in the request's datatype */
    const grad_tensor *claim;    /* the client's, in the terms of the request; or NULL */
    grad_interval *expected;     /* of the gradient, element by element */
    double gradient_norm;
    grad_interval along[GRAD_SOURCES]; /* what there is to be known along its direction */
    double noise; /* standard deviation of L's rounding in double, where it moves L */
    grad_taylor taylor, claim_taylor;
    size_t first_sample, sample_count;
} grad_parameter;

#define GRAD_ALONG_DIRECTION SIZE_MAX

/* One difference: by one element, or along the parameter's random direction. */
typedef struct grad_sample {
    size_t parameter;
    size_t index;
    grad_slope slope;
} grad_sample;

struct grad_check {
    const grad_check_request *request;
    grad_batch batch; /* the request's, as grad_check_batch says */
    grad_run *run;
    grad_check_options options;
    grad_objective *objectives;
    size_t objective_count;
    grad_parameter *parameters;
    size_t parameter_count;
    grad_sample *samples; /* of each parameter its elements, then its direction */
    size_t sample_count;
    grad_error errors[GRAD_CHECK_SLOTS]; /* of the tiles of the stage that failed */
    atomic_size_t failed;                /* 1 + that stage; 0: none has */
    grad_check_report report;
    bool (*proceed)(void *context); /* grad_check_set_proceed; NULL: nobody is asked */
    void *proceed_context;
    void **blocks; /* all memory of the objectives and results */
    size_t block_count;
};

/* B samples, K inputs, N outputs of a layer; and the shape of its input, all of whose axes but the
 * last are those of the samples. */
typedef struct grad_extent {
    size_t B, K, N;
    grad_tensor input; /* without numbers */
} grad_extent;

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Zeros that live as long as the check; NULL where there is no memory. By one thread at a time. */
void *grad_check_take(grad_check *check, size_t count, size_t size);

/* ---- Going on -------------------------------------------------------------------------------- */

/* Whether the check may go on: see grad_check_set_proceed. Errors: GRAD_INVALID abandoned. */
grad_status grad_check_ask(const grad_check *check, grad_error *error);

/* Numbers that are worked out without asking: some hundred microseconds. */
#define GRAD_CHECK_UNASKED ((size_t)1 << 15)

/* The same before one of many rows of so many numbers each; asks once for GRAD_CHECK_UNASKED
 * numbers. Where it is false, what is left is of no use, and whoever asks next is told so. */
static inline bool grad_check_goes_on(const grad_check *check, size_t row, size_t numbers)
{
    return row % (1 + GRAD_CHECK_UNASKED / (numbers + 1)) != 0 ||
           grad_check_ask(check, NULL) == GRAD_OK;
}

/* ---- What is asked of a request -------------------------------------------------------------- */

/* The samples and the tolerance of a request, the defaults filled in. */
grad_check_options grad_check_options_of(const grad_check_request *request);

/* The batch whose run is checked: the request's without what makes no difference to it, its deltas
 * plain sums, and with the outputs that claims speak of. */
grad_batch grad_check_batch(const grad_check_request *request);

/* The claim of that gradient, of layer SIZE_MAX the network's grad_input; or NULL. */
const grad_tensor *grad_check_claim_of(const grad_check_request *request, size_t layer,
                                       grad_output_kind output);

/* Of a layer, given that of the layer before it (which only a network's later layers look at). */
grad_extent grad_extent_of(const grad_batch *batch, size_t layer, const grad_extent *before);

/* ---- Objectives ------------------------------------------------------------------------------ */

/* The batch that an objective runs, in the request's datatype, of which only the sizes are right:
 * layers[layer_count] of a network, [1] of an independent layer. */
void grad_objective_draft(const grad_batch *batch, size_t layer, grad_layer *layers,
                          grad_objective *objective);

/* Visits the tensors of a layer, and those of a network but its layers; either may be NULL. False
 * where a visit, which ends it, was. */
bool grad_each_tensor(grad_layer *layer, grad_network *network,
                      bool (*visit)(void *context, grad_tensor *tensor), void *context);

/* Fills in objectives, in double precision. */
grad_status grad_check_make_objectives(grad_check *check, grad_error *error);

/* L term by term as it is at the baseline. */
grad_status grad_objective_take_terms(grad_check *check, grad_objective *objective,
                                      grad_error *error);

/* L of a run of the objective's batch, or of one like it, less L at the baseline. */
grad_status grad_objective_change(const grad_check *check, const grad_objective *objective,
                                  const grad_batch *batch, double *change, grad_error *error);

/* The batch's network, run in double, without notes, whatever its numbers. Of the batch, which must
 * outlive the run, layers, network and outputs are there; the rest is set. Before each tile the
 * check's proceed is asked. The run is the caller's to destroy, whatever the status. */
grad_status grad_run_network(const grad_check *check, grad_batch *batch, grad_run **run,
                             grad_error *error);

/* What makes z of x in that layer. */
grad_layer_map grad_map_of(const grad_layer *layer);

/* Whether z of a dense layer is moved in place of its W, b and x. */
bool grad_objective_moves_state(const grad_layer *layer, grad_output_kind output);

/* ---- Radii ----------------------------------------------------------------------------------- */

/* Fills in what of the objective takes a pass through it: biases and inputs that follow from the
 * states given, its terms, and what its parameters' gradients should be. */
grad_status grad_check_find_radii(grad_check *check, grad_objective *objective, grad_error *error);

/* Bytes that the pass holds at once, at most: of a layer so many, and for each of its inputs and
 * outputs. */
#define GRAD_RADII_BYTES (9 * sizeof(grad_interval))

/* ---- Differences ----------------------------------------------------------------------------- */

/* Looks along a parameter's direction: its noise, and the orders of convergence. */
grad_status grad_check_look_along(const grad_check *check, grad_parameter *p, grad_error *error);

/* Works out a sample of a parameter that was looked along. */
grad_status grad_check_estimate(const grad_check *check, grad_sample *s, grad_error *error);

/* At most so many times does grad_check_look_along run the objective. */
#define GRAD_ALONG_CALLS (42 + 24)

/* ---- The verdict ----------------------------------------------------------------------------- */

/* Fills in parameters and samples, once the run's answer is laid out. */
grad_status grad_check_make_parameters(grad_check *check, grad_error *error);

/* What the analytic run found: the parameters' norms. */
void grad_check_scale_parameters(grad_check *check);

/* The random sign that an element of the parameter has along its direction. */
double grad_check_sign(const grad_check *check, size_t parameter, size_t element);

/* What errors of so small a gradient are relative to: a part of the tensor's typical number, or its
 * norm along the direction. */
double grad_check_floor(const grad_parameter *p, const grad_sample *s);

/* Adds up what there is to be known of a parameter along its direction. */
void grad_check_sum_along(const grad_check *check, grad_parameter *p);

/* What there is to be known of a sample, whose parameter was summed if it is its direction. */
grad_interval grad_check_at(const grad_check *check, const grad_sample *s, grad_source source);

/* Whether so much of what is expected is open that it is told as a kink. */
bool grad_check_is_kink(const grad_check *check, const grad_sample *s, grad_interval expected);

/* Fills in the report from the samples. */
void grad_check_judge(grad_check *check);

#endif
