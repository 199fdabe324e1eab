/* A ring of descriptors and the times when they came. */
#include "net/refused.h"

#include "platform/clock.h"

#include <unistd.h>

/* A peer that reads while it sends has read its answer by then. */
#define REFUSED_SECONDS 1

int refused_take(refused *all)
{
    int fd = all->fds[all->first];

    if (all->count == 0)
        return -1;
    all->first = (all->first + 1) % REFUSED_MOST;
    all->count--;
    return fd;
}

void refused_add(refused *all, int fd, int64_t now)
{
    size_t place;

    if (all->count == REFUSED_MOST)
        close(refused_take(all));
    place = (all->first + all->count++) % REFUSED_MOST;
    all->fds[place] = fd;
    all->since[place] = now;
}

void refused_close_old(refused *all, int64_t now)
{
    while (all->count > 0 &&
           now - all->since[all->first] >= (int64_t)REFUSED_SECONDS * NS_PER_SECOND)
        close(refused_take(all));
}
