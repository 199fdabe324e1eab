/* A thread for each processor; each takes the next slice until none is left. */
#include "support/slices.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#define SLICE 0x1000000 /* patterns */
#define THREADS_MAX 64

typedef struct slices {
    slice_task task;
    void *context;
    atomic_uint_fast64_t next;
} slices;

static void *work(void *argument)
{
    slices *s = argument;
    uint64_t begin;

    while ((begin = atomic_fetch_add(&s->next, SLICE)) < PATTERNS)
        s->task(s->context, begin, begin + SLICE);
    return NULL;
}

void for_every_slice(slice_task task, void *context)
{
    slices s = {.task = task, .context = context};
    pthread_t threads[THREADS_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t started = 0;

    atomic_init(&s.next, 0);
    while (started < THREADS_MAX && (long)started + 1 < processors &&
           pthread_create(&threads[started], NULL, work, &s) == 0)
        started++;
    work(&s);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}
