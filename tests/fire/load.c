/* The load generator.
 *
 *     load --target=127.0.0.1:8080 [--row-ms=1000] [--abandon] --class key=value... [--class ...]
 *
 *     name=TEXT         in the report
 *     method=, path=    POST and /v1/gradients unless said
 *     header=TEXT       one more line of the head
 *     body=FILE         what is sent; reference=FILE: the body of the right answer
 *     rate=N            open: requests a second by plan, whether or not answers come
 *     busy=N            closed instead: N connections, each sends when it is answered
 *     count=N           closed: so many requests at most
 *     connections=N     open: at most so many connections (4096)
 *     from=A.B.C.D+N    source addresses, in turn
 *     start=S seconds=S when it begins, for how long it sends
 *     timeout=S         what a client waits, from the planned sending (30)
 *     pause=S           closed: before a connection sends again that was not answered 200 (1)
 *
 * Prints one JSON document: counts by outcome, percentiles of the times from the planned and from
 * the real sending of answers with 200 and of refusals (503, 429), rows. Goodput counts what was
 * answered with 200 before the class's end. After that it waits for what is under way; --abandon:
 * hangs up at once. */
#include "fire/load.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define EVENTS 512

uint64_t load_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t planned_time(const load_class *class, uint64_t index)
{
    return class->begin + (uint64_t)((double)index / class->rate * 1e6);
}

/* Sends what is due of an open class; what has waited too long for a place is out of time. */
static void send_due(load_run *load, load_class *class, uint64_t now)
{
    while (class->next < class->total) {
        uint64_t planned = planned_time(class, class->next);

        if (planned > now)
            return;
        if (planned + (uint64_t)(class->timeout * 1e6) <= now)
            load_record(load, class, NULL, "timeout");
        else if (!load_send(load, class, planned, now))
            return;
        load_row_of(load, class, planned)->planned++;
        class->next++;
    }
}

/* Whether a closed class has sent all that it was asked to. */
static bool has_sent_all(const load_class *class)
{
    return class->limit > 0 && class->sent >= class->limit;
}

static void send_closed(load_run *load, load_class *class, uint64_t now)
{
    if (now >= class->begin && now < class->end)
        while (!has_sent_all(class) && load_send(load, class, now, now))
            ;
}

/* Whether all of a class is over. */
static bool is_over(const load_class *class, uint64_t now)
{
    return (now >= class->end || has_sent_all(class)) && class->next == class->total &&
           class->in_flight.head == NULL;
}

static bool step(load_run *load, uint64_t now)
{
    bool over = true;

    for (size_t i = 0; i < load->class_count; i++) {
        load_class *class = &load->classes[i];

        load_on_time(load, class, now);
        if (class->closed)
            send_closed(load, class, now);
        else
            send_due(load, class, now);
        if (load->abandon && now >= class->end) {
            class->next = class->total;
            load_abandon(load, class);
        }
        over = over && is_over(class, now);
    }
    return over;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When something is to be done though no event comes. */
static uint64_t next_time(const load_run *load, uint64_t now)
{
    uint64_t next = now + 100000;

    for (size_t i = 0; i < load->class_count; i++) {
        const load_class *class = &load->classes[i];
        bool has_place = class->free_places.head != NULL || class->closed_places.head != NULL;

        if (class->next < class->total && has_place)
            next = earlier(next, planned_time(class, class->next));
        if (class->closed && now < class->begin)
            next = earlier(next, class->begin);
        if (now < class->end)
            next = earlier(next, class->end);
        if (class->in_flight.head != NULL)
            next = earlier(next, class->in_flight.head->planned + (uint64_t)(class->timeout * 1e6));
        if (class->pausing.head != NULL)
            next = earlier(next, class->pausing.head->sent + (uint64_t)(class->pause * 1e6));
    }
    return next;
}

static void wait_for_events(load_run *load, uint64_t now)
{
    struct epoll_event events[EVENTS];
    uint64_t next = next_time(load, now), left = next > now ? next - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000),
                               .tv_nsec = (long)(left % 1000000) * 1000};
    int count = epoll_pwait2(load->epoll, events, EVENTS, &timeout, NULL);

    for (int i = 0; i < count; i++)
        load_on_event(load, events[i].data.ptr);
}

static void prepare(load_run *load)
{
    struct rlimit files;

    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->began = load_now();
    for (size_t i = 0; i < load->class_count; i++) {
        load_class *class = &load->classes[i];

        class->begin = load->began + (uint64_t)(class->start * 1e6);
        class->end = class->begin + (uint64_t)(class->seconds * 1e6);
        class->total = class->closed ? 0 : (uint64_t)(class->rate * class->seconds);
        load_places_open(class);
    }
}

int main(int count, char **arguments)
{
    static load_run load;

    (void)count;
    load_read_options(&load, arguments + 1);
    prepare(&load);
    while (!step(&load, load_now()))
        wait_for_events(&load, load_now());
    load_print(&load, stdout);
    return 0;
}
