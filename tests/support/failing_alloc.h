/* An allocator that fails on demand and counts what is alive. Linked into the tests named
 * test_alloc_*, where the linker sends the project's malloc, calloc, realloc and free here;
 * libraries (jansson, libc's strdup) keep their own unless told otherwise. A thread that the
 * project starts is an allocation that may fail, too. Thread-safe. */
#ifndef TESTS_SUPPORT_FAILING_ALLOC_H
#define TESTS_SUPPORT_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "gradient.h"

/* From now on the n-th allocation fails (1: the next one), and only that one.
 *     for (size_t n = 1;; n++) {
 *         failing_alloc_arm(n);
 *         status = work();
 *         if (!failing_alloc_disarm())
 *             break;                                 // fewer than n allocations: all were tried
 *         assert_int_equal(status, GRAD_OUT_OF_MEMORY);
 *         assert_int_equal(failing_alloc_live(), 0);
 *     } */
void failing_alloc_arm(size_t n);

/* Does work with its n-th allocation failing, for every n: asserts that it says so each time, and
 * that nothing stays behind. Returns how many allocations the work is, and one. */
size_t failing_alloc_each(grad_status (*work)(const grad_batch *batch, grad_error *error),
                          const grad_batch *batch);

/* No allocation fails any more. Whether one has since failing_alloc_arm. */
bool failing_alloc_disarm(void);

/* Allocations asked for since the last failing_alloc_arm, the failed one with them. */
size_t failing_alloc_calls(void);

/* Blocks handed out here and not freed yet. A block that a library frees stays counted; one that a
 * library allocated is not. */
size_t failing_alloc_live(void);

/* Bytes asked for in the live blocks, now and at most since the last failing_alloc_arm. */
size_t failing_alloc_bytes(void);
size_t failing_alloc_peak(void);

#endif
