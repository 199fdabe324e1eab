/* The body of one response: a 200 is read into a decoder, a text, or both; any other into a text
 * that may hold a problem document. Every growth is capped by what the request expects. */
#ifndef CLIENT_RESPONSE_H
#define CLIENT_RESPONSE_H

#include "gradient_client.h"
#include "gradient_wire.h"
#include "transport.h"

/* What a right response is. */
typedef enum client_form {
    CLIENT_TEXT,  /* anything, to be looked at by whoever asked */
    CLIENT_REPLY, /* a reply of POST /v1/gradients or /v1/backprop */
    CLIENT_REPORT /* a report of POST /v1/check */
} client_form;

typedef struct client_expectation {
    client_form form;
    bool keep;               /* its text is wanted; of all but a reply it is kept anyway */
    bool takes_tail;         /* bytes of tensors may follow the document of a reply */
    grad_wire_limits limits; /* of a reply */
    grad_datatype datatype;  /* of a reply's numbers */
    size_t max_bytes;
    size_t bytes; /* a guess of its length; 0: none */
} client_expectation;

/* Starts from {0} and client_response_begin; owns what it holds until that is taken. */
typedef struct client_response {
    const client_expectation *expectation;
    grad_decoder *decoder;     /* NULL until the first bytes of a 200 */
    grad_reply *reply;         /* after client_response_finish; belongs to the decoder */
    grad_check_report *report; /* after client_response_finish; one block, of malloc */
    grad_text text;
    int http_status;        /* of the bytes received; 0: none came */
    size_t document_length; /* of a reply whose tensors' bytes follow it; 0: all is the document */
    size_t received;
    grad_error error; /* why receive returned false */
} client_response;

void client_response_begin(client_response *response, const client_expectation *expectation);

/* Takes a piece; of a client_request's receive type. False: response->error says why. */
bool client_response_receive(void *response, const client_head *head, const char *bytes,
                             size_t length);

/* A 200 is complete: checks it. Errors as those of grad_decoder_finish_reply and
 * grad_check_report_read. */
grad_status client_response_finish(client_response *response, grad_error *error);

void client_response_free(client_response *response);

/* ---- What a right reply is ------------------------------------------------------------------- */

/* The expectation of a reply to that measured batch. A reply can't be larger than the request lets
 * it: that is its cap. */
client_expectation client_reply_expect(const grad_batch *batch, const grad_measure *measure);

/* Whether it is that batch's own: a well-formed reply can still be another request's. batch was
 * measured. Errors: PROTOCOL. */
gradient_client_status client_reply_check(const grad_batch *batch, const grad_reply *reply,
                                          gradient_client_error *error);

#endif
