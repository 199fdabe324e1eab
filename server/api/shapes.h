/* The sizes of a batch in a few words, for people. */
#ifndef GRADIENTD_SHAPES_H
#define GRADIENTD_SHAPES_H

#include "gradient_network.h"

#include <stddef.h>

/* "dense input 64x512, pre_activation 64x256; relu …; and 3 more": the first layers of a validated
 * batch, with the shapes of what was sent for them. Cut off at size, NUL-terminated. */
void shapes_write(const grad_batch *batch, char *text, size_t size);

#endif
