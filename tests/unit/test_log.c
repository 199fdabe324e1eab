/* The log's lines, as they arrive in a pipe: whole, valid JSON, filtered by level. */
#include "observe/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAPTURE_SIZE = 1 << 20 };

static char captured[CAPTURE_SIZE];
static int pipe_ends[2], saved_stderr;

static void begin_capture(void)
{
    assert_int_equal(pipe(pipe_ends), 0);
    assert_true(fcntl(pipe_ends[1], F_SETPIPE_SZ, CAPTURE_SIZE) >= 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
    close(pipe_ends[1]);
}

/* What was written to standard error since. */
static const char *end_capture(void)
{
    size_t length = 0;
    ssize_t got;
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    while ((got = read(pipe_ends[0], captured + length, sizeof captured - 1 - length)) > 0)
        length += (size_t)got;
    close(pipe_ends[0]);
    captured[length] = '\0';
    return captured;
}

/* The one line there is, as an object that the caller releases. */
static json_t *only_line(const char *text)
{
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_string_equal(end, "\n");
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(line));
    return line;
}

static const char *text_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));
    assert_non_null(text);
    return text;
}

static void test_a_line_and_its_fields(void **state)
{
    (void)state;
    begin_capture();
    log_write(LOG_WARNING, "say \"hi\"\n",
              (log_field[]){LOG_TEXT("path", "/v1/\x01\\gradients\xff"),
                            LOG_NUMBER("bytes", 1234567), LOG_NUMBER("seconds", 0.25),
                            LOG_NUMBER("nothing", NAN), LOG_END});
    json_t *line = only_line(end_capture());
    assert_string_equal(text_of(line, "level"), "warning");
    assert_string_equal(text_of(line, "message"), "say \"hi\"\n");
    assert_string_equal(text_of(line, "path"), "/v1/\x01\\gradients\xef\xbf\xbd");
    assert_true(json_number_value(json_object_get(line, "bytes")) == 1234567);
    assert_true(json_number_value(json_object_get(line, "seconds")) == 0.25);
    assert_true(json_is_null(json_object_get(line, "nothing")));
    assert_int_equal(json_object_size(line), 7);
    json_decref(line);
}

/* time() may lag a tick behind the clock that the log reads, across the border of a second. */
static double now(void)
{
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    return (double)clock.tv_sec + (double)clock.tv_nsec * 1e-9;
}

static void test_the_time_is_now_in_utc(void **state)
{
    (void)state;
    begin_capture();
    double before = now();
    log_write(LOG_INFO, "now", NULL);
    json_t *line = only_line(end_capture());
    const char *text = text_of(line, "time");
    struct tm utc = {.tm_isdst = 0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    assert_non_null(rest);
    assert_int_equal(strlen(rest), strlen(".123Z"));
    char *end;
    double fraction = strtod(rest, &end);
    assert_string_equal(end, "Z");
    double written = (double)timegm(&utc) + fraction;
    assert_true(written > before - 0.002 && written < now() + 0.002);
    json_decref(line);
}

/* Words for people: no JSON, no controls, values in quotes where they hold blanks. */
static void test_text(void **state)
{
    (void)state;
    const log_field fields[] = {
        LOG_TEXT("reason", "no \x1b[31mroom\xc2\x9b caf\xc3\xa9\xe2\x82\x9a"),
        LOG_TEXT("peer", "::1"), LOG_NUMBER("count", 3), LOG_END};
    begin_capture();
    log_set_format(LOG_FORMAT_TEXT);
    log_write(LOG_WARNING, "full", fields);
    log_write_as(LOG_INFO, "request", "GET /\n 200", fields);
    log_write_as(LOG_INFO, "listening", "", fields);
    log_set_format(LOG_FORMAT_AUTO); /* a pipe: JSON again */
    log_write_as(LOG_INFO, "request", "GET / 200", NULL);
    log_set_format(LOG_FORMAT_JSON);
    const char *text = end_capture();
    const size_t clock = strlen("12:34:56 ");
    assert_int_equal(text[2], ':');
    assert_int_equal(text[clock - 1], ' ');
    const char *first =
        "warning: full reason=\"no ?[31mroom?? caf\xc3\xa9\xe2\x82\x9a\" peer=::1 count=3\n";
    assert_memory_equal(text + clock, first, strlen(first));
    text += clock + strlen(first);
    const char *second = "GET /? 200\n";
    assert_memory_equal(text + clock, second, strlen(second));
    text += clock + strlen(second);
    json_t *line = only_line(text);
    assert_string_equal(text_of(line, "message"), "request");
    json_decref(line);
}

static void test_levels(void **state)
{
    (void)state;
    assert_true(log_enabled(LOG_INFO) && !log_enabled(LOG_DEBUG));
    begin_capture();
    log_write(LOG_DEBUG, "below", NULL);
    log_set_level(LOG_ERROR);
    log_write(LOG_WARNING, "below", NULL);
    log_write(LOG_ERROR, "above", NULL);
    log_set_level(LOG_INFO);
    json_t *line = only_line(end_capture());
    assert_string_equal(text_of(line, "message"), "above");
    json_decref(line);
}

static void test_long_lines_lose_their_fields(void **state)
{
    (void)state;
    static char large[LOG_LINE_MAX + 1];
    memset(large, 'x', sizeof large - 1);
    begin_capture();
    log_write(LOG_INFO, "short", (log_field[]){LOG_TEXT("large", large), LOG_END});
    json_t *line = only_line(end_capture());
    assert_string_equal(text_of(line, "message"), "short");
    assert_true(json_is_true(json_object_get(line, "truncated")));
    assert_null(json_object_get(line, "large"));
    json_decref(line);
    begin_capture();
    log_write(LOG_INFO, large, NULL);
    line = only_line(end_capture());
    assert_string_equal(text_of(line, "message"), "a line of the log was lost");
    json_decref(line);
}

enum { THREADS = 4, LINES = 100 };

static void *write_lines(void *context)
{
    char text[500];
    memset(text, *(const char *)context, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < LINES; i++)
        log_write(LOG_INFO, text, (log_field[]){LOG_NUMBER("i", i), LOG_END});
    return NULL;
}

static void test_lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    static char letters[THREADS] = {'a', 'b', 'c', 'd'};
    pthread_t threads[THREADS];
    begin_capture();
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &letters[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end_capture();
    size_t count = 0;
    char *rest;
    for (char *l = strtok_r(captured, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest), count++) {
        json_t *line = json_loads(l, JSON_REJECT_DUPLICATES, NULL);
        const char *text = text_of(line, "message");
        assert_int_equal(strspn(text, (char[]){text[0], '\0'}), 499);
        json_decref(line);
    }
    assert_int_equal(count, THREADS * LINES);
}

static void test_a_closed_standard_error_is_survived(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    log_write(LOG_ERROR, "nobody reads this", NULL);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
}

/* Of a pipe that another process has too, and that cannot be opened anew, each line is asked for
 * first: none waits for its reader. */
static void write_until_full(void)
{
    struct rlimit many, none;

    if (getrlimit(RLIMIT_NOFILE, &many) != 0)
        exit(1);
    none = (struct rlimit){.rlim_cur = STDERR_FILENO + 1, .rlim_max = many.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &none) != 0)
        exit(1);
    log_open();
    if (setrlimit(RLIMIT_NOFILE, &many) != 0)
        exit(1);
    for (int i = 0; i < 100000; i++)
        log_write(LOG_ERROR, "said", NULL);
    exit(0);
}

static void test_a_pipe_that_cannot_be_opened_anew(void **state)
{
    const char *text;
    pid_t child;
    int status;

    (void)state;
    fflush(stdout);
    begin_capture();
    child = fork();
    if (child == 0)
        write_until_full();
    assert_int_equal(waitpid(child, &status, 0), child);
    text = end_capture();
    assert_int_equal(status, 0);
    assert_non_null(strstr(text, "\"message\":\"said\""));
    assert_true(strlen(text) > CAPTURE_SIZE / 2);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

/* A descriptor that is closed at the beginning may be a connection's later: nothing is written. */
static void write_to_nobody(void)
{
    int pipe_of_another[2];
    char byte;

    close(STDERR_FILENO);
    log_open();
    if (pipe2(pipe_of_another, O_NONBLOCK) != 0 || dup2(pipe_of_another[1], STDERR_FILENO) < 0)
        exit(1);
    log_write(LOG_ERROR, "nobody reads this", NULL);
    exit(read(pipe_of_another[0], &byte, 1) > 0);
}

static void test_standard_error_that_is_closed_from_the_start(void **state)
{
    pid_t child;
    int status;

    (void)state;
    fflush(stdout);
    child = fork();
    if (child == 0)
        write_to_nobody();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_and_its_fields),
        cmocka_unit_test(test_the_time_is_now_in_utc),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_lines_lose_their_fields),
        cmocka_unit_test(test_lines_of_threads_do_not_mix),
        cmocka_unit_test(test_a_closed_standard_error_is_survived),
        cmocka_unit_test(test_a_pipe_that_cannot_be_opened_anew),
        cmocka_unit_test(test_standard_error_that_is_closed_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
