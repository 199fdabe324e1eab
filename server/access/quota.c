/* Accounts and their meters. A meter is the generic cell rate algorithm (ITU-T I.371): one number,
 * the time at which the quota will be whole again. */
#include "access/quota.h"

#include "platform/clock.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request that could not be let in beside others may come again after this many seconds. */
#define RETRY_CONCURRENT 1

/* Of a unit, and of a second. */
#define ROUNDING 1e-6

struct account {
    _Atomic size_t holds;
    pthread_mutex_t lock; /* over all that follows but the name */
    quotas limits;
    int64_t rate_whole, bytes_whole; /* clock_now, when nothing would be used any more */
    uint64_t in_flight;
    char policies[QUOTA_POLICIES_SIZE]; /* of the limits, made once: they are sent often */
    char name[];
};

/* ---- Policies -------------------------------------------------------------------------------- */

static void append(char text[QUOTA_POLICIES_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(char text[QUOTA_POLICIES_SIZE], const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + length, QUOTA_POLICIES_SIZE - length, format, arguments);
    va_end(arguments);
}

static void write_policies(const quotas *q, char text[QUOTA_POLICIES_SIZE])
{
    text[0] = '\0';
    if (q->rate.amount > 0)
        append(text, ", \"rate\";q=%" PRIu64 ";w=%" PRIu64, q->rate.amount, q->rate.window);
    if (q->bytes.amount > 0)
        append(text, ", \"bytes\";q=%" PRIu64 ";qu=\"content-bytes\";w=%" PRIu64, q->bytes.amount,
               q->bytes.window);
    if (q->concurrent > 0)
        append(text, ", \"concurrent\";q=%" PRIu64 ";qu=\"concurrent-requests\"", q->concurrent);
    memmove(text, text + strspn(text, ", "), strlen(text + strspn(text, ", ")) + 1);
}

/* ---- Accounts -------------------------------------------------------------------------------- */

account *account_create(const char *name, const quotas *limits)
{
    size_t size = strlen(name) + 1;
    account *a = calloc(1, sizeof *a + size);

    if (a == NULL)
        return NULL;
    atomic_init(&a->holds, 1);
    pthread_mutex_init(&a->lock, NULL);
    a->limits = *limits;
    write_policies(limits, a->policies);
    memcpy(a->name, name, size);
    return a;
}

account *account_hold(account *a)
{
    atomic_fetch_add(&a->holds, 1);
    return a;
}

void account_release(account *a)
{
    if (a == NULL || atomic_fetch_sub(&a->holds, 1) > 1)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a);
}

const char *account_name(const account *a)
{
    return a->name;
}

/* ---- Meters ---------------------------------------------------------------------------------- */

static double ns_per_unit(const quota_limit *limit)
{
    return (double)limit->window * NS_PER_SECOND / (double)limit->amount;
}

static double debt_of(int64_t whole, int64_t now)
{
    return whole > now ? (double)(whole - now) : 0;
}

/* Units left; negative where more was used than there was. Rounding takes none away. */
static double left_of(const quota_limit *limit, int64_t whole, int64_t now)
{
    return (double)limit->amount - debt_of(whole, now) / ns_per_unit(limit) + ROUNDING;
}

/* Uses units, whether there are any left or not. */
static void use(const quota_limit *limit, int64_t *whole, double units, int64_t now)
{
    if (limit->amount > 0)
        *whole = (*whole > now ? *whole : now) + (int64_t)(units * ns_per_unit(limit));
}

static uint64_t to_seconds(double ns)
{
    return ns > 0 ? (uint64_t)ceil(ns / NS_PER_SECOND - ROUNDING) : 0;
}

static quota_view view_meter(const char *name, const char *unit, const quota_limit *limit,
                             int64_t whole, int64_t now)
{
    double left = left_of(limit, whole, now);
    double debt = debt_of(whole, now);
    double allowed = left < 1 ? (double)(limit->amount - 1) * ns_per_unit(limit) : 0;

    return (quota_view){.name = name,
                        .unit = unit,
                        .amount = limit->amount,
                        .window = limit->window,
                        .remaining = left > 0 ? (uint64_t)left : 0,
                        .reset = to_seconds(debt - allowed)};
}

/* The units that were used are used of the new limit too. */
static void change_meter(const quota_limit *from, const quota_limit *to, int64_t *whole,
                         int64_t now)
{
    double used = from->amount > 0 ? (double)from->amount - left_of(from, *whole, now) : 0;

    *whole = now;
    use(to, whole, used, now);
}

void account_limit(account *a, const quotas *limits, int64_t now)
{
    pthread_mutex_lock(&a->lock);
    change_meter(&a->limits.rate, &limits->rate, &a->rate_whole, now);
    change_meter(&a->limits.bytes, &limits->bytes, &a->bytes_whole, now);
    a->limits = *limits;
    write_policies(limits, a->policies);
    pthread_mutex_unlock(&a->lock);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void add_view(quota_report *report, quota_view view)
{
    const quota_view *added = &report->views[report->count];

    report->views[report->count++] = view;
    if (view.remaining == 0 && (report->broken == NULL || view.reset > report->broken->reset))
        report->broken = added;
}

/* Says what is left of each quota there is. */
static void describe(const account *a, int64_t now, quota_report *report)
{
    const quotas *q = &a->limits;
    uint64_t left = q->concurrent > a->in_flight ? q->concurrent - a->in_flight : 0;

    report->count = 0;
    report->broken = NULL;
    if (q->rate.amount > 0)
        add_view(report, view_meter("rate", NULL, &q->rate, a->rate_whole, now));
    if (q->bytes.amount > 0)
        add_view(report, view_meter("bytes", "content-bytes", &q->bytes, a->bytes_whole, now));
    if (q->concurrent > 0)
        add_view(report, (quota_view){.name = "concurrent",
                                      .unit = "concurrent-requests",
                                      .amount = q->concurrent,
                                      .remaining = left});
}

static bool has_quota(const quotas *q)
{
    return q->rate.amount > 0 || q->bytes.amount > 0 || q->concurrent > 0;
}

/* With what was asked for it says what is left after it. */
static bool enter(account *a, uint64_t length, int64_t now, quota_report *report)
{
    memcpy(report->policies, a->policies, sizeof report->policies);
    describe(a, now, report);
    if (report->broken != NULL) {
        uint64_t reset = report->broken->reset;
        report->retry_after = reset > 0 ? reset : RETRY_CONCURRENT;
        return false;
    }
    use(&a->limits.rate, &a->rate_whole, 1, now);
    use(&a->limits.bytes, &a->bytes_whole, (double)length, now);
    a->in_flight++;
    describe(a, now, report);
    report->broken = NULL;
    return true;
}

bool account_enter(account *a, uint64_t length, int64_t now, quota_report *report)
{
    bool entered = true;

    report->count = 0;
    report->broken = NULL;
    pthread_mutex_lock(&a->lock);
    if (has_quota(&a->limits))
        entered = enter(a, length, now, report);
    else
        a->in_flight++;
    pthread_mutex_unlock(&a->lock);
    return entered;
}

void account_leave(account *a, uint64_t length, int64_t now)
{
    pthread_mutex_lock(&a->lock);
    use(&a->limits.bytes, &a->bytes_whole, (double)length, now);
    a->in_flight--;
    pthread_mutex_unlock(&a->lock);
}
