/* Documents of every kind that a decoder reads, for tests that take them all the same way. */
#ifndef TESTS_SUPPORT_DOCUMENTS_H
#define TESTS_SUPPORT_DOCUMENTS_H

#include "gradient_wire.h"

typedef enum document_kind { GRADIENTS, BACKPROP, CHECK, REPLY } document_kind;

/* Finishes the decoder's document as one of that kind. *result is what it says, the decoder's own,
 * or NULL where the status is not GRAD_OK. */
grad_status document_finish(grad_decoder *decoder, document_kind kind, void **result,
                            grad_error *error);

#endif
