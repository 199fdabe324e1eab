/* The daemon where memory fails, each allocation and each thread in turn: it does not start and
 * leaves nothing, or it gives a request a whole answer or none, and goes on. */
#include "daemon.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/log.h"
#include "support/failing_alloc.h"

#define MESSAGE_SIZE 1024
#define PATIENCE_SECONDS 20

#define TOKEN "gd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TOKEN_HASH "c1b1b5f0cfb2532bb72e05842883416d886c0f4dea001b09f819375795b9b840"

static char token_path[] = "/tmp/test_alloc_daemon.XXXXXX";

/* ---- The daemon ------------------------------------------------------------------------------ */

static config *configuration(void)
{
    static config values;
    static config_sources *sources;
    static char flags[256];
    char *words[16], *nothing[] = {NULL}, *rest = flags, message[MESSAGE_SIZE];
    int count = 0;
    config_action action;

    if (sources != NULL)
        return &values;
    snprintf(flags, sizeof flags,
             "gradientd --listen=127.0.0.1:0 --admin-listen=127.0.0.1:0 --workers=1 "
             "--event-loops=1 --memory-budget=64MiB --header-timeout=5s --token-file=%s",
             token_path);
    while ((words[count] = strsep(&rest, " ")) != NULL)
        count++;
    if (!config_load(count, words, nothing, &values, &sources, &action, message, sizeof message))
        fail_msg("%s", message);
    config_resolve(&values);
    return &values;
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static bool start(gradientd *d, char message[MESSAGE_SIZE])
{
    message[0] = '\0';
    return daemon_open(d, configuration(), message, MESSAGE_SIZE) &&
           daemon_start(d, message, MESSAGE_SIZE);
}

static void it_starts_or_leaves_nothing(void **state)
{
    size_t descriptors, live;
    gradientd d;
    char message[MESSAGE_SIZE];

    (void)state;
    assert_true(start(&d, message)); /* what libraries keep from their first time on */
    assert_true(daemon_stop(&d));
    descriptors = open_descriptors();
    live = failing_alloc_live();
    for (size_t n = 1;; n++) {
        bool started, failed;

        failing_alloc_arm(n);
        started = start(&d, message);
        failed = failing_alloc_disarm();
        if (started)
            assert_true(daemon_stop(&d));
        else if (!failed || strcasestr(message, "memory") == NULL)
            fail_msg("allocation %zu: \"%s\"", n, message);
        assert_int_equal(open_descriptors(), descriptors);
        assert_int_equal(failing_alloc_live(), live);
        if (!failed)
            return;
    }
}

/* ---- A request ------------------------------------------------------------------------------- */

static int connect_to(const char *text)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)strtoul(strrchr(text, ':') + 1, NULL, 10));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* What comes until the peer ends; it must end in time. */
static void ask(const gradientd *d, const char *question, char *answer, size_t size)
{
    int fd = connect_to(d->addresses[ROLE_SERVICE]);
    size_t length = 0;
    ssize_t got;

    assert_int_equal(send(fd, question, strlen(question), MSG_NOSIGNAL), strlen(question));
    while ((got = recv(fd, answer + length, size - 1 - length, 0)) > 0)
        length += (size_t)got;
    assert_true(got == 0 || errno == ECONNRESET);
    answer[length] = '\0';
    close(fd);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* What a request held is given back behind its answer. */
static void wait_for_live(size_t live)
{
    for (int i = 0; failing_alloc_live() > live && i < PATIENCE_SECONDS * 200; i++)
        poll(NULL, 0, 5);
    assert_true(failing_alloc_live() <= live);
}

static void assert_survives(const char *question, const char *end)
{
    gradientd d;
    char message[MESSAGE_SIZE], answer[16384] = "";
    size_t live;

    assert_true(start(&d, message));
    ask(&d, question, answer, sizeof answer); /* its peer is known from then on */
    if (!ends_with(answer, end))
        fail_msg("%s", answer);
    while (event_loops_load(d.loops[ROLE_SERVICE]) > 0)
        poll(NULL, 0, 5);
    live = failing_alloc_live();
    for (size_t n = 1;; n++) {
        failing_alloc_arm(n);
        ask(&d, question, answer, sizeof answer);
        wait_for_live(live);
        if (!failing_alloc_disarm())
            break;
        if (answer[0] != '\0' && !ends_with(answer, end)) {
            assert_non_null(strstr(answer, "HTTP/1.1 503 "));
            assert_non_null(strstr(answer, "\"out_of_memory\""));
            assert_true(ends_with(answer, "}\n"));
        }
    }
    assert_true(ends_with(answer, end));
    assert_true(daemon_stop(&d));
}

#define HEAD(method_and_path)                                                                      \
    method_and_path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"                        \
                    "Authorization: Bearer " TOKEN "\r\n"

static void a_gradient_is_whole_or_refused(void **state)
{
    const char *body = "{\"layers\":[{\"activation\":\"relu\",\"input\":[[1,2]],"
                       "\"pre_activation\":[[3]],\"grad_output\":[[4]]}]}";
    char question[1024];

    (void)state;
    snprintf(question, sizeof question,
             HEAD("POST /v1/gradients") "Content-Type: application/json\r\n"
                                        "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    assert_survives(question, "{\"layers\":[{\"weight_delta\":[[4,8]],\"bias_delta\":[4]}]}\n");
}

/* Chunks, so that the body is read in pieces; and an error's document needs memory too. */
static void an_error_is_whole_or_another(void **state)
{
    (void)state;
    assert_survives(HEAD("POST /v1/gradients") "Content-Type: application/json\r\n"
                                               "Transfer-Encoding: chunked\r\n\r\n"
                                               "2\r\n{}\r\n0\r\n\r\n",
                    "}\n");
}

static void tables_are_whole_or_refused(void **state)
{
    (void)state;
    assert_survives(HEAD("GET /v1/info") "\r\n", "}\n");
}

static int make_token_file(void **state)
{
    int fd = mkstemp(token_path);
    bool is_written = fd >= 0 && dprintf(fd, "alice sha256:%s\n", TOKEN_HASH) > 0;

    (void)state;
    log_set_level(LOG_ERROR);
    return is_written && close(fd) == 0 ? 0 : -1;
}

static int remove_token_file(void **state)
{
    (void)state;
    return unlink(token_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_or_leaves_nothing),
        cmocka_unit_test(a_gradient_is_whole_or_refused),
        cmocka_unit_test(an_error_is_whole_or_another),
        cmocka_unit_test(tables_are_whole_or_refused),
    };

    return cmocka_run_group_tests(tests, make_token_file, remove_token_file);
}
