/* The line: whose request is served next, and whose is not. A request enters with what it will
 * probably cost, before its body comes. It is served at once while its class has a slot, else it
 * waits, or it is refused where it would wait for too long. Peers take turns: each gets an equal
 * share of the work, however many requests it has (start-time fair queueing: Goyal, Vin, Cheng,
 * 1996). Knows nothing of HTTP or gradients.
 *
 * A slot is held while there is work to do for the request, not while its peer lets it wait: so
 * slow peers never fill the slots, and the processors are never idle. */
#ifndef GRADIENTD_LINE_H
#define GRADIENTD_LINE_H

#include "work/budget.h"

#include <stdint.h>

typedef struct line line;

/* Requests of one class never wait for those of another. */
typedef enum line_class {
    LINE_SMALL, /* always finds memory: a part of the budget is kept for it */
    LINE_LARGE, /* waits for its memory too, and is not overtaken by its class meanwhile */
    LINE_HUGE,  /* so large that others would wait long for it alone; waits like LINE_LARGE */
    LINE_LONG,  /* computes for long, whatever its size */
    LINE_CLASS_COUNT
} line_class;

typedef enum line_answer {
    LINE_TURN,       /* it is served */
    LINE_WAIT,       /* on_turn will be called */
    LINE_OVERLOADED, /* refused: it would wait for longer than max_wait */
    LINE_FULL,       /* refused: too many wait already, and its peer has most of them */
    LINE_EXPIRED,    /* waited until its deadline */
    LINE_GONE,       /* waited, and was cancelled */
    LINE_CLOSED,     /* the line is closed */
    LINE_NO_MEMORY   /* refused: no memory for its peer, or for what it waited for */
} line_answer;

/* How long a request may wait. */
typedef struct line_terms {
    double max_wait;  /* seconds that it may be expected to wait; longer: it is refused at once */
    int64_t deadline; /* clock_now; it does not wait beyond this */
} line_terms;

/* A request in the line, inside the caller's own object; fields below the line are the line's. */
typedef struct line_ticket {
    uint64_t peer; /* whose request it is */
    line_class which;
    double cost;                            /* any unit, the same for all */
    size_t memory;                          /* bytes that it will probably hold */
    void (*on_turn)(struct line_ticket *t); /* after LINE_WAIT, once, without any lock, from any
                                               thread: answer says what has come */
    line_answer answer;
    double wait; /* seconds that it was expected to wait, from line_enter on */
    /* ---- */
    struct line_ticket *next, *previous;
    struct line_peer *owner;
    int state;
    bool armed;          /* on_turn may be called */
    bool answered;       /* before it was armed */
    double start;        /* its place in virtual time, */
    uint64_t number;     /* and among those who start there */
    int64_t deadline;    /* of its waiting */
    int64_t idle_since;  /* since when its peer lets it wait */
    size_t held;         /* bytes that it has reserved */
    size_t promised;     /* bytes that are kept for it beyond those */
    reservation *wanted; /* what it waits for at its end, */
    size_t wanted_bytes; /* and how much of it */
} line_ticket;

/* slots: of each class, at least 1. depth: how many of a class may wait. small_share: bytes of the
 * budget that only small requests may take. NULL: no memory. The budget must outlive it. All
 * functions below are thread-safe; now is clock_now's. */
line *line_create(budget *memory, const size_t slots[LINE_CLASS_COUNT], size_t depth,
                  size_t small_share);

/* Refuses whoever waits (LINE_CLOSED), and whoever comes. */
void line_close(line *l);

/* Every ticket must have left. NULL is fine. */
void line_destroy(line *l);

/* Takes a place. LINE_TURN, LINE_WAIT or a refusal; refused, it need not leave. After LINE_WAIT
 * the caller makes ready for on_turn and then calls line_arm. */
line_answer line_enter(line *l, line_ticket *t, const line_terms *terms, int64_t now);

/* True: the answer has come already, and on_turn is not called. */
bool line_arm(line *l, line_ticket *t);

/* Leaves, served or not, with the cost that it really had. Once; a ticket that never entered is
 * fine. */
void line_leave(line *l, line_ticket *t, double cost, int64_t now);

/* There is nothing to do for it until its peer sends more; there is again. */
void line_rest(line *l, line_ticket *t, int64_t now);
void line_work(line *l, line_ticket *t, int64_t now);

/* Another class is right for it, as is known by now: it gives its slot to those of its own, and is
 * served with those of that class, however many they are. */
void line_move(line *l, line_ticket *t, line_class which, int64_t now);

/* It has reserved that many bytes by now. */
void line_hold(line *l, line_ticket *t, size_t bytes);

/* At its end it needs that many bytes: LINE_TURN where they are reserved; LINE_WAIT, after which it
 * is armed and answered as after line_enter: LINE_TURN when they are, before all that enter, or
 * LINE_NO_MEMORY where those that hold memory all wait for more, and it came last. */
line_answer line_await(line *l, line_ticket *t, reservation *wanted, size_t bytes,
                       const line_terms *terms, int64_t now);

/* Whether one more request of that peer would be refused, if it is like the last large or small one
 * that waits and so are those of so many newcomers. A few newcomers are never refused: they may ask
 * for something else. */
bool line_refuses(line *l, uint64_t peer, double max_wait, size_t newcomers);

/* So many bytes are held outside the budget, and count as those in it: large requests wait. */
void line_note_outside(line *l, size_t bytes);

/* Its peer has gone: LINE_GONE if it waits. */
void line_cancel(line *l, line_ticket *t);

/* What time brings: deadlines that have passed, promises that were not kept, memory that was given
 * back. To be called a few times a second. */
void line_tick(line *l, int64_t now);

typedef struct line_figures {
    size_t waiting;
    size_t served;        /* with a slot */
    size_t peers;         /* that it remembers */
    double expected_wait; /* seconds, until all that waits now is served */
    double speed;         /* cost a second, all slots at work; 0: not yet known */
} line_figures;

line_figures line_look(line *l, line_class which, int64_t now);

#endif
