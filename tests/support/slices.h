/* All the bit patterns of 32 bits, a slice at a time, on all processors: for the tests that look at
 * every float32. What is done with a slice is the test's. */
#ifndef TESTS_SUPPORT_SLICES_H
#define TESTS_SUPPORT_SLICES_H

#include <stdint.h>

#define PATTERNS 0x100000000 /* of 32 bits */

/* Something done for the patterns [begin, end), on several threads at a time: no assertion of
 * cmocka may stand in it. */
typedef void (*slice_task)(void *context, uint64_t begin, uint64_t end);

/* Does it for slices that together are all patterns; returns when all are done. */
void for_every_slice(slice_task task, void *context);

#endif
