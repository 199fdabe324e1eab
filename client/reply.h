/* What a right reply to a batch looks like: how large it may be, and which tensors of which shapes
 * it holds. Pure functions over the batch and the reply; nothing is sent or read here. */
#ifndef CLIENT_REPLY_H
#define CLIENT_REPLY_H

#include "answer.h"
#include "gradient_client.h"

/* The expectation of a reply to that measured batch. A reply can't be larger than the request lets
 * it: that is its cap. */
client_expectation client_reply_expect(const grad_batch *batch, const grad_measure *measure);

/* Whether it is that batch's own: a well-formed reply can still be another request's. batch was
 * measured. Errors: PROTOCOL. */
gradient_client_status client_reply_check(const grad_batch *batch, const grad_reply *reply,
                                          gradient_client_error *error);

#endif
