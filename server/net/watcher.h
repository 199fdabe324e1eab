/* Watching over peers while their requests wait or are worked on: nobody reads such a socket, so
 * its end would go unseen. A thread of its own, on epoll; it reacts at once, and only tells:
 * closing is libmicrohttpd's. */
#ifndef GRADIENTD_WATCHER_H
#define GRADIENTD_WATCHER_H

#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct watcher watcher;

typedef enum watch_state {
    WATCH_OFF,
    WATCH_ON,
    WATCH_ENDED, /* the peer has ended its side; half-close-timeout runs */
    WATCH_CALLING,
    WATCH_GONE /* on_gone was called */
} watch_state;

/* One that is watched, inside the caller's own object; zeros at first. The fields are the
 * watcher's. */
typedef struct watch {
    struct watch *next, *previous;
    watch_state state;
    int fd;
    int64_t ended; /* clock_now */
    void (*on_gone)(void *context);
    void *context;
} watch;

/* half_close_timeout of limits, which must outlive it, is read each time. NULL: no memory,
 * descriptors or thread. */
watcher *watcher_start(const config *limits);

/* Watches a connected socket, which must stay open until watcher_unwatch. on_gone is called once,
 * on the watcher's thread without a lock, when the peer has reset the connection, or has ended its
 * side of it half_close_timeout ago (counted from here where it had ended before). It must not
 * block, nor call watcher_unwatch. False: no memory; the socket is not watched. Thread-safe. */
bool watcher_watch(watcher *w, watch *one, int fd, void (*on_gone)(void *context), void *context);

/* Ends the watching; waits for on_gone where it is being called, so that what context points to may
 * be freed afterwards. True: it was called. One that is not watched is fine. Thread-safe, but not
 * for the same watch. */
bool watcher_unwatch(watcher *w, watch *one);

/* Ends the thread. Nothing may be watched any more. NULL is fine. */
void watcher_stop(watcher *w);

#endif
