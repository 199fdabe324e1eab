/* What all requests share: the configuration, the budget, the workers, and whether the daemon is
 * stopping. Made and ended by main.c. */
#ifndef GRADIENTD_SERVICE_H
#define GRADIENTD_SERVICE_H

#include "config/config.h"
#include "net/connections.h"
#include "work/budget.h"
#include "work/pool.h"

#include <stdatomic.h>

/* Which of the two listeners a request came by. */
typedef enum service_role { ROLE_SERVICE, ROLE_ADMIN, ROLE_COUNT } service_role;

typedef struct service {
    const config *config;
    budget memory;
    pool *workers;
    connections *connections[ROLE_COUNT];
    _Atomic bool draining; /* not ready; replies close their connections */
    _Atomic bool stopping; /* nothing may be handed to workers any more */
    _Atomic size_t in_flight;
    _Atomic size_t jobs; /* requests with the workers */
} service;

#endif
