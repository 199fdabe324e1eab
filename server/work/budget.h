/* The memory budget: how many bytes all requests together may hold. A request leases before it
 * allocates and returns what it leased. Nothing here allocates on a request's behalf. */
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

/* Adds bytes to what is leased, or returns false and changes nothing. Thread-safe, lock-free. */
bool budget_lease(budget *b, size_t bytes);
void budget_release(budget *b, size_t bytes);

/* The most that was leased at once since this was last asked. */
size_t budget_take_peak(budget *b);

/* Changes a lease from *held to wanted bytes, and *held with it. Shrinking always succeeds. */
bool budget_resize(budget *b, size_t *held, size_t wanted);

#endif
