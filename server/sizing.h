/* Whether what the configuration allows fits into the memory that the process may have. */
#ifndef GRADIENTD_SIZING_H
#define GRADIENTD_SIZING_H

#include "config/config.h"

/* Fits the configuration, resolved, into that many bytes (memory_available): a budget or a number
 * of connections that nobody has set (in loaded, as config_load gave it) is lowered. False, and the
 * arithmetic in message: what was set does not fit. */
bool sizing_fit(const config *loaded, config *running, size_t available, char *message,
                size_t message_size);

/* Bytes that malloc may keep free at the end of its arena, beside a budget of so many: enough for a
 * request as large as the budget allows. With less, each would fault in all of its pages anew. */
size_t sizing_kept(size_t memory_budget);

#endif
