/* The allocator behind failing_alloc.h: the real one, with a countdown, and a table of the live
 * blocks so that foreign blocks passed to free are told from ours. */
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*work)(void *context), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*work)(void *context), void *context);

#define SLOTS ((size_t)1 << 16)

/* Open addressing; a slot whose block is gone holds REMOVED, so that probing goes on behind it. */
#define REMOVED ((void *)1)

static struct {
    void *block;
    size_t size;
} table[SLOTS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t fail_at, calls, live, bytes, peak;
static bool failed;

static size_t home_slot(const void *block)
{
    return ((uintptr_t)block >> 4) * (size_t)0x9E3779B97F4A7C15u >> 48;
}

/* The slot of that block, or SLOTS. */
static size_t find(const void *block)
{
    for (size_t step = 0; step < SLOTS; step++) {
        size_t slot = (home_slot(block) + step) % SLOTS;

        if (table[slot].block == block)
            return slot;
        if (table[slot].block == NULL)
            break;
    }
    return SLOTS;
}

static void remember(void *block, size_t size)
{
    size_t slot = home_slot(block);

    if (live == SLOTS / 2)
        abort();
    while (table[slot].block != NULL && table[slot].block != REMOVED)
        slot = (slot + 1) % SLOTS;
    table[slot].block = block;
    table[slot].size = size;
    live++;
    bytes += size;
    if (bytes > peak)
        peak = bytes;
}

/* Slots without a successor need no mark: the table stays clean over millions of blocks. */
static void forget(const void *block)
{
    size_t slot = block == NULL ? SLOTS : find(block);

    if (slot == SLOTS)
        return;
    live--;
    bytes -= table[slot].size;
    table[slot].block = REMOVED;
    if (table[(slot + 1) % SLOTS].block != NULL)
        return;
    while (table[slot].block == REMOVED) {
        table[slot].block = NULL;
        slot = (slot + SLOTS - 1) % SLOTS;
    }
}

static bool must_fail(void)
{
    calls++;
    if (fail_at == 0 || calls != fail_at)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    void *block = NULL;

    pthread_mutex_lock(&lock);
    if (!must_fail())
        block = __real_malloc(size);
    if (block != NULL)
        remember(block, size);
    pthread_mutex_unlock(&lock);
    return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *block = NULL;

    pthread_mutex_lock(&lock);
    if (!must_fail())
        block = __real_calloc(count, size);
    if (block != NULL)
        remember(block, count * size);
    pthread_mutex_unlock(&lock);
    return block;
}

void *__wrap_realloc(void *old, size_t size)
{
    void *block = NULL;

    pthread_mutex_lock(&lock);
    if (!must_fail()) {
        size_t slot = old == NULL ? SLOTS : find(old);
        size_t old_size = slot == SLOTS ? 0 : table[slot].size;

        forget(old);
        block = __real_realloc(old, size);
        if (block != NULL)
            remember(block, size);
        else if (slot != SLOTS && size > 0)
            remember(old, old_size);
    }
    pthread_mutex_unlock(&lock);
    return block;
}

void __wrap_free(void *block)
{
    pthread_mutex_lock(&lock);
    forget(block);
    __real_free(block);
    pthread_mutex_unlock(&lock);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*work)(void *context), void *context)
{
    bool fails;

    pthread_mutex_lock(&lock);
    fails = must_fail();
    pthread_mutex_unlock(&lock);
    return fails ? EAGAIN : __real_pthread_create(thread, attributes, work, context);
}

void failing_alloc_arm(size_t n)
{
    pthread_mutex_lock(&lock);
    fail_at = n;
    calls = 0;
    failed = false;
    peak = bytes;
    pthread_mutex_unlock(&lock);
}

bool failing_alloc_disarm(void)
{
    bool answer;

    pthread_mutex_lock(&lock);
    answer = failed;
    fail_at = 0;
    pthread_mutex_unlock(&lock);
    return answer;
}

static size_t read_locked(const size_t *counter)
{
    size_t value;

    pthread_mutex_lock(&lock);
    value = *counter;
    pthread_mutex_unlock(&lock);
    return value;
}

size_t failing_alloc_calls(void)
{
    return read_locked(&calls);
}

size_t failing_alloc_live(void)
{
    return read_locked(&live);
}

size_t failing_alloc_bytes(void)
{
    return read_locked(&bytes);
}

size_t failing_alloc_peak(void)
{
    return read_locked(&peak);
}

size_t failing_alloc_each(grad_status (*work)(const grad_batch *batch, grad_error *error),
                          const grad_batch *batch)
{
    size_t before = failing_alloc_live();

    for (size_t n = 1;; n++) {
        grad_error error = GRAD_ERROR_INIT;
        grad_status status;

        failing_alloc_arm(n);
        status = work(batch, &error);
        assert_int_equal(failing_alloc_live(), before);
        if (!failing_alloc_disarm()) {
            assert_int_equal(status, GRAD_OK);
            return n;
        }
        assert_int_equal(status, GRAD_OUT_OF_MEMORY);
        assert_int_equal(error.status, GRAD_OUT_OF_MEMORY);
        assert_string_equal(error.code, "out_of_memory");
    }
}
