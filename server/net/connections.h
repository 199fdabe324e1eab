/* The registry of open connections: how far each is, and the thread that cuts off those past a
 * deadline and ends those whose peer has gone. libmicrohttpd's own timeout knows inactivity only,
 * and one byte a second lives for ever. Sockets are shut down here, never closed: closing is
 * libmicrohttpd's. */
#ifndef GRADIENTD_CONNECTIONS_H
#define GRADIENTD_CONNECTIONS_H

#include "config/config.h"
#include "net/listener.h"
#include "net/watcher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* ---- Deadlines ------------------------------------------------------------------------------- */

/* Where a connection is between two requests. */
typedef enum connection_phase {
    PHASE_NEW,     /* accepted, no request line yet */
    PHASE_HEADERS, /* a request line has come, not all headers */
    PHASE_BODY,
    PHASE_WORK,  /* the request is whole, the response is being made: the daemon's own deadlines */
    PHASE_REPLY, /* the response is on its way */
    PHASE_IDLE   /* between two requests */
} connection_phase;

#define PHASE_COUNT (PHASE_IDLE + 1)

/* How far it is. Times are clock_now's. */
typedef struct connection_progress {
    connection_phase phase;
    int64_t began;     /* of the phase; PHASE_HEADERS of a first request: since it was accepted */
    int64_t last;      /* when the peer last sent or took bytes in this phase */
    uint64_t bytes;    /* sent or taken by the peer in this phase */
    size_t least_rate; /* bytes a second of a body, where it is more than min-body-rate */
    uint64_t request;  /* counts the connection's requests */
} connection_progress;

typedef enum connection_verdict {
    VERDICT_FINE,
    VERDICT_IDLE,
    VERDICT_SLOW_HEADER,
    VERDICT_SLOW_BODY,
    VERDICT_SLOW_READER
} connection_verdict;

/* Which deadline a connection has run past: a pure function of what is known about it. */
connection_verdict deadlines_judge(const connection_progress *progress, const config *limits,
                                   int64_t now);

/* Nanoseconds between two looks at the deadlines. */
int64_t deadlines_interval(const config *limits);

/* ---- The registry ---------------------------------------------------------------------------- */

typedef struct connections connections;
struct tls_peer;

typedef struct connection {
    struct connection *next, *previous;
    int fd;
    char peer[LISTENER_ADDRESS_SIZE];
    bool is_unix;
    _Atomic uint64_t sent;        /* of a Unix socket: see connection_sent */
    struct tls_peer *tls;         /* whoever added it may keep this here; NULL: plain */
    bool greeted;                 /* a request of it was looked at; of whoever added it */
    uint64_t peer_key;            /* the same of all connections of one peer: listener_peer_key */
    pthread_mutex_t lock;         /* over the two fields below */
    connection_progress progress; /* reported by the event loop */
    connection_verdict cut;       /* why it was shut down; VERDICT_FINE: it was not */
    connection_progress delivery; /* the registry's: what the peer took of its responses */
    uint64_t acknowledged;        /* the registry's: bytes when that began */
    size_t unsent;                /* the registry's: bytes of responses in the kernel */
    _Atomic size_t held;          /* bytes of the budget that its request has reserved */
    watch watch;                  /* while its request is suspended; of the event loop's thread */
} connection;

/* An empty registry whose thread judges by these limits, which must outlive it, and calls tick each
 * time it does (NULL: nothing). NULL: no memory. */
connections *connections_create(const config *limits,
                                void (*tick)(void *context, const connections *all), void *context);

/* Ends the thread. Every connection must have been removed. NULL is fine. */
void connections_destroy(connections *all);

/* A connection that has been accepted. NULL: no memory. Belongs to the registry until removed; the
 * descriptor must stay open until then. */
connection *connections_add(connections *all, int fd, const struct sockaddr *peer);
void connections_remove(connections *all, connection *c);
size_t connections_count(connections *all);

/* Bytes of responses that the kernel holds and no peer has acknowledged, when it last looked. */
size_t connections_unsent(const connections *all);

/* A connection as it is seen once. */
typedef struct connection_view {
    char peer[LISTENER_ADDRESS_SIZE];
    connection_progress progress;
    size_t held;
} connection_view;

/* How many connections are in each phase, and those that hold most memory, the first before the
 * others: at most most of them, whose number is returned; who holds none is not among them. */
size_t connections_view(connections *all, size_t phases[PHASE_COUNT], connection_view *views,
                        size_t most);

/* Enters a phase; one that lasts already goes on. */
void connection_enter(connection *c, connection_phase phase);

/* Announces bytes of a body: the kernel may buffer more of them than by default before the peer
 * waits, up to 2 MiB, for which it may use twice that memory. */
void connection_expect(connection *c, size_t bytes);

/* The peer has sent bytes of a body. */
void connection_received(connection *c, size_t bytes);

/* The rate, bytes a second, that its body has to have from now on; below min-body-rate that one
 * holds. */
void connection_require_rate(connection *c, size_t rate);

/* The kernel has taken bytes for the peer. Told of Unix sockets alone, which know no
 * acknowledgments: what they have taken but for a small buffer, the peer has. */
void connection_sent(connection *c, size_t bytes);

/* Why it was cut off; VERDICT_FINE if it was not, though its peer may have gone. */
connection_verdict connection_cut(connection *c);

/* Whether bytes of it are in the kernel that the event loop has not read. */
bool connection_has_unread(const connection *c);

/* Whether it was not cut off and closing it now would reset it: bytes are unread, or a request has
 * begun that has not ended, and neither has the peer. */
bool connection_is_unread(connection *c);

/* Ends reading from connections that are between two requests and have nothing unread: a request
 * that has begun to arrive is left alone, and responses still go out. */
void connections_end_idle(connections *all);

/* Shuts down the one that has been longest between two requests, or at the headers of its first
 * one. False: there is none. */
bool connections_end_oldest(connections *all);

/* Shuts all down, whatever they are doing; returns how many there were. */
size_t connections_end_all(connections *all);

#endif
