/* Starting and stopping the daemons of libmicrohttpd, and counting the connections of each. */
#include "http/event_loops.h"

#include "http/response.h"
#include "net/peers.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libmicrohttpd 0.9.75 deadlocks in MHD_add_connection at its limit, so it never comes near: our
 * own limit is far below. */
#define FAR_ABOVE_OUR_LIMIT 100000000

typedef struct event_loop {
    request_context context; /* first, so that callbacks of either kind find their own */
    _Atomic size_t load;
    peers *peers; /* of all loops */
    struct MHD_Daemon *daemon;
} event_loop;

struct event_loops {
    size_t count;
    peers *peers;
    event_loop loop[];
};

/* What the loop's connections speak TLS by; NULL: they don't. */
static tls *tls_of(const event_loop *loop)
{
    return loop->context.role == ROLE_SERVICE ? loop->context.service->tls : NULL;
}

/* libmicrohttpd has ended the writing side and closes its descriptor next. If the peer may still
 * send, a duplicate keeps the connection, which lingers, so that the response arrives. */
static void let_go(event_loop *loop, connection *c)
{
    service *s = loop->context.service;
    int fd;

    if (loop->context.role == ROLE_SERVICE && (c == NULL || !c->greeted))
        atomic_fetch_sub(&s->newcomers, 1);
    if (c == NULL)
        return;
    request_on_closed(c, &loop->context);
    fd = connection_is_unread(c) ? fcntl(c->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd >= 0)
        lingering_take(s->lingering, fd);
    tls_peer_end(c->tls);
    connections_remove(s->connections[loop->context.role], c);
}

/* False: no memory. libmicrohttpd has made the session, and begins the handshake next. */
static bool begin_tls(event_loop *loop, struct MHD_Connection *mhd, connection *c)
{
    const union MHD_ConnectionInfo *info;

    if (tls_of(loop) == NULL)
        return true;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != NULL && info->tls_session != NULL)
        c->tls = tls_peer_begin(tls_of(loop), info->tls_session, c->peer);
    return c->tls != NULL;
}

/* Read at once: libmicrohttpd 1.0 has room for one answer a connection, and the next question
 * overwrites it. */
static const struct sockaddr *address_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info != NULL ? info->client_addr : NULL;
}

/* Shuts down a connection that cannot be registered: every connection has deadlines. */
static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    event_loop *loop = context;
    connections *all = loop->context.service->connections[loop->context.role];
    const struct sockaddr *peer = address_of(mhd);
    const union MHD_ConnectionInfo *fd;
    int socket_fd;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        peers_leave(loop->peers, listener_peer_key(peer));
        let_go(loop, *socket_context);
        *socket_context = NULL;
        atomic_fetch_sub(&loop->load, 1);
        return;
    }
    fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    socket_fd = fd->connect_fd;
    library_responses_enter(&loop->context);
    *socket_context = connections_add(all, socket_fd, peer);
    if (*socket_context == NULL || !begin_tls(loop, mhd, *socket_context))
        shutdown(socket_fd, SHUT_RDWR);
}

/* Leaves escapes as they are: the daemon decodes them where it reads them. libmicrohttpd 1.0.10
 * rejects stray percent signs in a path when it is to decode them. */
static size_t leave_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

/* Strictness is 1 in both generations: 1.0 reads -1 as most lenient. Without TLS the options end
 * where it begins. */
static struct MHD_Daemon *start_daemon(event_loop *loop, size_t memory)
{
    bool has_tls = tls_of(loop) != NULL;

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
            MHD_ALLOW_SUSPEND_RESUME | (has_tls ? MHD_USE_TLS : 0U),
        0, NULL, NULL, request_on_call, &loop->context, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)FAR_ABOVE_OUR_LIMIT, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, request_on_line, &loop->context, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_on_completed, &loop->context,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop,
        has_tls ? MHD_OPTION_HTTPS_PRIORITIES : MHD_OPTION_END, TLS_PRIORITIES,
        MHD_OPTION_HTTPS_CERT_CALLBACK, tls_retrieve_nothing, MHD_OPTION_END);
}

event_loops *event_loops_start(service *s, service_role role, bool is_unix, size_t count,
                               size_t memory)
{
    event_loops *loops = calloc(1, sizeof *loops + count * sizeof loops->loop[0]);

    if (loops == NULL)
        return NULL;
    loops->peers = peers_create();
    if (loops->peers == NULL) {
        event_loops_stop(loops);
        return NULL;
    }
    for (; loops->count < count; loops->count++) {
        event_loop *loop = &loops->loop[loops->count];
        loop->peers = loops->peers;
        loop->context = (request_context){.service = s, .role = role, .is_unix = is_unix};
        loop->daemon = start_daemon(loop, memory);
        if (loop->daemon == NULL) {
            event_loops_stop(loops);
            return NULL;
        }
    }
    return loops;
}

static bool take(void *context, int fd, const struct sockaddr *peer, socklen_t size)
{
    event_loops *loops = context;
    event_loop *least = &loops->loop[0];

    for (size_t i = 1; i < loops->count; i++)
        if (atomic_load(&loops->loop[i].load) < atomic_load(&least->load))
            least = &loops->loop[i];
    if (!peers_enter(loops->peers, listener_peer_key(peer))) {
        close(fd);
        return false;
    }
    atomic_fetch_add(&least->load, 1);
    if (least->context.role == ROLE_SERVICE)
        atomic_fetch_add(&least->context.service->newcomers, 1);
    if (MHD_add_connection(least->daemon, fd, peer, size) != MHD_YES) {
        atomic_fetch_sub(&least->load, 1);
        peers_leave(loops->peers, listener_peer_key(peer));
        return false;
    }
    return true;
}

size_t event_loops_load(event_loops *loops)
{
    size_t load = 0;

    for (size_t i = 0; i < loops->count; i++)
        load += atomic_load(&loops->loop[i].load);
    return load;
}

static size_t load_of(void *context)
{
    return event_loops_load(context);
}

static size_t load_of_peer(void *context, const struct sockaddr *peer)
{
    const event_loops *loops = context;

    return peers_count(loops->peers, listener_peer_key(peer));
}

static bool make_room(void *context)
{
    const event_loops *loops = context;
    const request_context *any = &loops->loop[0].context;

    return connections_end_oldest(any->service->connections[any->role]);
}

static bool refuses(void *context, uint64_t peer)
{
    const event_loops *loops = context;
    service *s = loops->loop[0].context.service;

    return line_refuses(s->line, peer, s->config->max_wait, atomic_load(&s->newcomers));
}

acceptor_target event_loops_target(event_loops *loops)
{
    const request_context *any = &loops->loop[0].context;
    bool is_service = any->role == ROLE_SERVICE;

    return (acceptor_target){.context = loops,
                             .load = load_of,
                             .load_of_peer = is_service ? load_of_peer : NULL,
                             .make_room = is_service ? NULL : make_room,
                             .take = take,
                             .peer_limit = any->service->config->max_peer_connections,
                             .refuses = is_service ? refuses : NULL,
                             .speaks_tls = tls_of(&loops->loop[0]) != NULL};
}

void event_loops_stop(event_loops *loops)
{
    for (size_t i = 0; loops != NULL && i < loops->count; i++)
        MHD_stop_daemon(loops->loop[i].daemon);
    if (loops != NULL)
        peers_destroy(loops->peers);
    free(loops);
}
