/* Comparing names as people spell them, and the one known name that another may be a slip of. */
#ifndef GRAD_CORE_SUGGEST_H
#define GRAD_CORE_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* Whether two names are the same but for capitals, '-', '_', spaces and, where ending is not "",
 * that ending: "MSELoss", "mse_loss" and "mse" are one with the ending "loss". */
bool grad_name_same(const char *a, const char *b, const char *ending);

/* The search. Start from {.wanted = name}, offer every known spelling, then ask. */
typedef struct grad_suggestion {
    const char *wanted;
    const char *best; /* what the nearest spelling stands for */
    size_t distance;
    bool found, ambiguous;
} grad_suggestion;

/* A known spelling and what it stands for. stands_for NULL: something that is never suggested; it
 * only keeps a name near it from being taken for a slip of another. */
void grad_suggestion_offer(grad_suggestion *search, const char *spelling, const char *stands_for);

/* What wanted is a slip of; NULL where nothing is near, or two things are equally near. Near is the
 * same name in other capitals, one edit, or of 12 letters and more two; of less than 6 letters only
 * a swap, a letter too many or too few of those in it, or a plural, as most short names are one
 * edit from another function (silu, selu, celu, gelu). An edit of a digit is never a slip. */
const char *grad_suggestion_best(const grad_suggestion *search);

#endif
