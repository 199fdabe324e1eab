/* The whole daemon under a fuzzer, without a network: what a connection brings is written into one
 * end of a pair of sockets, whose other end libmicrohttpd has. The first byte of the input chooses
 * between bytes as they are and bodies of requests whose heads are right. What comes back is
 * responses, none with 500, and then the end. */
#include "daemon.h"
#include "platform/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_SECONDS 20
#define ANSWER_SIZE ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***arguments);

static gradientd subject;
static char answer[ANSWER_SIZE + 1];

static void fail(const char *what)
{
    fprintf(stderr, "%s\n%.2000s\n", what, answer);
    abort();
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    static char *words[] = {
        (char *)"gradientd",
        (char *)"--listen=127.0.0.1:0",
        (char *)"--admin-listen=none",
        (char *)"--allow-host=*",
        (char *)"--workers=1",
        (char *)"--event-loops=1",
        (char *)"--max-body=64KiB",
        (char *)"--max-numbers=20000",
        (char *)"--max-result-numbers=20000",
        (char *)"--memory-budget=64MiB",
        (char *)"--request-timeout=1s",
        (char *)"--log-level=error",
        NULL,
    };
    static config values;
    static config_sources *sources;
    config_action action;
    char *variables[] = {NULL}, message[512];

    (void)count;
    (void)arguments;
    signal(SIGPIPE, SIG_IGN);
    if (!config_load(sizeof words / sizeof *words - 1, words, variables, &values, &sources, &action,
                     message, sizeof message))
        fail(message);
    config_resolve(&values);
    if (!daemon_open(&subject, &values, message, sizeof message) ||
        !daemon_start(&subject, message, sizeof message))
        fail(message);
    return 0;
}

/* Writes until the other end takes no more: it may answer, and close, in the middle. */
static void send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

static void send_body(int fd, unsigned choice, const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/v1/gradients", "/v1/backprop", "/v1/check"};
    bool chunked = choice & 8;
    char head[256];
    int length = snprintf(head, sizeof head,
                          "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n",
                          paths[choice % 3]);

    length += chunked ? snprintf(head + length, sizeof head - (size_t)length,
                                 "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", size)
                      : snprintf(head + length, sizeof head - (size_t)length,
                                 "Content-Length: %zu\r\n\r\n", size);
    send_all(fd, head, (size_t)length);
    send_all(fd, (const char *)data, size);
    if (chunked)
        send_all(fd, "\r\n0\r\n\r\n", 7);
}

/* Everything until the end, or what fits. */
static size_t read_all(int fd)
{
    size_t length = 0;

    for (;;) {
        char rest[4096];
        bool full = length == ANSWER_SIZE;
        ssize_t n = full ? recv(fd, rest, sizeof rest, 0)
                         : recv(fd, answer + length, ANSWER_SIZE - length, 0);

        if (n < 0 && errno == EAGAIN)
            fail("no end of the connection");
        if (n <= 0)
            break;
        length += full ? 0 : (size_t)n;
    }
    answer[length] = '\0';
    return length;
}

static void expect_response(size_t length)
{
    int status;

    if (length == 0)
        return;
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0)
        fail("no response");
    status = atoi(answer + 9);
    if (status < 100 || status > 505 || status == 500)
        fail("an unexpected status");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    const struct sockaddr peer = {.sa_family = AF_UNIX};
    acceptor_target target = event_loops_target(subject.loops[ROLE_SERVICE]);
    int pair[2];

    if (size == 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        fail("no pair of sockets");
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!target.take(target.context, pair[1], &peer, sizeof peer.sa_family))
        fail("the connection is not taken");
    if (data[0] & 128)
        send_body(pair[0], data[0], data + 1, size - 1);
    else
        send_all(pair[0], (const char *)data + 1, size - 1);
    shutdown(pair[0], SHUT_WR);
    expect_response(read_all(pair[0]));
    close(pair[0]);
    return 0;
}
