/* The credentials in effect, their replacing, and how long they last. */
#include "tls/tls.h"

#include "observe/log.h"
#include "platform/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400.0
#define SOON (30 * DAY)

struct tls {
    const config *config;
    pthread_mutex_t lock; /* over which credentials are in effect */
    tls_credentials *current;
    _Atomic size_t generation; /* the same, to look at without the lock */
    _Atomic int64_t expires;   /* seconds since 1970 */
    int64_t warned;            /* clock_now; 0: not of these */
};

/* Releases those before. */
static void put_into_effect(tls *t, tls_credentials *fresh)
{
    tls_credentials *old;

    pthread_mutex_lock(&t->lock);
    old = t->current;
    t->current = fresh;
    atomic_store(&t->generation, fresh->generation);
    pthread_mutex_unlock(&t->lock);
    atomic_store(&t->expires, fresh->expires);
    t->warned = 0;
    if (old != NULL)
        tls_credentials_release(old);
}

tls *tls_create(const config *c, char *message, size_t message_size)
{
    tls_credentials *first = tls_credentials_read(c, 1, message, message_size);
    tls *t = first != NULL ? calloc(1, sizeof *t) : NULL;

    if (first == NULL)
        return NULL;
    if (t == NULL) {
        tls_credentials_release(first);
        snprintf(message, message_size, "no memory for certificates");
        return NULL;
    }
    t->config = c;
    pthread_mutex_init(&t->lock, NULL);
    put_into_effect(t, first);
    return t;
}

bool tls_reload(tls *t, char *message, size_t message_size)
{
    tls_credentials *fresh =
        tls_credentials_read(t->config, t->current->generation + 1, message, message_size);

    if (fresh != NULL)
        put_into_effect(t, fresh);
    return fresh != NULL;
}

tls_credentials *tls_take(tls *t)
{
    tls_credentials *taken;

    pthread_mutex_lock(&t->lock);
    taken = t->current;
    atomic_fetch_add(&taken->users, 1);
    pthread_mutex_unlock(&t->lock);
    return taken;
}

size_t tls_generation(tls *t)
{
    return atomic_load(&t->generation);
}

double tls_seconds_left(const tls *t)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)atomic_load(&t->expires) - (double)now.tv_sec;
}

void tls_warn_of_expiry(tls *t)
{
    double left = tls_seconds_left(t);
    int64_t now = clock_now();

    if (left > SOON || (t->warned != 0 && clock_to_seconds(now - t->warned) < DAY))
        return;
    t->warned = now;
    log_write(LOG_WARNING,
              left > 0 ? "tls-certificate expires soon" : "tls-certificate has expired",
              (log_field[]){LOG_TEXT("file", t->config->tls_certificate),
                            LOG_NUMBER("days_left", (double)(long)(left / DAY)), LOG_END});
}

void tls_destroy(tls *t)
{
    if (t == NULL)
        return;
    tls_credentials_release(t->current);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
