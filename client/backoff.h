/* How long to wait before a request is repeated: exponential backoff with full jitter, and the
 * clock that deadlines are told by. Knows nothing of requests. */
#ifndef CLIENT_BACKOFF_H
#define CLIENT_BACKOFF_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct client_backoff {
    double base; /* seconds, the most that is waited after the first try; doubled each time */
    double max;
    _Atomic uint64_t random; /* state of the jitter */
} client_backoff;

void client_backoff_init(client_backoff *backoff, double base, double max);

/* Seconds to wait after that try (1 is the first): a random share of min(max, base * 2^(tries -
 * 1)), on top of what the service asked for, so that clients told the same don't come back at once.
 * Thread-safe. */
double client_backoff_wait(client_backoff *backoff, unsigned tries, double retry_after);

/* Seconds of a clock that only goes forward. */
double client_clock(void);

void client_sleep(double seconds);

#endif
