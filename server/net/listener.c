/* Opening listening sockets, addresses as text, and accepting. */
#include "net/listener.h"

#include "config/address.h"
#include "net/peers.h"
#include "net/refused.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "platform/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections that the kernel may hold before they are accepted; it caps this at somaxconn. */
#define BACKLOG 1024

static int open_one(const struct addrinfo *at, bool both)
{
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, off = 0;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (both && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) ||
        bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* both: an IPv6 socket accepts IPv4 too. -1: errno has the reason, or message if it is not
 * empty. */
static int open_host(const char *host, const char *port, bool both, char *message,
                     size_t message_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int fd = -1, reason = getaddrinfo(host, port, &hints, &found);

    if (reason != 0) {
        snprintf(message, message_size, "cannot find %s: %s", host, gai_strerror(reason));
        return -1;
    }
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = open_one(at, both);
    reason = errno;
    freeaddrinfo(found);
    errno = reason;
    return fd;
}

/* The kernel may have no IPv6, or IPv6 may be disabled. */
static int open_all(const char *port, char *message, size_t message_size)
{
    int fd = open_host("::", port, true, message, message_size);
    bool lacks_ipv6 = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;

    return fd < 0 && lacks_ipv6 ? open_host("0.0.0.0", port, false, message, message_size) : fd;
}

int listener_open(const char *address_text, char *message, size_t message_size)
{
    address parts;
    int fd;

    if (!address_split(address_text, &parts)) {
        snprintf(message, message_size, "\"%s\" is not HOST:PORT", address_text);
        return -1;
    }
    message[0] = '\0';
    fd = strcmp(parts.host, ADDRESS_ALL) == 0
             ? open_all(parts.port, message, message_size)
             : open_host(parts.host, parts.port, false, message, message_size);
    if (fd < 0 && message[0] == '\0') {
        snprintf(message, message_size, "cannot listen on %s: %s", address_text,
                 strerrordesc_np(errno));
    }
    return fd;
}

/* Shows an IPv4 peer of a socket for both protocols as IPv4. */
static bool find_ipv4(const struct sockaddr *socket_address, struct in_addr *host, in_port_t *port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (socket_address->sa_family == AF_INET) {
        memcpy(&v4, socket_address, sizeof v4);
        *host = v4.sin_addr;
        *port = v4.sin_port;
        return true;
    }
    if (socket_address->sa_family != AF_INET6)
        return false;
    memcpy(&v6, socket_address, sizeof v6);
    memcpy(host, v6.sin6_addr.s6_addr + 12, sizeof *host);
    *port = v6.sin6_port;
    return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
}

void listener_format(const struct sockaddr *socket_address, char text[LISTENER_ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;
    in_port_t port;

    if (socket_address != NULL && find_ipv4(socket_address, &v4, &port)) {
        inet_ntop(AF_INET, &v4, host, sizeof host);
        snprintf(text, LISTENER_ADDRESS_SIZE, "%s:%u", host, (unsigned)ntohs(port));
    } else if (socket_address != NULL && socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, socket_address, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
        snprintf(text, LISTENER_ADDRESS_SIZE, "[%s]:%u", host, (unsigned)ntohs(v6.sin6_port));
    } else if (socket_address != NULL && socket_address->sa_family == AF_UNIX) {
        snprintf(text, LISTENER_ADDRESS_SIZE, "unix"); /* a peer's is as short as its family */
    } else {
        snprintf(text, LISTENER_ADDRESS_SIZE, "unknown");
    }
}

uint64_t listener_peer_key(const struct sockaddr *socket_address)
{
    struct in_addr v4;
    struct sockaddr_in6 v6;
    uint64_t site;
    in_port_t port;

    if (socket_address == NULL)
        return 0;
    if (find_ipv4(socket_address, &v4, &port))
        return v4.s_addr;
    if (socket_address->sa_family != AF_INET6)
        return 0;
    memcpy(&v6, socket_address, sizeof v6);
    memcpy(&site, v6.sin6_addr.s6_addr, sizeof site);
    return site;
}

void listener_address(int fd, char text[LISTENER_ADDRESS_SIZE])
{
    struct sockaddr_un path = {.sun_family = AF_UNSPEC};
    struct sockaddr_storage own;
    socklen_t size = sizeof own, path_size = sizeof path;
    bool known = getsockname(fd, (struct sockaddr *)&own, &size) == 0;

    listener_format(known ? (struct sockaddr *)&own : NULL, text);
    if (known && own.ss_family == AF_UNIX &&
        getsockname(fd, (struct sockaddr *)&path, &path_size) == 0)
        snprintf(text, LISTENER_ADDRESS_SIZE, "unix:%.*s", (int)sizeof path.sun_path,
                 path.sun_path);
}

/* 127.0.0.0/8 and ::1. */
static bool is_loopback(const struct sockaddr *own)
{
    struct in_addr v4;
    struct sockaddr_in6 v6;
    in_port_t port;

    if (find_ipv4(own, &v4, &port))
        return ntohl(v4.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
    memcpy(&v6, own, sizeof v6);
    return own->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool listener_is_local(int fd)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;

    return getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
           (own.ss_family == AF_UNIX || is_loopback((struct sockaddr *)&own));
}

bool listener_is_unix(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* ---- Accepting ------------------------------------------------------------------------------- */

#define OUT_OF_DESCRIPTORS_PAUSE_MS 50
/* Of a connection that is closed for want of descriptors. */
#define DISCARDED_AT_MOST ((size_t)1 << 20)
/* For the log to say how many were refused after its last line, and to close those. */
#define REFUSED_POLL_MS 100
/* Where the processors are all busy, accepting, which then is mostly refusing, gets a third of the
 * time that serving gets. */
#define NICENESS 5
/* Accepted in one go before the thread looks for its end again. */
#define BURST 256
/* At the end: how long handshakes that have begun may take, and how many of them are accepted. */
#define LAST_HANDSHAKES_MS 50
#define LAST_BURST 4096
#define LARGEST_HOP_LIMIT 255

struct acceptor {
    int listening_fd;
    int end_fd;
    acceptor_target target;
    size_t max_connections;
    bool ignores_new_peers; /* at the end */
    lingering *rejected;
    refused refused;
    pthread_t thread;
    int spare_fd;                /* given up to say that there are no descriptors; -1: lost */
    int64_t logged_at;           /* clock_now: the last line about connections that were refused */
    size_t unlogged;             /* refused since then */
    const char *unlogged_reason; /* of the last of them */
};

/* ---- Above the limit ------------------------------------------------------------------------- */

#define OVERLOAD_BODY(detail, code)                                                                \
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"                  \
    "\"detail\":\"" detail "\"," code "}"

/* Why a connection is refused. */
typedef struct refusal {
    const char *reason; /* in the log */
    metrics_rejection counted;
    const char *body;
} refusal;

static const refusal too_many = {
    "max-connections", REJECT_CONNECTIONS,
    OVERLOAD_BODY("expected at most max-connections open connections, found one more",
                  "\"code\":\"too_many_connections\"")};
static const refusal too_many_of_peer = {
    "max-peer-connections", REJECT_PEER_CONNECTIONS,
    OVERLOAD_BODY("expected at most max-peer-connections open connections of one address, found "
                  "one more",
                  "\"code\":\"too_many_peer_connections\"")};
static const refusal overloaded = {
    "max-wait", REJECT_OVERLOADED,
    OVERLOAD_BODY("requests of this client wait for max-wait already; try again",
                  "\"code\":\"overloaded\"")};
static const refusal no_descriptors = {
    "descriptors", REJECT_DESCRIPTORS,
    OVERLOAD_BODY("expected a descriptor for one more connection, found all of the process in use",
                  "\"code\":\"out_of_descriptors\"")};

/* At most a line a second, which says how many there were since the last one. */
static void log_refusals(acceptor *a)
{
    int64_t now = clock_now();

    if (a->unlogged == 0 || now - a->logged_at < NS_PER_SECOND)
        return;
    log_write(LOG_WARNING, "connections refused",
              (log_field[]){LOG_TEXT("reason", a->unlogged_reason),
                            LOG_NUMBER("count", a->unlogged), LOG_END});
    a->logged_at = now;
    a->unlogged = 0;
}

static void note_refusal(acceptor *a, const char *reason)
{
    a->unlogged++;
    a->unlogged_reason = reason;
    log_refusals(a);
}

/* Sends 503 without reading HTTP. */
static void send_overload_response(int fd, const char *body)
{
    char response[512];
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 503 Service Unavailable\r\n"
                          "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                          "Retry-After: 1\r\nConnection: close\r\n\r\n%s",
                          strlen(body), body);

    /* A fresh socket's buffer takes this whole, or the peer has gone. */
    send(fd, response, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- Accepting ------------------------------------------------------------------------------- */

/* A line in the log, and in the counters a request of an unknown path. */
static void refuse(acceptor *a, int fd, const refusal *why)
{
    metrics_count_rejection(why->counted);
    metrics_count_request(ROUTE_OTHER, a->target.speaks_tls ? 0 : 503);
    note_refusal(a, why->reason);
    if (!a->target.speaks_tls)
        send_overload_response(fd, why->body);
}

/* Small services have no shares: there a quarter is nothing. */
#define LEAST_WITH_SHARES 64

static bool has_its_share(const acceptor *a, const struct sockaddr *peer, size_t load)
{
    const acceptor_target *t = &a->target;
    bool limited = t->peer_limit != 0 || a->max_connections >= LEAST_WITH_SHARES;

    if (t->load_of_peer == NULL || !limited || peer->sa_family == AF_UNIX)
        return false;
    return t->load_of_peer(t->context, peer) >=
           peers_share(t->peer_limit, a->max_connections, load);
}

static bool is_refused_anyway(const acceptor_target *t, const struct sockaddr *peer)
{
    return t->refuses != NULL && t->refuses(t->context, listener_peer_key(peer));
}

/* Why it may not be taken; NULL: it may. */
static const refusal *judge(acceptor *a, const struct sockaddr *peer)
{
    size_t load = a->target.load(a->target.context);

    if (load >= a->max_connections &&
        (a->target.make_room == NULL || !a->target.make_room(a->target.context)))
        return &too_many;
    if (has_its_share(a, peer, load))
        return &too_many_of_peer;
    return is_refused_anyway(&a->target, peer) ? &overloaded : NULL;
}

static void hand_over(acceptor *a, int fd, const struct sockaddr *peer, socklen_t size)
{
    const refusal *why = judge(a, peer);
    int on = 1;

    if (why != NULL) {
        refuse(a, fd, why);
        if (why == &overloaded)
            refused_add(&a->refused, fd, clock_now());
        else
            lingering_take(a->rejected, fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!a->target.take(a->target.context, fd, peer, size))
        log_write(LOG_ERROR, "connection lost: no memory", NULL);
}

/* A duplicate, since no file may be opened any more. */
static void keep_spare(acceptor *a)
{
    a->spare_fd = fcntl(a->end_fd, F_DUPFD_CLOEXEC, 0);
}

/* Accepts one by the spare descriptor, and closes it: what it has sent is read, or closing would
 * reset it. */
static void refuse_by_spare(acceptor *a)
{
    int fd;

    close(a->spare_fd);
    fd = accept4(a->listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        refuse(a, fd, &no_descriptors);
        shutdown(fd, SHUT_WR);
        recv(fd, NULL, DISCARDED_AT_MOST, MSG_TRUNC | MSG_DONTWAIT);
        close(fd);
    }
    keep_spare(a);
}

/* Whether accept may succeed at once. */
static bool goes_on(acceptor *a, int reason)
{
    bool lacks_descriptors = reason == EMFILE || reason == ENFILE;

    if (lacks_descriptors && a->spare_fd >= 0) {
        refuse_by_spare(a);
        return true;
    }
    if (lacks_descriptors || reason == ENOBUFS || reason == ENOMEM) {
        note_refusal(a, strerrorname_np(reason));
        poll(NULL, 0, OUT_OF_DESCRIPTORS_PAUSE_MS);
        if (a->spare_fd < 0)
            keep_spare(a);
        return false;
    }
    return reason != EAGAIN;
}

/* Packets that have crossed more routers are dropped: 0 of them none, 255 all but those of peers
 * that send with the largest hop limit of all and are next to us (RFC 5082). */
static void set_least_hop_limit(int fd, int least)
{
    setsockopt(fd, IPPROTO_IP, IP_MINTTL, &least, sizeof least);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &least, sizeof least);
}

static void accept_some(acceptor *a, size_t burst)
{
    for (size_t i = 0; i < burst; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        int fd =
            accept4(a->listening_fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && a->ignores_new_peers)
            set_least_hop_limit(fd, 0); /* or it would ignore its own peer */
        if (fd >= 0)
            hand_over(a, fd, (struct sockaddr *)&peer, size);
        else if (!goes_on(a, errno))
            return;
    }
}

static int milliseconds_until(int64_t end)
{
    double left = clock_to_seconds(end - clock_now());

    return left > 0 ? (int)ceil(1000 * left) : 0;
}

/* A connection that still waits when its listener is closed is reset, and what its peer has sent is
 * lost. So the listener first ignores new peers, who try again and are rejected then: of all that
 * it is sent only what ends a handshake is not held against its hop limit. (A packet filter would
 * do too, but Linux asks for CAP_NET_ADMIN by now: findings/linux_tcp_filter.sh.) */
static void accept_the_last(acceptor *a)
{
    struct pollfd waiting = {.fd = a->listening_fd, .events = POLLIN};
    int64_t end = clock_now() + LAST_HANDSHAKES_MS * (int64_t)(NS_PER_SECOND / 1000);

    a->ignores_new_peers = true;
    set_least_hop_limit(a->listening_fd, LARGEST_HOP_LIMIT);
    listener_remove_file(a->listening_fd);
    do
        accept_some(a, LAST_BURST);
    while (poll(&waiting, 1, milliseconds_until(end)) > 0 && clock_now() < end);
    accept_some(a, LAST_BURST);
}

static void *acceptor_main(void *context)
{
    acceptor *a = context;
    struct pollfd watched[] = {{.fd = a->listening_fd, .events = POLLIN},
                               {.fd = a->end_fd, .events = POLLIN}};

    setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + NICENESS);
    while (!(watched[1].revents & POLLIN)) {
        poll(watched, 2, a->refused.count > 0 || a->unlogged > 0 ? REFUSED_POLL_MS : -1);
        if (watched[0].revents)
            accept_some(a, BURST);
        log_refusals(a);
        refused_close_old(&a->refused, clock_now());
    }
    if (!a->target.is_shared)
        accept_the_last(a);
    while (a->refused.count > 0)
        lingering_take(a->rejected, refused_take(&a->refused));
    return NULL;
}

static void release(acceptor *a)
{
    close(a->listening_fd);
    if (a->spare_fd >= 0)
        close(a->spare_fd);
    if (a->end_fd >= 0)
        close(a->end_fd);
    free(a);
}

acceptor *acceptor_start(int listening_fd, acceptor_target target, size_t max_connections,
                         lingering *rejected)
{
    acceptor *a = calloc(1, sizeof *a);

    if (a == NULL) {
        close(listening_fd);
        return NULL;
    }
    a->listening_fd = listening_fd;
    a->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->target = target;
    a->max_connections = max_connections;
    a->rejected = rejected;
    a->logged_at = clock_now() - NS_PER_SECOND;
    keep_spare(a);
    if (a->end_fd < 0 || pthread_create(&a->thread, NULL, acceptor_main, a) != 0) {
        release(a);
        return NULL;
    }
    return a;
}

void acceptor_stop(acceptor *a)
{
    if (a == NULL)
        return;
    eventfd_write(a->end_fd, 1);
    pthread_join(a->thread, NULL);
    release(a);
}
