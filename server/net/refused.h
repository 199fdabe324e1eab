/* Connections that were refused in an overload, with their answer in the kernel. Reading what their
 * peers still send, as lingering does, would cost more than answering did; closed at once, the
 * answer would be lost to a reset. So they stay open for a moment, unread. For one thread. */
#ifndef GRADIENTD_REFUSED_H
#define GRADIENTD_REFUSED_H

#include <stddef.h>
#include <stdint.h>

#define REFUSED_MOST 1024

/* A ring, the oldest first; zeros at first. */
typedef struct refused {
    int fds[REFUSED_MOST];
    int64_t since[REFUSED_MOST]; /* clock_now */
    size_t first, count;
} refused;

/* Takes over a descriptor; where there are REFUSED_MOST, the oldest is closed. */
void refused_add(refused *all, int fd, int64_t now);

/* Closes those that have been there for long enough. */
void refused_close_old(refused *all, int64_t now);

/* Takes out the oldest, which is the caller's to close. -1: there is none. */
int refused_take(refused *all);

#endif
