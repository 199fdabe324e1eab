/* How many tiles of a check may hold memory at once. A tile that comes while all places are taken
 * is left to one of those that have a place, so that no thread waits and the memory of a check is
 * known before it begins. What is done in a tile does not live here. Internal to differences/. */
#ifndef GRAD_DIFFERENCES_CREW_H
#define GRAD_DIFFERENCES_CREW_H

#include "gradient_core.h"

#define GRAD_CREW_PLACES ((size_t)16)

typedef struct grad_crew grad_crew;

/* For stages of up to that many tiles. NULL: no memory. */
grad_crew *grad_crew_create(size_t tiles);

/* Bytes of it. False where they do not fit. */
bool grad_crew_memory(size_t tiles, size_t *bytes);

void grad_crew_destroy(grad_crew *crew);

/* Does work(context, tile), and whatever tiles were left meanwhile; or leaves it to another. Once a
 * tile has failed the others are passed over. Thread-safe. */
void grad_crew_do(grad_crew *crew, size_t tile,
                  grad_status (*work)(void *context, size_t tile, grad_error *error),
                  void *context);

/* GRAD_OK, or the status of a tile that failed, and its error. */
grad_status grad_crew_status(grad_crew *crew, grad_error *error);

#endif
