/* "Did you mean": the nearest of some names, and which option a name means that is none. */
#ifndef GRADIENTD_SUGGEST_H
#define GRADIENTD_SUGGEST_H

#include <stddef.h>

/* The first nearest of the candidates that are offered one by one. Starts from {.given = …}. */
typedef struct suggest_search {
    const char *given;
    const char *best; /* NULL: none is near: more than two edits, or a quarter of the name */
    size_t distance;
} suggest_search;

void suggest_offer(suggest_search *search, const char *candidate);

typedef struct suggestion {
    const char *name;    /* of an option or a command; NULL: nothing is near */
    const char *example; /* a value, where the name alone does not say how it is spelled; or NULL */
} suggestion;

/* Which option a flag, a variable or a key of the file means: "max-bodi", "PORT", "max_body". Looks
 * among the names that other servers use, then for the nearest name of an option or of the first
 * commands of the table. */
suggestion suggest_option(const char *given, size_t commands);

#endif
