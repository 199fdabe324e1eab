/* Responses on their way to the peer: ours, problem documents, and those of libmicrohttpd's own
 * that problem documents replace. Between the files of this room. */
#ifndef GRADIENTD_RESPONSE_H
#define GRADIENTD_RESPONSE_H

#include "http/request.h"

/* Hands the response to libmicrohttpd, or a problem where there is no memory for that. False: the
 * connection must close. */
bool response_send(request *r);

/* Sends the problem of a rejected request whose body is still to come, when libmicrohttpd takes no
 * response. The connection must close and linger afterwards, even if nothing was sent. */
void response_send_early(request *r);

/* Hands the problem of a rejected request to libmicrohttpd. False: the connection must close. */
bool response_send_problem(request *r);

/* Prints the complete response as it goes over the wire. False: no memory, and nothing to free. */
bool response_print_problem(request *r, grad_text *text);

/* The line in the log and the counters, when all is over. */
void access_log_write(const request *r, bool whole);

/* ---- Pages of other origins ------------------------------------------------------------------ */

/* Looks at the headers of a request, where allow-origin names origins: whose page it is of, whether
 * that may read the response, and whether it asks beforehand (a preflight; the Fetch standard's
 * CORS protocol). On the service's listener only. */
void cors_read(request *r);

/* ---- libmicrohttpd's own responses ----------------------------------------------------------- */

/* From now on the calling thread serves the connections of this context. */
void library_responses_enter(request_context *context);

/* Adds a request whose line was read, and removes it at its end: a response of libmicrohttpd's own
 * is matched to it by the connection. On the thread of its event loop. */
void library_responses_add(request *r);
void library_responses_remove(request *r);

#endif
