/* The load: a thread for each connection, which sends one request at a time. With a rate the
 * requests have planned times; whichever connection is free takes the next, and one that begins
 * late counts from its plan, so that a stall shows in every request that it delays (G. Tene calls
 * the opposite coordinated omission). */
#include "cli/bench.h"

#include "call.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH "/v1/gradients"
#define WARM_UP_SECONDS 1.0
#define PROGRESS_SECONDS 0.2
#define BAR 30
#define STACK_BYTES ((size_t)256 << 10)
/* After the end, what was due before it is still sent for so long. */
#define LAST_SECONDS 1.0
/* How late a thread may find out that the bench was interrupted. */
#define LONGEST_SLEEP 0.1

typedef struct load {
    const options *o;
    const bench_mix *mix;
    bench_result *result;
    double planned_from; /* when the first request is due */
    double measured_from, end;
    _Atomic uint64_t next;
    pthread_mutex_t lock; /* guards the result's failure, and exit_code */
    int exit_code;        /* of a connection that could not be made ready */
} load;

/* A request under way, and what has come of its answer. */
typedef struct trial {
    const bench_body *expected;
    size_t received;
    bool differs;
    grad_text problem; /* the body of what isn't 200 */
} trial;

static atomic_bool interrupted; /* lock-free: a handler may set it */

static void interrupt(int number)
{
    (void)number;
    interrupted = true;
}

/* ---- One request ----------------------------------------------------------------------------- */

static bool receive(void *context, const client_head *head, const char *bytes, size_t length)
{
    trial *t = context;
    const grad_text *expected = &t->expected->text;

    if (head->http_status != 200) {
        grad_text_add(&t->problem, bytes, length);
        return true;
    }
    t->differs = t->differs || head->document_length != t->expected->document_length ||
                 length > expected->length - t->received ||
                 memcmp(bytes, expected->data + t->received, length) != 0;
    if (!t->differs)
        t->received += length;
    return true;
}

/* The first one is kept. */
static void note_failure(load *l, const trial *t, const client_exchange *exchange)
{
    char *failure = l->result->failure;
    grad_problem problem = {.error = GRAD_ERROR_INIT};

    pthread_mutex_lock(&l->lock);
    if (failure[0] != '\0') {
        /* told already */
    } else if (exchange->fault != CLIENT_FAULT_NONE) {
        snprintf(failure, sizeof l->result->failure, "%s", exchange->message);
    } else if (grad_problem_read(t->problem.data, t->problem.length, &problem, NULL) == GRAD_OK) {
        snprintf(failure, sizeof l->result->failure, "%d: %s", exchange->http_status,
                 problem.error.detail);
    } else {
        snprintf(failure, sizeof l->result->failure, "it answered %d", exchange->http_status);
    }
    pthread_mutex_unlock(&l->lock);
}

static void record(load *l, bench_count *count, const trial *t, const client_exchange *exchange,
                   double seconds)
{
    bool answered = exchange->fault == CLIENT_FAULT_NONE;

    if (answered && (exchange->http_status == 429 || exchange->http_status == 503)) {
        bench_times_add(count->refusals, seconds);
    } else if (!answered || exchange->http_status != 200) {
        count->failed++;
        note_failure(l, t, exchange);
    } else if (t->differs || t->received != t->expected->text.length) {
        count->wrong++;
    } else {
        bench_times_add(count->answers, seconds);
    }
}

/* Counts one that was due and has no time left. */
static void record_unsent(load *l, uint64_t number, double due)
{
    if (due < l->measured_from)
        return;
    l->result->items[bench_mix_pick(l->mix, number)].failed++;
    pthread_mutex_lock(&l->lock);
    if (l->result->failure[0] == '\0')
        snprintf(l->result->failure, sizeof l->result->failure,
                 "it was due and not sent, since every connection was waiting");
    pthread_mutex_unlock(&l->lock);
}

/* Sends one, which was due at that time; returns how long the service wants to be left alone. */
static double send_one(load *l, client_transport *transport, uint64_t number, double due)
{
    size_t i = bench_mix_pick(l->mix, number);
    const bench_item *item = &l->mix->items[i];
    const grad_segment body = {.text = item->request.text.data,
                               .length = item->request.text.length};
    trial t = {.expected = &item->answer};
    const client_request request = {.path = PATH,
                                    .segments = &body,
                                    .segment_count = 1,
                                    .document_length = item->request.document_length,
                                    .receive = receive,
                                    .context = &t};
    client_exchange exchange;

    grad_text_init(&t.problem, GRAD_DETAIL_SIZE * 4);
    client_transport_exchange(transport, &request, l->o->timeout, &exchange);
    if (due >= l->measured_from)
        record(l, &l->result->items[i], &t, &exchange, client_clock() - due);
    grad_text_free(&t.problem);
    return exchange.http_status == 200 ? 0 : exchange.retry_after;
}

/* ---- Connections ----------------------------------------------------------------------------- */

/* False: the end comes before that time. */
static bool sleep_until(const load *l, double time)
{
    double now = client_clock();

    for (; now < time && !interrupted && time < l->end; now = client_clock())
        client_sleep(time - now < LONGEST_SLEEP ? time - now : LONGEST_SLEEP);
    return time < l->end && !interrupted;
}

static void send_until_the_end(load *l, client_transport *transport)
{
    double due = l->planned_from;

    while (sleep_until(l, due)) {
        uint64_t number = l->next++;
        double now, pause = 0;

        if (l->o->rate > 0)
            due = l->planned_from + (double)number / l->o->rate;
        if (!sleep_until(l, due))
            return;
        now = client_clock();
        if (now >= l->end + LAST_SECONDS)
            record_unsent(l, number, due);
        else
            pause = send_one(l, transport, number, l->o->rate > 0 ? due : now);
        if (l->o->rate <= 0)
            due = client_clock() + pause;
    }
}

static void *run_connection(void *context)
{
    load *l = context;
    gradient_client *client = NULL;
    int exit_code = command_open_client(l->o, 1, l->o->timeout, &client);

    if (exit_code == EXIT_OK) {
        send_until_the_end(l, client->transport);
    } else {
        pthread_mutex_lock(&l->lock);
        l->exit_code = exit_code;
        pthread_mutex_unlock(&l->lock);
    }
    gradient_client_close(client);
    return NULL;
}

/* ---- Progress -------------------------------------------------------------------------------- */

static uint64_t count_answers(const load *l)
{
    uint64_t count = 0;

    for (size_t i = 0; i < l->mix->count; i++)
        count += bench_times_count(l->result->items[i].answers);
    return count;
}

static void print_progress(const load *l, double now)
{
    char bar[BAR + 1];
    double share = (now - l->planned_from) / (l->end - l->planned_from);
    double measured = now - l->measured_from;

    for (int i = 0; i < BAR; i++)
        bar[i] = (i + 1) <= share * BAR ? '#' : '.';
    bar[BAR] = '\0';
    if (measured < PROGRESS_SECONDS)
        fprintf(stderr, "\r[%s] warming up", bar);
    else
        fprintf(stderr, "\r[%s] %.0f of %g s, %.4g answers a second   ", bar, measured,
                l->o->seconds, (double)count_answers(l) / measured);
}

/* Until the time is up. A pipe or a file gets no bar. */
static void watch(const load *l)
{
    bool shows = !l->o->quiet && isatty(STDERR_FILENO);

    for (double now = client_clock(); now < l->end && !interrupted; now = client_clock()) {
        if (shows)
            print_progress(l, now);
        client_sleep(PROGRESS_SECONDS < l->end - now ? PROGRESS_SECONDS : l->end - now);
    }
    if (shows)
        fprintf(stderr, "\r%*s\r", BAR + 50, "");
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Sends an item with retries, and takes its answer for the one to come. */
static int learn_answer(const options *o, gradient_client *client, bench_item *item)
{
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    const bench_body *body = &item->request;
    const grad_segment segment = {.text = body->text.data, .length = body->text.length};
    const client_request request = {.path = PATH,
                                    .segments = &segment,
                                    .segment_count = 1,
                                    .document_length = body->document_length};
    const client_expectation expectation = {.form = CLIENT_REPLY,
                                            .keep = true,
                                            .takes_tail = true,
                                            .limits = GRAD_WIRE_LIMITS_INIT,
                                            .datatype = GRAD_FP32,
                                            .max_bytes = 4 * item->answer.text.length + 65536};
    client_response response;
    bench_verdict verdict;
    unsigned tries;

    if (client_call(client, request, &expectation, &response, &tries, &error) != GRADIENT_CLIENT_OK)
        return report_client_error(o, &error);
    verdict = bench_item_accept(item, &(bench_body){response.text, response.document_length});
    client_response_free(&response);
    if (verdict != BENCH_WRONG)
        return EXIT_OK;
    return report_failure(o, EXIT_PROTOCOL,
                          "the answer to %zux%zux%zu isn't what this program computes",
                          item->layer.B, item->layer.K, item->layer.N);
}

static int learn_answers(const options *o, bench_mix *mix)
{
    gradient_client *client = NULL;
    int exit_code = command_open_client(o, CALL_RETRIES + 1, o->timeout, &client);

    for (size_t i = 0; i < mix->count && exit_code == EXIT_OK; i++)
        exit_code = learn_answer(o, client, &mix->items[i]);
    gradient_client_close(client);
    return exit_code;
}

static bool make_counts(const bench_mix *mix, bench_result *result)
{
    bool ok = true;

    for (size_t i = 0; i <= mix->count; i++) {
        bench_count *count = i < mix->count ? &result->items[i] : &result->all;
        count->answers = bench_times_create();
        count->refusals = bench_times_create();
        ok = ok && count->answers != NULL && count->refusals != NULL;
    }
    return ok;
}

static void sum_up(const bench_mix *mix, bench_result *result)
{
    for (size_t i = 0; i < mix->count; i++) {
        const bench_count *count = &result->items[i];
        bench_times_merge(result->all.answers, count->answers);
        bench_times_merge(result->all.refusals, count->refusals);
        result->all.wrong += count->wrong;
        result->all.failed += count->failed;
    }
}

/* Starts the threads, as many as there can be; returns how many. */
static unsigned start_connections(load *l, pthread_t *threads)
{
    pthread_attr_t attributes;
    unsigned started = 0;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    while (started < l->o->connections &&
           pthread_create(&threads[started], &attributes, run_connection, l) == 0)
        started++;
    pthread_attr_destroy(&attributes);
    return started;
}

static int run_load(load *l)
{
    pthread_t *threads = calloc(l->o->connections, sizeof *threads);
    unsigned started;

    if (threads == NULL)
        return report_system_failure(l->o, EXIT_INTERNAL, "threads");
    l->planned_from = client_clock();
    l->measured_from = l->planned_from + WARM_UP_SECONDS;
    l->end = l->measured_from + l->o->seconds;
    started = start_connections(l, threads);
    if (started < l->o->connections) {
        interrupted = true;
        l->exit_code = report_system_failure(l->o, EXIT_INTERNAL, "threads");
    }
    watch(l);
    l->result->seconds = fmax(fmin(client_clock(), l->end) - l->measured_from, 0);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return l->exit_code;
}

int bench_run(const options *o, bench_mix *mix, bench_result *result)
{
    load l = {.o = o, .mix = mix, .result = result, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct sigaction action = {.sa_handler = interrupt};
    int exit_code;

    memset(result, 0, sizeof *result);
    if (!make_counts(mix, result))
        return report_system_failure(o, EXIT_INTERNAL, "memory");
    exit_code = learn_answers(o, mix);
    if (exit_code != EXIT_OK)
        return exit_code;
    action.sa_flags |= (int)SA_RESETHAND; /* a second one ends the program */
    sigaction(SIGINT, &action, NULL);
    exit_code = run_load(&l);
    sum_up(mix, result);
    return exit_code;
}

void bench_result_free(bench_result *result)
{
    for (size_t i = 0; i < OPTIONS_MAX_LAYERS; i++) {
        bench_times_destroy(result->items[i].answers);
        bench_times_destroy(result->items[i].refusals);
    }
    bench_times_destroy(result->all.answers);
    bench_times_destroy(result->all.refusals);
}
