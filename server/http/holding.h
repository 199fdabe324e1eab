/* Responses that are held back: whoever was refused for a wrong token waits for the answer, so that
 * nobody tries fast. The connection is suspended meanwhile; nothing is allocated for it, and one
 * thread serves all. Between the files of this room. */
#ifndef GRADIENTD_HOLDING_H
#define GRADIENTD_HOLDING_H

#include "http/service.h"

#define HOLD_SECONDS 0.3

/* NULL: no memory or no thread. */
holding *holding_start(void);

/* When no request is held any more. NULL is fine. */
void holding_stop(holding *all);

/* Takes a request whose connection is suspended, and resumes it when HOLD_SECONDS have passed. */
void holding_take(holding *all, request *r);

#endif
