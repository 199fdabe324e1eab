/* The sum of what the process may come to hold, at its most. */
#include "sizing.h"

#include "config/options.h"
#include "http/service.h"
#include "tls/tls.h"

#include <stdio.h>

#define MIB ((size_t)1 << 20)

/* The program, its threads and tables, OpenBLAS's buffers. */
#define PROCESS_MEMORY (48 * MIB)
/* The kernel's own for a connection. */
#define KERNEL_CONNECTION ((size_t)16 << 10)
/* A budget that nobody has set is not below this share of the memory: connections give way. */
#define LEAST_SHARE 8
/* Nor is the number of connections below this. */
#define LEAST_CONNECTIONS 16

#define KEPT_LEAST (16 * MIB)
#define KEPT_MOST (64 * MIB)

size_t sizing_kept(size_t memory_budget)
{
    size_t kept = memory_budget / 8;

    return kept < KEPT_LEAST ? KEPT_LEAST : kept > KEPT_MOST ? KEPT_MOST : kept;
}

static size_t connection_memory(const config *c)
{
    return SERVICE_BUFFER + KERNEL_CONNECTION + (tls_is_wanted(c) ? TLS_CONNECTION : 0);
}

static size_t besides(size_t memory_budget)
{
    return PROCESS_MEMORY + sizing_kept(memory_budget);
}

/* What is left of the memory for the budget, its share at least. */
static size_t automatic_budget(const config *c, size_t available)
{
    size_t buffers = c->max_connections * connection_memory(c);
    size_t least = available / LEAST_SHARE, most = c->memory_budget;
    size_t taken = buffers + besides(most);
    size_t left = available > taken ? available - taken : 0;

    return left > most ? most : left > least ? left : least;
}

/* Connections that fit beside the budget. */
static size_t fitting_connections(const config *c, size_t available)
{
    size_t taken = c->memory_budget + besides(c->memory_budget);

    return available > taken ? (available - taken) / connection_memory(c) : 0;
}

bool sizing_fit(const config *loaded, config *running, size_t available, char *message,
                size_t message_size)
{
    size_t most;

    if (loaded->memory_budget == 0)
        running->memory_budget = automatic_budget(running, available);
    most = fitting_connections(running, available);
    if (running->max_connections <= most)
        return true;
    if (value_is_default(option_find("max-connections"), loaded) && most >= LEAST_CONNECTIONS) {
        running->max_connections = most;
        return true;
    }
    snprintf(
        message, message_size,
        "memory-budget %zu MiB, %zu connections of %zu KiB and %zu MiB of the process are more "
        "than the %zu MiB that it may have: lower memory-budget or max-connections",
        running->memory_budget / MIB, (size_t)running->max_connections,
        connection_memory(running) >> 10, besides(running->memory_budget) / MIB, available / MIB);
    return false;
}
