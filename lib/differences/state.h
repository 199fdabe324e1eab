/* What a check by central differences is made of. It stands on the public functions alone: what it
 * judges is what any caller gets. Internal to differences/. */
#ifndef GRAD_DIFFERENCES_STATE_H
#define GRAD_DIFFERENCES_STATE_H

#include "differences/crew.h"
#include "differences/slope.h"
#include "gradient_network.h"

/* A network in double precision whose loss is differentiated: the request's own, or one for each
 * of its independent layers. L is the sum of its terms over the divisor: the losses of elements or
 * samples, or ∂L/∂y ⊙ y. */
typedef struct grad_function_of_layers {
    grad_batch batch;
    grad_network network;
    grad_layer *layers;
    grad_layer *given; /* the same with all states and parameters that the request has */
    double *terms;     /* at the point itself */
    size_t term_count;
    double divisor;
    double grain; /* of L: what rounding each term once makes of it */
} grad_function_of_layers;

/* A tensor by which the functions are differentiated. */
typedef struct grad_variable {
    size_t layer; /* of the request; of a network's input SIZE_MAX */
    grad_output_kind output;
    grad_function_of_layers *function;
    size_t function_layer;       /* the layer within the function */
    const grad_tensor *gradient; /* of the analytic run, in the request's datatype */
    const grad_tensor *claim;    /* the client's, in the terms of the request; or NULL */
    double gradient_scale;       /* root mean square of the gradient */
    double gradient_norm;
    double noise; /* of the function, where this tensor moves */
    size_t first_sample, sample_count;
} grad_variable;

#define GRAD_ALONG_DIRECTION SIZE_MAX

/* One difference: by one element, or along the variable's random direction. */
typedef struct grad_sample {
    size_t variable;
    size_t index;
    grad_slope slope;
} grad_sample;

/* The analytic gradient is worked out again for neighbours of the request: first for some whose
 * numbers differ from its by units of rounding, then for some that are further off, though not by
 * anything that moves a gradient which is continuous there. */
#define GRAD_ROUNDED 6
#define GRAD_JOLTED 18
#define GRAD_NEIGHBOURS (GRAD_ROUNDED + GRAD_JOLTED)

struct grad_check {
    const grad_check_request *request;
    grad_batch batch; /* the request's, as grad_check_batch says */
    grad_run *run;
    grad_check_options options;
    grad_function_of_layers *functions;
    size_t function_count;
    grad_variable *variables;
    size_t variable_count;
    grad_sample *samples; /* of each variable its elements, then its direction */
    size_t sample_count;
    double *spreads; /* [GRAD_NEIGHBOURS, sample_count]: how far the gradient of a neighbour is */
    double *norms;   /* [GRAD_NEIGHBOURS, variable_count]: √Σ of its squares over the tensor */
    grad_crew *crew; /* bounds the memory of tiles; holds the first error */
    grad_check_report report;
    void **blocks; /* all memory of the functions */
    size_t block_count;
};

/* Memory that lives as long as the check; NULL where there is none. By one thread at a time. */
void *grad_check_take(grad_check *check, size_t count, size_t size);

/* The samples and the tolerance of a request, the defaults filled in. (questions.c) */
grad_check_options grad_check_options_of(const grad_check_request *request);

/* The batch whose run is checked: the request's without what makes no difference to it, its deltas
 * plain sums, and with the outputs that claims speak of. (questions.c) */
grad_batch grad_check_batch(const grad_check_request *request);

/* The batch that a function runs, in the request's datatype, of which only the sizes are right:
 * layers[layer_count] of a network, [1] of an independent layer. (functions.c) */
void grad_function_draft(const grad_batch *batch, size_t layer, grad_layer *layers,
                         grad_function_of_layers *function);

/* Fills in functions, in double precision. (functions.c) */
grad_status grad_check_make_functions(grad_check *check, grad_error *error);

/* The tensor of a function's layer that an output is the gradient of. (functions.c) */
grad_tensor *grad_function_tensor(grad_network *network, grad_layer *layer,
                                  grad_output_kind output);

/* Whether z of a dense layer is moved in place of its W, b and x. (functions.c) */
bool grad_function_moves_state(const grad_layer *layer, grad_output_kind output);

/* What a function needs that takes a run to find out: states that follow from those given, and its
 * terms. (point.c) */
grad_status grad_check_settle(grad_check *check, grad_function_of_layers *function,
                              grad_error *error);

/* terms[term_count] of a run of the function's batch or of one like it. (point.c) */
grad_status grad_function_terms(const grad_function_of_layers *function, const grad_batch *batch,
                                double *terms, grad_error *error);

/* Fills in variables and samples, once the run's answer is laid out. (variables.c) */
grad_status grad_check_make_variables(grad_check *check, grad_error *error);

/* The variable's tensor in an answer. (variables.c) */
const grad_tensor *grad_check_gradient(const grad_reply *reply, const grad_variable *v);

/* What the analytic run found: the variables' scales. (variables.c) */
void grad_check_scale_variables(grad_check *check);

/* A random number of a number; of itself, again and again, a sequence. (variables.c) */
uint64_t grad_check_mix(uint64_t state);

/* The random sign that an element of the variable has along its direction. (variables.c) */
double grad_check_sign(const grad_check *check, size_t variable, size_t element);

/* What errors of so small a gradient are relative to: a part of the tensor's typical number, or its
 * norm along the direction. (variables.c) */
double grad_check_floor(const grad_variable *v, const grad_sample *s);

/* What a gradient says of a slope. */
typedef struct grad_told {
    double value;
    double rounding; /* what reduction, decay and scale may have done to it, beyond its own digits;
                      * 0 where there were none */
} grad_told;

/* What a gradient says of the sample's slope: an element, or its part along the direction.
 * (variables.c) */
grad_told grad_check_gradient_at(const grad_check *check, const grad_sample *s,
                                 const grad_tensor *gradient);

/* The same of the variable's claim, which is not NULL, freed of the request's reduction, decay and
 * scale. (claims.c) */
grad_told grad_check_claim_at(const grad_check *check, const grad_variable *v,
                              const grad_sample *s);

/* Whether the claims of deltas, where there are any, can be freed of the options. (claims.c) */
grad_status grad_check_verify_claims(const grad_check_request *request, grad_error *error);

/* Works out a sample, and before it, along a direction, the variable's noise. (mover.c) */
grad_status grad_check_estimate(const grad_check *check, grad_variable *v, grad_sample *s,
                                grad_error *error);

/* Fills in a row of spreads and norms. (neighbours.c) */
grad_status grad_check_visit(const grad_check *check, size_t neighbour, grad_error *error);

/* Fills in the report from the samples. (verdict.c) */
void grad_check_judge(grad_check *check);

#endif
