/* The client library's calls against a small HTTP server of this file, on real sockets: what is
 * sent, what counts as a right answer, who is told what. Broken connections and waits are tested
 * through the command line, in tests/integration/test_client_*.py. */
#include "gradient_client.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka.h needs four of the above. */
#include <cmocka.h>

#define REQUEST_SIZE 16384
#define REPLY_SIZE 131072
#define THREADS 8
#define CALLS 40

/* A server that answers each POST with 200 and a body made by its function. */
typedef struct server {
    int listener;
    pthread_t acceptor;
    char url[64];
    void (*answer)(const char *request, char *reply);
    _Atomic bool close_each; /* hang up after every answer, without saying so */
    _Atomic unsigned connections;
    _Atomic unsigned requests;
    _Atomic size_t last_body;
} server;

typedef struct talk {
    server *owner;
    int socket;
} talk;

/* Reads one request into buffer; its body begins at the returned place, NULL at the end. */
static const char *read_request(int socket, char *buffer)
{
    size_t length = 0;

    for (;;) {
        const char *end;
        ssize_t got = recv(socket, buffer + length, REQUEST_SIZE - 1 - length, 0);
        if (got <= 0)
            return NULL;
        length += (size_t)got;
        buffer[length] = '\0';
        end = strstr(buffer, "\r\n\r\n");
        if (end != NULL) {
            const char *header = strstr(buffer, "Content-Length: ");
            size_t body = header != NULL ? strtoul(header + 16, NULL, 10) : 0;
            if (length >= (size_t)(end + 4 - buffer) + body)
                return end + 4;
        }
    }
}

static void *serve(void *context)
{
    talk *t = context;
    char request[REQUEST_SIZE], head[128];
    char *reply = calloc(1, REPLY_SIZE);
    const char *body;

    assert_non_null(reply);
    while ((body = read_request(t->socket, request)) != NULL) {
        t->owner->requests++;
        t->owner->last_body = strlen(body);
        t->owner->answer(body, reply);
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                 strlen(reply));
        send(t->socket, head, strlen(head), MSG_NOSIGNAL);
        send(t->socket, reply, strlen(reply), MSG_NOSIGNAL);
        if (t->owner->close_each)
            break;
    }
    close(t->socket);
    free(reply);
    free(t);
    return NULL;
}

static void *accept_all(void *context)
{
    server *s = context;
    int socket;

    while ((socket = accept(s->listener, NULL, NULL)) >= 0) {
        talk *t = malloc(sizeof *t);
        pthread_t thread;
        assert_non_null(t);
        *t = (talk){.owner = s, .socket = socket};
        s->connections++;
        assert_int_equal(pthread_create(&thread, NULL, serve, t), 0);
        pthread_detach(thread);
    }
    return NULL;
}

/* The server lives as long as the process: its detached threads may outlive a test. */
static server *server_start(void (*answer)(const char *request, char *reply))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    static server servers[16];
    static size_t count;
    server *s = &servers[count++];

    s->answer = answer;
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s->acceptor, NULL, accept_all, s), 0);
    return s;
}

static gradient_client *open_client(const server *s)
{
    gradient_client *client = NULL;
    gradient_client_options options = {.total_timeout = 20, .max_attempts = 2};

    assert_int_equal(gradient_client_open(s->url, &options, &client, NULL), GRADIENT_CLIENT_OK);
    return client;
}

static void stop(server *s, gradient_client *client)
{
    gradient_client_close(client);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->listener);
}

/* One sample, K = 2, N = 1, and its right answer. */
static float x[] = {2, 4}, z[] = {0}, dy[] = {1};

static grad_layer one_layer(void)
{
    return (grad_layer){.name = "fc",
                        .activation = grad_activation_default(GRAD_TANH),
                        .input = {x, 2, {1, 2}},
                        .pre_activation = {z, 2, {1, 1}},
                        .grad_output = {dy, 2, {1, 1}}};
}

static void answer_right(const char *request, char *reply)
{
    assert_non_null(strstr(request, "\"layers\":[{"));
    snprintf(reply, REPLY_SIZE, "%s",
             "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]],\"bias_delta\":[1]}]}");
}

static void test_compute_gives_the_answer(void **state)
{
    server *s = server_start(answer_right);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    gradient_client_reply reply;

    (void)state;
    assert_int_equal(gradient_client_compute(client, &batch, &reply, NULL), GRADIENT_CLIENT_OK);
    assert_int_equal(reply.reply->layer_count, 1);
    assert_true(reply.reply->layers[0].weight_delta.data[1] == 4);
    assert_true(reply.reply->layers[0].bias_delta.data[0] == 1);
    assert_int_equal(reply.attempts, 1);
    assert_int_equal(reply.bytes_sent, s->last_body);
    assert_int_equal(reply.bytes_received,
                     strlen("{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]],"
                            "\"bias_delta\":[1]}]}"));
    gradient_client_reply_free(&reply);
    assert_null(reply.reply);
    stop(s, client);
}

static void test_compute_into_fills_arrays(void **state)
{
    server *s = server_start(answer_right);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    float dW[2] = {7, 7}, db[1] = {7};
    grad_layer_result result = {.weight_delta = {dW, 2, {1, 2}}, .bias_delta = {db, 1, {1}}};
    gradient_client_error error;

    (void)state;
    result.weight_delta.shape[1] = 1;
    assert_int_equal(gradient_client_compute_into(client, &batch, &result, &error),
                     GRADIENT_CLIENT_PROTOCOL);
    assert_true(dW[0] == 7 && dW[1] == 7 && db[0] == 7);
    result.weight_delta.shape[1] = 2;
    result.bias_delta.data = NULL;
    assert_int_equal(gradient_client_compute_into(client, &batch, &result, &error),
                     GRADIENT_CLIENT_OK);
    assert_true(dW[0] == 2 && dW[1] == 4 && db[0] == 7);
    stop(s, client);
}

static const char *_Atomic wrong_reply;

static void answer_wrong(const char *request, char *reply)
{
    (void)request;
    snprintf(reply, REPLY_SIZE, "%s", wrong_reply);
}

static void test_answers_to_another_request_are_refused(void **state)
{
    static const char *const replies[] = {
        "{\"layers\":[]}",
        "{\"id\":\"a\",\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]],\"bias_delta\":[1]}]}",
        "{\"layers\":[{\"name\":\"fd\",\"weight_delta\":[[2,4]],\"bias_delta\":[1]}]}",
        "{\"layers\":[{\"weight_delta\":[[2,4]],\"bias_delta\":[1]}]}",
        "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2],[4]],\"bias_delta\":[1]}]}",
        "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[2,4],\"bias_delta\":[1]}]}",
        "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]]}]}",
        "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2]],\"bias_delta\":[1],"
        "\"grad_input\":[[1]]}]}",
        "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2]],\"bias_delta\":[1]}]}",
        "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4,5]],\"bias_delta\":[1]}]}",
        "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]],\"bias_delta\":[1]},{}]}",
    };
    server *s = server_start(answer_wrong);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};

    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
        gradient_client_reply reply;
        wrong_reply = replies[i];
        assert_int_equal(gradient_client_compute(client, &batch, &reply, &error),
                         GRADIENT_CLIENT_PROTOCOL);
        assert_int_equal(error.status, GRADIENT_CLIENT_PROTOCOL);
        assert_non_null(strstr(error.message, "the answer isn't"));
        assert_int_equal(s->requests, i + 1);
    }
    stop(s, client);
}

/* 128 KiB of blanks is no answer to a request of three numbers. */
static void answer_blanks(const char *request, char *reply)
{
    (void)request;
    memset(reply, ' ', REPLY_SIZE - 1);
    reply[REPLY_SIZE - 1] = '\0';
}

static void test_answers_are_capped_by_the_request(void **state)
{
    server *s = server_start(answer_blanks);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client_reply reply;

    (void)state;
    assert_int_equal(gradient_client_compute(client, &batch, &reply, &error),
                     GRADIENT_CLIENT_PROTOCOL);
    assert_string_equal(error.problem.error.code, "answer_too_large");
    stop(s, client);
}

static void test_wrong_batches_are_not_sent(void **state)
{
    server *s = server_start(answer_right);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client_reply reply;

    (void)state;
    layer.input.shape[0] = 2;
    layer.input.shape[1] = 1;
    assert_int_equal(gradient_client_compute(client, &batch, &reply, &error),
                     GRADIENT_CLIENT_BAD_INPUT);
    assert_string_equal(error.problem.error.code, "shape_mismatch");
    assert_string_equal(error.message, error.problem.error.detail);
    assert_int_equal(gradient_client_compute(client, &batch, &reply, NULL),
                     GRADIENT_CLIENT_BAD_INPUT);
    assert_int_equal(s->requests, 0);
    stop(s, client);
}

static void test_dead_kept_connections_are_replaced(void **state)
{
    server *s = server_start(answer_right);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    gradient_client_reply reply;

    (void)state;
    s->close_each = true;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(gradient_client_compute(client, &batch, &reply, NULL), GRADIENT_CLIENT_OK);
        gradient_client_reply_free(&reply);
    }
    assert_int_equal(s->requests, 5);
    stop(s, client);
}

/* The id of the request comes back, and its length as the bias's delta. */
static void answer_with_id(const char *request, char *reply)
{
    const char *id = strstr(request, "\"id\":\"") + strlen("\"id\":\"");
    int length = (int)strcspn(id, "\"");

    snprintf(reply, REPLY_SIZE,
             "{\"id\":\"%.*s\",\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]],"
             "\"bias_delta\":[%d]}]}",
             length, id, length);
}

static void *call_often(void *context)
{
    grad_layer layer = one_layer();
    size_t right = 0;

    for (size_t i = 0; i < CALLS; i++) {
        char id[CALLS + 1] = "";
        grad_batch batch = {.id = id, .scale = 1, .layer_count = 1, .layers = &layer};
        gradient_client_reply reply;
        memset(id, 'a', i + 1);
        if (gradient_client_compute(context, &batch, &reply, NULL) == GRADIENT_CLIENT_OK) {
            right += reply.reply->layers[0].bias_delta.data[0] == (float)(i + 1);
            gradient_client_reply_free(&reply);
        }
    }
    return (void *)right; /* NOLINT: a count, not an address */
}

static void test_threads_share_a_client(void **state)
{
    server *s = server_start(answer_with_id);
    gradient_client *client = open_client(s);
    pthread_t threads[THREADS];

    (void)state;
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, call_often, client), 0);
    for (int t = 0; t < THREADS; t++) {
        void *right;
        pthread_join(threads[t], &right);
        assert_int_equal((size_t)right, CALLS);
    }
    assert_int_equal(s->requests, THREADS * CALLS);
    assert_in_range(s->connections, 1, THREADS);
    stop(s, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compute_gives_the_answer),
        cmocka_unit_test(test_compute_into_fills_arrays),
        cmocka_unit_test(test_answers_to_another_request_are_refused),
        cmocka_unit_test(test_answers_are_capped_by_the_request),
        cmocka_unit_test(test_wrong_batches_are_not_sent),
        cmocka_unit_test(test_dead_kept_connections_are_replaced),
        cmocka_unit_test(test_threads_share_a_client),
    };

    unsetenv("http_proxy");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
