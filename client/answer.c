/* Bodies of answers as they arrive. What lives here is capped reading: nothing is kept of a body
 * beyond what was expected of it, and no answer passes that isn't whole. */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most that is read of an answer that is not a 200. */
#define MAX_PROBLEM_BYTES 65536

void client_answer_begin(client_answer *answer, const client_expectation *expectation)
{
    memset(answer, 0, sizeof *answer);
    answer->expectation = expectation;
    answer->error.offset = GRAD_OFFSET_UNKNOWN;
    grad_text_init(&answer->text, 0);
}

static bool over_the_cap(client_answer *answer, size_t cap)
{
    grad_error *error = &answer->error;

    error->status = GRAD_TOO_LARGE;
    error->limit = cap;
    snprintf(error->code, sizeof error->code, "answer_too_large");
    snprintf(error->limit_name, sizeof error->limit_name, "max_answer");
    snprintf(error->detail, sizeof error->detail,
             "it is longer than the %zu bytes expected at most", cap);
    return false;
}

/* The first piece says what the answer is. */
static bool start(client_answer *answer, int http_status)
{
    const client_expectation *expectation = answer->expectation;

    answer->http_status = http_status;
    if (http_status != 200) {
        grad_text_init(&answer->text, MAX_PROBLEM_BYTES);
        return true;
    }
    grad_text_init(&answer->text, expectation->max_bytes);
    return expectation->form != CLIENT_REPLY ||
           grad_decoder_create(&expectation->limits, expectation->datatype, expectation->bytes,
                               &answer->decoder, &answer->error) == GRAD_OK;
}

static bool take(client_answer *answer, const char *bytes, size_t length)
{
    const client_expectation *expectation = answer->expectation;
    bool right = answer->http_status == 200;

    if (length > expectation->max_bytes - answer->received)
        return over_the_cap(answer, expectation->max_bytes);
    answer->received += length;
    if (right && answer->decoder != NULL &&
        grad_decoder_push(answer->decoder, bytes, length, &answer->error) != GRAD_OK)
        return false;
    if (right && answer->decoder != NULL && !expectation->keep)
        return true;
    grad_text_add(&answer->text, bytes, length);
    return grad_text_status(&answer->text, &answer->error) == GRAD_OK;
}

bool client_answer_receive(void *context, int http_status, const char *bytes, size_t length)
{
    client_answer *answer = context;

    if (answer->http_status == 0 && !start(answer, http_status))
        return false;
    return take(answer, bytes, length);
}

grad_status client_answer_finish(client_answer *answer, grad_error *error)
{
    client_form form = answer->expectation->form;

    if (form == CLIENT_REPORT) {
        return grad_check_report_read(answer->text.length > 0 ? answer->text.data : "",
                                      answer->text.length, &answer->report, error);
    }
    if (form != CLIENT_REPLY)
        return GRAD_OK;
    if (answer->decoder == NULL && !start(answer, 200)) {
        *error = answer->error;
        return error->status;
    }
    return grad_decoder_finish_reply(answer->decoder, &answer->reply, error);
}

void client_answer_free(client_answer *answer)
{
    grad_decoder_destroy(answer->decoder);
    grad_text_free(&answer->text);
    free(answer->report);
    answer->decoder = NULL;
    answer->reply = NULL;
    answer->report = NULL;
}
