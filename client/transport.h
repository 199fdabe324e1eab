/* One HTTP exchange with one service: sends a body of segments, and hands on the bytes of the
 * response as they arrive. Repeats nothing. */
#ifndef CLIENT_TRANSPORT_H
#define CLIENT_TRANSPORT_H

#include "options.h"

#define CLIENT_TRANSPORT_MESSAGE_SIZE 256
#define CLIENT_TRANSPORT_TYPE_SIZE 64

/* How an exchange ended, whatever the response says. */
typedef enum client_fault {
    CLIENT_FAULT_NONE,       /* a whole response came */
    CLIENT_FAULT_CONNECTION, /* no connection, or it broke */
    CLIENT_FAULT_TIMEOUT,    /* connected, but no whole response in time */
    CLIENT_FAULT_GARBAGE,    /* the peer doesn't speak HTTP */
    CLIENT_FAULT_STOPPED,    /* receive returned false */
    CLIENT_FAULT_UNTRUSTED,  /* the peer's certificate isn't good */
    CLIENT_FAULT_FILES,      /* a certificate or key of ours can't be read */
    CLIENT_FAULT_INTERNAL    /* memory, or libcurl failing */
} client_fault;

/* What comes before the body of a response. */
typedef struct client_head {
    int http_status;
    size_t document_length; /* Inference-Header-Content-Length; 0: all is the document, SIZE_MAX:
                             * it is no length */
} client_head;

typedef struct client_request {
    const char *path;
    const grad_segment *segments; /* the body of a POST; NULL: a GET */
    size_t segment_count;
    size_t document_length; /* of the body, where bytes of tensors follow it; 0: all is the document
                             */
    /* Takes the next piece of the response's body; false ends the exchange. */
    bool (*receive)(void *context, const client_head *head, const char *bytes, size_t length);
    void *context;
} client_request;

/* How an exchange ended. */
typedef struct client_exchange {
    client_fault fault;
    int http_status;    /* 0: none came */
    double retry_after; /* seconds that the service asked for; 0: it didn't */
    char content_type[CLIENT_TRANSPORT_TYPE_SIZE];
    char message[CLIENT_TRANSPORT_MESSAGE_SIZE]; /* for people, where there is a fault */
} client_exchange;

typedef struct client_transport client_transport;

/* urls: what client_address_read wrote, up to an empty one; of the options, the time to connect,
 * the token and the headers, which client_options_check_headers found right, and TLS. Makes no
 * connection. NULL: no memory, or libcurl doesn't start. */
client_transport *client_transport_create(char (*urls)[CLIENT_ADDRESS_SIZE],
                                          const gradient_client_options *options);

/* The address of the exchanges to come, for messages. */
const char *client_transport_url(const client_transport *transport);

/* How many addresses there are, and on to the next after the one called url. Thread-safe. */
size_t client_transport_count(const client_transport *transport);
void client_transport_move_on(client_transport *transport, const char *url);

/* Bytes of the request's body. */
size_t client_body_length(const client_request *request);

/* One try, within timeout seconds. Thread-safe. */
void client_transport_exchange(client_transport *transport, const client_request *request,
                               double timeout, client_exchange *exchange);

void client_transport_destroy(client_transport *transport);

#endif
