/* Where the body of one answer goes: a 200 into a decoder, a text, or both, any other into a text
 * that may hold a problem document. Every growth is capped by the expectation given at birth. What
 * lives here is the reading of answers, not what to do about them. */
#ifndef CLIENT_ANSWER_H
#define CLIENT_ANSWER_H

#include "gradient_wire.h"

/* What a right answer must be. */
typedef enum client_form {
    CLIENT_TEXT,  /* anything, to be looked at by whoever asked */
    CLIENT_REPLY, /* a reply of POST /v1/gradients or /v1/backprop */
    CLIENT_REPORT /* a report of POST /v1/check */
} client_form;

typedef struct client_expectation {
    client_form form;
    bool keep;               /* its text is wanted; of all but a reply it is kept anyway */
    grad_wire_limits limits; /* of a reply */
    grad_datatype datatype;  /* of a reply's numbers */
    size_t max_bytes;
    size_t bytes; /* a guess of its length; 0: none */
} client_expectation;

/* Starts from {0} and client_answer_begin; what it holds is its own until it is taken. */
typedef struct client_answer {
    const client_expectation *expectation;
    grad_decoder *decoder;     /* NULL until the first bytes of a 200 */
    grad_reply *reply;         /* after client_answer_finish; belongs to the decoder */
    grad_check_report *report; /* after client_answer_finish; one block, of malloc */
    grad_text text;
    int http_status; /* of the bytes received; 0: none came */
    size_t received;
    grad_error error; /* why receive returned false */
} client_answer;

void client_answer_begin(client_answer *answer, const client_expectation *expectation);

/* Takes a piece; of a client_request's receive type. False: answer->error says why. */
bool client_answer_receive(void *answer, int http_status, const char *bytes, size_t length);

/* The whole of a 200 has come: is it right? Errors as those of grad_decoder_finish_reply and
 * grad_check_report_read. */
grad_status client_answer_finish(client_answer *answer, grad_error *error);

void client_answer_free(client_answer *answer);

#endif
