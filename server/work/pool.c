/* The pool of workers: one mutex, one condition, some lists. It decides only who runs which tile
 * when. Tiles take 50 µs and more, so a lock per tile has no measurable cost. */
#include "work/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* First in, first out, through pool_job.next and previous. */
typedef struct job_list {
    pool_job *first;
    pool_job *last;
    size_t length;
} job_list;

/* The short jobs, or the long ones. */
typedef struct job_class {
    job_list waiting; /* submitted, in order */
    job_list active;  /* begun and not ended; whose turn comes next is first */
    size_t waiting_most;
    size_t workers; /* that are at its jobs */
} job_class;

enum { SHORT, LONG, CLASSES };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there may be work for an idle worker, or the end has come */
    job_class classes[CLASSES];
    job_list expired;    /* taken out of waiting, for the next worker to tell */
    int64_t next_expiry; /* no deadline in waiting is before this */
    int64_t lead;        /* ns that short jobs are ahead of their share; negative: behind it */
    size_t active_most;  /* of each class */
    size_t queue_depth;
    size_t idle;
    bool stopping;
    size_t worker_count;
    pthread_t workers[];
};

/* Short jobs that had the workers to themselves are not ahead by more, in ns. */
#define LONGEST_LEAD 10000000

/* A long job that has worked for less need not yield yet, in ns. */
#define LEAST_SLICE 1000000

/* When this worker's long job began to use the time that is not accounted for yet. */
static _Thread_local int64_t slice_began;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void list_append(job_list *list, pool_job *job)
{
    job->next = NULL;
    job->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = job;
    list->last = job;
    list->length++;
}

static pool_job *list_remove(job_list *list, pool_job *job)
{
    *(job->previous != NULL ? &job->previous->next : &list->first) = job->next;
    *(job->next != NULL ? &job->next->previous : &list->last) = job->previous;
    list->length--;
    return job;
}

static job_class *class_of(pool *p, const pool_job *job)
{
    return &p->classes[job->is_long ? LONG : SHORT];
}

static size_t count_waiting(const pool *p)
{
    return p->classes[SHORT].waiting.length + p->classes[LONG].waiting.length;
}

static void sort_out_expired_of(pool *p, job_list *waiting, int64_t now)
{
    for (pool_job *job = waiting->first, *next; job != NULL; job = next) {
        next = job->next;
        if (job->start_deadline != 0 && job->start_deadline <= now) {
            list_append(&p->expired, list_remove(waiting, job));
            job->state = POOL_JOB_OUTSIDE;
        } else if (job->start_deadline != 0 && job->start_deadline < p->next_expiry) {
            p->next_expiry = job->start_deadline;
        }
    }
}

/* Moves jobs past their deadline from waiting to expired. Walks only when the earliest deadline has
 * passed. */
static void sort_out_expired(pool *p)
{
    int64_t now;

    if (count_waiting(p) == 0)
        p->next_expiry = INT64_MAX;
    if (p->next_expiry == INT64_MAX)
        return;
    now = now_ns();
    if (now < p->next_expiry)
        return;
    p->next_expiry = INT64_MAX;
    for (size_t i = 0; i < CLASSES; i++)
        sort_out_expired_of(p, &p->classes[i].waiting, now);
}

static void wake(pool *p, size_t workers)
{
    for (size_t i = 0; i < workers && i < p->idle; i++)
        pthread_cond_signal(&p->work);
}

/* ---- One job --------------------------------------------------------------------------------- */

/* Tells an end. The job is in no list any more; the lock is held before and after. */
static void tell(pool *p, pool_job *job, pool_end how)
{
    job->state = POOL_JOB_OUTSIDE;
    pthread_mutex_unlock(&p->lock);
    job->kind->done(job->context, how);
    pthread_mutex_lock(&p->lock);
}

/* No worker has the job. */
static void end_active(pool *p, pool_job *job)
{
    list_remove(&class_of(p, job)->active, job);
    if (p->stopping)
        pthread_cond_broadcast(&p->work);
    tell(p, job, job->is_cancelled ? POOL_CANCELLED : POOL_COMPLETE);
}

/* Begins the job's stages from job->stage on until one has tiles, or ends the job. Only the job
 * knows how many stages there are, and it may find out on the way. No other worker has the job; the
 * lock is held before and after, not meanwhile. */
static void begin_or_end(pool *p, pool_job *job)
{
    size_t tiles = 0;

    job->is_beginning = true;
    while (tiles == 0 && !job->is_cancelled) {
        pthread_mutex_unlock(&p->lock);
        tiles = job->kind->begin_stage(job->context, job->stage);
        pthread_mutex_lock(&p->lock);
        job->stage += tiles == 0;
    }
    job->is_beginning = false;
    if (tiles == POOL_NO_STAGE || job->is_cancelled) {
        end_active(p, job);
        return;
    }
    job->tile_count = tiles;
    job->tiles_left = tiles;
    job->next_tile = 0;
    wake(p, tiles - 1);
}

/* The job goes behind the others: it is their turn next. */
static void run_tile(pool *p, pool_job *job)
{
    job_list *active = &class_of(p, job)->active;
    size_t stage = job->stage;
    size_t tile = job->next_tile++;

    list_append(active, list_remove(active, job));
    pthread_mutex_unlock(&p->lock);
    job->kind->run_tile(job->context, stage, tile);
    pthread_mutex_lock(&p->lock);
    if (--job->tiles_left == 0) {
        job->stage++;
        begin_or_end(p, job);
    }
}

/* ---- Whose turn it is ------------------------------------------------------------------------ */

static pool_job *first_with_tiles(const job_class *c)
{
    pool_job *job = c->active.first;

    while (job != NULL && job->next_tile == job->tile_count)
        job = job->next;
    return job;
}

static bool may_begin(const pool *p, const job_class *c)
{
    return c->waiting.first != NULL && c->active.length < p->active_most;
}

static bool has_work(const pool *p, const job_class *c)
{
    return may_begin(p, c) || first_with_tiles(c) != NULL;
}

/* Whether short jobs have work and are behind their share. Where they have none, nothing is
 * owed. */
static bool is_short_owed(pool *p)
{
    if (has_work(p, &p->classes[SHORT]))
        return p->lead < 0;
    p->lead = 0;
    return false;
}

/* Whether a worker that is free now begins work of long jobs, though short ones may have some. */
static bool is_turn_of_long(pool *p)
{
    const job_class *longs = &p->classes[LONG];

    if (is_short_owed(p) || !has_work(p, longs))
        return false;
    return !has_work(p, &p->classes[SHORT]) || p->worker_count == 1 ||
           longs->workers + 1 < p->worker_count;
}

/* What waits begins first, so that it takes its turns. */
static void do_work_of(pool *p, job_class *c)
{
    pool_job *job;

    c->workers++;
    if (may_begin(p, c)) {
        job = list_remove(&c->waiting, c->waiting.first);
        job->state = POOL_JOB_ACTIVE;
        list_append(&c->active, job);
        begin_or_end(p, job);
    } else {
        run_tile(p, first_with_tiles(c));
    }
    c->workers--;
}

static void do_short_work(pool *p)
{
    int64_t began = now_ns();

    do_work_of(p, &p->classes[SHORT]);
    p->lead += now_ns() - began;
    if (p->lead > LONGEST_LEAD)
        p->lead = LONGEST_LEAD;
}

static void account_slice(pool *p)
{
    int64_t now = now_ns();

    p->lead -= POOL_SHORT_SHARE * (now - slice_began);
    slice_began = now;
}

static void do_long_work(pool *p)
{
    slice_began = now_ns();
    do_work_of(p, &p->classes[LONG]);
    account_slice(p);
}

/* Does one piece of work. False: there was none. */
static bool work_once(pool *p)
{
    sort_out_expired(p);
    if (p->expired.first != NULL)
        tell(p, list_remove(&p->expired, p->expired.first), POOL_EXPIRED);
    else if (is_turn_of_long(p))
        do_long_work(p);
    else if (has_work(p, &p->classes[SHORT]))
        do_short_work(p);
    else
        return false;
    return true;
}

void pool_yield(pool *p)
{
    if (now_ns() - slice_began < LEAST_SLICE)
        return;
    pthread_mutex_lock(&p->lock);
    account_slice(p);
    while (is_short_owed(p))
        do_short_work(p);
    pthread_mutex_unlock(&p->lock);
    slice_began = now_ns();
}

/* ---- The pool -------------------------------------------------------------------------------- */

static void *worker_main(void *context)
{
    pool *p = context;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (work_once(p))
            continue;
        /* An active job may still begin a stage with tiles for everybody. */
        if (p->stopping && p->classes[SHORT].active.length + p->classes[LONG].active.length == 0)
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
    p->active_most = POOL_TURNS * workers;
    p->classes[SHORT].waiting_most = queue_depth;
    p->classes[LONG].waiting_most = (queue_depth + 1) / 2;
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
    job_class *c = class_of(p, job);
    bool room;

    pthread_mutex_lock(&p->lock);
    sort_out_expired(p);
    room = count_waiting(p) < p->queue_depth && c->waiting.length < c->waiting_most;
    if (room) {
        job->stage = job->tile_count = job->next_tile = job->tiles_left = 0;
        job->is_beginning = job->is_cancelled = false;
        job->state = POOL_JOB_WAITING;
        list_append(&c->waiting, job);
        if (job->start_deadline != 0 && job->start_deadline < p->next_expiry)
            p->next_expiry = job->start_deadline;
        wake(p, 1);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

/* The tiles that nobody has begun are not to be run. */
static void cancel_active(pool *p, pool_job *job)
{
    job->is_cancelled = true;
    job->tiles_left -= job->tile_count - job->next_tile;
    job->next_tile = job->tile_count;
    if (!job->is_beginning && job->tiles_left == 0)
        end_active(p, job);
}

void pool_cancel(pool *p, pool_job *job)
{
    pthread_mutex_lock(&p->lock);
    switch (job->state) {
    case POOL_JOB_WAITING:
        list_remove(&class_of(p, job)->waiting, job);
        tell(p, job, POOL_CANCELLED);
        break;
    case POOL_JOB_ACTIVE:
        if (!job->is_cancelled)
            cancel_active(p, job);
        break;
    case POOL_JOB_OUTSIDE:
        break;
    }
    pthread_mutex_unlock(&p->lock);
}

size_t pool_waiting(pool *p)
{
    size_t waiting;

    pthread_mutex_lock(&p->lock);
    waiting = count_waiting(p);
    pthread_mutex_unlock(&p->lock);
    return waiting;
}

size_t pool_running(pool *p)
{
    size_t running;

    pthread_mutex_lock(&p->lock);
    running = p->classes[SHORT].active.length + p->classes[LONG].active.length;
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
