/* The order of the admission's steps: of a request that is wrong in two ways the first is reported;
 * and what OPTIONS may ask. The query is read from a connection: that is for integration tests. */
#include "admission/admission.h"
#include "support/bare_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TOO_LONG ((uint64_t)1 << 40)

static int begin(void **state)
{
    (void)state;
    bare_service_begin(&body_formats_known);
    return 0;
}

/* Everything that a row does not say is right. */
typedef struct attempt {
    const char *method, *path, *host, *content_type, *content_encoding, *fault;
    size_t header_room;
    uint64_t declared;
    int status;
    const char *code;
    bool closes;
} attempt;

static void expect(const attempt *a)
{
    request r;
    bare_request_begin(&r, a->method ? a->method : "POST", a->path ? a->path : "/v1/gradients");
    r.headers.content_type = a->content_type ? a->content_type : "application/json";
    r.headers.content_encoding = a->content_encoding;
    r.headers.host = a->host ? a->host : r.headers.host;
    r.headers.fault = a->fault;
    r.header_room = a->header_room;
    r.declared = a->declared;
    outcome admitted = admission_run(&r);
    assert_int_equal(admitted, a->status == 0 ? OUTCOME_MORE : OUTCOME_REJECTED);
    assert_int_equal(r.status, a->status);
    assert_string_equal(r.error.code, a->code ? a->code : "");
    assert_int_equal(r.closes, a->closes);
    assert_int_equal(r.filter != NULL, a->status == 0 && r.route->handler->takes_body);
    bare_request_end(&r);
}

static void test_the_first_step_that_rejects_counts(void **state)
{
    (void)state;
    static const attempt rows[] = {
        {.fault = "x",
         .header_room = SIZE_MAX,
         .status = 400,
         .code = "bad_framing",
         .closes = true},
        {.header_room = SERVICE_MAX_HEADERS + 1,
         .path = "/x",
         .status = 431,
         .code = "headers_too_large",
         .closes = true},
        {.path = "/x",
         .method = "PUT",
         .declared = TOO_LONG,
         .status = 404,
         .code = "unknown_path"},
        {.method = "PUT", .declared = TOO_LONG, .status = 405, .code = "method_not_allowed"},
        {.host = "y", .declared = TOO_LONG, .status = 421, .code = "unknown_host"},
        {.path = "/livez", .method = "GET", .host = "y"},
        {.declared = 1001, .content_type = "x/y", .status = 413, .code = "body_too_large"},
        {.content_type = "x/y",
         .content_encoding = "br",
         .status = 415,
         .code = "unsupported_media_type"},
        {.content_encoding = "br", .status = 415, .code = "unsupported_content_encoding"},
        {.declared = 1000, .header_room = SERVICE_MAX_HEADERS},
        {.method = "GET", .path = "/livez", .content_type = "x/y", .declared = MAX_IGNORED_BODY},
        {.method = "GET",
         .path = "/livez",
         .declared = MAX_IGNORED_BODY + 1,
         .status = 413,
         .code = "body_too_large"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(&rows[i]);
}

static void expect_options(const char *path, bool preflight, const char *methods)
{
    request r;
    bare_request_begin(&r, "OPTIONS", path);
    r.preflight = preflight;
    r.headers.content_type = "x/y";
    assert_int_equal(admission_run(&r), methods ? OUTCOME_MORE : OUTCOME_REJECTED);
    assert_int_equal(r.status, methods ? 0 : 404);
    if (methods) {
        assert_string_equal(r.methods, methods);
        assert_ptr_equal(r.route, bare_service.routes->options);
    }
    bare_request_end(&r);
}

static void test_options(void **state)
{
    (void)state;
    static const char all[] = "GET, HEAD, POST, OPTIONS";
    expect_options("/v1/check", false, "POST, OPTIONS");
    expect_options("/livez", false, "GET, HEAD, OPTIONS");
    expect_options("*", false, all);
    expect_options("/x", true, all);
    expect_options("/x", false, NULL);
    expect(&(attempt){.method = "OPTIONS",
                      .declared = MAX_IGNORED_BODY + 1,
                      .status = 413,
                      .code = "body_too_large"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_first_step_that_rejects_counts, begin),
        cmocka_unit_test_setup(test_options, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
