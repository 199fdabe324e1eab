/* The client library's calls against a small HTTP server, on real sockets: what is
 * sent, what counts as a right answer, who is told what. Broken connections and waits are tested
 * through the command line, in tests/integration/test_client_*.py. */
#include "gradient_client.h"

#include "support/between.h"
#include "support/small_server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs four of the above. */
#include <cmocka.h>

#define THREADS 8
#define CALLS 40

static gradient_client *open_client(const small_server *s)
{
    gradient_client *client = NULL;
    gradient_client_options options = {
        .size = sizeof options, .total_timeout = 20, .max_attempts = 2};

    assert_int_equal(gradient_client_open(s->url, &options, &client, NULL), GRADIENT_CLIENT_OK);
    return client;
}

static void close_and_stop(small_server *s, gradient_client *client)
{
    gradient_client_close(client);
    small_server_stop(s);
}

/* One sample, K = 2, N = 1, and its right answer. */
static float x[] = {2, 4}, z[] = {0}, dy[] = {1};

static const float *floats_of(grad_tensor tensor)
{
    return tensor.data;
}

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
    snprintf(reply, SMALL_SERVER_REPLY_SIZE, "%s",
             "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]],\"bias_delta\":[1]}]}");
}

static void test_compute_gives_the_answer(void **state)
{
    small_server *s = small_server_start(answer_right);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    gradient_client_reply reply;

    (void)state;
    assert_int_equal(gradient_client_compute(client, &batch, &reply, NULL), GRADIENT_CLIENT_OK);
    assert_int_equal(reply.reply->layer_count, 1);
    assert_true(floats_of(reply.reply->layers[0].weight_delta)[1] == 4);
    assert_true(floats_of(reply.reply->layers[0].bias_delta)[0] == 1);
    assert_int_equal(reply.attempts, 1);
    assert_int_equal(reply.bytes_sent, s->last_body);
    assert_int_equal(reply.bytes_received,
                     strlen("{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[2,4]],"
                            "\"bias_delta\":[1]}]}"));
    gradient_client_reply_free(&reply);
    assert_null(reply.reply);
    close_and_stop(s, client);
}

static void test_compute_into_fills_arrays(void **state)
{
    small_server *s = small_server_start(answer_right);
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
    close_and_stop(s, client);
}

/* Numbers without a byte of zero, 1.1, -1.1 and 2.2, since a reply is a text. */
#define TAIL "\xcd\xcc\x8c\x3f\xcd\xcc\x8c\xbf\xcd\xcc\x0c\x40"

static void answer_binary(const char *request, char *reply)
{
    assert_non_null(strstr(request, "\"encoding\":\"binary\""));
    assert_non_null(strstr(request, "\"binary_data_size\":8"));
    snprintf(reply, SMALL_SERVER_REPLY_SIZE, "%s",
             "{\"layers\":[{\"name\":\"fc\","
             "\"weight_delta\":{\"shape\":[1,2],\"datatype\":\"FP32\",\"binary_data_size\":8},"
             "\"bias_delta\":{\"shape\":[1],\"datatype\":\"FP32\",\"binary_data_size\":4}}]}" TAIL);
}

static void test_tensors_behind_the_documents(void **state)
{
    static const struct {
        const char *header;
        gradient_client_status status;
    } rows[] = {
        {"Inference-Header-Content-Length: 162\r\n", GRADIENT_CLIENT_OK},
        {"inference-header-content-length: 162\r\n", GRADIENT_CLIENT_OK},
        {"Inference-Header-Content-Length: 161\r\n", GRADIENT_CLIENT_PROTOCOL},
        {"Inference-Header-Content-Length: 175\r\n", GRADIENT_CLIENT_PROTOCOL},
        {"Inference-Header-Content-Length: 162x\r\n", GRADIENT_CLIENT_PROTOCOL},
        {"Inference-Header-Content-Length: 99999999999999999999\r\n", GRADIENT_CLIENT_PROTOCOL},
        {NULL, GRADIENT_CLIENT_PROTOCOL}};
    small_server *s = small_server_start(answer_binary);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {
        .scale = 1, .encoding = GRAD_ENCODING_BINARY, .layer_count = 1, .layers = &layer};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gradient_client_reply reply;
        s->header = rows[i].header;
        assert_int_equal(gradient_client_compute(client, &batch, &reply, NULL), rows[i].status);
        if (rows[i].status != GRADIENT_CLIENT_OK)
            continue;
        assert_true(floats_of(reply.reply->layers[0].weight_delta)[1] == -1.1F);
        assert_true(floats_of(reply.reply->layers[0].bias_delta)[0] == 2.2F);
        gradient_client_reply_free(&reply);
    }
    close_and_stop(s, client);
}

static const char *_Atomic wrong_reply;

static void answer_wrong(const char *request, char *reply)
{
    (void)request;
    snprintf(reply, SMALL_SERVER_REPLY_SIZE, "%s", wrong_reply);
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
    small_server *s = small_server_start(answer_wrong);
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
    close_and_stop(s, client);
}

/* 128 KiB of blanks is no answer to a request of three numbers. */
static void answer_blanks(const char *request, char *reply)
{
    (void)request;
    memset(reply, ' ', SMALL_SERVER_REPLY_SIZE - 1);
    reply[SMALL_SERVER_REPLY_SIZE - 1] = '\0';
}

static void test_answers_are_capped_by_the_request(void **state)
{
    small_server *s = small_server_start(answer_blanks);
    gradient_client *client = open_client(s);
    grad_layer layer = one_layer();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client_reply reply;

    (void)state;
    assert_int_equal(gradient_client_compute(client, &batch, &reply, &error),
                     GRADIENT_CLIENT_PROTOCOL);
    assert_string_equal(error.problem.error.code, "answer_too_large");
    close_and_stop(s, client);
}

static void test_wrong_batches_are_not_sent(void **state)
{
    small_server *s = small_server_start(answer_right);
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
    close_and_stop(s, client);
}

static void test_dead_kept_connections_are_replaced(void **state)
{
    small_server *s = small_server_start(answer_right);
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
    close_and_stop(s, client);
}

/* The id of the request comes back, and its length as the bias's delta. */
static void answer_with_id(const char *request, char *reply)
{
    const char *id = strstr(request, "\"id\":\"") + strlen("\"id\":\"");
    int length = (int)strcspn(id, "\"");

    snprintf(reply, SMALL_SERVER_REPLY_SIZE,
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
            right += floats_of(reply.reply->layers[0].bias_delta)[0] == (float)(i + 1);
            gradient_client_reply_free(&reply);
        }
    }
    return (void *)right; /* NOLINT: a count, not an address */
}

static void test_threads_share_a_client(void **state)
{
    small_server *s = small_server_start(answer_with_id);
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
    assert_between(s->connections, 1, THREADS);
    close_and_stop(s, client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compute_gives_the_answer),
        cmocka_unit_test(test_compute_into_fills_arrays),
        cmocka_unit_test(test_tensors_behind_the_documents),
        cmocka_unit_test(test_answers_to_another_request_are_refused),
        cmocka_unit_test(test_answers_are_capped_by_the_request),
        cmocka_unit_test(test_wrong_batches_are_not_sent),
        cmocka_unit_test(test_dead_kept_connections_are_replaced),
        cmocka_unit_test(test_threads_share_a_client),
    };

    unsetenv("http_proxy");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
