#!/bin/sh
# libmicrohttpd: 1.0.1 answers 400 to a chunk extension, 1.0.10 to a percent sign alone in a path
# Versions: 0.9.75, 1.0.1, 1.0.10 (Debian 12, 13, testing), no option set.
# One would guess: what is valid by RFC 9112 reaches the handler in all, or an option lets it.
# Seen: chunks "3;a=b", "3;a" and '3;a="b c"' (§7.1.1) are taken by 0.9.75 and 1.0.10 and are 400
# in 1.0.1, which takes "0;a=b" on the last chunk, and which no level of
# MHD_OPTION_STRICT_FOR_CLIENT changes. "GET /50%" reaches the handler as "/50%" before 1.0.10,
# which answers 400 itself, but takes the same text in a query ("q=50%"). It takes the path too at
# level -1, or with an unescape callback that leaves texts alone; with that, "%25" stays "%25" in
# paths and queries, and the handler decodes.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libmicrohttpd-dev 0.9.75 1.0.1 1.0.10
cat >server.c <<'C'
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"

static const char *const requests[][2] = {
    {"chunk 3", CHUNKED "3\r\nabc\r\n0\r\n\r\n"},
    {"chunk 3;a=b", CHUNKED "3;a=b\r\nabc\r\n0\r\n\r\n"},
    {"chunk 3;a", CHUNKED "3;a\r\nabc\r\n0\r\n\r\n"},
    {"chunk 3;a=\"b c\"", CHUNKED "3;a=\"b c\"\r\nabc\r\n0\r\n\r\n"},
    {"chunk 0;a=b", CHUNKED "3\r\nabc\r\n0;a=b\r\n\r\n"},
    {"/50%25", GET("/50%25")},
    {"/50%", GET("/50%")},
    {"/?q=50%", GET("/?q=50%")},
};

static size_t leave_alone(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

/* Answers with what it was asked for. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    static int begun;
    (void)context, (void)method, (void)version, (void)upload;
    if (*state == NULL || *upload_size > 0) {
        *state = &begun;
        *upload_size = 0;
        return MHD_YES;
    }
    const char *q = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "q");
    printf("%s%s ", url, q == NULL ? "" : q);
    struct MHD_Response *response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
}

static void ask(unsigned port, const char *request)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    char head[13] = "";
    if (connect(peer, (struct sockaddr *)&to, sizeof to) == 0
        && send(peer, request, strlen(request), 0) > 0
        && recv(peer, head, sizeof head - 1, MSG_WAITALL) == sizeof head - 1) {
        puts(head + strlen("HTTP/1.1 "));
    } else {
        puts("no answer");
    }
    close(peer);
}

int main(int argc, char **argv)
{
    struct MHD_OptionItem options[] = {{MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};
    (void)argv;
    if (argc > 1) {
        options[0] =
            (struct MHD_OptionItem){MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_alone, NULL};
    }
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, NULL,
                         MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (daemon == NULL) {
        return 1;
    }
    unsigned port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++) {
        printf("%s: ", requests[i][0]);
        ask(port, requests[i][1]);
    }
    MHD_stop_daemon(daemon);
    return 0;
}
C
compile server -lmicrohttpd
case $found in
0.9.75)
    extension='/ 200' percent='/50% 200' ;;
1.0.1)
    extension=400 percent='/50% 200' ;;
1.0.10)
    extension='/ 200' percent=400 ;;
esac
expected="chunk 3: / 200
chunk 3;a=b: $extension
chunk 3;a: $extension
chunk 3;a=\"b c\": $extension
chunk 0;a=b: / 200
/50%25: /50% 200
/50%: $percent
/?q=50%: /50% 200
alone:
/50%25: /50%25 200
/50%: /50% 200
/?q=50%: /50% 200"
seen=$(./server && echo alone: && ./server alone | sed '/^chunk/d')
verdict "$expected" "$seen" \
    "libmicrohttpd $found: a chunk extension: $extension; GET /50%: $percent; /?q=50% is taken"
