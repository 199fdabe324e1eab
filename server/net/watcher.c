/* The thread that watches over peers. The kernel's events are hints: they may be of a socket that
 * is watched no more, whose descriptor another has by now. So each is verified under the lock. */
#include "net/watcher.h"

#include "platform/clock.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
/* SIGHUP may shorten the time. */
#define LONGEST_SLEEP_MS 1000
#define LEAST_SLOTS 256

struct watcher {
    const config *limits;
    int epoll_fd;
    int end_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t called; /* an on_gone has returned */
    watch **by_fd;         /* NULL where a descriptor is not watched */
    size_t slots;
    watch *first, *last; /* of those that have ended, in the order in which they did */
};

/* ---- The lists ------------------------------------------------------------------------------- */

static bool make_slot(watcher *w, size_t fd)
{
    size_t slots = w->slots > 0 ? w->slots : LEAST_SLOTS;
    watch **grown;

    if (fd < w->slots)
        return true;
    while (slots <= fd)
        slots *= 2;
    grown = realloc(w->by_fd, slots * sizeof(watch *));
    if (grown == NULL)
        return false;
    for (size_t i = w->slots; i < slots; i++)
        grown[i] = NULL;
    w->by_fd = grown;
    w->slots = slots;
    return true;
}

static void add_ended(watcher *w, watch *one)
{
    one->state = WATCH_ENDED;
    one->ended = clock_now();
    one->next = NULL;
    one->previous = w->last;
    *(w->last != NULL ? &w->last->next : &w->first) = one;
    w->last = one;
}

static void remove_ended(watcher *w, watch *one)
{
    *(one->previous != NULL ? &one->previous->next : &w->first) = one->next;
    *(one->next != NULL ? &one->next->previous : &w->last) = one->previous;
}

/* ---- The thread ------------------------------------------------------------------------------ */

static bool arm(watcher *w, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.fd = fd};

    return epoll_ctl(w->epoll_fd, operation, fd, &event) == 0;
}

/* The lock is held before and after, not meanwhile. */
static void tell(watcher *w, watch *one)
{
    if (one->state == WATCH_ENDED)
        remove_ended(w, one);
    one->state = WATCH_CALLING;
    pthread_mutex_unlock(&w->lock);
    one->on_gone(one->context);
    pthread_mutex_lock(&w->lock);
    one->state = WATCH_GONE;
    pthread_cond_broadcast(&w->called);
}

static void look_at(watcher *w, int fd)
{
    watch *one = (size_t)fd < w->slots ? w->by_fd[fd] : NULL;
    struct pollfd seen = {.fd = fd, .events = POLLRDHUP};

    if (one == NULL || (one->state != WATCH_ON && one->state != WATCH_ENDED))
        return;
    poll(&seen, 1, 0);
    if (seen.revents & (POLLERR | POLLHUP)) {
        tell(w, one);
        return;
    }
    if ((seen.revents & POLLRDHUP) && one->state == WATCH_ON)
        add_ended(w, one);
    /* A reset is reported without being asked for; an end would be again and again. */
    arm(w, EPOLL_CTL_MOD, fd, one->state == WATCH_ON ? EPOLLRDHUP : 0);
}

static int64_t end_of_first(const watcher *w)
{
    return w->first->ended + clock_from_seconds(w->limits->half_close_timeout);
}

static void tell_late_ones(watcher *w)
{
    int64_t now = clock_now();

    while (w->first != NULL && end_of_first(w) <= now)
        tell(w, w->first);
}

static int sleep_ms(const watcher *w)
{
    int64_t ms;

    if (w->first == NULL)
        return -1;
    ms = (end_of_first(w) - clock_now()) / (NS_PER_SECOND / 1000) + 1;
    return ms < 0 ? 0 : ms > LONGEST_SLEEP_MS ? LONGEST_SLEEP_MS : (int)ms;
}

static void *watcher_main(void *context)
{
    watcher *w = context;
    struct epoll_event events[EVENTS_AT_ONCE];
    bool goes_on = true;

    pthread_mutex_lock(&w->lock);
    while (goes_on) {
        int wait = sleep_ms(w), count;
        pthread_mutex_unlock(&w->lock);
        count = epoll_wait(w->epoll_fd, events, EVENTS_AT_ONCE, wait);
        pthread_mutex_lock(&w->lock);
        for (int i = 0; i < count; i++) {
            goes_on = goes_on && events[i].data.fd != w->end_fd;
            look_at(w, events[i].data.fd);
        }
        tell_late_ones(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- For others ------------------------------------------------------------------------------ */

bool watcher_watch(watcher *w, watch *one, int fd, void (*on_gone)(void *context), void *context)
{
    bool watched;

    pthread_mutex_lock(&w->lock);
    watched = make_slot(w, (size_t)fd) && arm(w, EPOLL_CTL_ADD, fd, EPOLLRDHUP);
    if (watched) {
        *one = (watch){.state = WATCH_ON, .fd = fd, .on_gone = on_gone, .context = context};
        w->by_fd[fd] = one;
    }
    pthread_mutex_unlock(&w->lock);
    return watched;
}

bool watcher_unwatch(watcher *w, watch *one)
{
    bool was_called;

    pthread_mutex_lock(&w->lock);
    while (one->state == WATCH_CALLING)
        pthread_cond_wait(&w->called, &w->lock);
    was_called = one->state == WATCH_GONE;
    if (one->state == WATCH_ENDED)
        remove_ended(w, one);
    if (one->state != WATCH_OFF) {
        epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, one->fd, NULL);
        w->by_fd[one->fd] = NULL;
    }
    one->state = WATCH_OFF;
    pthread_mutex_unlock(&w->lock);
    return was_called;
}

static void release(watcher *w)
{
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
    if (w->end_fd >= 0)
        close(w->end_fd);
    pthread_cond_destroy(&w->called);
    pthread_mutex_destroy(&w->lock);
    free(w->by_fd);
    free(w);
}

watcher *watcher_start(const config *limits)
{
    watcher *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->limits = limits;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->called, NULL);
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->epoll_fd < 0 || w->end_fd < 0 || !arm(w, EPOLL_CTL_ADD, w->end_fd, EPOLLIN) ||
        pthread_create(&w->thread, NULL, watcher_main, w) != 0) {
        release(w);
        return NULL;
    }
    return w;
}

void watcher_stop(watcher *w)
{
    if (w == NULL)
        return;
    eventfd_write(w->end_fd, 1);
    pthread_join(w->thread, NULL);
    release(w);
}
