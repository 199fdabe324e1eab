/* The limits of a request, by the names that errors and GET /v1/info give them. */
#ifndef GRADIENTD_LIMITS_H
#define GRADIENTD_LIMITS_H

#include "config/options.h"

#include <stdint.h>

typedef struct limit {
    const char *name;   /* "max_body" */
    const char *option; /* "max-body", which sets it; NULL: it is fixed */
    uint64_t fixed;
    const char *help; /* of those that are fixed: what is limited */
} limit;

/* The limits in order, those that can be set first; NULL behind the last. */
const limit *limit_at(size_t index);

/* Its value now. */
uint64_t limit_value(const limit *l, const config *c);

#endif
