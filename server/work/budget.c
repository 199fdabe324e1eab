/* The memory budget: a constant total, the use, and the most since someone asked, both atomic. */
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

static bool reserve(budget *b, size_t bytes, size_t spare)
{
    size_t in_use = atomic_load(&b->in_use), usable = b->total > spare ? b->total - spare : 0;

    do {
        if (in_use > usable || bytes > usable - in_use)
            return false;
    } while (!atomic_compare_exchange_weak(&b->in_use, &in_use, in_use + bytes));
    raise_peak(b, in_use + bytes);
    return true;
}

size_t budget_take_peak(budget *b)
{
    return atomic_exchange(&b->peak, atomic_load(&b->in_use));
}

bool reservation_resize(reservation *r, size_t bytes)
{
    if (bytes > r->bytes && !reserve(r->budget, bytes - r->bytes, r->spare))
        return false;
    if (bytes < r->bytes)
        atomic_fetch_sub(&r->budget->in_use, r->bytes - bytes);
    r->bytes = bytes;
    return true;
}

void reservation_release(reservation *r)
{
    reservation_resize(r, 0);
}
