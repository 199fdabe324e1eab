/* gradient_client.h: a C client of gradientd on libcurl. You keep arrays of float or double, and
 * get the like back; there is no tree of documents in between.
 *
 *     #include <gradient_client.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         float x[] = {1, 2, 3}, z[] = {0.5F, -1}, dy[] = {1, 10}; // one sample, K = 3, N = 2
 *         grad_layer layer = {.activation = grad_activation_default(GRAD_RELU),
 *                             .input = {x, 1, {3}},
 *                             .pre_activation = {z, 1, {2}},
 *                             .grad_output = {dy, 1, {2}}};
 *         grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
 *         gradient_client *client = NULL;
 *         gradient_client_reply reply = {0};
 *         gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
 *         if (gradient_client_open("http://127.0.0.1:8080", NULL, &client, &error) ||
 *             gradient_client_compute(client, &batch, &reply, &error))
 *             return fprintf(stderr, "%s\n", error.message), 1;
 *         const float *db = reply.reply->layers[0].bias_delta.data;
 *         printf("db = %g %g\n", db[0], db[1]);
 *         gradient_client_reply_free(&reply);
 *         gradient_client_close(client);
 *         return 0; // db = 1 0
 *     }
 *
 * Compile it with `cc program.c $(pkg-config --cflags --libs gradient-client)`.
 *
 * A gradient is a pure function of the request, so a POST is safe to repeat, and the client repeats
 * it on connection faults, 429, 502, 503 and 504, after exponential backoff with jitter or what
 * Retry-After says, within one total deadline.
 */
#ifndef GRADIENT_CLIENT_H
#define GRADIENT_CLIENT_H

#include "gradient.h"
#include "gradient_network.h"
#include "gradient_wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of failure it was, for programs; the command line's exit codes follow it. */
typedef enum gradient_client_status {
    GRADIENT_CLIENT_OK = 0,
    GRADIENT_CLIENT_BAD_INPUT,   /* the batch or the service's 4xx: repeating won't help */
    GRADIENT_CLIENT_UNREACHABLE, /* no connection, or it broke, to the last try */
    GRADIENT_CLIENT_BUSY,        /* 429 or 503, to the last try */
    GRADIENT_CLIENT_TIMEOUT,     /* the total deadline passed, or the service's own (504) */
    GRADIENT_CLIENT_REFUSED,     /* 401, 403 */
    GRADIENT_CLIENT_PROTOCOL,    /* the peer isn't gradientd, or its answer isn't right */
    GRADIENT_CLIENT_INTERNAL     /* memory, or libcurl failing */
} gradient_client_status;

/* An error on the caller's stack. */
typedef struct gradient_client_error {
    gradient_client_status status;
    char message[GRAD_DETAIL_SIZE]; /* for people */
    grad_problem problem; /* the service's own words; http_status 0 where there are none */
    unsigned attempts;    /* tries made */
} gradient_client_error;

#define GRADIENT_CLIENT_ERROR_INIT                                                                 \
    {                                                                                              \
        GRADIENT_CLIENT_OK, "", {0, "", GRAD_ERROR_INIT, ""}, 0                                    \
    }

/* Times in seconds. Start from GRADIENT_CLIENT_OPTIONS_INIT, which has the defaults; 0 means the
 * default too. What the pointers lead to is copied; it
 * is never part of a message, and goes to no other host: redirections are not followed. */
typedef struct gradient_client_options {
    size_t size; /* of the struct: see grad_options_read */
    double connect_timeout;
    double attempt_timeout; /* one try */
    double total_timeout;   /* all tries and the waits between them */
    unsigned max_attempts;
    double backoff_base; /* first wait, doubled each time, jittered */
    double backoff_max;
    const char *token;          /* sent as Authorization: Bearer; NULL: none */
    const char *const *headers; /* more of them, "Name: value", up to a NULL; NULL: none */
    const char *const
        *replicas;           /* more URLs, up to a NULL, for tries after a failed one; NULL: none */
    const char *ca_file;     /* PEM: who may have signed an https service's certificate; NULL: the
                              * system's authorities */
    const char *certificate; /* PEM: the client's own, where the service asks for one; NULL: none */
    const char *key;         /* PEM: its private key */
} gradient_client_options;

#define GRADIENT_CLIENT_OPTIONS_INIT                                                               \
    {                                                                                              \
        sizeof(gradient_client_options), 5, 60, 120, 5, 0.1, 5, NULL, NULL, NULL, NULL, NULL, NULL \
    }

/* A client of one service. Thread-safe: any number of threads may call it at once; each call uses a
 * kept-alive connection of its own from a small pool. */
typedef struct gradient_client gradient_client;

/* url: http://HOST:PORT, https:// likewise, or unix:/path of a Unix socket; where a proxy serves it
 * below a path, that path too: of http://HOST/PREFIX the gradients are at /PREFIX/v1/gradients. A
 * try that fails, and may do better elsewhere, goes on to the next replica, at once until all had
 * one; later calls begin with the one that answered last. No connection is made yet. options may be
 * NULL. The caller owns *client. */
GRAD_API gradient_client_status gradient_client_open(const char *url,
                                                     const gradient_client_options *options,
                                                     gradient_client **client,
                                                     gradient_client_error *error);

/* The answer to one batch. Owned by the caller, freed by gradient_client_reply_free. */
typedef struct gradient_client_reply {
    const grad_reply *reply; /* all that was answered, owned by this object */
    size_t bytes_sent;       /* of the bodies, of the try that succeeded */
    size_t bytes_received;
    unsigned attempts;
    void *owner;
} gradient_client_reply;

/* POST /v1/gradients of batch, or /v1/backprop where it has a network; in doubles where its
 * datatype is GRAD_FP64. Reads the batch's arrays, never writes them (overwrite_grad_output is not
 * looked at). Under continue_on_error a layer of the reply may hold an error instead of tensors. */
GRAD_API gradient_client_status gradient_client_compute(gradient_client *client,
                                                        const grad_batch *batch,
                                                        gradient_client_reply *reply,
                                                        gradient_client_error *error);

/* The same, decoded into arrays of the caller: results has batch->layer_count entries, and each
 * tensor with data != NULL is filled with numbers of the batch's datatype; its shape must be the
 * answer's (else PROTOCOL). Where any layer is answered with its error, that is the call's
 * (BAD_INPUT). Arrays are written on success only. What a network has besides its layers is in the
 * reply of gradient_client_compute. */
GRAD_API gradient_client_status gradient_client_compute_into(gradient_client *client,
                                                             const grad_batch *batch,
                                                             grad_layer_result *results,
                                                             gradient_client_error *error);

/* Frees what the reply owns, and zeroes it. NULL is fine, and so is one that is all zero. */
GRAD_API void gradient_client_reply_free(gradient_client_reply *reply);

/* What a document is posted to. */
typedef enum gradient_client_route {
    GRADIENT_CLIENT_GRADIENTS, /* /v1/gradients */
    GRADIENT_CLIENT_BACKPROP,  /* /v1/backprop */
    GRADIENT_CLIENT_CHECK      /* /v1/check */
} gradient_client_route;

/* POST of a document as it is, whose numbers are to be read as datatype; on success the answer's
 * document is in *body, which the caller frees. It was read and found right, whatever a check's
 * verdict. */
GRAD_API gradient_client_status gradient_client_post(gradient_client *client,
                                                     gradient_client_route route,
                                                     grad_datatype datatype, const char *document,
                                                     size_t length, grad_text *body,
                                                     gradient_client_error *error);

/* POST /v1/check of a document (a request of either kind, with deltas of the caller's own in the
 * layers); on success the report is in *report, which the caller frees with free(). A verdict of
 * GRAD_CHECK_FAIL is a success of this call. */
GRAD_API gradient_client_status gradient_client_check(gradient_client *client,
                                                      grad_datatype datatype, const char *document,
                                                      size_t length, grad_check_report **report,
                                                      gradient_client_error *error);

/* GET path ("/v1/info", "/readyz"). */
GRAD_API gradient_client_status gradient_client_get(gradient_client *client, const char *path,
                                                    grad_text *body, gradient_client_error *error);

/* Closes its connections. NULL is fine; no call may be in progress. */
GRAD_API void gradient_client_close(gradient_client *client);

#ifdef __cplusplus
}
#endif
#endif
