/* One request, from its line to the end of its response: the three callbacks of libmicrohttpd, and
 * what handlers may do with the request. Before any handler the service's admit is asked. */
#ifndef GRADIENTD_REQUEST_H
#define GRADIENTD_REQUEST_H

#include "gradient_wire.h"
#include "http/digest.h"
#include "http/headers.h"
#include "http/routes.h"
#include "work/line.h"

#include <microhttpd.h>

#define REQUEST_PATH_SIZE 128
#define REQUEST_METHOD_SIZE 16
#define REQUEST_ORIGIN_SIZE 270
#define REQUEST_ACCEPT_SIZE 128

/* What the callbacks of one event loop are given. */
typedef struct request_context {
    service *service;
    service_role role;
    bool is_unix;  /* its connections are Unix sockets */
    request *open; /* those whose line was read, the last first; of the loop's thread */
} request_context;

typedef enum request_state {
    REQUEST_NEW,        /* its line was read */
    REQUEST_WAITING,    /* admitted; in the line */
    REQUEST_RECEIVING,  /* admitted; the body goes to the handler */
    REQUEST_DISCARDING, /* rejected; the body is read on so that the response can be sent */
    REQUEST_ANSWERED
} request_state;

/* A response, as a handler gives it. */
typedef struct http_response {
    const char *content_type;     /* NULL: none */
    const char *content_encoding; /* NULL: none */
    bool varies;                  /* by the request's Accept-Encoding */
    size_t document_length;       /* behind so many bytes those of tensors follow; 0: none do */
    const grad_segment *segments;
    size_t segment_count;        /* 0: no body */
    void (*free)(void *context); /* frees the segments when they are sent */
    void *context;
} http_response;

/* A number for the line in the log. */
typedef struct request_number {
    const char *name;
    double value;
} request_number;

#define REQUEST_NUMBERS 4
#define REQUEST_SHAPES_SIZE 320

struct request {
    request_context *context;
    request *next_open, *previous_open;
    struct MHD_Connection *mhd;
    connection *connection;
    request_state state;
    const route *route; /* NULL: unknown path */
    headers headers;    /* valid until the first call returns */
    const char *uri;    /* as it came, valid like headers; with its query */
    size_t uri_length;
    char method[REQUEST_METHOD_SIZE]; /* cut off where they are longer */
    char path[REQUEST_PATH_SIZE];     /* as it came, without its query; cut off likewise */
    char id[GRAD_REQUEST_ID_SIZE];
    char origin[REQUEST_ORIGIN_SIZE]; /* of the page that may read the response; "": of none */
    const char *methods;              /* what the response's Allow says; NULL: nothing */
    char accept[REQUEST_ACCEPT_SIZE]; /* its Accept and Accept-Encoding; "": none */
    char accept_encoding[REQUEST_ACCEPT_SIZE];

    account *account;      /* of the token it came with, held; NULL: none was asked for */
    const char *token;     /* the name of that token; NULL: none */
    bool entered;          /* the account counts it */
    quota_report quota;    /* what the account had left */
    const char *challenge; /* the response's WWW-Authenticate; NULL: none */
    bool must_hold;        /* its rejection is to be held back */
    bool held;             /* it is, and the connection suspended */
    int64_t held_until;    /* clock_now */
    request *next_held;

    size_t header_room;     /* what the line and headers take of the connection's buffer */
    uint64_t declared;      /* Content-Length; 0: none */
    uint64_t expected;      /* the same, without the body's Content-Encoding, as a guess */
    uint64_t received;      /* bytes of the body so far */
    uint64_t decoded;       /* the same, without its Content-Encoding */
    uint64_t discard_limit; /* of received */
    int64_t discard_until;  /* clock_now */
    int64_t line_at;        /* clock_now */
    double waited;          /* seconds in the line */
    line_ticket ticket;     /* its place there */
    unsigned retry_after;   /* seconds, of a 503; 0: one */
    const struct body_filter *filter;         /* what the body is, */
    const struct payload_kind *payload;       /* where one is expected */
    const struct payload_kind *wanted;        /* what Accept names the response to be, or NULL */
    const struct body_compressor *compressor; /* of the response, where it is worth it; or NULL */
    bool must_compress;                       /* the client does not accept it as it is */
    bool has_tail;                            /* bytes of tensors follow its document, */
    size_t document_length;                   /* which has as many */
    grad_datatype datatype;                   /* what the query says, FP32 where it says nothing */
    bool has_datatype;                        /* the query said it */
    bool preflight;                           /* a page's question, whether it may ask */
    double stages[STAGE_TOTAL];               /* seconds; negative: there was no such stage */

    int status; /* of the response; 0: none yet */
    http_response response;
    grad_segment segment; /* of a response that is one text */
    grad_error error;
    bool in_flight;
    bool must_release; /* by the handler: it has something to release */
    bool suspended;    /* with the workers */
    bool watched;      /* its peer is, while it is suspended */
    bool gone;         /* its peer went meanwhile */
    bool whole;        /* it was received to its end */
    bool responded;    /* a response was handed to libmicrohttpd, or to the kernel */
    bool sent;         /* to the kernel */
    bool closes;       /* the connection ends with the response */
    size_t response_size;
    request_number numbers[REQUEST_NUMBERS]; /* for the log; those with a name */
    char shapes[REQUEST_SHAPES_SIZE];        /* for the line of a slow request; "": not known */
    digest *digest;                          /* of the body; NULL: none was sent */
    digest_algorithm wanted_digest;          /* of the response */
    trace_context trace;                     /* that the request belongs to; "": to none */
    char span_id[GRAD_REQUEST_ID_SIZE];      /* what this request is in that trace */
    void *work;                              /* the handler's own */
};

/* Writes 16 hexadecimal digits; no two of one daemon are the same, and hardly any of two daemons.
 * Thread-safe. */
void request_id_make(char id[GRAD_REQUEST_ID_SIZE]);

/* Sets what a new request has besides zeros: an identity, and no stages yet. */
void request_begin(request *r);

/* How much of the connection's buffer a request's line and headers may take. */
size_t request_max_headers(const request *r);

/* libmicrohttpd's callbacks; context is a request_context. */
void *request_on_line(void *context, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_on_call(void *context, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **slot);
void request_on_completed(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_RequestTerminationCode how);

/* Completes a request whose connection was closed: libmicrohttpd 1.0.1 closes some without
 * reporting their completion. */
void request_on_closed(const connection *c, request_context *context);

/* ---- For handlers and whoever admits --------------------------------------------------------- */

/* Rejects the request: the response is a problem of that status, and the body is read no further
 * than is good for the connection. The first rejection counts. OUTCOME_REJECTED. */
outcome request_reject(request *r, int http_status, const grad_error *error);

/* The same with an error made of these. limit_name NULL: none. */
outcome request_reject_with(request *r, int http_status, const char *code, const char *detail);
outcome request_reject_limit(request *r, int http_status, const char *code, const char *detail,
                             const char *limit_name, uint64_t limit);

/* The status for an error of the library. */
int request_status_of(grad_status status);

/* Sets the response, which is copied. OUTCOME_DONE. */
outcome request_respond(request *r, int http_status, const http_response *response);

/* The same with a text, which the response then owns. OUTCOME_REJECTED if the text is
 * incomplete. */
outcome request_respond_text(request *r, int http_status, const char *content_type,
                             grad_text *text);

/* After on_suspended: returns the connection to the event loop, which calls on_resume. Any thread,
 * once; the request may be gone when it returns. */
void request_resume(request *r);

/* Adds a number to the request's line in the log; beyond REQUEST_NUMBERS they are dropped. */
void request_log_number(request *r, const char *name, double value);

/* ---- Between the files of http/ -------------------------------------------------------------- */

/* The most bytes that a request's body may have, and what that limit is called. */
uint64_t request_body_limit(const request *r);
const char *request_body_limit_name(const request *r);

#endif
