/* The accepting thread. */
#include "net/acceptor.h"

#include "observe/log.h"
#include "observe/metrics.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OUT_OF_DESCRIPTORS_PAUSE_MS 50
/* Accepted in one go before the thread looks for its end again. */
#define BURST 256
/* At the end: how long handshakes that have begun may take, and how many of them are accepted. */
#define LAST_HANDSHAKES_MS 50
#define LAST_BURST 4096

struct acceptor {
    int listening_fd;
    int end_fd;
    acceptor_target target;
    size_t max_connections;
    lingering *rejected;
    pthread_t thread;
};

/* ---- Above the limit ------------------------------------------------------------------------- */

static const char overload_body[] =
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"detail\":\"expected at most max-connections open connections, found one more\","
    "\"code\":\"too_many_connections\"}";

/* Tells it 503, without HTTP being read. */
static void send_overload_response(int fd)
{
    char answer[512];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 503 Service Unavailable\r\n"
                          "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                          "Retry-After: 1\r\nConnection: close\r\n\r\n%s",
                          sizeof overload_body - 1, overload_body);
    /* A fresh socket's buffer takes this whole, or the peer has gone. */
    send(fd, answer, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- Accepting ------------------------------------------------------------------------------- */

static void hand_over(acceptor *a, int fd, const struct sockaddr *peer, socklen_t size)
{
    int on = 1;
    if (a->target.load(a->target.context) >= a->max_connections) {
        metrics_count_rejection(REJECT_CONNECTIONS);
        send_overload_response(fd);
        lingering_take(a->rejected, fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!a->target.take(a->target.context, fd, peer, size))
        log_write(LOG_ERROR, "connection lost: no memory", NULL);
}

/* Whether accept may succeed when it is called again at once. */
static bool goes_on(int reason)
{
    if (reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM) {
        log_write(LOG_ERROR, "cannot accept",
                  (log_field[]){LOG_TEXT("reason", strerrorname_np(reason)), LOG_END});
        poll(NULL, 0, OUT_OF_DESCRIPTORS_PAUSE_MS);
        return false;
    }
    return reason != EAGAIN;
}

static void accept_some(acceptor *a, size_t burst)
{
    for (size_t i = 0; i < burst; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        int fd =
            accept4(a->listening_fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            hand_over(a, fd, (struct sockaddr *)&peer, size);
        else if (!goes_on(errno))
            return;
    }
}

/* A connection that waits to be accepted when its listener is closed is reset, with what its peer
 * has sent. So the listener first hears no new peer: a filter drops segments with SYN (byte 13 of
 * the TCP header, bit 1), whose senders try again and are then rejected. */
static void ignore_new_peers(int listening_fd)
{
    struct sock_filter drop_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = sizeof drop_syn / sizeof drop_syn[0],
                                       .filter = drop_syn};
    setsockopt(listening_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static void accept_the_last(acceptor *a)
{
    ignore_new_peers(a->listening_fd);
    accept_some(a, LAST_BURST);
    poll(NULL, 0, LAST_HANDSHAKES_MS);
    accept_some(a, LAST_BURST);
}

static void *acceptor_main(void *context)
{
    acceptor *a = context;
    struct pollfd watched[] = {{.fd = a->listening_fd, .events = POLLIN},
                               {.fd = a->end_fd, .events = POLLIN}};
    while (!(watched[1].revents & POLLIN)) {
        poll(watched, 2, -1);
        if (watched[0].revents)
            accept_some(a, BURST);
    }
    accept_the_last(a);
    return NULL;
}

static void release(acceptor *a)
{
    close(a->listening_fd);
    if (a->end_fd >= 0)
        close(a->end_fd);
    free(a);
}

acceptor *acceptor_start(int listening_fd, acceptor_target target, size_t max_connections,
                         lingering *rejected)
{
    acceptor *a = calloc(1, sizeof *a);
    if (!a) {
        close(listening_fd);
        return NULL;
    }
    a->listening_fd = listening_fd;
    a->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->target = target;
    a->max_connections = max_connections;
    a->rejected = rejected;
    if (a->end_fd < 0 || pthread_create(&a->thread, NULL, acceptor_main, a) != 0) {
        release(a);
        return NULL;
    }
    return a;
}

void acceptor_stop(acceptor *a)
{
    if (!a)
        return;
    eventfd_write(a->end_fd, 1);
    pthread_join(a->thread, NULL);
    release(a);
}
