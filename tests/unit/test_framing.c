/* Headers that two readers could understand differently are found, and only those; values that the
 * daemon reads (media types, request identities, lengths) on both sides of their rules. */
#include "http/headers.h"
#include "http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct header {
    const char *name, *value;
} header;

#define HOST                                                                                       \
    {                                                                                              \
        "Host", "a"                                                                                \
    }
#define MOST 6

static const char *fault_of(const char *version, const header *list)
{
    static headers h;
    headers_begin(&h, version);
    for (; list->name; list++)
        headers_add(&h, list->name, strlen(list->name), list->value, strlen(list->value));
    headers_end(&h, NULL);
    return h.fault;
}

static void test_sound_headers_pass(void **state)
{
    (void)state;
    static const header sound[][MOST] = {
        {HOST},
        {HOST, {"Content-Length", "5"}},
        {HOST, {"transfer-encoding", "Chunked"}},
        {HOST, {"X-Tab", "a\tb"}, {"X-Tab", "again"}, {"X-Empty", ""}},
        {HOST, {"X-High", "\xc3\xa9"}, {"X!#$%&'*+-.^_`|~9", "1"}},
    };
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++)
        assert_null(fault_of("HTTP/1.1", sound[i]));
    static const header none[MOST] = {{NULL, NULL}};
    assert_null(fault_of("HTTP/1.0", none));
}

static void test_ambiguous_headers_are_found(void **state)
{
    (void)state;
    static const header ambiguous[][MOST] = {
        {{"X-No-Host", "a"}},
        {HOST, HOST},
        {HOST, {"Content-Length", "5"}, {"content-length", "5"}},
        {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
        {HOST, {"Content-Type", "a/b"}, {"Content-Type", "a/b"}},
        {HOST, {"Content-Encoding", "identity"}, {"Content-Encoding", "gzip"}},
        {HOST, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
        {HOST, {"Transfer-Encoding", "gzip, chunked"}},
        {HOST, {"Transfer-Encoding", "chunked "}},
        {HOST,
         {"Transfer-Encoding", "\x0b"
                               "chunked"}},
        {HOST, {"Transfer-Encoding", ""}},
        {HOST, {"Content-Length ", "5"}},
        {HOST, {"", "5"}},
        {HOST, {"X(y)", "5"}},
        {HOST, {"X\xc3\xa9", "5"}},
        {HOST, {"X-Y", "a\x01"}},
        {HOST, {"X-Y", "a\x7f"}},
        {HOST, {"X-Y", "a\rb"}},
    };
    for (size_t i = 0; i < sizeof ambiguous / sizeof ambiguous[0]; i++)
        assert_non_null(fault_of("HTTP/1.1", ambiguous[i]));
    static const header chunked[MOST] = {{"Transfer-Encoding", "chunked"}};
    assert_non_null(fault_of("HTTP/1.0", chunked));
}

/* Reads a block as libmicrohttpd 0.9.75 leaves it: name NUL blanks value NUL NUL … NUL NUL. Lines
 * begin at these offsets; what else stands in the block was hidden from its parser. */
static const char *fault_of_block(const char *block, size_t size, const size_t *lines)
{
    static headers h;
    headers_begin(&h, "HTTP/1.1");
    headers_expect_lines(&h, block);
    for (; *lines < size; lines++) {
        const char *name = block + *lines;
        const char *value = name + strlen(name) + 1;
        value += strspn(value, " \t");
        headers_add(&h, name, strlen(name), value, strlen(value));
    }
    headers_end(&h, block + size);
    return h.fault;
}

static void test_hidden_text_is_found(void **state)
{
    (void)state;
    static const char sound[] = "Host\0 a\0\0X-Y\0b\0\0\0";
    static const size_t sound_lines[] = {0, 9, SIZE_MAX};
    assert_null(fault_of_block(sound, sizeof sound, sound_lines));

    static const char after_nul[] = "Host\0 a\0hidden\0\0X-Y\0b\0\0\0";
    static const size_t after_nul_lines[] = {0, 16, SIZE_MAX};
    assert_non_null(fault_of_block(after_nul, sizeof after_nul, after_nul_lines));

    static const char bare_feed[] = "Host\0 a\0X-Y\0b\0\0\0";
    static const size_t bare_feed_lines[] = {0, 8, SIZE_MAX};
    assert_non_null(fault_of_block(bare_feed, sizeof bare_feed, bare_feed_lines));

    static const char at_the_end[] = "Host\0 a\0hidden\0\0\0";
    static const size_t at_the_end_lines[] = {0, SIZE_MAX};
    assert_non_null(fault_of_block(at_the_end, sizeof at_the_end, at_the_end_lines));
}

static void test_known_values_are_kept(void **state)
{
    (void)state;
    headers h;
    uint64_t length;
    headers_begin(&h, "HTTP/1.1");
    assert_false(headers_have_body(&h, &length));
    headers_add(&h, "content-TYPE", 12, "a/b", 3);
    headers_add(&h, "Content-Length", 14, "123", 3);
    headers_add(&h, "X-Request-ID", 12, "me", 2);
    assert_string_equal(h.content_type, "a/b");
    assert_string_equal(h.request_id, "me");
    assert_true(headers_have_body(&h, &length));
    assert_int_equal(length, 123);
}

static media_type_match match(const char *content_type)
{
    char fault[200];
    return headers_match_media_type(content_type, "application/json", fault, sizeof fault);
}

static void test_media_types(void **state)
{
    (void)state;
    static const char *const json[] = {
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json ;charset=\"UTF-8\" ; profile=x",
        "application/json;",
        "application/json; ;;charset=utf8; ",
        "application/json;CHARSET=\"Utf8\"",
        "application/json;profile=\"a;charset=latin-1\"",
        "application/json;profile=\"a\\\";b\"",
        "application/json;profile=\"\"",
    };
    static const char *const other[] = {
        "",
        "json",
        "application/jsonx",
        "application/json, text/plain",
        "text/plain; a=application/json",
    };
    static const char *const faulty[] = {
        "application/json; charset=latin-1", "application/json; charset",
        "application/json; charset = utf-8", "application/json; charset=utf-16",
        "application/json; charset=\"utf-8", "application/json; profile=\"a\\\"",
        "application/json; =utf-8",          "application/json; charset=",
        "application/json; charset=\"\"",    "application/json; charset=utf-8 x",
    };
    for (size_t i = 0; i < sizeof json / sizeof json[0]; i++)
        assert_int_equal(match(json[i]), MEDIA_TYPE_SAME);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        assert_int_equal(match(other[i]), MEDIA_TYPE_OTHER);
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++)
        assert_int_equal(match(faulty[i]), MEDIA_TYPE_FAULTY);
}

static void test_request_ids(void **state)
{
    (void)state;
    char text[66];
    memset(text, 'x', 65);
    text[65] = '\0';
    assert_false(headers_is_request_id(text));
    text[64] = '\0';
    assert_true(headers_is_request_id(text));
    assert_true(headers_is_request_id("~!"));
    assert_false(headers_is_request_id(""));
    assert_false(headers_is_request_id("a b"));
    assert_false(headers_is_request_id("a\x7f"));
    assert_false(headers_is_request_id("\xc3\xa9"));
}

static void test_traces(void **state)
{
    (void)state;
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
    static const char *const good[] = {"00-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-ff",
                                       "01-" TRACE "-" PARENT "-00",
                                       "cc-" TRACE "-" PARENT "-00-what comes later"};
    static const char *const bad[] = {"",
                                      "00",
                                      "00-" TRACE "-" PARENT,
                                      "00-" TRACE "-" PARENT "-0",
                                      "00-" TRACE "-" PARENT "-01-",
                                      "00-" TRACE "-" PARENT "-01 ",
                                      "01-" TRACE "-" PARENT "-001",
                                      "ff-" TRACE "-" PARENT "-01",
                                      "0x-" TRACE "-" PARENT "-01",
                                      "00-" TRACE "_" PARENT "-01",
                                      "00_" TRACE "-" PARENT "-01",
                                      "00-" TRACE "-" PARENT "_01",
                                      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
                                      "00-" TRACE "-00F067AA0BA902B7-01",
                                      "00-" TRACE "-" PARENT "-0G",
                                      "00-00000000000000000000000000000000-" PARENT "-01",
                                      "00-" TRACE "-0000000000000000-01"};
    trace_context trace = {.trace_id = "kept"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(headers_read_traceparent(bad[i], &trace));
    assert_string_equal(trace.trace_id, "kept");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        trace = (trace_context){.trace_id = ""};
        assert_true(headers_read_traceparent(good[i], &trace));
        assert_string_equal(trace.trace_id, TRACE);
        assert_string_equal(trace.parent_id, PARENT);
    }
}

static void test_made_request_ids_differ(void **state)
{
    (void)state;
    char made[100][GRAD_REQUEST_ID_SIZE];
    for (size_t i = 0; i < 100; i++) {
        request_id_make(made[i]);
        assert_int_equal(strlen(made[i]), 16);
        assert_true(headers_is_request_id(made[i]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(made[i], made[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_headers_pass),
        cmocka_unit_test(test_ambiguous_headers_are_found),
        cmocka_unit_test(test_hidden_text_is_found),
        cmocka_unit_test(test_known_values_are_kept),
        cmocka_unit_test(test_media_types),
        cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_made_request_ids_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
