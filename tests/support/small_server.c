/* Threads that read requests with a Content-Length and answer them. */
#include "support/small_server.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka.h needs four of the above. */
#include <cmocka.h>

#define REQUEST_SIZE 16384

typedef struct talk {
    small_server *owner;
    int socket;
} talk;

/* Reads one request into buffer; its body begins at the returned place, NULL at the end. */
static const char *read_request(int socket, char *buffer)
{
    size_t length = 0;

    for (;;) {
        const char *end;
        ssize_t got = recv(socket, buffer + length, REQUEST_SIZE - 1 - length, 0);
        if (got <= 0)
            return NULL;
        length += (size_t)got;
        buffer[length] = '\0';
        end = strstr(buffer, "\r\n\r\n");
        if (end != NULL) {
            const char *header = strstr(buffer, "\nContent-Length: ");
            size_t body = header != NULL ? strtoul(header + 17, NULL, 10) : 0;
            if (length >= (size_t)(end + 4 - buffer) + body)
                return end + 4;
        }
    }
}

static void keep_path(small_server *s, const char *request)
{
    const char *path = request + strcspn(request, " ") + 1;

    pthread_mutex_lock(&s->lock);
    snprintf(s->last_path, sizeof s->last_path, "%.*s", (int)strcspn(path, " "), path);
    pthread_mutex_unlock(&s->lock);
}

static void *serve(void *context)
{
    talk *t = context;
    char request[REQUEST_SIZE], head[256];
    char *reply = calloc(1, SMALL_SERVER_REPLY_SIZE);
    const char *body;

    assert_non_null(reply);
    while ((body = read_request(t->socket, request)) != NULL) {
        t->owner->requests++;
        t->owner->last_body = strlen(body);
        keep_path(t->owner, request);
        t->owner->answer(body, reply);
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n",
                 t->owner->header != NULL ? t->owner->header : "", strlen(reply));
        send(t->socket, head, strlen(head), MSG_NOSIGNAL);
        send(t->socket, reply, strlen(reply), MSG_NOSIGNAL);
        if (t->owner->close_each)
            break;
    }
    close(t->socket);
    free(reply);
    free(t);
    return NULL;
}

static void *accept_all(void *context)
{
    small_server *s = context;
    int socket;

    while ((socket = accept(s->listener, NULL, NULL)) >= 0) {
        talk *t = malloc(sizeof *t);
        pthread_t thread;
        assert_non_null(t);
        *t = (talk){.owner = s, .socket = socket};
        s->connections++;
        assert_int_equal(pthread_create(&thread, NULL, serve, t), 0);
        pthread_detach(thread);
    }
    return NULL;
}

small_server *small_server_start(void (*answer)(const char *request, char *reply))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    static small_server servers[32];
    static size_t count;
    small_server *s = &servers[count++];

    s->answer = answer;
    pthread_mutex_init(&s->lock, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s->acceptor, NULL, accept_all, s), 0);
    return s;
}

void small_server_path(small_server *server, char path[SMALL_SERVER_PATH_SIZE])
{
    pthread_mutex_lock(&server->lock);
    memcpy(path, server->last_path, SMALL_SERVER_PATH_SIZE);
    pthread_mutex_unlock(&server->lock);
}

void small_server_stop(small_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->listener);
}
