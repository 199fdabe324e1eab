/* A small HTTP server on a real socket for tests of the client: answers each request with 200 and a
 * body made by a function. Faults on the wire are tests/integration/peers.py's. */
#ifndef GRAD_TESTS_SMALL_SERVER_H
#define GRAD_TESTS_SMALL_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define SMALL_SERVER_REPLY_SIZE 131072
#define SMALL_SERVER_PATH_SIZE 128

typedef struct small_server {
    int listener;
    pthread_t acceptor;
    char url[64];
    void (*answer)(const char *request, char *reply); /* body to body, of the size above */
    const char *_Atomic header; /* of every answer, with its line's end; or NULL */
    _Atomic bool close_each;    /* hang up after every answer, silently */
    _Atomic unsigned connections;
    _Atomic unsigned requests;
    _Atomic size_t last_body;
    pthread_mutex_t lock; /* guards the one below */
    char last_path[SMALL_SERVER_PATH_SIZE];
} small_server;

/* Starts one; it lives as long as the process, as its detached threads may outlive a test. */
small_server *small_server_start(void (*answer)(const char *request, char *reply));

/* The path of the last request, with its query. */
void small_server_path(small_server *server, char path[SMALL_SERVER_PATH_SIZE]);

/* Takes no more connections. */
void small_server_stop(small_server *server);

#endif
