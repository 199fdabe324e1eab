/* Problems of layer and batch normalization for tests: random numbers for the kernels, in arrays of
 * their own, and the same numbers in long double for the twins. */
#ifndef TESTS_SUPPORT_NORM_PROBLEM_H
#define TESTS_SUPPORT_NORM_PROBLEM_H

#include "kernels/norms.h"
#include "support/norm_twins.h"

#define NORM_PROBLEM_MOST 1100 /* elements of a batch */

typedef enum norm_form {
    BY_SAMPLE,
    BY_GROUP,
    BY_FEATURE,
    RUNNING,
    UNCENTRED,
    FORM_COUNT
} norm_form;

/* Whether the samples are what is normalized, not the features. */
bool norm_form_is_by_sample(norm_form form);

typedef struct norm_problem {
    grad_norm norm;
    norm_twin twin;
    void *x, *dz, *gain, *shift, *mean, *variance;
    grad_moments *moments;
    double epsilon;
    long double wide[6][NORM_PROBLEM_MOST]; /* x, dz, gain, shift, mean, variance */
} norm_problem;

/* x[B,N] is offset + size times numbers in [-1, 1); dz, gain, shift and the running moments are
 * random. With its moments; to be freed. */
norm_problem *norm_problem_new(grad_datatype type, norm_form form, size_t B, size_t N,
                               double offset, double size, bool has_gain);

void norm_problem_free(norm_problem *p);

/* Works out p->norm.moments again, in new memory. */
void norm_problem_take_moments(norm_problem *p, norm_form form);

#endif
