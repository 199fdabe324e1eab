/* The seams of a body: a second payload and a second coding, both of this file, go the whole way
 * from the headers to the response, through the admission and the handlers as they are. */
#include "admission/admission.h"
#include "support/bare_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- A coding: pairs of a count, 1 to 9, and the byte that stands so often ------------------- */

typedef struct runs_state {
    int count; /* of the byte that comes next; 0: a count comes next */
} runs_state;

static grad_status runs_create(void **state, grad_error *error)
{
    (void)error;
    *state = calloc(1, sizeof(runs_state));
    return *state ? GRAD_OK : GRAD_OUT_OF_MEMORY;
}

static grad_status runs_push(void *state, const char *bytes, size_t length, const body_sink *next,
                             grad_error *error)
{
    runs_state *runs = state;
    grad_status status = GRAD_OK;
    for (size_t i = 0; i < length && status == GRAD_OK; i++) {
        char run[9];
        int count = runs->count;
        runs->count = count == 0 ? bytes[i] - '0' : 0;
        if (count > 0) {
            memset(run, bytes[i], (size_t)count);
            status = next->push(next->context, run, (size_t)count, error);
        }
    }
    return status;
}

static grad_status runs_end(void *state, const body_sink *next, grad_error *error)
{
    const runs_state *runs = state;
    (void)next;
    if (runs->count == 0)
        return GRAD_OK;
    error->status = GRAD_MALFORMED;
    snprintf(error->code, sizeof error->code, "malformed_runs");
    return GRAD_MALFORMED;
}

static size_t runs_memory(const void *state)
{
    (void)state;
    return sizeof(runs_state);
}

static const body_filter filter_runs = {.coding = "runs",
                                        .create = runs_create,
                                        .push = runs_push,
                                        .end = runs_end,
                                        .memory = runs_memory,
                                        .destroy = free};

/* ---- A payload: the numbers w, x, z and grad_output of one layer of tanh --------------------- */

typedef struct four_state {
    char text[64];
    size_t length;
    grad_decoder *decoder; /* who the batch belongs to */
} four_state;

static grad_status four_create(const body_options *options, void **state, grad_error *error)
{
    four_state *four = calloc(1, sizeof *four);
    assert_non_null(four);
    *state = four;
    return grad_decoder_create(NULL, options->datatype, 0, &four->decoder, error);
}

static grad_status four_push(void *state, const char *bytes, size_t length, grad_error *error)
{
    four_state *four = state;
    (void)error;
    assert_true(four->length + length < sizeof four->text);
    memcpy(four->text + four->length, bytes, length);
    four->length += length;
    return GRAD_OK;
}

static size_t four_memory(const void *state)
{
    (void)state;
    return sizeof(four_state);
}

static size_t four_read_bound(const void *state)
{
    (void)state;
    return 0;
}

static grad_status four_read_batch(void *state, grad_request_kind kind, grad_batch **batch,
                                   grad_error *error)
{
    four_state *four = state;
    double n[4];
    char *at = four->text, written[256];
    for (size_t i = 0; i < 4; i++)
        n[i] = strtod(at, &at);
    int length =
        snprintf(written, sizeof written,
                 "{\"layers\":[{\"activation\":\"tanh\",\"weight\":[[%g]],\"input\":[[%g]],"
                 "\"pre_activation\":[[%g]],\"grad_output\":[[%g]]}]}",
                 n[0], n[1], n[2], n[3]);
    assert_int_equal(grad_decoder_push(four->decoder, written, (size_t)length, error), GRAD_OK);
    return grad_decoder_finish_request(four->decoder, kind, batch, error);
}

static void four_destroy(void *state)
{
    four_state *four = state;
    grad_decoder_destroy(four->decoder);
    free(four);
}

static void four_locate_error(const void *state, grad_error *error)
{
    (void)state;
    (void)error;
}

static grad_status four_encode(const void *state, const grad_batch *batch, const grad_reply *reply,
                               grad_encoder **encoder, grad_error *error)
{
    (void)state;
    return grad_encode_reply(batch, reply, NULL, encoder, error);
}

static const payload_kind payload_four = {.media_type = "text/four",
                                          .create = four_create,
                                          .push = four_push,
                                          .memory = four_memory,
                                          .read_bound = four_read_bound,
                                          .read_batch = four_read_batch,
                                          .locate_error = four_locate_error,
                                          .encode = four_encode,
                                          .destroy = four_destroy};

/* ---- A request without a connection ---------------------------------------------------------- */

static const body_filter *const filters[] = {&body_filter_identity, &filter_runs, NULL};
static const payload_kind *const payloads[] = {&payload_json, &payload_four, NULL};
static const body_formats formats = {.filters = filters, .payloads = payloads};

static int begin(void **state)
{
    (void)state;
    bare_service_begin(&formats);
    return 0;
}

/* What happened to the headers of such a request. */
static outcome send_headers(request *r, const char *type, const char *coding)
{
    bare_request_begin(r, "POST", "/v1/gradients");
    r->headers.content_type = type;
    r->headers.content_encoding = coding;
    outcome admitted = admission_run(r);
    return admitted == OUTCOME_MORE ? r->route->handler->on_headers(r) : admitted;
}

/* What happened to the whole of it, its body in pieces of three bytes. */
static outcome send_request(request *r, const char *type, const char *coding, const char *text)
{
    outcome happened = send_headers(r, type, coding);
    size_t length = strlen(text);
    for (size_t at = 0; at < length && happened == OUTCOME_MORE; at += 3)
        happened = r->route->handler->on_body(r, text + at, length - at < 3 ? length - at : 3);
    return happened == OUTCOME_MORE ? r->route->handler->on_end(r) : happened;
}

/* The type is that of the answer, which is a document of numbers whatever the request was. */
static void expect_answer(request *r, outcome happened)
{
    static const char expected[] = "{\"layers\":[{\"weight_delta\":[[6]],\"bias_delta\":[3],"
                                   "\"grad_input\":[[1.5]]}]}\n";
    assert_int_equal(happened, OUTCOME_DONE);
    assert_int_equal(r->status, 200);
    assert_string_equal(r->response.content_type, "application/json");
    assert_int_equal(r->response.segment_count, 1);
    assert_int_equal(r->response.segments->length, sizeof expected - 1);
    assert_memory_equal(r->response.segments->text, expected, sizeof expected - 1);
    bare_request_end(r);
}

static void expect_problem(request *r, outcome happened, int status, const char *code)
{
    assert_int_equal(happened, OUTCOME_REJECTED);
    assert_int_equal(r->status, status);
    assert_string_equal(r->error.code, code);
    bare_request_end(r);
}

/* ---- The tests ------------------------------------------------------------------------------- */

static const char document[] = "{\"layers\":[{\"activation\":\"tanh\",\"weight\":[[0.5]],"
                               "\"input\":[[2]],\"pre_activation\":[[0]],\"grad_output\":[[3]]}]}";

static void test_each_payload_goes_the_whole_way(void **state)
{
    (void)state;
    request r;
    expect_answer(&r, send_request(&r, "application/json", NULL, document));
    expect_answer(&r, send_request(&r, "text/four", NULL, "0.5 2 0 3"));
    expect_answer(&r, send_request(&r, "Text/Four; charset=utf-8", "identity", "0.5 2 0 3"));
}

static void test_a_coding_comes_off_before_any_payload(void **state)
{
    (void)state;
    request r;
    char runs[2 * sizeof document] = "";
    for (size_t i = 0; document[i]; i++)
        snprintf(runs + 2 * i, sizeof runs - 2 * i, "1%c", document[i]);
    expect_answer(&r, send_request(&r, "application/json", "runs", runs));
    expect_answer(&r, send_request(&r, "text/four", "RUNS", "101.158 129 101 13"));
}

static void test_errors_of_a_coding_and_a_payload(void **state)
{
    (void)state;
    request r;
    expect_problem(&r, send_request(&r, "text/four", "runs", "101.151"), 400, "malformed_runs");
    expect_problem(&r, send_request(&r, "application/json", "runs", "1{1x"), 400, "malformed_json");
}

/* 222 bytes of runs are 999 blanks, and 224 are too many. */
static void test_what_comes_out_is_held_to_the_limit(void **state)
{
    (void)state;
    request r;
    char runs[300] = "";
    for (size_t i = 0; i < 224; i += 2)
        memcpy(runs + i, "9 ", 2);
    expect_problem(&r, send_request(&r, "application/json", "runs", runs), 413, "body_too_large");
    assert_string_equal(r.error.limit_name, "max_body");
    assert_int_equal(r.error.limit, 1000);
    runs[222] = '\0'; /* blanks, and no document */
    expect_problem(&r, send_request(&r, "application/json", "runs", runs), 400, "malformed_json");
}

static void test_what_is_unknown_is_rejected_with_what_is_known(void **state)
{
    (void)state;
    request r;
    expect_problem(&r, send_headers(&r, "text/plain", NULL), 415, "unsupported_media_type");
    assert_string_equal(r.accept, "application/json, text/four");
    assert_string_equal(r.accept_encoding, "identity, runs");
    assert_string_equal(r.error.detail, "expected the Content-Type application/json, text/four, "
                                        "found text/plain");
    expect_problem(&r, send_headers(&r, "text/four", "br"), 415, "unsupported_content_encoding");
    assert_string_equal(r.error.detail,
                        "expected one coding of identity, runs, found the Content-Encoding br");
}

static void test_memory_is_that_of_both(void **state)
{
    (void)state;
    body *plain = NULL, *coded = NULL;
    const body_options own = {.limits = GRAD_WIRE_LIMITS_INIT, .max_body = 10};
    assert_int_equal(body_create(&body_filter_identity, &payload_four, &own, &plain, NULL),
                     GRAD_OK);
    assert_int_equal(body_create(&filter_runs, &payload_four, &own, &coded, NULL), GRAD_OK);
    assert_int_equal(body_memory(plain), sizeof(four_state));
    assert_int_equal(body_memory(coded), sizeof(four_state) + sizeof(runs_state));
    body_destroy(plain);
    body_destroy(coded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_payload_goes_the_whole_way, begin),
        cmocka_unit_test_setup(test_a_coding_comes_off_before_any_payload, begin),
        cmocka_unit_test_setup(test_errors_of_a_coding_and_a_payload, begin),
        cmocka_unit_test_setup(test_what_comes_out_is_held_to_the_limit, begin),
        cmocka_unit_test_setup(test_what_is_unknown_is_rejected_with_what_is_known, begin),
        cmocka_unit_test(test_memory_is_that_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
