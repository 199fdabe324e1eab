/* The nearest of some names, for "did you mean". */
#ifndef GRADIENTD_NEAREST_H
#define GRADIENTD_NEAREST_H

#include <stddef.h>

/* Of the candidates offered one by one, the first nearest. Start from {.wanted = …}. */
typedef struct nearest_search {
    const char *wanted;
    const char *best; /* NULL: none is near: more than two edits, or a quarter of the name */
    size_t distance;
} nearest_search;

void nearest_offer(nearest_search *search, const char *candidate);

#endif
