/* "Did you mean": the nearest of some names, and which option a name means that is none. */
#ifndef GRADIENTD_SUGGEST_H
#define GRADIENTD_SUGGEST_H

#include <stddef.h>

/* Of the candidates offered one by one, the first nearest. Start from {.given = …}. */
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

/* Which option a flag, a variable or a key of the file means: "max-bodi", "PORT", "max_body". What
 * other servers call an option comes first, then the nearest name of an option or of the first
 * commands of the table. */
suggestion suggest_option(const char *given, size_t commands);

#endif
