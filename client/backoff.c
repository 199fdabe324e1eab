/* Backoff with full jitter (M. Brooker, "Exponential Backoff and Jitter", 2015), the jitter from
 * splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014), whose state is a mere counter and so can
 * be shared by threads without a lock. */
#include "backoff.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <sys/random.h>
#include <time.h>

#define GOLDEN_GAMMA 0x9e3779b97f4a7c15u

void client_backoff_init(client_backoff *backoff, double base, double max)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)(client_clock() * 1e9) ^ (uint64_t)(uintptr_t)backoff;
    backoff->base = base;
    backoff->max = max;
    atomic_init(&backoff->random, seed);
}

/* Uniform in [0, 1). */
static double random_share(client_backoff *backoff)
{
    uint64_t r = atomic_fetch_add(&backoff->random, GOLDEN_GAMMA) + GOLDEN_GAMMA;

    r = (r ^ (r >> 30)) * 0xbf58476d1ce4e5b9u;
    r = (r ^ (r >> 27)) * 0x94d049bb133111ebu;
    r ^= r >> 31;
    return (double)(r >> 11) * 0x1p-53;
}

double client_backoff_wait(client_backoff *backoff, unsigned tries, double retry_after)
{
    int doublings = tries > 64 ? 63 : (int)tries - 1;
    double most = fmin(backoff->max, ldexp(backoff->base, doublings));

    return retry_after + most * random_share(backoff);
}

double client_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void client_sleep(double seconds)
{
    struct timespec left;

    left.tv_sec = (time_t)seconds;
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}
