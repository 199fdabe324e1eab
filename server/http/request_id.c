/* A counter from a random beginning, mixed by a bijection so that neighbours look unlike: the
 * finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014). */
#include "http/request_id.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static _Atomic uint64_t counter;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void seed(void)
{
    uint64_t beginning;
    if (getrandom(&beginning, sizeof beginning, GRND_NONBLOCK) != (ssize_t)sizeof beginning) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        beginning = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    }
    atomic_store(&counter, beginning);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void request_id_make(char id[GRAD_REQUEST_ID_SIZE])
{
    pthread_once(&seeded, seed);
    snprintf(id, GRAD_REQUEST_ID_SIZE, "%016" PRIx64, mix(atomic_fetch_add(&counter, 1)));
}
