/* Which option a name means that is none, for flags, variables and keys of the file alike. */
#ifndef GRADIENTD_SUGGEST_H
#define GRADIENTD_SUGGEST_H

#include "config/options.h"

typedef struct suggestion {
    const char *name;    /* of an option or a command; NULL: nothing is near */
    const char *example; /* a value, where the name alone does not say how it is spelled; or NULL */
} suggestion;

/* wanted: "max-bodi", "PORT", "max_body". What other servers call an option comes first, then the
 * nearest name of an option or of the first commands of the table. */
suggestion suggest(const char *wanted, size_t commands);

#endif
