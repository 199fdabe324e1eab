/* The address of a service, http://HOST:PORT: what is one, and what is not. */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include "gradient.h"

#define CLIENT_ADDRESS_SIZE 300

/* Reads SCHEME://HOST[:PORT][/] (http or https; HOST a name, an IPv4 address or [an IPv6 address])
 * and writes it without the slash. Errors: GRAD_INVALID bad_url, saying what is wrong with it. */
grad_status client_address_read(const char *url, char address[CLIENT_ADDRESS_SIZE],
                                grad_error *error);

#endif
