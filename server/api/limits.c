/* The table of limits. */
#include "api/limits.h"

#include "body/body.h"
#include "gradient_wire.h"
#include "http/service.h"

static const limit limits[] = {
    {"max_body", "max-body", 0, NULL},
    {"max_layers", "max-layers", 0, NULL},
    {"max_numbers", "max-numbers", 0, NULL},
    {"max_result_numbers", "max-result-numbers", 0, NULL},
    {"max_check_flops", "max-check-flops", 0, NULL},
    {"max_envelope", "max-envelope", 0, NULL},
    {"max_connections", "max-connections", 0, NULL},
    {"queue_depth", "queue-depth", 0, NULL},
    {"memory_budget", "memory-budget", 0, NULL},
    {"max_depth", NULL, GRAD_DEFAULT_MAX_DEPTH, "levels of arrays and objects in a document"},
    {"max_number_text", NULL, GRAD_NUMBER_TEXT_MAX, "bytes of one number"},
    {"max_expansion", NULL, BODY_MAX_EXPANSION,
     "bytes that a compressed body becomes, and holds, for each that came, beyond 512 KiB"},
    {"max_headers", NULL, SERVICE_MAX_HEADERS, "bytes of a request's line and headers"},
    {"max_ignored_body", NULL, MAX_IGNORED_BODY, "bytes of a body where none is expected"},
};

const limit *limit_at(size_t index)
{
    return index < sizeof limits / sizeof *limits ? &limits[index] : NULL;
}

uint64_t limit_value(const limit *l, const config *c)
{
    if (l->option == NULL)
        return l->fixed;
    return *(const _Atomic size_t *)(const void *)((const char *)c +
                                                   option_find(l->option)->offset);
}
