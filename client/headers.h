/* The headers of the caller's own, and secrets in what is said. */
#ifndef CLIENT_HEADERS_H
#define CLIENT_HEADERS_H

#include "gradient_client.h"

/* Whether token and headers can be sent as they are. Errors: GRAD_INVALID bad_header, which never
 * quotes a value. */
grad_status client_headers_check(const gradient_client_options *options, grad_error *error);

/* Replaces the user name and password of a URL in the text by "***", in place. */
void client_redact(char *text);

#endif
