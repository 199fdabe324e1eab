/* Which function of the decoder finishes which kind. */
#include "support/documents.h"

#include <stddef.h>

grad_status document_finish(grad_decoder *decoder, document_kind kind, void **result,
                            grad_error *error)
{
    grad_check_request *check = NULL;
    grad_batch *batch = NULL;
    grad_reply *reply = NULL;
    grad_status status;

    if (kind == REPLY)
        status = grad_decoder_finish_reply(decoder, &reply, error);
    else if (kind == CHECK)
        status = grad_decoder_finish_check(decoder, &check, error);
    else
        status = grad_decoder_finish_request(
            decoder, kind == BACKPROP ? GRAD_REQUEST_BACKPROP : GRAD_REQUEST_GRADIENTS, &batch,
            error);
    *result = kind == REPLY ? (void *)reply : kind == CHECK ? (void *)check : (void *)batch;
    return status;
}
