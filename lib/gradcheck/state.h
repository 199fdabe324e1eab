/* What a gradient check is made of. It stands on the public functions alone: what it judges is what
 * any caller gets. Internal to gradcheck/. */
#ifndef GRAD_GRADCHECK_STATE_H
#define GRAD_GRADCHECK_STATE_H

#include "gradcheck/richardson.h"
#include "gradcheck/slot_limiter.h"
#include "gradient_network.h"

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
    double noise; /* by how much rounding in double may move L */
} grad_objective;

/* Numbers, and how far each may be moved: by the slopes chosen at kinks, and by rounding. */
typedef struct grad_intervals {
    double *middle, *kink, *rounding;
} grad_intervals;

/* A tensor by which an objective is differentiated. */
typedef struct grad_parameter {
    size_t layer; /* of the request; of a network's input SIZE_MAX */
    grad_output_kind output;
    grad_objective *objective;
    size_t objective_layer;      /* the layer within the objective */
    const grad_tensor *gradient; /* of the analytic run, in the request's datatype */
    const grad_tensor *claim;    /* the client's, in the terms of the request; or NULL */
    grad_intervals expected;     /* of the gradient, element by element */
    double gradient_scale;       /* root mean square of the gradient */
    double gradient_norm;
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
    grad_slot_limiter *limiter; /* bounds the memory of tiles; holds the first error */
    grad_check_report report;
    void **blocks; /* all memory of the objectives and results */
    size_t block_count;
};

/* Zeros that live as long as the check; NULL where there is no memory. By one thread at a time. */
void *grad_check_take(grad_check *check, size_t count, size_t size);

/* The samples and the tolerance of a request, the defaults filled in. (plan.c) */
grad_check_options grad_check_options_of(const grad_check_request *request);

/* The batch whose run is checked: the request's without what makes no difference to it, its deltas
 * plain sums, and with the outputs that claims speak of. (plan.c) */
grad_batch grad_check_batch(const grad_check_request *request);

/* The batch that an objective runs, in the request's datatype, of which only the sizes are right:
 * layers[layer_count] of a network, [1] of an independent layer. (objective.c) */
void grad_objective_draft(const grad_batch *batch, size_t layer, grad_layer *layers,
                          grad_objective *objective);

/* Fills in objectives, in double precision. (objective.c) */
grad_status grad_check_make_objectives(grad_check *check, grad_error *error);

/* What an objective needs that takes a run to find out: states that follow from those given, and
 * its terms. (baseline.c) */
grad_status grad_check_settle(grad_check *check, grad_objective *objective, grad_error *error);

/* L of a run of the objective's batch, or of one like it, less L at the baseline. (baseline.c) */
grad_status grad_objective_change(const grad_objective *objective, const grad_batch *batch,
                                  double *change, grad_error *error);

/* A batch of one network, without notes, whatever its numbers, run in double. The run is the
 * caller's to destroy, whatever the status. (baseline.c) */
grad_status grad_run_network(size_t layer_count, grad_layer *layers, const grad_network *network,
                             unsigned outputs, grad_run **run, grad_error *error);

/* Whether z of a dense layer is moved in place of its W, b and x. (objective.c) */
bool grad_objective_moves_state(const grad_layer *layer, grad_output_kind output);

/* Fills in parameters and samples, once the run's answer is laid out. (parameters.c) */
grad_status grad_check_make_parameters(grad_check *check, grad_error *error);

/* What the analytic run found: the parameters' scales. (parameters.c) */
void grad_check_scale_parameters(grad_check *check);

/* The random sign that an element of the parameter has along its direction. (parameters.c) */
double grad_check_sign(const grad_check *check, size_t parameter, size_t element);

/* What errors of so small a gradient are relative to: a part of the tensor's typical number, or its
 * norm along the direction. (parameters.c) */
double grad_check_floor(const grad_parameter *p, const grad_sample *s);

/* A number and how far it may be off: an element, or its part along the direction. */
typedef struct grad_interval {
    double middle, kink, rounding;
} grad_interval;

/* The gradient of the analytic run, without radii. (parameters.c) */
grad_interval grad_check_gradient_at(const grad_check *check, const grad_sample *s);

/* What the sample's slope is by the backward pass of radii. (parameters.c) */
grad_interval grad_check_expected_at(const grad_check *check, const grad_sample *s);

/* The parameter's claim, which is not NULL, freed of the request's reduction, decay and scale; its
 * rounding is what they may have done to it. (claims.c) */
grad_interval grad_check_claim_at(const grad_check *check, const grad_sample *s);

/* Whether the claims of deltas, where there are any, can be freed of the options. (claims.c) */
grad_status grad_check_verify_claims(const grad_check_request *request, grad_error *error);

/* Fills in the expected intervals of the objective's parameters, and its noise. (radii.c) */
grad_status grad_check_find_radii(grad_check *check, grad_objective *objective, grad_error *error);

/* Numbers that grad_check_find_radii holds at once for a layer that has B samples, K inputs and N
 * outputs, and W or not. False where they do not fit. (radii.c) */
bool grad_radii_numbers(size_t B, size_t K, size_t N, size_t *numbers);

/* Works out a sample, or the orders of convergence of a parameter. (perturbation.c) */
grad_status grad_check_estimate(const grad_check *check, grad_sample *s, grad_error *error);
grad_status grad_check_find_order(const grad_check *check, grad_parameter *p, grad_error *error);

/* At most so many times does grad_check_find_order run the objective. */
#define GRAD_TAYLOR_CALLS 42

/* Fills in the report from the samples. (verdict.c) */
void grad_check_judge(grad_check *check);

#endif
