/* The subcommand `healthcheck`: asks a running daemon of the same configuration if it lives. */
#ifndef GRADIENTD_HEALTHCHECK_H
#define GRADIENTD_HEALTHCHECK_H

#include "config/config.h"

/* GET /livez on the admin listener, or on the service's where there is none. An address that means
 * all interfaces is asked on loopback. False, and the reason in message, where the response is not
 * 200 or does not come within seconds. */
bool healthcheck(const config *c, char *message, size_t message_size);

#endif
