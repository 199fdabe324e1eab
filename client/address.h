/* The address of a service, http://HOST:PORT/PREFIX: what is one, and what is not. */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include "gradient.h"

#define CLIENT_ADDRESS_SIZE 500

/* Reads SCHEME://HOST[:PORT][/PREFIX][/] (http or https; HOST a name, an IPv4 address or [an IPv6
 * address]; PREFIX what stands before /v1) and writes it without slashes at its end. Errors:
 * GRAD_INVALID bad_url, saying what is wrong with it, without user names, passwords and queries. */
grad_status client_address_read(const char *url, char address[CLIENT_ADDRESS_SIZE],
                                grad_error *error);

#endif
