/* The memory budget: a total that stays, what is in use, and the most since someone asked, both
 * atomic. What is worth a lease, and how large, is the callers' to know. */
#include "work/budget.h"

void budget_init(budget *b, size_t total)
{
    b->total = total;
    atomic_init(&b->in_use, 0);
    atomic_init(&b->peak, 0);
}

static void raise_peak(budget *b, size_t in_use)
{
    size_t peak = atomic_load(&b->peak);
    while (peak < in_use && !atomic_compare_exchange_weak(&b->peak, &peak, in_use)) {
    }
}

bool budget_lease(budget *b, size_t bytes)
{
    size_t in_use = atomic_load(&b->in_use);
    do {
        if (bytes > b->total - in_use)
            return false;
    } while (!atomic_compare_exchange_weak(&b->in_use, &in_use, in_use + bytes));
    raise_peak(b, in_use + bytes);
    return true;
}

void budget_release(budget *b, size_t bytes)
{
    atomic_fetch_sub(&b->in_use, bytes);
}

size_t budget_take_peak(budget *b)
{
    return atomic_exchange(&b->peak, atomic_load(&b->in_use));
}

bool budget_resize(budget *b, size_t *held, size_t wanted)
{
    if (wanted > *held && !budget_lease(b, wanted - *held))
        return false;
    if (wanted < *held)
        budget_release(b, *held - wanted);
    *held = wanted;
    return true;
}
