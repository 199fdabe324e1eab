/* The registry of connections and its thread. A descriptor is shut down under the registry's lock
 * only: libmicrohttpd closes it after connections_remove, so it cannot have been reused. */
#include "net/connections.h"

#include "observe/log.h"
#include "observe/metrics.h"
#include "platform/clock.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* At most this many are cut off in one pass; another pass follows at once if there are more. */
#define CUTS_AT_ONCE 64

/* The kernel is asked to take in this many unread bytes of a body. Below the least its default
 * suffices. */
#define EXPECTED_LEAST ((size_t)256 << 10)
#define EXPECTED_MOST ((size_t)2 << 20)

#define SHORTEST_INTERVAL 0.005
#define LONGEST_INTERVAL 0.25

/* Logged when the locks are released, and the connection may be gone. */
typedef struct cut_off {
    connection_verdict verdict;
    char peer[LISTENER_ADDRESS_SIZE];
} cut_off;

struct connections {
    const config *limits;
    void (*tick)(void *context, const connections *all);
    void *context;
    pthread_mutex_t lock; /* over the list; taken before a connection's own lock */
    pthread_cond_t end;
    connection *first;
    size_t count;
    _Atomic size_t unsent; /* bytes of all, at the last look */
    bool stopping;
    pthread_t thread;
};

/* ---- One connection -------------------------------------------------------------------------- */

/* A phase that lasts keeps its beginning: a first request's headers are timed from the accepting
 * on. */
void connection_enter(connection *c, connection_phase phase)
{
    int64_t now = clock_now();
    connection_progress *p;

    pthread_mutex_lock(&c->lock);
    p = &c->progress;
    if (p->phase == PHASE_NEW && phase == PHASE_HEADERS) {
        p->phase = phase;
    } else if (p->phase != phase) {
        p->phase = phase;
        p->began = p->last = now;
        p->bytes = 0;
        p->least_rate = 0;
    }
    p->request += phase == PHASE_HEADERS;
    pthread_mutex_unlock(&c->lock);
}

/* SO_RCVLOWAT makes room for that many bytes and leaves the kernel free to make more, which
 * SO_RCVBUF would not. Nothing shall wait for them: the mark is reset at once, and bytes that came
 * meanwhile are then reported. */
void connection_expect(connection *c, size_t bytes)
{
    int room = (int)(bytes < EXPECTED_MOST ? bytes : EXPECTED_MOST), any = 1;

    if (bytes < EXPECTED_LEAST)
        return;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &room, sizeof room);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &any, sizeof any);
}

void connection_received(connection *c, size_t bytes)
{
    int64_t now = clock_now();

    pthread_mutex_lock(&c->lock);
    c->progress.bytes += bytes;
    c->progress.last = now;
    pthread_mutex_unlock(&c->lock);
}

void connection_require_rate(connection *c, size_t rate)
{
    pthread_mutex_lock(&c->lock);
    c->progress.least_rate = rate;
    pthread_mutex_unlock(&c->lock);
}

void connection_sent(connection *c, size_t bytes)
{
    atomic_fetch_add(&c->sent, bytes);
}

connection_verdict connection_cut(connection *c)
{
    connection_verdict cut;

    pthread_mutex_lock(&c->lock);
    cut = c->cut;
    pthread_mutex_unlock(&c->lock);
    return cut;
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

/* Whether nothing came for as long as the slack, or too little in the time beyond it. */
static bool too_slow(const connection_progress *p, double slack, size_t rate, int64_t now)
{
    double overtime = clock_to_seconds(now - p->began) - slack;

    return clock_to_seconds(now - p->last) > slack ||
           (overtime > 0 && (double)p->bytes < overtime * (double)rate);
}

static size_t least_body_rate(const connection_progress *p, const config *limits)
{
    size_t least = limits->min_body_rate;

    return p->least_rate > least ? p->least_rate : least;
}

connection_verdict deadlines_judge(const connection_progress *p, const config *limits, int64_t now)
{
    double elapsed = clock_to_seconds(now - p->began);

    switch (p->phase) {
    case PHASE_NEW:
    case PHASE_HEADERS:
        return elapsed > limits->header_timeout ? VERDICT_SLOW_HEADER : VERDICT_FINE;
    case PHASE_BODY:
        return too_slow(p, limits->body_timeout, least_body_rate(p, limits), now)
                   ? VERDICT_SLOW_BODY
                   : VERDICT_FINE;
    case PHASE_REPLY:
        return too_slow(p, limits->reply_timeout, limits->min_reply_rate, now) ? VERDICT_SLOW_READER
                                                                               : VERDICT_FINE;
    case PHASE_IDLE:
        return elapsed > limits->idle_timeout ? VERDICT_IDLE : VERDICT_FINE;
    case PHASE_WORK:
        break;
    }
    return VERDICT_FINE;
}

int64_t deadlines_interval(const config *limits)
{
    double shortest = limits->header_timeout;
    const double others[] = {limits->idle_timeout, limits->body_timeout, limits->reply_timeout};
    double interval;

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        shortest = others[i] < shortest ? others[i] : shortest;
    interval = shortest / 8;
    interval = interval < SHORTEST_INTERVAL ? SHORTEST_INTERVAL : interval;
    return clock_from_seconds(interval > LONGEST_INTERVAL ? LONGEST_INTERVAL : interval);
}

/* ---- Judging --------------------------------------------------------------------------------- */

static uint64_t acknowledged_bytes(connection *c)
{
    struct tcp_info info;
    socklen_t size = sizeof info;

    if (c->is_unix)
        return atomic_load(&c->sent);
    memset(&info, 0, sizeof info);
    getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.tcpi_bytes_acked;
}

/* Of responses: the kernel has them, and the peer has not acknowledged them. */
static size_t unsent_bytes(int fd)
{
    int waiting = 0;

    return ioctl(fd, SIOCOUTQ, &waiting) == 0 && waiting > 0 ? (size_t)waiting : 0;
}

static bool has_unread_bytes(int fd)
{
    int waiting = 0;

    return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

static bool has_peer_ended(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLRDHUP};

    return poll(&watched, 1, 0) == 1 && (watched.revents & POLLRDHUP);
}

bool connection_has_unread(const connection *c)
{
    return has_unread_bytes(c->fd);
}

bool connection_is_unread(connection *c)
{
    bool cut, between;

    pthread_mutex_lock(&c->lock);
    cut = c->cut != VERDICT_FINE;
    between = c->progress.phase == PHASE_IDLE;
    pthread_mutex_unlock(&c->lock);
    return !cut && (has_unread_bytes(c->fd) || (!between && !has_peer_ended(c->fd)));
}

/* Whether the peer has ended, everything is read, and no request came of it. A complete request
 * still gets its response. */
static bool is_abandoned(const connection *c)
{
    connection_phase phase = c->progress.phase;

    return phase != PHASE_WORK && phase != PHASE_REPLY && has_peer_ended(c->fd) &&
           !has_unread_bytes(c->fd) && unsent_bytes(c->fd) == 0;
}

/* What the peer has received is what its kernel acknowledges: libmicrohttpd knows only what our
 * kernel has buffered. Counted from the first look at each response. */
static connection_verdict judge_reply(const connections *all, connection *c, uint64_t request,
                                      int64_t now)
{
    connection_progress *delivery = &c->delivery;
    uint64_t acknowledged = acknowledged_bytes(c);
    uint64_t bytes;

    if (delivery->phase != PHASE_REPLY || delivery->request != request) {
        *delivery = (connection_progress){
            .phase = PHASE_REPLY, .began = now, .last = now, .request = request};
        c->acknowledged = acknowledged;
    }
    bytes = acknowledged - c->acknowledged;
    if (bytes != delivery->bytes) {
        delivery->bytes = bytes;
        delivery->last = now;
    }
    return deadlines_judge(delivery, all->limits, now);
}

/* libmicrohttpd calls a connection idle while the kernel is still sending its response. A peer
 * whose bytes we have not read waits for us, and is not slow. */
static connection_verdict judge(const connections *all, connection *c, int64_t now)
{
    const connection_progress *p = &c->progress;
    connection_verdict verdict = deadlines_judge(p, all->limits, now);
    bool answered = p->phase == PHASE_REPLY || p->phase == PHASE_IDLE;
    bool replying;

    c->unsent = answered ? unsent_bytes(c->fd) : 0;
    replying = p->phase == PHASE_REPLY || c->unsent > 0;
    if (replying)
        return judge_reply(all, c, p->request, now);
    return verdict != VERDICT_FINE && has_unread_bytes(c->fd) ? VERDICT_FINE : verdict;
}

static void shut_down(connection *c, connection_verdict verdict)
{
    /* Otherwise the kernel would keep unsent bytes of a slow reader for minutes. */
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (verdict == VERDICT_SLOW_READER)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(c->fd, SHUT_RDWR);
    c->cut = verdict;
}

static void report(const cut_off *cut)
{
    static const struct {
        metrics_rejection reason;
        const char *name;
    } rows[] = {
        [VERDICT_SLOW_HEADER] = {REJECT_SLOW_HEADER, "slow_header"},
        [VERDICT_SLOW_BODY] = {REJECT_SLOW_BODY, "slow_body"},
        [VERDICT_SLOW_READER] = {REJECT_SLOW_READER, "slow_reader"},
    };

    if (cut->verdict == VERDICT_IDLE)
        return;
    metrics_count_rejection(rows[cut->verdict].reason);
    log_write(LOG_INFO, "connection cut off",
              (log_field[]){LOG_TEXT("reason", rows[cut->verdict].name),
                            LOG_TEXT("peer", cut->peer), LOG_END});
}

/* libmicrohttpd does not see an end that came with the last bytes: it waits for edges and stops
 * reading at a short read. Ending the reading loses nothing and is an edge, so that it reads once
 * more and finds the end. Such a connection is lost, not cut off. */
static connection_verdict look_at(const connections *all, connection *c, int64_t now)
{
    connection_verdict verdict;

    if (c->cut != VERDICT_FINE)
        return VERDICT_FINE;
    verdict = judge(all, c, now);
    if (verdict != VERDICT_FINE)
        shut_down(c, verdict);
    else if (is_abandoned(c))
        shutdown(c->fd, SHUT_RD);
    return verdict;
}

/* Returns how many were cut off. */
static size_t judge_all(connections *all, cut_off cuts[CUTS_AT_ONCE])
{
    int64_t now = clock_now();
    size_t count = 0, unsent = 0;

    pthread_mutex_lock(&all->lock);
    for (connection *c = all->first; c != NULL && count < CUTS_AT_ONCE; c = c->next) {
        connection_verdict verdict;
        pthread_mutex_lock(&c->lock);
        verdict = look_at(all, c, now);
        unsent += c->unsent;
        pthread_mutex_unlock(&c->lock);
        if (verdict == VERDICT_FINE)
            continue;
        cuts[count].verdict = verdict;
        memcpy(cuts[count++].peer, c->peer, sizeof c->peer);
    }
    pthread_mutex_unlock(&all->lock);
    atomic_store(&all->unsent, unsent);
    return count;
}

static void judge_and_report(connections *all)
{
    cut_off cuts[CUTS_AT_ONCE];
    size_t count;

    do {
        count = judge_all(all, cuts);
        for (size_t i = 0; i < count; i++)
            report(&cuts[i]);
    } while (count == CUTS_AT_ONCE);
}

static void *registry_main(void *context)
{
    connections *all = context;

    pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        int64_t until = clock_now() + deadlines_interval(all->limits);
        struct timespec deadline = {.tv_sec = (time_t)(until / NS_PER_SECOND),
                                    .tv_nsec = (long)(until % NS_PER_SECOND)};
        pthread_cond_clockwait(&all->end, &all->lock, CLOCK_MONOTONIC, &deadline);
        pthread_mutex_unlock(&all->lock);
        judge_and_report(all);
        if (all->tick != NULL)
            all->tick(all->context, all);
        pthread_mutex_lock(&all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ---- The registry ---------------------------------------------------------------------------- */

size_t connections_unsent(const connections *all)
{
    return atomic_load(&all->unsent);
}

connections *connections_create(const config *limits,
                                void (*tick)(void *context, const connections *all), void *context)
{
    connections *all = calloc(1, sizeof *all);

    if (all == NULL)
        return NULL;
    all->limits = limits;
    all->tick = tick;
    all->context = context;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->end, NULL);
    if (pthread_create(&all->thread, NULL, registry_main, all) != 0) {
        free(all);
        return NULL;
    }
    return all;
}

void connections_destroy(connections *all)
{
    if (all == NULL)
        return;
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_signal(&all->end);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_cond_destroy(&all->end);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* Who it was when it connected. Peers are told apart by their users. */
static void name_unix_peer(connection *c)
{
    struct ucred who;
    socklen_t size = sizeof who;

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return;
    snprintf(c->peer, sizeof c->peer, "unix:uid=%u,pid=%d", who.uid, who.pid);
    c->peer_key = UINT64_MAX - who.uid; /* no network address's: multicast has those */
}

connection *connections_add(connections *all, int fd, const struct sockaddr *peer)
{
    connection *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->fd = fd;
    c->progress.phase = PHASE_NEW;
    c->progress.began = c->progress.last = clock_now();
    listener_format(peer, c->peer);
    c->peer_key = listener_peer_key(peer);
    c->is_unix = peer != NULL && peer->sa_family == AF_UNIX;
    if (c->is_unix)
        name_unix_peer(c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_lock(&all->lock);
    c->next = all->first;
    if (c->next != NULL)
        c->next->previous = c;
    all->first = c;
    all->count++;
    pthread_mutex_unlock(&all->lock);
    return c;
}

void connections_remove(connections *all, connection *c)
{
    pthread_mutex_lock(&all->lock);
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        all->first = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    all->count--;
    pthread_mutex_unlock(&all->lock);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

size_t connections_count(connections *all)
{
    size_t count;

    pthread_mutex_lock(&all->lock);
    count = all->count;
    pthread_mutex_unlock(&all->lock);
    return count;
}

/* Keeps the views in order, the largest first. */
static size_t insert_view(connection_view *views, size_t count, size_t most,
                          const connection_view *view)
{
    size_t at = count;

    while (at > 0 && views[at - 1].held < view->held)
        at--;
    if (at == most)
        return count;
    count += count < most;
    memmove(views + at + 1, views + at, (count - at - 1) * sizeof *views);
    views[at] = *view;
    return count;
}

size_t connections_view(connections *all, size_t phases[PHASE_COUNT], connection_view *views,
                        size_t most)
{
    size_t count = 0;

    memset(phases, 0, PHASE_COUNT * sizeof *phases);
    pthread_mutex_lock(&all->lock);
    for (connection *c = all->first; c != NULL; c = c->next) {
        connection_view view = {.held = atomic_load(&c->held)};
        pthread_mutex_lock(&c->lock);
        view.progress = c->progress;
        pthread_mutex_unlock(&c->lock);
        phases[view.progress.phase]++;
        memcpy(view.peer, c->peer, sizeof view.peer);
        if (view.held > 0)
            count = insert_view(views, count, most, &view);
    }
    pthread_mutex_unlock(&all->lock);
    return count;
}

void connections_end_idle(connections *all)
{
    pthread_mutex_lock(&all->lock);
    for (connection *c = all->first; c != NULL; c = c->next) {
        bool between;
        pthread_mutex_lock(&c->lock);
        between = c->progress.phase == PHASE_IDLE || c->progress.phase == PHASE_NEW;
        if (between && !has_unread_bytes(c->fd))
            shutdown(c->fd, SHUT_RD);
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&all->lock);
}

static bool is_at_headers(const connection *c)
{
    connection_phase phase = c->progress.phase;

    return c->cut == VERDICT_FINE &&
           (phase == PHASE_NEW || phase == PHASE_HEADERS || phase == PHASE_IDLE);
}

bool connections_end_oldest(connections *all)
{
    connection *oldest = NULL;
    int64_t since = INT64_MAX;

    pthread_mutex_lock(&all->lock);
    for (connection *c = all->first; c != NULL; c = c->next) {
        pthread_mutex_lock(&c->lock);
        if (is_at_headers(c) && c->progress.began < since) {
            oldest = c;
            since = c->progress.began;
        }
        pthread_mutex_unlock(&c->lock);
    }
    if (oldest != NULL) {
        pthread_mutex_lock(&oldest->lock);
        shut_down(oldest, VERDICT_IDLE);
        pthread_mutex_unlock(&oldest->lock);
    }
    pthread_mutex_unlock(&all->lock);
    return oldest != NULL;
}

size_t connections_end_all(connections *all)
{
    size_t count;

    pthread_mutex_lock(&all->lock);
    for (connection *c = all->first; c != NULL; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    count = all->count;
    pthread_mutex_unlock(&all->lock);
    return count;
}
