/* A request's turn: its place in the line of the service, from its headers to its response. */
#ifndef GRADIENTD_TURN_H
#define GRADIENTD_TURN_H

#include "http/request.h"

/* Takes a place for an admitted request whose handler computes. OUTCOME_MORE: it is its turn;
 * OUTCOME_SUSPENDED: its connection is suspended, and turn_answer asks again when it is resumed;
 * OUTCOME_REJECTED. */
outcome turn_take(request *r);

/* After the suspension: OUTCOME_MORE or OUTCOME_REJECTED. */
outcome turn_answer(request *r);

/* The request has something to do again: bytes of its body came. */
void turn_work(request *r);

/* A piece of the body was taken in: without another one in the kernel its peer lets it wait. */
void turn_rest(request *r);

/* Gives the place back; once it has its response, or was rejected. */
void turn_leave(request *r);

#endif
