/* A load generator that costs little beside the daemon: one thread, epoll, and for each class of
 * requests the same bytes again and again. An open class sends by a plan that does not wait for
 * answers; a closed one keeps its connections busy. load.c says how it is called. */
#ifndef GRAD_TESTS_FIRE_LOAD_H
#define GRAD_TESTS_FIRE_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOAD_HEAD_SIZE 4096
#define LOAD_START_SIZE 768
#define LOAD_CLASSES 16
#define LOAD_OUTCOMES 48

/* What happened in one row's time. */
typedef struct load_row {
    unsigned planned, sent, ok, refused, failed;
    uint32_t worst_us; /* of the answers with 200, from the real sending */
} load_row;

/* Times of requests that ended alike: microseconds from the planned, and from the real sending. */
typedef struct load_samples {
    uint32_t *planned, *sent;
    size_t count, room;
} load_samples;

/* How often requests ended in one way: "200", "503 queue_full", "timeout". */
typedef struct load_outcome {
    char name[64];
    uint64_t count;
} load_outcome;

/* A response being read. Only its head and the beginning of its body are kept. */
typedef struct load_response {
    char head[LOAD_HEAD_SIZE], start[LOAD_START_SIZE];
    size_t head_length, start_length;
    uint64_t body_length, body_read; /* body_length: UINT64_MAX until the peer closes */
    int status;                      /* 0 until the head is whole */
    bool closes, differs;
} load_response;

typedef enum load_progress { LOAD_MORE, LOAD_WHOLE, LOAD_MALFORMED } load_progress;

struct load_class;

/* One place for a connection; it is in one of its class's lists. */
typedef struct load_connection {
    struct load_class *owner;
    struct load_connection *previous, *next;
    struct load_list *list;
    int fd; /* -1: none */
    bool reused, retried, answered, refused;
    uint64_t planned, sent; /* microseconds of the clock */
    uint64_t first_try;     /* of a closed class: since the last answer with 200 */
    unsigned tries;
    size_t written;
    load_response response;
} load_connection;

typedef struct load_list {
    load_connection *head, *tail;
} load_list;

typedef struct load_class {
    /* as asked for */
    char name[32];
    const char *method, *path, *header;
    bool closed;
    double rate, start, seconds, timeout, pause;
    unsigned connections, sources;
    uint64_t limit;   /* of a closed class: requests it sends; 0: by time alone */
    in_addr_t source; /* the first of its addresses, in host order; 0: the kernel's choice */
    char *request, *reference;
    size_t request_length, reference_length;
    /* while it runs */
    uint64_t begin, end, next, total; /* next, total: requests of an open class */
    load_connection *places;
    load_list closed_places, free_places, in_flight, pausing;
    unsigned opened;
    /* what came of it */
    uint64_t sent, retried, ok, ok_in_time, wrong;
    load_outcome outcomes[LOAD_OUTCOMES];
    size_t outcome_count;
    load_samples answered, refused;
    load_samples waits; /* closed: from the first try to a 200; how many tries that took */
    load_row *rows;
    size_t row_count;
} load_class;

typedef struct load_run {
    struct sockaddr_in target;
    load_class classes[LOAD_CLASSES];
    size_t class_count;
    int epoll;
    uint64_t began, row_us;
    bool abandon; /* at the end hang up instead of waiting for answers */
} load_run;

/* The clock, in microseconds. */
uint64_t load_now(void);

/* Reads the command line, the bodies and the references; exits with 2 where it cannot. */
void load_read_options(load_run *load, char **arguments);

/* Takes in bytes of a response. LOAD_WHOLE: it ended with the last of them. */
load_progress load_response_take(load_response *response, const load_class *owner, const char *data,
                                 size_t length);

/* The peer has closed: whether that ended a response. */
bool load_response_ends_by_close(const load_response *response);

/* Gives a class its places for connections. */
void load_places_open(load_class *class);

/* Sends the request that was planned for that time over a free place, or a new connection. False:
 * there is no place. */
bool load_send(load_run *load, load_class *class, uint64_t planned, uint64_t now);

/* Something has happened at that connection. */
void load_on_event(load_run *load, load_connection *connection);

/* Ends requests that are out of time, and pauses. */
void load_on_time(load_run *load, load_class *class, uint64_t now);

/* Hangs up: nothing is waited for any more. */
void load_abandon(load_run *load, load_class *class);

/* Counts one request that has ended; response: NULL where it has none. */
void load_record(load_run *load, load_class *class, const load_connection *connection,
                 const char *outcome);

/* The row of now; never NULL. */
load_row *load_row_of(load_run *load, load_class *class, uint64_t now);

/* Prints everything as one JSON document. */
void load_print(const load_run *load, FILE *out);

#endif
