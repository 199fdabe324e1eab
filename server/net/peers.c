/* A table of peers by their keys. */
#include "net/peers.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 1024
#define PARTS 3 /* of one that is free */

typedef struct peer {
    struct peer *next;
    uint64_t key;
    size_t count;
} peer;

struct peers {
    pthread_mutex_t lock;
    peer *buckets[BUCKETS];
};

/* Multiplicative hashing (Knuth, The Art of Computer Programming 3, section 6.4). */
static peer **find(peers *p, uint64_t key)
{
    peer **at = &p->buckets[key * UINT64_C(0x9e3779b97f4a7c15) >> 54];

    while (*at != NULL && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

peers *peers_create(void)
{
    peers *p = calloc(1, sizeof *p);

    if (p != NULL)
        pthread_mutex_init(&p->lock, NULL);
    return p;
}

void peers_destroy(peers *p)
{
    if (p != NULL)
        pthread_mutex_destroy(&p->lock);
    free(p);
}

bool peers_enter(peers *p, uint64_t key)
{
    peer **at;
    bool counted;

    pthread_mutex_lock(&p->lock);
    at = find(p, key);
    if (*at == NULL)
        *at = calloc(1, sizeof **at);
    counted = *at != NULL;
    if (counted) {
        (*at)->key = key;
        (*at)->count++;
    }
    pthread_mutex_unlock(&p->lock);
    return counted;
}

void peers_leave(peers *p, uint64_t key)
{
    peer **at, *one;

    pthread_mutex_lock(&p->lock);
    at = find(p, key);
    one = *at;
    if (one != NULL && --one->count == 0) {
        *at = one->next;
        free(one);
    }
    pthread_mutex_unlock(&p->lock);
}

size_t peers_count(peers *p, uint64_t key)
{
    peer *one;
    size_t count;

    pthread_mutex_lock(&p->lock);
    one = *find(p, key);
    count = one != NULL ? one->count : 0;
    pthread_mutex_unlock(&p->lock);
    return count;
}

size_t peers_share(size_t own, size_t most, size_t total)
{
    size_t unused = total < most ? most - total : 0;

    return own != 0 ? own : PARTS * unused;
}
