/* The loop of tries and its verdicts. What lives here is which outcome is whose fault and which is
 * worth another try: connection faults, timeouts of one try, 429, 502, 503 and 504 are. */
#include "call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What became of one try. */
typedef struct verdict {
    gradient_client_status status;
    bool repeat; /* another try may do better */
    double retry_after;
} verdict;

gradient_client_status client_fail(gradient_client_error *error, gradient_client_status status,
                                   const char *format, ...)
{
    va_list arguments;

    if (error != NULL) {
        memset(error, 0, sizeof *error);
        error->status = status;
        error->problem.error.offset = GRAD_OFFSET_UNKNOWN;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

gradient_client_status client_fail_as(gradient_client_error *error, gradient_client_status status,
                                      const char *what, const grad_error *cause)
{
    if (cause->status == GRAD_OUT_OF_MEMORY)
        status = GRADIENT_CLIENT_INTERNAL;
    client_fail(error, status, "%s%s", what, cause->detail);
    if (error != NULL)
        error->problem.error = *cause;
    return status;
}

/* Whether the body of an error is the service's own words. */
static bool read_problem(const client_answer *answer, const client_response *response,
                         grad_problem *problem)
{
    static const char type[] = "application/problem+json";
    grad_error ignored = GRAD_ERROR_INIT;

    if (strncasecmp(response->content_type, type, strlen(type)) != 0 ||
        response->fault != CLIENT_FAULT_NONE ||
        grad_problem_read(answer->text.data, answer->text.length, problem, &ignored) != GRAD_OK)
        return false;
    problem->http_status = response->http_status;
    return true;
}

static verdict judge_status(int http_status, bool has_problem)
{
    switch (http_status) {
    case 401:
    case 403:
    case 407:
        return (verdict){.status = GRADIENT_CLIENT_REFUSED};
    case 404:
    case 405: /* without a problem: some other server */
        return (verdict){.status =
                             has_problem ? GRADIENT_CLIENT_BAD_INPUT : GRADIENT_CLIENT_PROTOCOL};
    case 408:
        return (verdict){.status = GRADIENT_CLIENT_TIMEOUT};
    case 429:
    case 503:
        return (verdict){.status = GRADIENT_CLIENT_BUSY, .repeat = true};
    case 502:
        return (verdict){.status = GRADIENT_CLIENT_UNREACHABLE, .repeat = true};
    case 504:
        return (verdict){.status = GRADIENT_CLIENT_TIMEOUT, .repeat = true};
    default:
        return (verdict){.status = http_status >= 400 && http_status <= 499
                                       ? GRADIENT_CLIENT_BAD_INPUT
                                       : GRADIENT_CLIENT_PROTOCOL};
    }
}

/* The service answered, and not with a 200. */
static verdict judge_refusal(const client_answer *answer, const client_response *response,
                             const char *url, gradient_client_error *error)
{
    grad_problem problem = {.error = GRAD_ERROR_INIT};
    bool has_problem = read_problem(answer, response, &problem);
    verdict v = judge_status(response->http_status, has_problem);

    v.retry_after = response->retry_after;
    if (has_problem) {
        client_fail(error, v.status, "%s",
                    problem.error.detail[0] != '\0' ? problem.error.detail : problem.title);
        error->problem = problem;
    } else {
        client_fail(error, v.status, "%s answered with HTTP status %d%s", url,
                    response->http_status,
                    response->http_status / 100 == 3 ? ", a redirection" : "");
    }
    return v;
}

/* The connection failed, and there is no refusal that explains it. */
static verdict judge_fault(const client_answer *answer, const client_response *response,
                           const char *url, gradient_client_error *error)
{
    const char *message = response->message;

    switch (response->fault) {
    case CLIENT_FAULT_CONNECTION:
        client_fail(error, GRADIENT_CLIENT_UNREACHABLE, "%s can't be reached: %s", url, message);
        return (verdict){.status = GRADIENT_CLIENT_UNREACHABLE, .repeat = true};
    case CLIENT_FAULT_TIMEOUT:
        client_fail(error, GRADIENT_CLIENT_TIMEOUT, "%s gave no answer in time: %s", url, message);
        return (verdict){.status = GRADIENT_CLIENT_TIMEOUT, .repeat = true};
    case CLIENT_FAULT_GARBAGE:
        client_fail(error, GRADIENT_CLIENT_PROTOCOL, "%s doesn't speak HTTP: %s", url, message);
        return (verdict){.status = GRADIENT_CLIENT_PROTOCOL};
    case CLIENT_FAULT_STOPPED:
        return (verdict){.status = client_fail_as(error, GRADIENT_CLIENT_PROTOCOL,
                                                  "the answer isn't right: ", &answer->error)};
    default:
        client_fail(error, GRADIENT_CLIENT_INTERNAL, "libcurl failed: %s", message);
        return (verdict){.status = GRADIENT_CLIENT_INTERNAL};
    }
}

static verdict judge(client_answer *answer, const client_response *response, const char *url,
                     gradient_client_error *error)
{
    grad_error cause = GRAD_ERROR_INIT;

    /* A refusal counts even where the connection broke behind it, as it may when the service
     * answers before it has read the body. */
    if (response->http_status >= 300 ||
        (response->fault == CLIENT_FAULT_NONE && response->http_status != 200))
        return judge_refusal(answer, response, url, error);
    if (response->fault != CLIENT_FAULT_NONE)
        return judge_fault(answer, response, url, error);
    if (client_answer_finish(answer, &cause) != GRAD_OK) {
        return (verdict){.status = client_fail_as(error, GRADIENT_CLIENT_PROTOCOL,
                                                  "the answer isn't right: ", &cause)};
    }
    return (verdict){.status = GRADIENT_CLIENT_OK};
}

/* Who asks for a token is not the service: it has none. */
static void explain_unauthorized(const gradient_client *client, const client_response *response,
                                 gradient_client_error *error)
{
    size_t length = strlen(error->message);

    if (response->http_status == 401) {
        snprintf(error->message + length, sizeof error->message - length, " (%s token was sent)",
                 client_transport_has_token(client->transport) ? "a" : "no");
    }
}

/* One try, no longer than until the deadline. */
static verdict try_once(gradient_client *client, client_request *request,
                        const client_expectation *expectation, double deadline,
                        client_answer *answer, gradient_client_error *error)
{
    client_response response;
    double left = deadline - client_clock();
    double timeout = client->options.attempt_timeout;
    verdict v;

    client_answer_begin(answer, expectation);
    request->receive = client_answer_receive;
    request->context = answer;
    client_transport_exchange(client->transport, request, left < timeout ? left : timeout,
                              &response);
    v = judge(answer, &response, client_transport_url(client->transport), error);
    explain_unauthorized(client, &response, error);
    if (v.status != GRADIENT_CLIENT_OK)
        client_answer_free(answer);
    return v;
}

static void count_tries(gradient_client_error *error, unsigned tries)
{
    size_t length = strlen(error->message);

    error->attempts = tries;
    if (tries > 1)
        snprintf(error->message + length, sizeof error->message - length, " (%u tries)", tries);
}

gradient_client_status client_call(gradient_client *client, client_request request,
                                   const client_expectation *expectation, client_answer *answer,
                                   unsigned *tries, gradient_client_error *error)
{
    gradient_client_error own = GRADIENT_CLIENT_ERROR_INIT;
    double deadline = client_clock() + client->options.total_timeout;

    for (unsigned n = 1;; n++) {
        verdict v = try_once(client, &request, expectation, deadline, answer, &own);
        double wait = client_backoff_wait(&client->backoff, n, v.retry_after);

        *tries = n;
        if (v.status == GRADIENT_CLIENT_OK)
            return v.status;
        /* A wait that the deadline cuts off ends the call now: nothing is gained by waiting. */
        if (!v.repeat || n >= client->options.max_attempts || client_clock() + wait >= deadline) {
            count_tries(&own, n);
            if (error != NULL)
                *error = own;
            return v.status;
        }
        client_sleep(wait);
    }
}
