/* How many tiles of a check may hold memory at once. A tile that comes while all slots are taken
 * is left to one of those that have a slot, so that no thread waits and the memory of a check is
 * known before it begins. What is done in a tile does not live here. Internal to gradcheck/. */
#ifndef GRAD_GRADCHECK_SLOT_LIMITER_H
#define GRAD_GRADCHECK_SLOT_LIMITER_H

#include "gradient_core.h"

#define GRAD_LIMITER_SLOTS ((size_t)16)

typedef struct grad_slot_limiter grad_slot_limiter;

/* For stages of up to that many tiles. NULL: no memory. */
grad_slot_limiter *grad_slot_limiter_create(size_t tiles);

/* Bytes of it. False where they do not fit. */
bool grad_slot_limiter_memory(size_t tiles, size_t *bytes);

void grad_slot_limiter_destroy(grad_slot_limiter *limiter);

/* Does work(context, tile), and whatever tiles were left meanwhile; or leaves it to another. Once a
 * tile has failed the others are passed over. Thread-safe. */
void grad_slot_limiter_do(grad_slot_limiter *limiter, size_t tile,
                          grad_status (*work)(void *context, size_t tile, grad_error *error),
                          void *context);

/* GRAD_OK, or the status of a tile that failed, and its error. */
grad_status grad_slot_limiter_status(grad_slot_limiter *limiter, grad_error *error);

#endif
