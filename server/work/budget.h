/* The memory budget: how many bytes all requests together may hold. A request reserves before it
 * allocates, and releases what it reserved. */
#ifndef GRADIENTD_BUDGET_H
#define GRADIENTD_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct budget {
    size_t total;
    _Atomic size_t in_use;
    _Atomic size_t peak;
} budget;

void budget_init(budget *b, size_t total);

/* The most that was reserved at once since this was last asked. */
size_t budget_take_peak(budget *b);

/* What one request has reserved of a budget. Begins as {.budget = …}; used by one thread at a
 * time. */
typedef struct reservation {
    budget *budget;
    size_t bytes;
    size_t spare; /* bytes of the budget that it has to leave free */
} reservation;

/* Changes the reservation to that many bytes. False, and nothing changed, where the budget has too
 * few left; shrinking always succeeds. Lock-free; other threads may change theirs. */
bool reservation_resize(reservation *r, size_t bytes);

/* Gives all back. */
void reservation_release(reservation *r);

#endif
