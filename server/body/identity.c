/* The coding of a body that has none. */
#include "body/filter.h"

static grad_status push(void *state, const char *bytes, size_t length, const body_sink *next,
                        grad_error *error)
{
    (void)state;
    return next->push(next->context, bytes, length, error);
}

const body_filter body_filter_identity = {.coding = "identity", .push = push};
