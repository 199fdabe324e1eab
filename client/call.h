/* One call of the client: tries, the waits between them, and the verdict over what came back. What
 * lives here is policy; how bytes travel is transport.h's, what an answer holds is answer.h's. */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include "answer.h"
#include "backoff.h"
#include "gradient_client.h"
#include "transport.h"

struct gradient_client {
    client_transport *transport;
    gradient_client_options options; /* no zeros left */
    client_backoff backoff;
};

/* Sends the request (its receive and context are set here) until it has a right answer, an error
 * that repeating won't help, or no tries or time left. On OK *answer holds the answer and *tries
 * how many it took; the caller frees it. Else *answer holds nothing and *error says why. */
gradient_client_status client_call(gradient_client *client, client_request request,
                                   const client_expectation *expectation, client_answer *answer,
                                   unsigned *tries, gradient_client_error *error);

/* Writes an error of the client's own; error may be NULL. Returns status. */
gradient_client_status client_fail(gradient_client_error *error, gradient_client_status status,
                                   const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes an error of the library's, with its code and place as the problem; error may be NULL. */
gradient_client_status client_fail_as(gradient_client_error *error, gradient_client_status status,
                                      const char *what, const grad_error *cause);

#endif
