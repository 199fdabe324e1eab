/* What a request says, by jansson's tree of it: the naive reading that the decoder's is compared
 * with. */
#ifndef TESTS_SUPPORT_WIRE_TREE_H
#define TESTS_SUPPORT_WIRE_TREE_H

#include <jansson.h>

#include "support/wire_oracle.h"

/* NULL where what was read (status GRAD_OK) is what the tree says; else what is not. */
const char *wire_tree_differs(const wire_outcome *outcome, const json_t *root);

#endif
