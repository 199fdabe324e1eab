/* Problem documents there and back, and the walk over a document's scalars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"

static void test_written_document(void **unused)
{
    grad_problem problem = {.http_status = 422,
                            .title = "Unprocessable Content",
                            .request_id = "r-1",
                            .error = {GRAD_INVALID, "ragged_array", "/layers/0/input/1",
                                      "row 1 has 2, \"row 0\" has 3", 47, "", 0}};
    grad_text text;

    (void)unused;
    grad_text_init(&text, 10000);
    grad_problem_write(&problem, &text);
    assert_string_equal(text.data, "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\","
                                   "\"status\":422,\"detail\":\"row 1 has 2, \\\"row 0\\\" has 3\","
                                   "\"code\":\"ragged_array\",\"pointer\":\"/layers/0/input/1\","
                                   "\"offset\":47,\"request_id\":\"r-1\"}\n");
    grad_text_free(&text);
}

static void test_there_and_back(void **unused)
{
    grad_problem problem = {.http_status = 413,
                            .title = "Content Too Large",
                            .error = {GRAD_TOO_LARGE, "max_numbers", "", "expected fewer",
                                      GRAD_OFFSET_UNKNOWN, "max_numbers", 67108864}};
    grad_problem back;
    grad_text text;

    (void)unused;
    memset(&back, 0x55, sizeof back);
    grad_text_init(&text, 10000);
    grad_problem_write(&problem, &text);
    assert_int_equal(grad_problem_read(text.data, text.length, &back, NULL), GRAD_OK);
    assert_int_equal(back.http_status, 413);
    assert_string_equal(back.title, problem.title);
    assert_string_equal(back.request_id, "");
    assert_int_equal(back.error.status, GRAD_TOO_LARGE);
    assert_string_equal(back.error.code, "max_numbers");
    assert_string_equal(back.error.pointer, "");
    assert_string_equal(back.error.detail, "expected fewer");
    assert_int_equal(back.error.offset, GRAD_OFFSET_UNKNOWN);
    assert_string_equal(back.error.limit_name, "max_numbers");
    assert_int_equal(back.error.limit, 67108864);
    grad_text_free(&text);
}

static void test_foreign_documents(void **unused)
{
    static const char newer[] = "{\"status\": 503, \"more\": [1], \"detail\": 7, \"offset\": \"x\","
                                "\"limit\": 3, \"code\": \"overloaded\"}";
    static const char *const refused[] = {"[]", "{}", "{\"status\":\"503\"}", "3"};
    grad_problem back = {0};
    grad_error error = GRAD_ERROR_INIT;

    (void)unused;
    assert_int_equal(grad_problem_read(newer, sizeof newer - 1, &back, NULL), GRAD_OK);
    assert_int_equal(back.http_status, 503);
    assert_string_equal(back.error.code, "overloaded");
    assert_string_equal(back.error.detail, "");
    back.http_status = 1;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(grad_problem_read(refused[i], strlen(refused[i]), &back, NULL),
                         GRAD_INVALID);
    assert_int_equal(grad_problem_read("<html>", 6, &back, &error), GRAD_MALFORMED);
    assert_string_equal(error.code, "malformed_json");
    assert_int_equal(grad_problem_read("", 0, &back, NULL), GRAD_MALFORMED);
    assert_int_equal(back.http_status, 1);
}

static void collect(void *context, const char *pointer, const char *value)
{
    grad_text_printf(context, "%s=%s;", pointer, value);
}

static void test_walk(void **unused)
{
    static const char text[] = "{\"a\":{\"b/c\":[1,2.5,\"x\"],\"e\":{}},\"~\":[true,false,null]}";
    grad_text found;

    (void)unused;
    grad_text_init(&found, 1000);
    assert_int_equal(grad_json_walk(text, sizeof text - 1, collect, &found, NULL), GRAD_OK);
    assert_string_equal(found.data, "/a/b~1c/0=1;/a/b~1c/1=2.5;/a/b~1c/2=x;/~0/0=true;/~0/1=false;"
                                    "/~0/2=null;");
    grad_text_free(&found);
    grad_text_init(&found, 1000);
    assert_int_equal(grad_json_walk("7", 1, collect, &found, NULL), GRAD_OK);
    assert_string_equal(found.data, "=7;");
    grad_text_free(&found);
}

static void test_walk_refuses(void **unused)
{
    char deep[400];
    grad_text found;
    grad_error error = GRAD_ERROR_INIT;

    (void)unused;
    grad_text_init(&found, 1000);
    assert_int_equal(grad_json_walk("{\"a\":}", 6, collect, &found, &error), GRAD_MALFORMED);
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    assert_int_equal(grad_json_walk(deep, sizeof deep, collect, &found, NULL), GRAD_TOO_LARGE);
    grad_text_free(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_document),  cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_foreign_documents), cmocka_unit_test(test_walk),
        cmocka_unit_test(test_walk_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
