/* Connections above the limit: each is told 503 and closed, without HTTP being read. A socket that
 * is closed with bytes unread is reset, and a reset may overtake the answer; so these linger until
 * the peer closes, for a moment and up to a number. */
#ifndef GRADIENTD_REFUSALS_H
#define GRADIENTD_REFUSALS_H

#include <stddef.h>
#include <stdint.h>

#define REFUSALS_MAX 64

typedef struct refusals {
    int fds[REFUSALS_MAX]; /* in the order of their times */
    int64_t until[REFUSALS_MAX];
    size_t count;
} refusals;

/* Answers 503 and keeps the descriptor; the oldest goes where there are too many. */
void refusals_add(refusals *r, int fd);

/* Reads what has come and closes those whose time or peer has gone. */
void refusals_sweep(refusals *r);

void refusals_close(refusals *r);

#endif
