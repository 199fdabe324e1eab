/* Where a thread tells a test that it is done, and the test waits for it. Nothing here knows what
 * was done. */
#ifndef GRAD_TESTS_SIGNAL_BOX_H
#define GRAD_TESTS_SIGNAL_BOX_H

#include <pthread.h>
#include <stddef.h>

typedef struct signal_box {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    size_t count;
} signal_box;

#define SIGNAL_BOX_INIT                                                                            \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER                     \
    }

/* One more; box is a signal_box, and a work's done_context. */
void signal_box_ring(void *box);

/* Until it has rung so often. */
void signal_box_wait(signal_box *box, size_t count);

#endif
