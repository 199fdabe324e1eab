/* What a check by central differences is made of. It stands on the public functions alone: what it
 * judges is what any caller gets. Internal to differences/. */
#ifndef GRAD_DIFFERENCES_STATE_H
#define GRAD_DIFFERENCES_STATE_H

#include "gradient_network.h"

/* A network in double precision whose loss is differentiated: the request's own, or one for each
 * of its independent layers. */
typedef struct grad_function_of_layers {
    grad_batch batch;
    grad_network network;
    grad_layer *layers;
    double value;     /* at the point itself */
    double magnitude; /* of the terms that it is the sum of */
} grad_function_of_layers;

/* A tensor by which the functions are differentiated. */
typedef struct grad_variable {
    size_t layer; /* of the request; of a network's input SIZE_MAX */
    grad_output_kind output;
    grad_function_of_layers *function;
    size_t function_layer;       /* the layer within the function */
    const grad_tensor *gradient; /* of the analytic run, in the request's datatype */
    const grad_tensor *claim;    /* the client's, or NULL */
    double gradient_scale;       /* root mean square of the gradient */
    double gradient_norm;
    double value_scale; /* root mean square of the tensor's own numbers, or 1 */
    size_t first_sample, sample_count;
} grad_variable;

#define GRAD_ALONG_DIRECTION SIZE_MAX

/* One difference: by one element, or along the variable's random direction. */
typedef struct grad_sample {
    size_t variable;
    size_t index;
    double slope;       /* (L(θ + h) - L(θ - h)) / 2h */
    double up, down;    /* the slopes to either side */
    double uncertainty; /* of slope, by rounding and by the step */
    bool at_kink;       /* the two sides disagree, however small the step */
    grad_status status; /* of the tile that worked it out */
} grad_sample;

struct grad_check {
    const grad_check_request *request;
    grad_batch batch; /* the request's, all of whose deltas are asked for */
    grad_run *run;
    grad_check_options options;
    grad_function_of_layers *functions;
    size_t function_count;
    grad_variable *variables;
    size_t variable_count;
    grad_sample *samples;
    size_t sample_count;
    grad_status run_status; /* of the analytic run and of the functions' values */
    grad_error run_error;
    grad_check_report report;
    void **blocks; /* all memory of the functions */
    size_t block_count;
};

/* Memory that lives as long as the check; NULL where there is none. */
void *grad_check_take(grad_check *check, size_t count, size_t size);

/* Fills in functions, in double precision. (functions.c) */
grad_status grad_check_make_functions(grad_check *check, grad_error *error);

/* Fills in variables and samples, once the run's answer is laid out. (variables.c) */
grad_status grad_check_make_variables(grad_check *check, grad_error *error);

/* What the analytic run found: the variables' scales. */
void grad_check_scale_variables(grad_check *check);

/* The function's value where the variable's tensor is moved by h along the sample's direction
 * (variable NULL: where it is). Allocates and frees. Errors: GRAD_OUT_OF_MEMORY; GRAD_INVALID
 * non_finite. (evaluate.c) */
grad_status grad_check_evaluate(const grad_check *check, const grad_function_of_layers *function,
                                const grad_variable *variable, const grad_sample *sample, double h,
                                double *value, double *magnitude, grad_error *error);

/* The sample's direction: 0 but for one element, or a random sign. */
double grad_check_direction(const grad_check *check, const grad_sample *sample, size_t element);

/* Works out a sample. (estimate.c) */
void grad_check_estimate(grad_check *check, grad_sample *sample);

/* Fills in the report from the samples. (verdict.c) */
grad_status grad_check_judge(grad_check *check, grad_error *error);

#endif
