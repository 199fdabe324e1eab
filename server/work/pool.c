/* The pool of workers: one mutex, one condition, three lists. It decides only who runs which tile
 * when. Tiles take 50 µs and more, so a lock per tile has no measurable cost. */
#include "work/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A first-in first-out list through pool_job.next. */
typedef struct job_list {
    pool_job *first;
    pool_job *last;
    size_t length;
} job_list;

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there may be work for an idle worker, or the end has come */
    job_list waiting;    /* submitted, in order */
    job_list active;     /* begun and not complete, in order; never more than workers */
    job_list expired;    /* taken out of waiting, for the next worker to tell */
    int64_t next_expiry; /* no deadline in waiting is before this */
    size_t queue_depth;
    size_t idle;
    bool stopping;
    size_t worker_count;
    pthread_t workers[];
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void list_append(job_list *list, pool_job *job)
{
    job->next = NULL;
    if (list->last != NULL)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->length++;
}

/* Takes out the job behind before (NULL: the first). */
static pool_job *list_take_after(job_list *list, pool_job *before)
{
    pool_job **link = before != NULL ? &before->next : &list->first;
    pool_job *job = *link;

    *link = job->next;
    if (list->last == job)
        list->last = before;
    list->length--;
    return job;
}

static void list_remove(job_list *list, const pool_job *job)
{
    pool_job *before = NULL;

    for (pool_job *j = list->first; j != job; j = j->next)
        before = j;
    list_take_after(list, before);
}

/* Moves jobs past their deadline from waiting to expired. Walks only when the earliest deadline has
 * passed. */
static void sort_out_expired(pool *p)
{
    pool_job *before;
    int64_t now;

    if (p->waiting.length == 0)
        p->next_expiry = INT64_MAX;
    if (p->next_expiry == INT64_MAX)
        return;
    now = now_ns();
    if (now < p->next_expiry)
        return;
    p->next_expiry = INT64_MAX;
    before = NULL;
    for (pool_job *job = p->waiting.first, *next; job != NULL; job = next) {
        next = job->next;
        if (job->start_deadline != 0 && job->start_deadline <= now) {
            list_append(&p->expired, list_take_after(&p->waiting, before));
            continue;
        }
        if (job->start_deadline != 0 && job->start_deadline < p->next_expiry)
            p->next_expiry = job->start_deadline;
        before = job;
    }
}

static void wake(pool *p, size_t workers)
{
    for (size_t i = 0; i < workers && i < p->idle; i++)
        pthread_cond_signal(&p->work);
}

/* Begins the job's stages from job->stage on until one has tiles, or completes the job. Only the
 * job knows how many stages there are, and it may find out on the way. No other worker has the job;
 * the lock is held before and after, not meanwhile. */
static void begin_or_complete(pool *p, pool_job *job)
{
    const pool_job_kind *kind = job->kind;
    size_t tiles;

    pthread_mutex_unlock(&p->lock);
    while ((tiles = kind->begin_stage(job->context, job->stage)) == 0)
        job->stage++;
    pthread_mutex_lock(&p->lock);
    if (tiles != POOL_NO_STAGE) {
        job->tile_count = tiles;
        job->tiles_left = tiles;
        job->next_tile = 0;
        wake(p, tiles - 1);
        return;
    }
    list_remove(&p->active, job);
    if (p->stopping)
        pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    kind->done(job->context, false);
    pthread_mutex_lock(&p->lock);
}

static void run_tile(pool *p, pool_job *job)
{
    size_t stage = job->stage;
    size_t tile = job->next_tile++;

    pthread_mutex_unlock(&p->lock);
    job->kind->run_tile(job->context, stage, tile);
    pthread_mutex_lock(&p->lock);
    if (--job->tiles_left == 0) {
        job->stage++;
        begin_or_complete(p, job);
    }
}

static pool_job *oldest_with_tiles(const pool *p)
{
    pool_job *job = p->active.first;

    while (job != NULL && job->next_tile == job->tile_count)
        job = job->next;
    return job;
}

/* Does one piece of work. False: there was none. */
static bool work_once(pool *p)
{
    pool_job *job;

    sort_out_expired(p);
    if (p->expired.first != NULL) {
        job = list_take_after(&p->expired, NULL);
        pthread_mutex_unlock(&p->lock);
        job->kind->done(job->context, true);
        pthread_mutex_lock(&p->lock);
        return true;
    }
    job = oldest_with_tiles(p);
    if (job != NULL) {
        run_tile(p, job);
        return true;
    }
    if (p->waiting.first != NULL) {
        job = list_take_after(&p->waiting, NULL);
        list_append(&p->active, job);
        begin_or_complete(p, job);
        return true;
    }
    return false;
}

static void *worker_main(void *context)
{
    pool *p = context;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (work_once(p))
            continue;
        /* An active job may still begin a stage with tiles for everybody. */
        if (p->stopping && p->active.length == 0)
            break;
        p->idle++;
        pthread_cond_wait(&p->work, &p->lock);
        p->idle--;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

pool *pool_create(size_t workers, size_t queue_depth)
{
    pool *p;

    if (workers == 0 || workers > (SIZE_MAX - sizeof(pool)) / sizeof(pthread_t))
        return NULL;
    p = calloc(1, sizeof *p + workers * sizeof p->workers[0]);
    if (p == NULL)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    p->queue_depth = queue_depth;
    p->next_expiry = INT64_MAX;
    for (; p->worker_count < workers; p->worker_count++) {
        if (pthread_create(&p->workers[p->worker_count], NULL, worker_main, p) != 0) {
            pool_destroy(p);
            return NULL;
        }
    }
    return p;
}

bool pool_submit(pool *p, pool_job *job)
{
    bool room;

    pthread_mutex_lock(&p->lock);
    sort_out_expired(p);
    room = p->waiting.length < p->queue_depth;
    if (room) {
        job->stage = job->tile_count = job->next_tile = job->tiles_left = 0;
        list_append(&p->waiting, job);
        if (job->start_deadline != 0 && job->start_deadline < p->next_expiry)
            p->next_expiry = job->start_deadline;
        wake(p, 1);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

size_t pool_waiting(pool *p)
{
    size_t waiting;

    pthread_mutex_lock(&p->lock);
    waiting = p->waiting.length;
    pthread_mutex_unlock(&p->lock);
    return waiting;
}

size_t pool_running(pool *p)
{
    size_t running;

    pthread_mutex_lock(&p->lock);
    running = p->active.length;
    pthread_mutex_unlock(&p->lock);
    return running;
}

void pool_destroy(pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->worker_count; i++)
        pthread_join(p->workers[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
