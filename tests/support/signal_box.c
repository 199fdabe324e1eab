/* A count under a lock. */
#include "support/signal_box.h"

void signal_box_ring(void *box)
{
    signal_box *b = box;
    pthread_mutex_lock(&b->lock);
    b->count++;
    pthread_cond_signal(&b->arrived);
    pthread_mutex_unlock(&b->lock);
}

void signal_box_wait(signal_box *box, size_t count)
{
    pthread_mutex_lock(&box->lock);
    while (box->count < count)
        pthread_cond_wait(&box->arrived, &box->lock);
    pthread_mutex_unlock(&box->lock);
}
