/* How to write a tensor of the right shape, for errors about one whose numbers are right and whose
 * rank is not: many languages write a column or a single row as a vector. */
#ifndef GRAD_CORE_SPELLING_H
#define GRAD_CORE_SPELLING_H

#include "gradient_core.h"

typedef struct grad_spelling_text {
    char text[176];
} grad_spelling_text;

/* What follows an error about a tensor that was expected to have that shape:
 *     ; [3,1] is spelled [[1],[2],[3]] or {"shape": [3,1], "data": [1,2,3]}
 * "" where it has another number of elements, or the same rank, or that of expected is above 2. */
grad_spelling_text grad_spelling_format(const grad_tensor *found, const grad_tensor *expected);

/* The same of rows that are as long as that, for a vector that was expected to be a matrix. */
grad_spelling_text grad_spelling_of_rows(const grad_tensor *found, size_t columns);

/* The same of that many rows. */
grad_spelling_text grad_spelling_of_samples(const grad_tensor *found, size_t rows);

/* The same of a vector, for a matrix of one row or column. */
grad_spelling_text grad_spelling_of_line(const grad_tensor *found);

#endif
