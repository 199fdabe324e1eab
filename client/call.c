/* The loop of tries and its verdicts: which outcome is whose fault, and which is worth another try
 * (connection faults, timeouts of one try, 429, 502, 503 and 504); and the waits between tries. */
#include "call.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

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
static bool read_problem(const client_response *response, const client_exchange *exchange,
                         grad_problem *problem)
{
    static const char type[] = "application/problem+json";
    grad_error ignored = GRAD_ERROR_INIT;

    if (strncasecmp(exchange->content_type, type, strlen(type)) != 0 ||
        exchange->fault != CLIENT_FAULT_NONE ||
        grad_problem_read(response->text.data, response->text.length, problem, &ignored) != GRAD_OK)
        return false;
    problem->http_status = exchange->http_status;
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

/* The service responded, and not with a 200. */
static verdict judge_rejection(const client_response *response, const client_exchange *exchange,
                               const char *url, gradient_client_error *error)
{
    grad_problem problem = {.error = GRAD_ERROR_INIT};
    bool has_problem = read_problem(response, exchange, &problem);
    verdict v = judge_status(exchange->http_status, has_problem);

    v.retry_after = exchange->retry_after;
    if (has_problem) {
        client_fail(error, v.status, "%s",
                    problem.error.detail[0] != '\0' ? problem.error.detail : problem.title);
        error->problem = problem;
    } else {
        client_fail(error, v.status, "%s answered with HTTP status %d%s", url,
                    exchange->http_status,
                    exchange->http_status / 100 == 3 ? ", a redirection" : "");
    }
    return v;
}

/* The connection failed, and no rejection explains it. */
static verdict judge_fault(const client_response *response, const client_exchange *exchange,
                           const char *url, gradient_client_error *error)
{
    const char *message = exchange->message;

    switch (exchange->fault) {
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
                                                  "the answer isn't right: ", &response->error)};
    case CLIENT_FAULT_UNTRUSTED:
        client_fail(error, GRADIENT_CLIENT_PROTOCOL, "%s isn't trusted: %s", url, message);
        return (verdict){.status = GRADIENT_CLIENT_PROTOCOL};
    case CLIENT_FAULT_FILES:
        client_fail(error, GRADIENT_CLIENT_BAD_INPUT, "a file for TLS can't be used: %s", message);
        return (verdict){.status = GRADIENT_CLIENT_BAD_INPUT};
    case CLIENT_FAULT_INTERNAL:
    case CLIENT_FAULT_NONE:
        break;
    }
    client_fail(error, GRADIENT_CLIENT_INTERNAL, "libcurl failed: %s", message);
    return (verdict){.status = GRADIENT_CLIENT_INTERNAL};
}

static verdict judge(client_response *response, const client_exchange *exchange, const char *url,
                     gradient_client_error *error)
{
    grad_error cause = GRAD_ERROR_INIT;

    /* A rejection counts even where the connection broke behind it, as it may when the service
     * responds before it has read the body. */
    if (exchange->http_status >= 300 ||
        (exchange->fault == CLIENT_FAULT_NONE && exchange->http_status != 200))
        return judge_rejection(response, exchange, url, error);
    if (exchange->fault != CLIENT_FAULT_NONE)
        return judge_fault(response, exchange, url, error);
    if (client_response_finish(response, &cause) != GRAD_OK) {
        return (verdict){.status = client_fail_as(error, GRADIENT_CLIENT_PROTOCOL,
                                                  "the answer isn't right: ", &cause)};
    }
    return (verdict){.status = GRADIENT_CLIENT_OK};
}

/* Who asks for a token may be the service or whoever stands before it. */
static void explain_unauthorized(const gradient_client *client, const client_exchange *exchange,
                                 gradient_client_error *error)
{
    size_t length = strlen(error->message);

    if (exchange->http_status == 401) {
        snprintf(error->message + length, sizeof error->message - length, " (%s token was sent)",
                 client->has_token ? "a" : "no");
    }
}

/* One try, no longer than until the deadline. */
static verdict try_once(gradient_client *client, client_request *request,
                        const client_expectation *expectation, double deadline,
                        client_response *response, gradient_client_error *error)
{
    client_exchange exchange;
    const char *url = client_transport_url(client->transport);
    double left = deadline - client_clock();
    double timeout = client->options.attempt_timeout;
    verdict v;

    client_response_begin(response, expectation);
    request->receive = client_response_receive;
    request->context = response;
    client_transport_exchange(client->transport, request, left < timeout ? left : timeout,
                              &exchange);
    v = judge(response, &exchange, url, error);
    if (v.repeat)
        client_transport_move_on(client->transport, url);
    explain_unauthorized(client, &exchange, error);
    if (v.status != GRADIENT_CLIENT_OK)
        client_response_free(response);
    return v;
}

/* Of a wait that the deadline does not allow: more time is what would help. */
static void explain_wait(double retry_after, gradient_client_error *error)
{
    size_t length = strlen(error->message);

    if (retry_after > 0) {
        snprintf(error->message + length, sizeof error->message - length,
                 " (it asks to wait %.0f s)", retry_after);
    }
}

static void count_tries(gradient_client_error *error, unsigned tries)
{
    size_t length = strlen(error->message);

    error->attempts = tries;
    if (tries > 1)
        snprintf(error->message + length, sizeof error->message - length, " (%u tries)", tries);
}

gradient_client_status client_call(gradient_client *client, client_request request,
                                   const client_expectation *expectation, client_response *response,
                                   unsigned *tries, gradient_client_error *error)
{
    gradient_client_error own = GRADIENT_CLIENT_ERROR_INIT;
    double deadline = client_clock() + client->options.total_timeout;

    for (unsigned n = 1;; n++) {
        verdict v = try_once(client, &request, expectation, deadline, response, &own);
        bool is_round = n % client_transport_count(client->transport) == 0;
        double wait = is_round ? client_backoff_wait(&client->backoff, n, v.retry_after) : 0;

        *tries = n;
        if (v.status == GRADIENT_CLIENT_OK)
            return v.status;
        /* A wait that the deadline cuts off ends the call now: nothing is gained by waiting. */
        if (!v.repeat || n >= client->options.max_attempts || client_clock() + wait >= deadline) {
            if (v.repeat && n < client->options.max_attempts)
                explain_wait(v.retry_after, &own);
            count_tries(&own, n);
            if (error != NULL)
                *error = own;
            return v.status;
        }
        client_sleep(wait);
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Full jitter: M. Brooker, "Exponential Backoff and Jitter", 2015. It comes from splitmix64 (G.
 * Steele, D. Lea, C. Flood, OOPSLA 2014), whose state is a counter, so that threads share it
 * without a lock. */
#define GOLDEN_GAMMA 0x9e3779b97f4a7c15u

void client_backoff_init(client_backoff *backoff, double base, double max)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)(client_clock() * 1e9) ^ (uint64_t)(uintptr_t)backoff;
    backoff->base = base;
    backoff->max = max;
    atomic_init(&backoff->random, seed);
}

/* Uniform in [0, 1). */
static double random_share(client_backoff *backoff)
{
    uint64_t r = atomic_fetch_add(&backoff->random, GOLDEN_GAMMA) + GOLDEN_GAMMA;

    r = (r ^ (r >> 30)) * 0xbf58476d1ce4e5b9u;
    r = (r ^ (r >> 27)) * 0x94d049bb133111ebu;
    r ^= r >> 31;
    return (double)(r >> 11) * 0x1p-53;
}

double client_backoff_wait(client_backoff *backoff, unsigned tries, double retry_after)
{
    int doublings = tries > 64 ? 63 : (int)tries - 1;
    double most = fmin(backoff->max, ldexp(backoff->base, doublings));

    return retry_after + most * random_share(backoff);
}

double client_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void client_sleep(double seconds)
{
    struct timespec left;

    left.tv_sec = (time_t)seconds;
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}
