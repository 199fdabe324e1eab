/* What all requests share: the configuration, the budget, the workers, and whether the daemon is
 * stopping. */
#ifndef GRADIENTD_SERVICE_H
#define GRADIENTD_SERVICE_H

#include "access/access.h"
#include "config/config.h"
#include "net/connections.h"
#include "net/lingering.h"
#include "tls/tls.h"
#include "work/budget.h"
#include "work/line.h"
#include "work/pool.h"

#include <stdatomic.h>

/* A connection's buffer, kept for its whole life and cleared after each request: the request's line
 * and headers, the response's, and a piece of a body in half of it. Above the first size larger
 * pieces made no measurable difference. */
#define SERVICE_BUFFER ((size_t)64 << 10)
#define ADMIN_BUFFER ((size_t)32 << 10)

/* What a connection takes besides where it speaks TLS, by resident memory over 1,000 of each: 11
 * KiB idle, 12 KiB with a client's certificate, 42 KiB with most of a record of 16 KiB waiting for
 * its rest (GnuTLS 3.7.9). */
#define TLS_CONNECTION ((size_t)44 << 10)

/* Generous room for the headers of a response; a request's line and headers may use the rest. */
#define ROOM_FOR_REPLY ((size_t)4 << 10)
#define SERVICE_MAX_HEADERS (SERVICE_BUFFER - ROOM_FOR_REPLY)
#define ADMIN_MAX_HEADERS (ADMIN_BUFFER - ROOM_FOR_REPLY)

/* What libmicrohttpd notes in a connection's buffer of each header, cookie and query parameter,
 * besides their text. */
#define HEADER_NOTE_SIZE ((size_t)64)

/* A body that is not expected is read up to this size, so that the connection can be used again. */
#define MAX_IGNORED_BODY ((size_t)64 << 10)

/* Of what allow-host = auto stands for: names of this machine, and two of a listener. */
#define OWN_HOSTS_SIZE ((size_t)640)

/* Which of the two listeners a request came by. */
typedef enum service_role { ROLE_SERVICE, ROLE_ADMIN, ROLE_COUNT } service_role;

/* What happened to a request. */
typedef enum outcome {
    OUTCOME_MORE,      /* nothing yet; on to what comes next */
    OUTCOME_DONE,      /* it has its response (request_respond) */
    OUTCOME_SUSPENDED, /* others work on it; on_resume asks again when they are through */
    OUTCOME_REJECTED   /* it has its problem (request_reject) */
} outcome;

typedef struct request request;
typedef struct holding holding;
typedef struct route_table route_table;

typedef struct service {
    const config *config;
    const route_table *routes;
    const struct body_formats *formats; /* what bodies may be; see body.h */
    outcome (*admit)(request *r);       /* what is asked before the body; see admission.h */
    access_list *access;                /* who may come in; NULL: everyone */
    budget memory;
    size_t small_memory; /* bytes of it that only small requests may take */
    line *line;          /* who is served next */
    pool *workers;
    connections *connections[ROLE_COUNT];
    lingering *lingering;
    watcher *watcher;
    tls *tls;         /* of the service's listener; NULL: it speaks plain HTTP */
    holding *holding; /* responses held back */
    char own_hosts[ROLE_COUNT][OWN_HOSTS_SIZE]; /* what allow-host = auto stands for */
    _Atomic bool draining;                      /* not ready; replies close their connections */
    _Atomic bool stopping;                      /* nothing may be handed to workers any more */
    _Atomic size_t newcomers; /* connections of which no request has been looked at */
    _Atomic size_t in_flight;
    _Atomic size_t suspended; /* requests in the line or with the workers */
} service;

#endif
