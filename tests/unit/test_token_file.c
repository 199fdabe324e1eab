/* The token file's reader, line by line: what it takes, what it refuses in which words, and that it
 * never quotes what may be a secret. */
#include "access/secret.h"
#include "access/token_command.h"
#include "access/token_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define OTHER_HEX "ff0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define LINE "alice sha256:" HEX

static token_list read_good(const char *text)
{
    token_list list;
    char message[256] = "";

    if (!token_file_parse(text, &list, message, sizeof message))
        fail_msg("%s: %s", text, message);
    return list;
}

/* That the text is refused with a message that begins so. */
static void expect_refusal(const char *text, const char *expected)
{
    token_list list = {.count = 77};
    char message[256] = "";

    if (token_file_parse(text, &list, message, sizeof message))
        fail_msg("accepted: %s", text);
    assert_int_equal(list.count, 77);
    if (strncmp(message, expected, strlen(expected)) != 0)
        fail_msg("\"%s\" says \"%s\", not \"%s\"", text, message, expected);
    assert_null(strstr(message, "gd_secret"));
}

static void test_empty_files(void **state)
{
    static const char *const texts[] = {"", "\n", "# comment", "  \t# comment\n\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        token_list list = read_good(texts[i]);
        assert_int_equal(list.count, 0);
        token_list_free(&list);
    }
}

static void test_a_line(void **state)
{
    token_list list = read_good("\n " LINE " expires=2027-01-31T12:00:00+01:00\trate=600/m "
                                "bytes=1GiB/d  concurrent=4\r\nb.o_b-2@x sha256:" OTHER_HEX);

    (void)state;
    assert_int_equal(list.count, 2);
    assert_string_equal(list.lines[0].name, "alice");
    assert_int_equal(list.lines[0].number, 2);
    for (size_t i = 0; i < TOKEN_HASH_SIZE; i++)
        assert_int_equal(list.lines[0].hash[i], i);
    assert_int_equal(list.lines[0].limits.rate.amount, 600);
    assert_int_equal(list.lines[0].limits.rate.window, 60);
    assert_int_equal(list.lines[0].limits.bytes.amount, 1 << 30);
    assert_int_equal(list.lines[0].limits.bytes.window, 86400);
    assert_int_equal(list.lines[0].limits.concurrent, 4);
    assert_int_equal(list.lines[0].expires, 1801393200);
    assert_string_equal(list.lines[1].name, "b.o_b-2@x");
    assert_int_equal(list.lines[1].limits.rate.amount, 0);
    assert_int_equal(list.lines[1].limits.concurrent, 0);
    assert_true(list.lines[1].expires == INT64_MAX);
    token_list_free(&list);
}

static void test_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {{"1970-01-01", 0},
                {"2024-02-29", 1709164800},
                {"2027-01-31T12:00:00Z", 1801396800},
                {"2027-01-31t12:00:00z", 1801396800},
                {"2027-01-31T12:00:00-00:30", 1801398600},
                {"9999-12-31T23:59:59Z", INT64_C(253402300799)}};
    static const char *const wrong[] = {"",
                                        "tomorrow",
                                        "2027-1-31",
                                        "2027-02-29",
                                        "2027-13-01",
                                        "2027-00-01",
                                        "2027-01-00",
                                        "2027-01-31T",
                                        "2027-01-31T12:00:00",
                                        "2027-01-31T24:00:00Z",
                                        "2027-01-31T12:60:00Z",
                                        "2027-01-31T12:00:00+1:00",
                                        "2027-01-31T12:00:00+24:00",
                                        "2027-01-31T12:00:00.5Z",
                                        "2027-01-31Z",
                                        "1801396800"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        token_list list;
        snprintf(text, sizeof text, LINE " expires=%s", rows[i].text);
        list = read_good(text);
        assert_true(list.lines[0].expires == rows[i].seconds);
        token_list_free(&list);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, LINE " expires=%s", wrong[i]);
        expect_refusal(text, "line 1: expected expires as a date of RFC 3339");
    }
}

static void test_limits(void **state)
{
    static const struct {
        const char *text;
        uint64_t amount, window;
    } rows[] = {
        {"1/s", 1, 1},    {"50/5s", 50, 5},        {"10k/m", 10000, 60},      {"1/90m", 1, 5400},
        {"7/h", 7, 3600}, {"1000/d", 1000, 86400}, {"1/366d", 1, 366 * 86400}};
    static const char *const wrong[] = {"",       "10",    "/s",   "10/",   "0/s",
                                        "-1/s",   "1.5/s", "10/x", "10/0s", "1/367d",
                                        "10/s/s", "10 /s", "2G/s", "1/1",   "1/99999999999s"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        token_list list;
        snprintf(text, sizeof text, LINE " rate=%s", rows[i].text);
        list = read_good(text);
        assert_int_equal(list.lines[0].limits.rate.amount, rows[i].amount);
        assert_int_equal(list.lines[0].limits.rate.window, rows[i].window);
        token_list_free(&list);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, LINE " rate=%s", wrong[i]);
        expect_refusal(text, "line 1: expected rate as NUMBER/TIME");
        snprintf(text, sizeof text, LINE " bytes=%s",
                 strcmp(wrong[i], "2G/s") == 0 ? "x" : wrong[i]);
        expect_refusal(text, "line 1: expected bytes as SIZE/TIME");
    }
    expect_refusal(LINE " concurrent=0", "line 1: expected concurrent as a number");
    expect_refusal(LINE " concurrent=", "line 1: expected concurrent as a number");
}

static void test_names(void **state)
{
    static const char *const wrong[] = {"*", "-a", ".a", "a/b", "a:b", "\xc3\xa9", "a\"b", "a=b"};
    char text[200], name[80];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, "\n\n%s sha256:" HEX, wrong[i]);
        expect_refusal(text, "line 3: expected a name of at most 64");
    }
    memset(name, 'a', sizeof name);
    for (int length = 64; length <= 65; length++) {
        token_list list;
        snprintf(text, sizeof text, "%.*s sha256:" HEX, length, name);
        if (length == 64) {
            list = read_good(text);
            token_list_free(&list);
        } else {
            expect_refusal(text, "line 1: expected a name");
        }
    }
}

static void test_hashes(void **state)
{
    (void)state;
    expect_refusal("alice", "line 1: expected sha256: and 64 hexadecimal digits behind the name");
    expect_refusal("alice gd_secret", "line 1: expected sha256: and 64 hexadecimal digits");
    expect_refusal("alice sha256:", "line 1: expected sha256: and 64 hexadecimal digits");
    expect_refusal("alice md5:" HEX, "line 1: expected sha256: and 64 hexadecimal digits");
    expect_refusal(LINE "0", "line 1: expected sha256: and 64 hexadecimal digits");
    expect_refusal("alice sha256:g" OTHER_HEX, "line 1: expected sha256: and 64");
    expect_refusal("a sha256:gg0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F",
                   "line 1: expected hexadecimal digits behind sha256:, found another character");
}

static void test_other_words(void **state)
{
    (void)state;
    expect_refusal(LINE " gd_secret", "line 1: expected rate=, bytes=, concurrent= or expires=");
    expect_refusal(LINE " gd_secret=1", "line 1: expected rate=, bytes=, concurrent= or expires=");
    expect_refusal(LINE " =", "line 1: expected rate=");
    expect_refusal(LINE " # comment", "line 1: expected rate=");
    expect_refusal(LINE " rate=1/s rate=1/s", "line 1: expected one rate=, found two");
}

static void test_what_comes_twice(void **state)
{
    (void)state;
    expect_refusal(LINE "\n\nalice sha256:" OTHER_HEX,
                   "line 3: expected each name once, found that of line 1 again");
    expect_refusal(LINE "\nbob sha256:" HEX,
                   "line 2: expected each token once, found the hash in line 1 already");
}

static void test_many(void **state)
{
    char *text = malloc((TOKENS_MOST + 1) * 100), *at = text;
    token_list list;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i <= TOKENS_MOST; i++) {
        if (i == TOKENS_MOST) {
            list = read_good(text);
            assert_int_equal(list.count, TOKENS_MOST);
            assert_string_equal(list.lines[TOKENS_MOST - 1].name, "t4095");
            token_list_free(&list);
        }
        at += sprintf(at, "t%d sha256:%064x\n", i, (unsigned)i);
    }
    expect_refusal(text, "line 4097: expected at most 4096 tokens, found more");
    free(text);
}

/* NIST's vector for "abc" (FIPS 180-4). */
static void test_hash(void **state)
{
    static const unsigned char expected[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                             0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                             0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                             0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    unsigned char hash[TOKEN_HASH_SIZE];

    (void)state;
    assert_true(secret_hash("abc", 3, hash));
    assert_memory_equal(hash, expected, sizeof hash);
}

/* Every bit of every letter comes and goes in enough of them. */
static void test_tokens_are_random(void **state)
{
    enum { COUNT = 500 };
    static char tokens[COUNT][SECRET_SIZE];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        assert_true(secret_make(tokens[i]));
        assert_int_equal(strlen(tokens[i]), SECRET_SIZE - 1);
        assert_memory_equal(tokens[i], "gd_", 3);
        for (int other = 0; other < i; other++)
            assert_string_not_equal(tokens[i], tokens[other]);
    }
    for (size_t at = 3; at < SECRET_SIZE - 1; at++) {
        int kinds = 0;
        for (const char *letter =
                 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
             *letter != '\0'; letter++) {
            bool found = false;
            for (int i = 0; i < COUNT && !found; i++)
                found = tokens[i][at] == *letter;
            kinds += found;
        }
        /* 500 draws of 64 miss each with probability 4e-4; the last has 4 bits. */
        assert_true(at == SECRET_SIZE - 2 ? kinds == 16 : kinds >= 58);
    }
}

static void test_command(void **state)
{
    char name[] = "alice", rate[] = "--rate", five[] = "5/s", two[] = "--concurrent=2";
    char *words[] = {name, rate, five, two, NULL}, *none[] = {NULL};
    char token[SECRET_SIZE], line[TOKEN_LINE_SIZE], message[256] = "", long_word[600];
    char *too_long[] = {name, rate, long_word, NULL};
    token_list list;
    unsigned char hash[TOKEN_HASH_SIZE];

    (void)state;
    assert_true(token_command(words, token, line, message, sizeof message));
    list = read_good(line);
    assert_string_equal(list.lines[0].name, "alice");
    assert_true(secret_hash(token, strlen(token), hash));
    assert_memory_equal(list.lines[0].hash, hash, sizeof hash);
    assert_int_equal(list.lines[0].limits.rate.amount, 5);
    assert_int_equal(list.lines[0].limits.concurrent, 2);
    token_list_free(&list);
    assert_false(token_command(none, token, line, message, sizeof message));
    memset(long_word, '1', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_false(token_command(too_long, token, line, message, sizeof message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_a_line),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_other_words),
        cmocka_unit_test(test_what_comes_twice),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_tokens_are_random),
        cmocka_unit_test(test_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
