/* The queue of held requests: all wait equally long, so the first to come is the first to go. */
#include "http/holding.h"

#include "http/request.h"
#include "platform/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct holding {
    pthread_mutex_t lock; /* over all that follows */
    pthread_cond_t changed;
    request *first, *last;
    bool stopping;
    pthread_t thread;
};

static void wait_until(holding *all, int64_t until)
{
    struct timespec deadline = {.tv_sec = (time_t)(until / NS_PER_SECOND),
                                .tv_nsec = (long)(until % NS_PER_SECOND)};

    pthread_cond_clockwait(&all->changed, &all->lock, CLOCK_MONOTONIC, &deadline);
}

/* The request may be gone as soon as it is resumed. */
static void resume_first(holding *all)
{
    request *r = all->first;

    all->first = r->next_held;
    if (all->first == NULL)
        all->last = NULL;
    pthread_mutex_unlock(&all->lock);
    request_resume(r);
    pthread_mutex_lock(&all->lock);
}

static void *holding_main(void *context)
{
    holding *all = context;

    pthread_mutex_lock(&all->lock);
    while (!all->stopping)
        if (all->first == NULL)
            pthread_cond_wait(&all->changed, &all->lock);
        else if (clock_now() < all->first->held_until)
            wait_until(all, all->first->held_until);
        else
            resume_first(all);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

holding *holding_start(void)
{
    holding *all = calloc(1, sizeof *all);

    if (all == NULL)
        return NULL;
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, NULL);
    if (pthread_create(&all->thread, NULL, holding_main, all) != 0) {
        free(all);
        return NULL;
    }
    return all;
}

void holding_stop(holding *all)
{
    if (all == NULL)
        return;
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void holding_take(holding *all, request *r)
{
    r->next_held = NULL;
    r->held_until = clock_now() + clock_from_seconds(HOLD_SECONDS);
    pthread_mutex_lock(&all->lock);
    if (all->last != NULL)
        all->last->next_held = r;
    else
        all->first = r;
    all->last = r;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}
