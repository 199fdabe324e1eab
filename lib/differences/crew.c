/* A counter of places, a list of the tiles that found none, and the first error, behind one lock
 * that is never held during work. */
#include "differences/crew.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/size.h"

struct grad_crew {
    pthread_mutex_t lock;
    size_t places; /* that are free */
    size_t left_count;
    grad_error error;
    size_t left[]; /* tiles */
};

bool grad_crew_memory(size_t tiles, size_t *bytes)
{
    *bytes = sizeof(grad_crew);
    return grad_size_add_product(tiles, sizeof(size_t), bytes);
}

grad_crew *grad_crew_create(size_t tiles)
{
    size_t bytes;
    grad_crew *crew = grad_crew_memory(tiles, &bytes) ? malloc(bytes) : NULL;

    if (crew == NULL)
        return NULL;
    crew->places = GRAD_CREW_PLACES;
    crew->left_count = 0;
    crew->error = (grad_error)GRAD_ERROR_INIT;
    if (pthread_mutex_init(&crew->lock, NULL) == 0)
        return crew;
    free(crew);
    return NULL;
}

void grad_crew_destroy(grad_crew *crew)
{
    if (crew == NULL)
        return;
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}

/* A place for the tile; false: it was left to the others. */
static bool begin(grad_crew *crew, size_t tile)
{
    bool has_place;

    pthread_mutex_lock(&crew->lock);
    has_place = crew->places > 0;
    if (has_place)
        crew->places--;
    else
        crew->left[crew->left_count++] = tile;
    pthread_mutex_unlock(&crew->lock);
    return has_place;
}

/* Notes how the last tile ended. Whether there is another for this place, which else is free: a
 * tile is only left where all places are taken, and none of them is given up before it looked. */
static bool next(grad_crew *crew, const grad_error *error, size_t *tile)
{
    bool goes_on;

    pthread_mutex_lock(&crew->lock);
    if (crew->error.status == GRAD_OK)
        crew->error = *error;
    goes_on = crew->left_count > 0;
    if (goes_on)
        *tile = crew->left[--crew->left_count];
    else
        crew->places++;
    pthread_mutex_unlock(&crew->lock);
    return goes_on;
}

void grad_crew_do(grad_crew *crew, size_t tile,
                  grad_status (*work)(void *context, size_t tile, grad_error *error), void *context)
{
    grad_error error;

    if (!begin(crew, tile))
        return;
    do {
        error = (grad_error)GRAD_ERROR_INIT;
        if (grad_crew_status(crew, NULL) == GRAD_OK)
            error.status = work(context, tile, &error);
    } while (next(crew, &error, &tile));
}

grad_status grad_crew_status(grad_crew *crew, grad_error *error)
{
    grad_status status;

    pthread_mutex_lock(&crew->lock);
    status = crew->error.status;
    if (status != GRAD_OK && error != NULL && error->status == GRAD_OK)
        *error = crew->error;
    pthread_mutex_unlock(&crew->lock);
    return status;
}
