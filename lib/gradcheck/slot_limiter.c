/* A counter of slots, a list of the tiles that found none, and the first error, behind one lock
 * that is never held during work. */
#include "gradcheck/slot_limiter.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/size.h"

struct grad_slot_limiter {
    pthread_mutex_t lock;
    size_t slots; /* that are free */
    size_t left_count;
    grad_error error;
    size_t left[]; /* tiles */
};

bool grad_slot_limiter_memory(size_t tiles, size_t *bytes)
{
    *bytes = sizeof(grad_slot_limiter);
    return grad_size_add_product(tiles, sizeof(size_t), bytes);
}

grad_slot_limiter *grad_slot_limiter_create(size_t tiles)
{
    size_t bytes;
    grad_slot_limiter *limiter = grad_slot_limiter_memory(tiles, &bytes) ? malloc(bytes) : NULL;

    if (limiter == NULL)
        return NULL;
    limiter->slots = GRAD_LIMITER_SLOTS;
    limiter->left_count = 0;
    limiter->error = (grad_error)GRAD_ERROR_INIT;
    if (pthread_mutex_init(&limiter->lock, NULL) == 0)
        return limiter;
    free(limiter);
    return NULL;
}

void grad_slot_limiter_destroy(grad_slot_limiter *limiter)
{
    if (limiter == NULL)
        return;
    pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

/* A slot for the tile; false: it was left to the others. */
static bool begin(grad_slot_limiter *limiter, size_t tile)
{
    bool has_slot;

    pthread_mutex_lock(&limiter->lock);
    has_slot = limiter->slots > 0;
    if (has_slot)
        limiter->slots--;
    else
        limiter->left[limiter->left_count++] = tile;
    pthread_mutex_unlock(&limiter->lock);
    return has_slot;
}

/* Notes how the last tile ended. Whether there is another for this slot, which else is free: a
 * tile is only left where all slots are taken, and none of them is given up before it looked. */
static bool next(grad_slot_limiter *limiter, const grad_error *error, size_t *tile)
{
    bool goes_on;

    pthread_mutex_lock(&limiter->lock);
    if (limiter->error.status == GRAD_OK)
        limiter->error = *error;
    goes_on = limiter->left_count > 0;
    if (goes_on)
        *tile = limiter->left[--limiter->left_count];
    else
        limiter->slots++;
    pthread_mutex_unlock(&limiter->lock);
    return goes_on;
}

void grad_slot_limiter_do(grad_slot_limiter *limiter, size_t tile,
                          grad_status (*work)(void *context, size_t tile, grad_error *error),
                          void *context)
{
    grad_error error;

    if (!begin(limiter, tile))
        return;
    do {
        error = (grad_error)GRAD_ERROR_INIT;
        if (grad_slot_limiter_status(limiter, NULL) == GRAD_OK)
            error.status = work(context, tile, &error);
    } while (next(limiter, &error, &tile));
}

grad_status grad_slot_limiter_status(grad_slot_limiter *limiter, grad_error *error)
{
    grad_status status;

    pthread_mutex_lock(&limiter->lock);
    status = limiter->error.status;
    if (status != GRAD_OK && error != NULL && error->status == GRAD_OK)
        *error = limiter->error;
    pthread_mutex_unlock(&limiter->lock);
    return status;
}
