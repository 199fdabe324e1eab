/* The daemon's configuration: one table of options, filled from defaults, a file, variables and
 * flags, in that order (the last wins). */
#ifndef GRADIENTD_CONFIG_H
#define GRADIENTD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The effective values. Sizes in bytes, times in seconds; 0 means "chosen at start" where the
 * option's help says so. Strings belong to the config. Whatever config_reload may change is atomic,
 * so that any thread reads it at any time; a string is not, and stays. */
typedef struct config {
    char *listen;     /* HOST:PORT of the service */
    char *unix_owner; /* of unix: sockets, USER:GROUP; "": whoever runs the daemon */
    _Atomic size_t unix_mode;
    char *tls_certificate; /* files of the service's TLS; "" for none */
    char *tls_key;
    char *tls_client_ca; /* "": clients need no certificate */
    char *tls_client_crl;
    char *tls_client_names;
    char *allow_origin;         /* origins whose pages may read responses; "*": all; "": none */
    char *admin_listen;         /* HOST:PORT of health checks and metrics; "" for none */
    char *allow_host;           /* hosts that requests may name; HOSTS_AUTO, or "*": all */
    char *token_file;           /* of those who may come in; "": everyone may */
    _Atomic bool insecure;      /* others may reach it though nothing asks who they are */
    _Atomic size_t event_loops; /* threads that own sockets; 0: one a CPU, at most 4 */
    _Atomic size_t workers;     /* threads that compute; 0: one a CPU (affinity and cgroup quota) */
    _Atomic size_t queue_depth; /* requests that may wait for a worker */
    _Atomic size_t max_connections;
    _Atomic size_t max_peer_connections; /* of one address; 0: its share (peers.h) */
    _Atomic size_t max_body;             /* bytes of one request's body, decoded */
    _Atomic size_t
        memory_budget;          /* bytes all requests together may hold; 0: half of what there is */
    _Atomic size_t max_layers;  /* layers of one request */
    _Atomic size_t max_numbers; /* elements of one request's tensors */
    _Atomic size_t max_result_numbers; /* elements of one request's results */
    _Atomic size_t max_check_flops;    /* operations of one check */
    _Atomic size_t max_envelope;       /* bytes of a body outside its arrays of numbers */
    _Atomic double header_timeout;     /* for a request's headers to arrive */
    _Atomic double idle_timeout;       /* between two requests of a connection */
    _Atomic double body_timeout;       /* for a body's next bytes to arrive, and its slack */
    _Atomic size_t min_body_rate;      /* bytes a second, over the whole body after body_timeout */
    _Atomic double reply_timeout;  /* for a peer to take any bytes of its response, and its slack */
    _Atomic size_t min_reply_rate; /* bytes a second, over the whole response after reply_timeout */
    _Atomic double linger_timeout; /* to discard what comes after an early response */
    _Atomic size_t linger_size;    /* bytes discarded then */
    _Atomic double request_timeout; /* from the last byte of a body to the response's first: 504 */
    _Atomic double check_timeout;   /* the same of a check; never above request_timeout */
    _Atomic double queue_timeout;   /* for a request to reach a worker: 503 */
    _Atomic double half_close_timeout; /* from the end of a peer's side to that of its work */
    _Atomic double max_wait;      /* expected until a request's turn comes: longer, it is 503 */
    _Atomic double drain_delay;   /* from SIGTERM to the closing of the listener */
    _Atomic double drain_timeout; /* from there to the exit, at most */
    _Atomic double inline_cost;   /* work below this many seconds is done in the event loop */
    _Atomic int log_level;        /* a log_level: the place of its word in the table */
    _Atomic int log_format;       /* a log_format: the place of its word in the table */
    _Atomic bool compression;     /* of replies */
    _Atomic bool log_requests;    /* one line a request */
    _Atomic double slow_request;  /* seconds after which a request is told as slow; 0: never */
    _Atomic int sandbox;          /* a sandbox_choice: the place of its word in the table */
    _Atomic bool core_dumps;      /* else no dump is written and nobody of this user looks in */
    const char *path;             /* of the file, borrowed of argv or environ; NULL: none */
    const char *topic;            /* of --describe, borrowed of argv; NULL: all */
    char **words;                 /* behind `token`, borrowed of argv, NULL at their end */
} config;

/* In the order of the words of --sandbox. */
typedef enum sandbox_choice { SANDBOX_AUTO, SANDBOX_ON, SANDBOX_OFF } sandbox_choice;

/* What the command line asks for. */
typedef enum config_action {
    CONFIG_RUN,
    CONFIG_HELP,
    CONFIG_VERSION,
    CONFIG_CHECK,       /* --check-config: effective values and where each came from */
    CONFIG_DESCRIBE,    /* --describe: the tables of the documentation */
    CONFIG_HEALTHCHECK, /* the subcommand `healthcheck` */
    CONFIG_TOKEN,       /* the subcommand `token` */
    CONFIG_SELF_CHECK   /* the subcommand `check` */
} config_action;

/* Where a value came from, for --check-config: "default", "/etc/gradientd.conf:3",
 * "GRADIENTD_LISTEN", "--listen". Parallel to the option table. Opaque to others. */
typedef struct config_sources config_sources;

/* Reads everything: defaults, the file named by --config or GRADIENTD_CONFIG, GRADIENTD_* of
 * environment, flags. An unknown flag, variable or key is an error with the nearest name.
 * On failure prints nothing, fills message (of that size) and returns false. */
bool config_load(int argc, char **argv, char **environment, config *values,
                 config_sources **sources, config_action *action, char *message,
                 size_t message_size);
void config_free(config *values, config_sources *sources);

/* Replaces zeros that mean "chosen at start" by what this machine and its control groups give
 * (event_loops, workers, memory_budget). */
void config_resolve(config *values);

/* A difference that a reload found. The texts live as long as the call. */
typedef struct config_change {
    const char *name; /* "max-body" */
    const char *from, *to;
    const char *where; /* the source of the new value, as in --check-config */
    bool applied;      /* else it takes a restart */
} config_change;

/* Reads everything again, as config_load does, and puts what differs and may change while the
 * daemon runs into running (resolved, read by other threads meanwhile) and loaded (as config_load
 * gave it). Tells each difference, also of options that keep their value until a restart. Where
 * anything is wrong nothing changes, message is filled and false returned. For one thread. */
bool config_reload(int argc, char **argv, char **environment, config *loaded, config *running,
                   void (*tell)(void *context, const config_change *change), void *context,
                   char *message, size_t message_size);

/* Calls visit with each file that a reload reads: the configuration file, and those that options
 * name. */
void config_each_file(const config *values, void (*visit)(void *context, const char *path),
                      void *context);

void config_print_help(FILE *out);
/* The options as a table in Markdown. */
void config_print_table(FILE *out);

/* Every option as a line `key = value   # source`, which a file may hold, with what config_resolve
 * would choose. */
void config_print_effective(const config *values, const config_sources *sources, FILE *out);

#endif
