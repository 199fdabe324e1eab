/* The line: one mutex, and for each class a table of peers. A ticket's place is its start in
 * virtual time: where its peer's last one ends, but not before what is being served now. The least
 * start goes first. Whoever waits is looked at one peer after the other: the depth bounds them. */
#include "work/line.h"

#include "platform/clock.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256

/* Speed is measured over windows of at least this long, and follows them slowly. */
#define WINDOW_SECONDS 0.2
#define WINDOW_WEIGHT 0.3

/* A burst may wait for this many times as long as a line that has been long for a while: of a burst
 * the end is near (after Nichols, Jacobson: Controlling queue delay, 2012). */
#define BURST_FACTOR 2
#define BURST_SECONDS 1.0

/* For so long a peer that has nothing here is remembered, with the share that it has had. */
#define MEMORY_SECONDS 1.0

/* So many newcomers are always looked at: they may ask for something else. */
#define FEW_NEWCOMERS 4

/* A peer that lets its request wait for this long is not expected to send the rest soon. */
#define PATIENCE_SECONDS 1.0

/* How long the first in line keeps the others of its class from passing while it waits for
 * memory. */
#define BLOCKING_SECONDS 2.0

enum { STATE_OUT, STATE_WAITING, STATE_SERVED, STATE_RESTING, STATE_AWAITING };

/* A peer's requests that wait, in order, and where the last of them ends in virtual time. */
typedef struct line_peer {
    uint64_t key;
    struct line_peer *next;         /* of its bucket */
    struct line_peer *next_waiting; /* of those with requests that wait */
    line_ticket *first, *last;
    double waiting_cost;
    double finish;
    size_t tickets;
    int64_t left_at; /* when it last had any */
} line_peer;

typedef struct class_state {
    size_t slots, served, waiting;
    size_t peers;       /* in the table */
    double served_cost; /* of those with a slot */
    double virtual_now;
    line_peer *buckets[BUCKETS];
    line_peer *waiting_peers;
    int64_t blocked_since; /* the first waits for memory; 0: it does not */
    int64_t empty_at;      /* when somebody last did not have to wait */
    /* What was done while there was more to do than slots, and for how long, since the window
     * began. */
    double done, busy;
    int64_t looked_at;
    double speed;
} class_state;

struct line {
    pthread_mutex_t lock;
    budget *memory;
    size_t depth, small_share;
    size_t promised; /* bytes of all tickets */
    size_t outside;  /* bytes that the budget does not know of */
    uint64_t entered;
    bool closed;
    class_state classes[LINE_CLASS_COUNT];
    line_ticket *awaiting; /* tickets at their end that wait for memory, the oldest first */
    line_ticket *answered; /* to be told once the lock is released */
    line_ticket *resting;  /* tickets that rest and were promised memory */
};

/* ---- Speed ----------------------------------------------------------------------------------- */

/* Whether it does all that it can, so that its speed can be seen. */
static bool is_busy(const class_state *c)
{
    return c->served >= c->slots || c->waiting > 0;
}

/* Counts the time since it last looked, if it was busy then. To be called before that changes. */
static void pass_time(class_state *c, int64_t now)
{
    if (now > c->looked_at && is_busy(c))
        c->busy += clock_to_seconds(now - c->looked_at);
    if (now > c->looked_at)
        c->looked_at = now;
    if (c->busy < WINDOW_SECONDS || c->done <= 0)
        return;
    if (c->speed <= 0)
        c->speed = c->done / c->busy;
    c->speed += WINDOW_WEIGHT * (c->done / c->busy - c->speed);
    c->done = c->busy = 0;
}

static double seconds_for(const class_state *c, double cost)
{
    return c->speed > 0 ? cost / c->speed : 0;
}

/* ---- Peers ----------------------------------------------------------------------------------- */

static line_peer **bucket_of(class_state *c, uint64_t key)
{
    return &c->buckets[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
}

static line_peer *find_peer(class_state *c, uint64_t key)
{
    line_peer *p = *bucket_of(c, key);

    while (p != NULL && p->key != key)
        p = p->next;
    return p;
}

static line_peer *find_or_add_peer(class_state *c, uint64_t key)
{
    line_peer *p = find_peer(c, key);

    if (p != NULL)
        return p;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->key = key;
    p->next = *bucket_of(c, key);
    *bucket_of(c, key) = p;
    c->peers++;
    return p;
}

/* Whether it has nothing here, and its share of the past has been had by others too, or is long
 * past: where nobody waits, virtual time stands still. */
static bool is_forgotten(const class_state *c, const line_peer *p, int64_t now)
{
    return p->tickets == 0 &&
           (p->finish <= c->virtual_now || clock_to_seconds(now - p->left_at) > MEMORY_SECONDS);
}

static void forget_peers(class_state *c, int64_t now)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        line_peer **at = &c->buckets[i];
        while (*at != NULL) {
            line_peer *p = *at;
            if (is_forgotten(c, p, now)) {
                *at = p->next;
                free(p);
                c->peers--;
            } else {
                at = &p->next;
            }
        }
    }
}

static void append(line_peer *p, line_ticket *t, class_state *c)
{
    t->next = NULL;
    if (p->last != NULL) {
        p->last->next = t;
    } else {
        p->first = t;
        p->next_waiting = c->waiting_peers;
        c->waiting_peers = p;
    }
    p->last = t;
    p->waiting_cost += t->cost;
    c->waiting++;
}

static void stop_waiting(class_state *c, line_peer *p)
{
    line_peer **at = &c->waiting_peers;

    while (*at != p)
        at = &(*at)->next_waiting;
    *at = p->next_waiting;
}

/* Takes a ticket that waits out of its peer's row. */
static void take_out(class_state *c, line_ticket *t)
{
    line_peer *p = t->owner;
    line_ticket *before = NULL;

    for (line_ticket *at = p->first; at != t; at = at->next)
        before = at;
    *(before != NULL ? &before->next : &p->first) = t->next;
    if (p->last == t)
        p->last = before;
    p->waiting_cost = p->first != NULL ? p->waiting_cost - t->cost : 0;
    c->waiting--;
    if (p->first == NULL)
        stop_waiting(c, p);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* Under the lock. Whoever is not armed finds the answer when it arms. */
static void answer(line *l, line_ticket *t, line_answer given)
{
    t->answer = given;
    t->answered = !t->armed;
    if (!t->armed)
        return;
    t->armed = false;
    t->next = l->answered;
    l->answered = t;
}

/* Releases the lock, then tells. A ticket may be gone once it was told. */
static void unlock_and_tell(line *l)
{
    line_ticket *told = l->answered;

    l->answered = NULL;
    pthread_mutex_unlock(&l->lock);
    while (told != NULL) {
        line_ticket *t = told;
        told = t->next;
        t->on_turn(t);
    }
}

static class_state *class_of(line *l, const line_ticket *t)
{
    return &l->classes[t->which];
}

/* Promises what it will probably hold and has not reserved yet; or nothing more. */
static void promise(line *l, line_ticket *t, bool promised)
{
    bool any = promised && t->which != LINE_SMALL && t->memory > t->held;
    size_t bytes = any ? t->memory - t->held : 0;

    l->promised += bytes - t->promised;
    t->promised = bytes;
}

static void rest(line *l, line_ticket *t, int64_t now)
{
    t->state = STATE_RESTING;
    t->idle_since = now;
    t->previous = NULL;
    t->next = l->resting;
    if (t->next != NULL)
        t->next->previous = t;
    l->resting = t;
}

static void stop_resting(line *l, line_ticket *t)
{
    if (t->previous != NULL)
        t->previous->next = t->next;
    else
        l->resting = t->next;
    if (t->next != NULL)
        t->next->previous = t->previous;
}

static void take_slot(line *l, line_ticket *t, int64_t now)
{
    class_state *c = class_of(l, t);

    pass_time(c, now);
    c->served++;
    c->served_cost += t->cost;
    t->state = STATE_SERVED;
}

static void give_slot(line *l, line_ticket *t, int64_t now)
{
    class_state *c = class_of(l, t);

    pass_time(c, now);
    c->served--;
    c->served_cost = c->served > 0 ? c->served_cost - t->cost : 0;
}

static void serve(line *l, line_ticket *t, int64_t now)
{
    class_state *c = class_of(l, t);

    take_slot(l, t, now);
    promise(l, t, true);
    if (t->start > c->virtual_now)
        c->virtual_now = t->start;
}

/* A ticket that waits and is not served. Its peer's next ones move up. */
static void refuse_waiting(line *l, line_ticket *t, line_answer given)
{
    line_peer *p = t->owner;

    take_out(class_of(l, t), t);
    for (line_ticket *at = t->next; at != NULL; at = at->next)
        at->start -= t->cost;
    p->finish -= t->cost;
    p->tickets--;
    t->state = STATE_OUT;
    answer(l, t, given);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static bool has_memory(const line *l, const line_ticket *t)
{
    size_t usable = l->memory->total - l->small_share;
    size_t taken = atomic_load(&l->memory->in_use) + l->promised + l->outside;

    return t->which == LINE_SMALL || taken == 0 || (taken <= usable && t->memory <= usable - taken);
}

/* Whether someone holds memory and will give it back without waiting for more: whoever is served,
 * or takes a response. */
static bool will_be_freed(const line *l)
{
    size_t held = 0;

    for (const line_ticket *t = l->awaiting; t != NULL; t = t->next)
        held += t->wanted->bytes;
    return atomic_load(&l->memory->in_use) > held;
}

static void answer_awaiting(line *l, line_ticket *t, line_answer given, int64_t now)
{
    line_ticket **at = &l->awaiting;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    take_slot(l, t, now);
    answer(l, t, given);
}

/* Gives memory to those at their end, the oldest first. Where all who hold memory wait for more,
 * the youngest has to give way. */
static void serve_awaiting(line *l, int64_t now)
{
    while (l->awaiting != NULL) {
        line_ticket *first = l->awaiting, *last = first;
        if (reservation_resize(first->wanted, first->wanted_bytes)) {
            answer_awaiting(l, first, LINE_TURN, now);
            continue;
        }
        while (last->next != NULL)
            last = last->next;
        if (last == first || will_be_freed(l))
            return;
        answer_awaiting(l, last, LINE_NO_MEMORY, now);
    }
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static bool is_before(const line_ticket *t, const line_ticket *other)
{
    return other == NULL || t->start < other->start ||
           (t->start <= other->start && t->number < other->number);
}

static line_ticket *first_of(const class_state *c)
{
    line_ticket *first = NULL;

    for (line_peer *p = c->waiting_peers; p != NULL; p = p->next_waiting)
        if (is_before(p->first, first))
            first = p->first;
    return first;
}

/* The first whose memory is there, of those that may pass whom it is not there for. */
static line_ticket *first_that_fits(const line *l, const class_state *c)
{
    line_ticket *first = NULL;

    for (line_peer *p = c->waiting_peers; p != NULL; p = p->next_waiting)
        if (has_memory(l, p->first) && is_before(p->first, first))
            first = p->first;
    return first;
}

/* Who is next of a class that has a free slot; NULL: nobody can be. */
static line_ticket *next_of(const line *l, class_state *c, int64_t now)
{
    line_ticket *first = first_of(c);

    if (first == NULL || has_memory(l, first)) {
        c->blocked_since = 0;
        return first;
    }
    if (c->blocked_since == 0)
        c->blocked_since = now;
    return clock_to_seconds(now - c->blocked_since) > BLOCKING_SECONDS ? first_that_fits(l, c)
                                                                       : NULL;
}

static void serve_class(line *l, class_state *c, int64_t now)
{
    while (c->served < c->slots && l->awaiting == NULL) {
        line_ticket *t = next_of(l, c, now);
        if (t == NULL)
            return;
        take_out(c, t);
        serve(l, t, now);
        answer(l, t, LINE_TURN);
    }
}

static void serve_all(line *l, int64_t now)
{
    serve_awaiting(l, now);
    for (size_t i = 0; i < LINE_CLASS_COUNT; i++)
        serve_class(l, &l->classes[i], now);
}

/* ---- Entering -------------------------------------------------------------------------------- */

/* What is served before a ticket that starts there: of each peer what it has before that. */
static double cost_before(const class_state *c, double start)
{
    double room = start - c->virtual_now, cost = c->served_cost / 2;

    for (const line_peer *p = c->waiting_peers; p != NULL; p = p->next_waiting)
        cost += p->waiting_cost < room ? p->waiting_cost : room;
    return cost;
}

/* The peer that waits for most. */
static line_peer *greediest(const class_state *c)
{
    line_peer *most = c->waiting_peers;

    for (line_peer *p = most; p != NULL; p = p->next_waiting)
        if (p->waiting_cost > most->waiting_cost)
            most = p;
    return most;
}

/* Makes room in a full line where another peer has more in it. */
static bool make_room(line *l, class_state *c, const line_peer *p, double cost)
{
    line_peer *most = greediest(c);

    if (c->waiting < l->depth)
        return true;
    if (most == NULL || most->waiting_cost <= p->waiting_cost + cost)
        return false;
    refuse_waiting(l, most->last, LINE_FULL);
    return true;
}

/* Whether that is too long to wait, or too long for a burst. */
static bool is_too_long(const class_state *c, double wait, double max_wait, int64_t now)
{
    bool burst = clock_to_seconds(now - c->empty_at) < BURST_SECONDS;

    return wait > (burst ? BURST_FACTOR * max_wait : max_wait);
}

static line_answer enter(line *l, line_ticket *t, const line_terms *terms, int64_t now)
{
    class_state *c = class_of(l, t);
    line_peer *p = l->closed ? NULL : find_or_add_peer(c, t->peer);
    bool waits;

    if (p == NULL)
        return l->closed ? LINE_CLOSED : LINE_NO_MEMORY;
    pass_time(c, now);
    waits = c->served >= c->slots || c->waiting_peers != NULL || l->awaiting != NULL ||
            !has_memory(l, t);
    t->start = p->finish > c->virtual_now ? p->finish : c->virtual_now;
    if (!waits)
        c->empty_at = now;
    t->wait = waits ? seconds_for(c, cost_before(c, t->start)) : 0;
    if (is_too_long(c, t->wait, terms->max_wait, now))
        return LINE_OVERLOADED;
    if (waits && !make_room(l, c, p, t->cost))
        return LINE_FULL;
    t->owner = p;
    p->tickets++;
    p->finish = t->start + t->cost;
    if (!waits) {
        serve(l, t, now);
        return LINE_TURN;
    }
    t->number = l->entered++;
    t->deadline = terms->deadline;
    t->state = STATE_WAITING;
    append(p, t, c);
    return LINE_WAIT;
}

line_answer line_enter(line *l, line_ticket *t, const line_terms *terms, int64_t now)
{
    line_answer given;

    pthread_mutex_lock(&l->lock);
    given = t->answer = enter(l, t, terms, now);
    if (given == LINE_WAIT)
        serve_class(l, class_of(l, t), now);
    if (t->answered) /* already: it may pass those that wait for memory */
        given = t->answer;
    t->answered = false;
    unlock_and_tell(l);
    return given;
}

bool line_arm(line *l, line_ticket *t)
{
    bool answered;

    pthread_mutex_lock(&l->lock);
    answered = t->answered;
    t->answered = false;
    t->armed = !answered;
    pthread_mutex_unlock(&l->lock);
    return answered;
}

/* ---- Being served ---------------------------------------------------------------------------- */

void line_leave(line *l, line_ticket *t, double cost, int64_t now)
{
    class_state *c = class_of(l, t);

    if (t->owner == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    if (t->state != STATE_OUT && is_busy(c))
        c->done += cost;
    pass_time(c, now);
    if (t->state == STATE_SERVED)
        give_slot(l, t, now);
    else if (t->state == STATE_RESTING)
        stop_resting(l, t);
    if (t->state != STATE_OUT) {
        promise(l, t, false);
        t->owner->tickets--;
        t->owner->left_at = now;
    }
    t->state = STATE_OUT;
    t->owner = NULL;
    serve_all(l, now);
    unlock_and_tell(l);
}

void line_rest(line *l, line_ticket *t, int64_t now)
{
    pthread_mutex_lock(&l->lock);
    if (t->state == STATE_SERVED) {
        give_slot(l, t, now);
        rest(l, t, now);
        serve_all(l, now);
    }
    unlock_and_tell(l);
}

void line_work(line *l, line_ticket *t, int64_t now)
{
    pthread_mutex_lock(&l->lock);
    if (t->state == STATE_RESTING) {
        stop_resting(l, t);
        take_slot(l, t, now);
        promise(l, t, true);
    }
    pthread_mutex_unlock(&l->lock);
}

void line_move(line *l, line_ticket *t, line_class which, int64_t now)
{
    pthread_mutex_lock(&l->lock);
    if (t->state == STATE_SERVED && t->which != which) {
        give_slot(l, t, now);
        t->which = which;
        take_slot(l, t, now);
        serve_all(l, now);
    }
    unlock_and_tell(l);
}

void line_hold(line *l, line_ticket *t, size_t bytes)
{
    pthread_mutex_lock(&l->lock);
    t->held = bytes;
    if (t->promised > 0)
        promise(l, t, true);
    pthread_mutex_unlock(&l->lock);
}

line_answer line_await(line *l, line_ticket *t, reservation *wanted, size_t bytes,
                       const line_terms *terms, int64_t now)
{
    line_ticket **at = &l->awaiting;

    pthread_mutex_lock(&l->lock);
    t->answer = LINE_TURN;
    promise(l, t, false);
    if (l->awaiting == NULL && reservation_resize(wanted, bytes)) {
        pthread_mutex_unlock(&l->lock);
        return LINE_TURN;
    }
    give_slot(l, t, now);
    t->state = STATE_AWAITING;
    t->deadline = terms->deadline;
    t->wanted = wanted;
    t->wanted_bytes = bytes;
    t->next = NULL;
    while (*at != NULL)
        at = &(*at)->next;
    *at = t;
    t->answer = LINE_WAIT;
    serve_awaiting(l, now);
    unlock_and_tell(l);
    return LINE_WAIT;
}

/* Whether one more of that peer, behind the newcomers, would wait too long there. */
static bool is_too_long_for_one_more(class_state *c, uint64_t peer, double max_wait,
                                     size_t newcomers, int64_t now)
{
    const line_peer *p = find_peer(c, peer);
    double before;

    if (p == NULL || p->last == NULL)
        return false;
    before = cost_before(c, p->finish) + (double)newcomers * p->last->cost;
    return is_too_long(c, seconds_for(c, before), max_wait, now);
}

bool line_refuses(line *l, uint64_t peer, double max_wait, size_t newcomers)
{
    static const line_class asked[] = {LINE_LARGE, LINE_SMALL};
    int64_t now = clock_now();
    bool refused = false;

    if (newcomers < FEW_NEWCOMERS)
        return false;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < sizeof asked / sizeof *asked && !refused; i++)
        refused = is_too_long_for_one_more(&l->classes[asked[i]], peer, max_wait, newcomers, now);
    pthread_mutex_unlock(&l->lock);
    return refused;
}

void line_note_outside(line *l, size_t bytes)
{
    pthread_mutex_lock(&l->lock);
    l->outside = bytes;
    pthread_mutex_unlock(&l->lock);
}

void line_cancel(line *l, line_ticket *t)
{
    pthread_mutex_lock(&l->lock);
    if (t->state == STATE_WAITING)
        refuse_waiting(l, t, LINE_GONE);
    else if (t->state == STATE_AWAITING)
        answer_awaiting(l, t, LINE_GONE, clock_now());
    unlock_and_tell(l);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void expire(line *l, int64_t now)
{
    for (size_t i = 0; i < LINE_CLASS_COUNT; i++) {
        for (line_peer *p = l->classes[i].waiting_peers, *next; p != NULL; p = next) {
            next = p->next_waiting;
            /* Those of one peer wait in the order of their deadlines. */
            for (line_ticket *t = p->first, *after; t != NULL && t->deadline <= now; t = after) {
                after = t->next;
                refuse_waiting(l, t, LINE_EXPIRED);
            }
        }
    }
    for (line_ticket *t = l->awaiting, *after; t != NULL; t = after) {
        after = t->next;
        if (t->deadline <= now)
            answer_awaiting(l, t, LINE_EXPIRED, now);
    }
}

/* A peer that lets its request wait for long keeps no memory from others. */
static void withdraw_promises(line *l, int64_t now)
{
    for (line_ticket *t = l->resting; t != NULL; t = t->next)
        if (t->promised > 0 && clock_to_seconds(now - t->idle_since) > PATIENCE_SECONDS)
            promise(l, t, false);
}

void line_tick(line *l, int64_t now)
{
    pthread_mutex_lock(&l->lock);
    expire(l, now);
    withdraw_promises(l, now);
    for (size_t i = 0; i < LINE_CLASS_COUNT; i++) {
        pass_time(&l->classes[i], now);
        forget_peers(&l->classes[i], now);
    }
    serve_all(l, now);
    unlock_and_tell(l);
}

line_figures line_look(line *l, line_class which, int64_t now)
{
    class_state *c = &l->classes[which];
    line_figures seen;

    pthread_mutex_lock(&l->lock);
    pass_time(c, now);
    seen = (line_figures){
        .waiting = c->waiting, .served = c->served, .peers = c->peers, .speed = c->speed};
    if (c->waiting_peers != NULL)
        seen.expected_wait = seconds_for(c, cost_before(c, INFINITY));
    pthread_mutex_unlock(&l->lock);
    return seen;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

line *line_create(budget *memory, const size_t slots[LINE_CLASS_COUNT], size_t depth,
                  size_t small_share)
{
    line *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    pthread_mutex_init(&l->lock, NULL);
    l->memory = memory;
    l->depth = depth;
    l->small_share = small_share;
    for (size_t i = 0; i < LINE_CLASS_COUNT; i++) {
        l->classes[i].slots = slots[i];
        l->classes[i].looked_at = clock_now();
    }
    return l;
}

void line_close(line *l)
{
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    for (size_t i = 0; i < LINE_CLASS_COUNT; i++)
        while (l->classes[i].waiting_peers != NULL)
            refuse_waiting(l, l->classes[i].waiting_peers->first, LINE_CLOSED);
    while (l->awaiting != NULL)
        answer_awaiting(l, l->awaiting, LINE_CLOSED, clock_now());
    unlock_and_tell(l);
}

void line_destroy(line *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < LINE_CLASS_COUNT; i++) {
        for (size_t k = 0; k < BUCKETS; k++) {
            for (line_peer *p = l->classes[i].buckets[k], *next; p != NULL; p = next) {
                next = p->next;
                free(p);
            }
        }
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}
