/* Batches of random numbers for a loss, what the kernels make of them, and the comparison of that
 * with the twins. */
#ifndef TESTS_SUPPORT_LOSS_CASES_H
#define TESTS_SUPPORT_LOSS_CASES_H

#include "kernels/losses.h"
#include "support/loss_twins.h"
#include "support/random.h"

/* What a case has besides y and a target, bits of loss_recipe.options. */
enum {
    CASE_SAMPLE_WEIGHTS = 1,
    CASE_OWN_TENSOR = 2,       /* class_weight, pos_weight; a variance a sample, not an element */
    CASE_OTHER_PARAMETERS = 4, /* none at its default; smoothing, full, log_target, not log_input */
    CASE_PROBABILITIES = 8,    /* as cross_entropy's target, not classes */
    CASE_IGNORED = 16,         /* some classes are the ignore_index */
    CASE_OPTIONS = 32          /* all of them: options < CASE_OPTIONS */
};

typedef struct loss_recipe {
    grad_loss_kind kind;
    grad_loss_reduction reduction;
    grad_datatype type;
    size_t B, N;
    unsigned options; /* those that the loss has no use for do nothing */
} loss_recipe;

/* A loss over a batch, and room for its results. */
typedef struct loss_case {
    grad_loss loss;
    grad_loss_view view; /* of that loss, with its divisor */
    void *y;             /* view.y, to be written */
    size_t loss_count;   /* B or B N */
    double *sums;
    void *losses, *grad;
    void *owned[16];
    size_t owned_count;
} loss_case;

/* Fills every tensor, within the loss's domain and away from where it has no derivative. Stops the
 * test where there is no memory. */
loss_case *loss_case_of(uint64_t seed, loss_recipe recipe);
void loss_case_free(loss_case *c);

/* Memory of the case's, all zeros. */
void *loss_case_memory(loss_case *c, size_t bytes);

/* Takes the divisor anew, after a change of the loss. */
void loss_case_prepare(loss_case *c);

/* The kernels' sums, losses and grad, all rows at once. */
void loss_case_run(loss_case *c);

/* Runs, and compares with the twins: fails the test where anything is further off than rounding. */
void loss_case_check(loss_case *c);

/* The case as the twins take it; y, [B,N], is filled from the case's. Where the case is fused, the
 * loss, *alone, is the one of z that the fusion is. */
loss_twin loss_twin_of(const loss_case *c, grad_loss *alone, long double *y);

/* How far a result may be off: see the definition. */
long double loss_tolerance(grad_datatype type, size_t N, twin_number expected);

/* Fails the test, saying what was compared, unless found is expected within tolerance. */
void loss_compare(const loss_case *c, const char *what, size_t i, double found,
                  long double expected, long double tolerance);

#endif
