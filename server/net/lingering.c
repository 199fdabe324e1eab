/* The thread that lingers. It alone owns the connections, which come through a pipe, so that
 * closing one never waits. All have the same time: they end in the order in which they came. */
#include "net/lingering.h"

#include "observe/metrics.h"
#include "platform/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define ARRIVALS_AT_ONCE 256
/* The pipe holds a page of descriptors: beyond that the next is closed at once. */
#define PIPE_SIZE 4096
/* Bytes of one connection that are discarded before the next has its turn. */
#define TURN ((size_t)256 << 10)
/* Computing and responding go first. */
#define NICENESS 5
#define PATIENCE_AT_THE_END 0.5
/* SIGHUP may shorten the time. */
#define LONGEST_SLEEP_MS 1000

typedef struct lingerer {
    struct lingerer *older, *newer; /* newer alone where it is free */
    int fd;
    int64_t since; /* clock_now */
    size_t left;   /* bytes that may still be discarded */
} lingerer;

struct lingering {
    const config *limits;
    int epoll_fd;
    int arrivals[2]; /* a pipe of descriptors; its end ends the thread */
    _Atomic size_t count;
    pthread_t thread;
    lingerer all[LINGERING_MAX];
    lingerer *free, *oldest, *newest;
    int64_t end;        /* of everything; INT64_MAX until the pipe has ended */
    char discard[TURN]; /* never written to */
};

/* ---- One connection -------------------------------------------------------------------------- */

/* Counted before the peer can see it. Taken out of the set before it is closed: the descriptor may
 * be a duplicate of one that is still open. */
static void end(lingering *l, lingerer *one, metrics_lingering_end how)
{
    atomic_fetch_sub(&l->count, 1);
    metrics_count_lingering(how);
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, one->fd, NULL);
    close(one->fd);
    *(one->older != NULL ? &one->older->newer : &l->oldest) = one->newer;
    *(one->newer != NULL ? &one->newer->older : &l->newest) = one->older;
    one->newer = l->free;
    l->free = one;
}

static void add(lingering *l, int fd)
{
    struct epoll_event event;
    lingerer *one;

    if (l->free == NULL)
        end(l, l->oldest, LINGERING_CROWDED_OUT);
    one = l->free;
    l->free = one->newer;
    *one = (lingerer){
        .older = l->newest, .fd = fd, .since = clock_now(), .left = l->limits->linger_size};
    *(l->newest != NULL ? &l->newest->newer : &l->oldest) = one;
    l->newest = one;
    atomic_fetch_add(&l->count, 1);
    event = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP, .data.ptr = one};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        end(l, one, LINGERING_CROWDED_OUT);
}

/* MSG_TRUNC: TCP forgets the bytes without copying them anywhere. */
static void discard(lingering *l, lingerer *one)
{
    ssize_t got = recv(one->fd, l->discard, sizeof l->discard, MSG_TRUNC | MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        end(l, one, LINGERING_PEER_CLOSED);
    else if (got > 0 && (size_t)got > one->left)
        end(l, one, LINGERING_TOO_LARGE);
    else if (got > 0)
        one->left -= (size_t)got;
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void take_arrivals(lingering *l)
{
    int fds[ARRIVALS_AT_ONCE];
    ssize_t got = read(l->arrivals[0], fds, sizeof fds);

    for (ssize_t i = 0; i < got / (ssize_t)sizeof fds[0]; i++)
        add(l, fds[i]);
    if (got == 0) {
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->arrivals[0], NULL);
        l->end = clock_now() + clock_from_seconds(PATIENCE_AT_THE_END);
    }
}

static int64_t end_of_oldest(const lingering *l)
{
    int64_t until = l->oldest->since + clock_from_seconds(l->limits->linger_timeout);

    return until < l->end ? until : l->end;
}

static void end_late_ones(lingering *l)
{
    int64_t now = clock_now();

    while (l->oldest != NULL && end_of_oldest(l) < now)
        end(l, l->oldest, LINGERING_TOO_LONG);
}

static int sleep_ms(const lingering *l)
{
    int64_t ms;

    if (l->oldest == NULL)
        return -1;
    ms = (end_of_oldest(l) - clock_now()) / (NS_PER_SECOND / 1000) + 1;
    return ms < 0 ? 0 : ms > LONGEST_SLEEP_MS ? LONGEST_SLEEP_MS : (int)ms;
}

/* Arrivals come last: they may end connections of which an event still speaks. */
static void *lingering_main(void *context)
{
    lingering *l = context;
    struct epoll_event events[EVENTS_AT_ONCE];

    setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + NICENESS);
    while (l->end == INT64_MAX || l->oldest != NULL) {
        int count = epoll_wait(l->epoll_fd, events, EVENTS_AT_ONCE, sleep_ms(l));
        bool has_arrivals = false;
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr != NULL)
                discard(l, events[i].data.ptr);
            else
                has_arrivals = true;
        if (has_arrivals)
            take_arrivals(l);
        end_late_ones(l);
    }
    return NULL;
}

/* ---- For others ------------------------------------------------------------------------------ */

static void release(lingering *l)
{
    const int fds[] = {l->epoll_fd, l->arrivals[0], l->arrivals[1]};

    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(l);
}

static bool open_all(lingering *l)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll_fd >= 0 && pipe2(l->arrivals, O_CLOEXEC | O_NONBLOCK) == 0 &&
           fcntl(l->arrivals[1], F_SETPIPE_SZ, PIPE_SIZE) >= 0 &&
           epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->arrivals[0], &event) == 0;
}

lingering *lingering_start(const config *limits, size_t most)
{
    lingering *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->limits = limits;
    l->end = INT64_MAX;
    l->epoll_fd = l->arrivals[0] = l->arrivals[1] = -1;
    for (size_t i = 0; i < LINGERING_MAX && i < most; i++) {
        l->all[i].newer = l->free;
        l->free = &l->all[i];
    }
    if (!open_all(l) || pthread_create(&l->thread, NULL, lingering_main, l) != 0) {
        release(l);
        return NULL;
    }
    return l;
}

void lingering_take(lingering *l, int fd)
{
    shutdown(fd, SHUT_WR);
    if (write(l->arrivals[1], &fd, sizeof fd) != (ssize_t)sizeof fd) {
        close(fd);
        metrics_count_lingering(LINGERING_CROWDED_OUT);
    }
}

size_t lingering_count(lingering *l)
{
    return atomic_load(&l->count);
}

void lingering_stop(lingering *l)
{
    if (l == NULL)
        return;
    close(l->arrivals[1]);
    l->arrivals[1] = -1;
    pthread_join(l->thread, NULL);
    release(l);
}
