/* One call of the client: tries, the waits between them, and the verdict on each response. */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include "gradient_client.h"
#include "response.h"
#include "transport.h"

#include <stdatomic.h>
#include <stdint.h>

/* ---- Waiting --------------------------------------------------------------------------------- */

/* How long to wait before a request is repeated: exponential backoff with full jitter. */
typedef struct client_backoff {
    double base; /* seconds, the most that is waited after the first try; doubled each time */
    double max;
    _Atomic uint64_t random; /* state of the jitter */
} client_backoff;

void client_backoff_init(client_backoff *backoff, double base, double max);

/* Seconds to wait after that try (1 is the first): a random share of min(max, base * 2^(tries -
 * 1)), and what the service asked for, so that clients that were told the same don't come back at
 * once. Thread-safe. */
double client_backoff_wait(client_backoff *backoff, unsigned tries, double retry_after);

/* Seconds of a clock that only goes forward. */
double client_clock(void);

void client_sleep(double seconds);

/* ---- Calls ----------------------------------------------------------------------------------- */

struct gradient_client {
    client_transport *transport;
    gradient_client_options options; /* no zeros left */
    bool has_token;                  /* requests carry one */
    client_backoff backoff;
};

/* Sends the request (its receive and context are set here) until it has a right response, an error
 * that repeating cannot mend, or no tries or time left. On OK *response holds the response, which
 * the caller frees, and *tries the number of tries. Otherwise *response holds nothing and *error
 * says why. */
gradient_client_status client_call(gradient_client *client, client_request request,
                                   const client_expectation *expectation, client_response *response,
                                   unsigned *tries, gradient_client_error *error);

/* Writes an error of the client's own; error may be NULL. Returns status. */
gradient_client_status client_fail(gradient_client_error *error, gradient_client_status status,
                                   const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes an error of the library's, with its code and place as the problem; error may be NULL. */
gradient_client_status client_fail_as(gradient_client_error *error, gradient_client_status status,
                                      const char *what, const grad_error *cause);

#endif
