/* Identities of requests that brought none of their own. */
#ifndef GRADIENTD_REQUEST_ID_H
#define GRADIENTD_REQUEST_ID_H

#include "gradient_wire.h"

/* Writes 16 hexadecimal digits; no two of one daemon are the same, and hardly any of two daemons.
 * Thread-safe. */
void request_id_make(char id[GRAD_REQUEST_ID_SIZE]);

#endif
