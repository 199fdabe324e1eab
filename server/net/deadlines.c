/* Judging connections by the configured deadlines. */
#include "net/deadlines.h"

#include "platform/clock.h"

#define SHORTEST_INTERVAL 0.005
#define LONGEST_INTERVAL 0.25

/* Nothing for as long as the slack, or too little over the time beyond the slack. */
static bool too_slow(const connection_progress *p, double slack, size_t rate, int64_t now)
{
    double overtime = clock_to_seconds(now - p->began) - slack;
    return clock_to_seconds(now - p->last) > slack ||
           (overtime > 0 && (double)p->bytes < overtime * (double)rate);
}

connection_verdict deadlines_judge(const connection_progress *p, const config *limits, int64_t now)
{
    double elapsed = clock_to_seconds(now - p->began);
    switch (p->phase) {
    case PHASE_NEW:
    case PHASE_HEADERS:
        return elapsed > limits->header_timeout ? VERDICT_SLOW_HEADER : VERDICT_FINE;
    case PHASE_BODY:
        return too_slow(p, limits->body_timeout, limits->min_body_rate, now) ? VERDICT_SLOW_BODY
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
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        shortest = others[i] < shortest ? others[i] : shortest;
    double interval = shortest / 8;
    interval = interval < SHORTEST_INTERVAL ? SHORTEST_INTERVAL : interval;
    return clock_from_seconds(interval > LONGEST_INTERVAL ? LONGEST_INTERVAL : interval);
}
