/* What a client is opened with: the address of the service, http://HOST:PORT/PREFIX, the times, the
 * token and the headers. To add one: a field of gradient_client_options, its default in the _INIT,
 * and its check here. */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include "gradient_client.h"

/* The options with their defaults in the place of zeros. given NULL: all defaults. Errors: those of
 * grad_options_read. */
grad_status client_options_complete(const gradient_client_options *given,
                                    gradient_client_options *completed, grad_error *error);

/* Whether all times are above 0 and at most 1,000,000 seconds. */
bool client_options_have_valid_times(const gradient_client_options *o);

/* Whether token and headers can be sent as they are. Errors: GRAD_INVALID bad_header, which never
 * quotes a value. */
grad_status client_options_check_headers(const gradient_client_options *options, grad_error *error);

/* Whether there are a certificate and a key, or neither. Errors: GRAD_INVALID bad_certificate. */
grad_status client_options_check_certificate(const gradient_client_options *options,
                                             grad_error *error);

/* Visits the headers of every request as "Name: value", the token's first; text belongs to the
 * call. False: no memory, or visit returned false. */
bool client_options_visit_headers(const gradient_client_options *options,
                                  bool (*visit)(void *context, const char *header), void *context);

/* Replaces the user name and password of a URL in the text by "***", in place. */
void client_redact(char *text);

/* ---- The address ----------------------------------------------------------------------------- */

#define CLIENT_ADDRESS_SIZE 500

/* The path in "unix:/path"; NULL: it is none. */
const char *client_address_path(const char *url);

/* Reads unix:/path, or SCHEME://HOST[:PORT][/PREFIX][/] (http or https; HOST a name, an IPv4
 * address or [an IPv6 address]; PREFIX what stands before /v1), and writes it without slashes at
 * its end. Errors: GRAD_INVALID bad_url, saying what is wrong with it, without user names,
 * passwords and queries. */
grad_status client_address_read(const char *url, char address[CLIENT_ADDRESS_SIZE],
                                grad_error *error);

#endif
