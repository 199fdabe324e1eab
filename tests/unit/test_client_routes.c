/* Which path the client posts to, in which datatype, and what it makes of the answer: networks,
 * doubles, checks, layers that are answered with their errors. */
#include "gradient_client.h"

#include "support/small_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 0.1 as no float is. */
#define TENTH "0.1000000000000000055"

static const char *_Atomic next_reply;

static void answer(const char *request, char *reply)
{
    (void)request;
    snprintf(reply, SMALL_SERVER_REPLY_SIZE, "%s", next_reply);
}

static small_server *server;
static gradient_client *client;

static int begin(void **state)
{
    const gradient_client_options options = {
        .size = sizeof options, .total_timeout = 20, .max_attempts = 2};
    (void)state;
    server = small_server_start(answer);
    return gradient_client_open(server->url, &options, &client, NULL) != GRADIENT_CLIENT_OK;
}

static int end(void **state)
{
    (void)state;
    gradient_client_close(client);
    small_server_stop(server);
    return 0;
}

static void assert_posted_to(const char *wanted)
{
    char path[SMALL_SERVER_PATH_SIZE];
    small_server_path(server, path);
    assert_string_equal(path, wanted);
}

/* One sample through a dense layer with prelu and a norm, 2 -> 1 -> 1, in doubles. */
static double x[] = {2, 4}, W[] = {1, -1}, gain[] = {3}, dy[] = {1};

typedef struct problem {
    grad_layer layers[2];
    grad_network network;
    grad_batch batch;
} problem;

static void make_problem(problem *p)
{
    *p = (problem){.network = {.input = {x, 2, {1, 2}}, .grad_output = {dy, 2, {1, 1}}}};
    p->layers[0] = (grad_layer){
        .name = "fc", .activation = grad_activation_default(GRAD_PRELU), .weight = {W, 2, {1, 2}}};
    p->layers[1] = (grad_layer){.kind = GRAD_LAYER_NORM,
                                .activation = grad_activation_default(GRAD_IDENTITY),
                                .gain = {gain, 1, {1}},
                                .epsilon = 1};
    p->batch = (grad_batch){.datatype = GRAD_FP64,
                            .scale = 1,
                            .layer_count = 2,
                            .layers = p->layers,
                            .network = &p->network};
}

static const char right[] =
    "{\"layers\":[{\"name\":\"fc\",\"weight_delta\":[[" TENTH ",2]],\"bias_delta\":[3],"
    "\"slope_delta\":[4]},{\"gain_delta\":[5]}],\"grad_input\":[[6," TENTH "]]}";

static void test_networks_go_to_backprop(void **state)
{
    (void)state;
    problem p;
    gradient_client_reply reply;
    make_problem(&p);
    next_reply = right;
    assert_int_equal(gradient_client_compute(client, &p.batch, &reply, NULL), GRADIENT_CLIENT_OK);
    assert_posted_to("/v1/backprop?datatype=FP64");
    const double *dx = reply.reply->grad_input.data;
    assert_true(dx[0] == 6 && dx[1] == 0.1);
    gradient_client_reply_free(&reply);
}

static void test_a_network_in_floats(void **state)
{
    (void)state;
    static float narrow_x[] = {2, 4}, narrow_W[] = {1, -1}, narrow_gain[] = {3}, narrow_dy[] = {1};
    problem p;
    gradient_client_reply reply;
    make_problem(&p);
    p.batch.datatype = GRAD_FP32;
    p.network.input.data = narrow_x;
    p.network.grad_output.data = narrow_dy;
    p.layers[0].weight.data = narrow_W;
    p.layers[1].gain.data = narrow_gain;
    next_reply = right;
    assert_int_equal(gradient_client_compute(client, &p.batch, &reply, NULL), GRADIENT_CLIENT_OK);
    assert_posted_to("/v1/backprop");
    const float *dx = reply.reply->grad_input.data;
    assert_true(dx[0] == 6 && dx[1] == 0.1F);
    gradient_client_reply_free(&reply);
}

static void test_every_array_is_filled_in_its_datatype(void **state)
{
    (void)state;
    double dW[2] = {7, 7}, db[2] = {7, 7}, slope[2] = {7, 7}, dgain[2] = {7, 7};
    grad_layer_result results[2] = {{.weight_delta = {dW, 2, {1, 2}},
                                     .bias_delta = {db, 1, {1}},
                                     .slope_delta = {slope, 1, {1}}},
                                    {.gain_delta = {dgain, 1, {2}}}};
    problem p;
    make_problem(&p);
    next_reply = right;
    assert_int_equal(gradient_client_compute_into(client, &p.batch, results, NULL),
                     GRADIENT_CLIENT_PROTOCOL); /* one gain, not two */
    assert_true(dW[0] == 7 && dgain[0] == 7);
    results[1].gain_delta.shape[0] = 1;
    assert_int_equal(gradient_client_compute_into(client, &p.batch, results, NULL),
                     GRADIENT_CLIENT_OK);
    assert_true(dW[0] == 0.1 && dW[1] == 2 && db[0] == 3 && slope[0] == 4 && dgain[0] == 5);
    assert_true(db[1] == 7 && slope[1] == 7 && dgain[1] == 7);
}

static void test_a_layer_s_error_is_the_call_s(void **state)
{
    (void)state;
    double z[] = {1}, dW[2] = {7, 7};
    grad_layer layers[] = {
        {.input = {x, 1, {2}}, .pre_activation = {z, 1, {1}}, .grad_output = {dy, 1, {1}}},
        {.input = {x, 1, {2}}, .pre_activation = {z, 1, {1}}, .grad_output = {dy, 1, {1}}}};
    grad_batch batch = {.datatype = GRAD_FP64,
                        .scale = 1,
                        .continue_on_error = true,
                        .layer_count = 2,
                        .layers = layers};
    grad_layer_result results[2] = {{.weight_delta = {dW, 2, {1, 2}}}};
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client_reply reply;
    next_reply = "{\"layers\":[{\"weight_delta\":[[1,2]],\"bias_delta\":[1]},"
                 "{\"error\":{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\","
                 "\"status\":422,\"detail\":\"too wide\",\"code\":\"shape_mismatch\","
                 "\"pointer\":\"/layers/1/input\"}}]}";
    assert_int_equal(gradient_client_compute(client, &batch, &reply, NULL), GRADIENT_CLIENT_OK);
    assert_posted_to("/v1/gradients?datatype=FP64");
    assert_string_equal(reply.reply->layers[1].error->code, "shape_mismatch");
    gradient_client_reply_free(&reply);
    assert_int_equal(gradient_client_compute_into(client, &batch, results, &error),
                     GRADIENT_CLIENT_BAD_INPUT);
    assert_string_equal(error.message, "too wide");
    assert_string_equal(error.problem.error.pointer, "/layers/1/input");
    assert_true(dW[0] == 7);
}

/* ---- Documents as they are ------------------------------------------------------------------- */

static const char report_text[] =
    "{\"verdict\":\"fail\",\"tolerance\":1e-06,\"tensors\":[{\"layer\":0,\"name\":\"fc\","
    "\"tensor\":\"weight_delta\",\"shape\":[2,3],\"verdict\":\"fail\",\"largest_error\":0.5,"
    "\"index\":[1,2],\"gradient\":1,\"difference\":2,\"checked\":7,\"kinks\":0}]}\n";

static void test_each_route_has_its_path(void **state)
{
    (void)state;
    static const struct {
        gradient_client_route route;
        grad_datatype datatype;
        const char *path;
        const char *reply;
    } rows[] = {
        {GRADIENT_CLIENT_GRADIENTS, GRAD_FP32, "/v1/gradients", right},
        {GRADIENT_CLIENT_GRADIENTS, GRAD_FP64, "/v1/gradients?datatype=FP64", right},
        {GRADIENT_CLIENT_BACKPROP, GRAD_FP32, "/v1/backprop", right},
        {GRADIENT_CLIENT_BACKPROP, GRAD_FP64, "/v1/backprop?datatype=FP64", right},
        {GRADIENT_CLIENT_CHECK, GRAD_FP32, "/v1/check", report_text},
        {GRADIENT_CLIENT_CHECK, GRAD_FP64, "/v1/check?datatype=FP64", report_text},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        grad_text body;
        next_reply = rows[i].reply;
        assert_int_equal(
            gradient_client_post(client, rows[i].route, rows[i].datatype, "{}", 2, &body, NULL),
            GRADIENT_CLIENT_OK);
        assert_posted_to(rows[i].path);
        assert_string_equal(body.data, rows[i].reply);
        assert_int_equal(server->last_body, 2);
        grad_text_free(&body);
    }
}

static void test_a_check_is_read(void **state)
{
    (void)state;
    grad_check_report *report = NULL;
    next_reply = report_text;
    assert_int_equal(gradient_client_check(client, GRAD_FP64, "{}", 2, &report, NULL),
                     GRADIENT_CLIENT_OK);
    assert_posted_to("/v1/check?datatype=FP64");
    assert_int_equal(report->verdict, GRAD_CHECK_FAIL);
    assert_int_equal(report->tensor_count, 1);
    assert_string_equal(report->tensors[0].layer_name, "fc");
    assert_int_equal(report->tensors[0].analytic.index, 5);
    free(report);
}

static void test_what_is_no_report_is_refused(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "",       "{}",  "{\"verdict\":\"pass\"",
        "<html>", right, "{\"verdict\":\"perhaps\",\"tensors\":[]}"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
        grad_check_report *report = NULL;
        grad_text body;
        next_reply = replies[i];
        assert_int_equal(gradient_client_check(client, GRAD_FP32, "{}", 2, &report, &error),
                         GRADIENT_CLIENT_PROTOCOL);
        assert_non_null(strstr(error.message, "the answer isn't right"));
        assert_null(report);
        assert_int_equal(
            gradient_client_post(client, GRADIENT_CLIENT_CHECK, GRAD_FP32, "{}", 2, &body, &error),
            GRADIENT_CLIENT_PROTOCOL);
    }
    next_reply = report_text; /* nor is a report a reply */
    grad_text body;
    assert_int_equal(
        gradient_client_post(client, GRADIENT_CLIENT_GRADIENTS, GRAD_FP32, "{}", 2, &body, NULL),
        GRADIENT_CLIENT_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_networks_go_to_backprop, begin, end),
        cmocka_unit_test_setup_teardown(test_a_network_in_floats, begin, end),
        cmocka_unit_test_setup_teardown(test_every_array_is_filled_in_its_datatype, begin, end),
        cmocka_unit_test_setup_teardown(test_a_layer_s_error_is_the_call_s, begin, end),
        cmocka_unit_test_setup_teardown(test_each_route_has_its_path, begin, end),
        cmocka_unit_test_setup_teardown(test_a_check_is_read, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_no_report_is_refused, begin, end),
    };

    unsetenv("http_proxy");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
