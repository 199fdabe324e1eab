/* The daemon's configuration: one table of options, filled from defaults, a file, variables and
 * flags, in that order of precedence (the last wins). What lives here is what can be set and where
 * each value came from; what a value means is the business of the part it configures. */
#ifndef GRADIENTD_CONFIG_H
#define GRADIENTD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The effective values. Sizes in bytes, times in seconds; 0 means "chosen at start" where the
 * option's help says so. Strings belong to the config. */
typedef struct config {
    char *listen;       /* HOST:PORT of the service */
    char *admin_listen; /* HOST:PORT of health checks and metrics; "" for none */
    size_t event_loops; /* threads that own sockets; 0: one a CPU, at most 4 */
    size_t workers;     /* threads that compute; 0: one a CPU (affinity and cgroup quota) */
    size_t queue_depth; /* requests that may wait for a worker */
    size_t max_connections;
    size_t max_body;           /* bytes of one request's body, decoded */
    size_t memory_budget;      /* bytes all requests together may hold; 0: half of what there is */
    size_t max_layers;         /* layers of one request */
    size_t max_numbers;        /* elements of one request's tensors */
    size_t max_result_numbers; /* elements of one request's results */
    size_t max_envelope;       /* bytes of a body outside its arrays of numbers */
    double header_timeout;     /* for a request's headers to arrive */
    double idle_timeout;       /* between two requests of a connection */
    double body_timeout;       /* for a body's next bytes to arrive, and its slack */
    size_t min_body_rate;      /* bytes a second, over the whole body after body_timeout */
    double reply_timeout;      /* for a peer to take any bytes of its reply, and its slack */
    size_t min_reply_rate;     /* bytes a second, over the whole reply after reply_timeout */
    double request_timeout;    /* from the last byte of a body to the reply's first: 504 */
    double queue_timeout;      /* for a request to reach a worker: 503 */
    double drain_timeout;      /* from SIGTERM to exit, at most */
    double inline_cost;        /* work below this many seconds is done in the event loop */
    char *log_level;           /* "debug", "info", "warning", "error" */
    bool log_requests;         /* one line a request */
} config;

/* What the command line asks for besides running. */
typedef enum config_action {
    CONFIG_RUN,
    CONFIG_HELP,
    CONFIG_VERSION,
    CONFIG_CHECK,      /* --check-config: effective values and where each came from */
    CONFIG_MARKDOWN,   /* --help-markdown: the table in docs/configuration.md */
    CONFIG_HEALTHCHECK /* the subcommand `healthcheck` */
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

/* Replaces the zeros that mean "chosen at start" by what this machine and its control groups give
 * (event_loops, workers, memory_budget). */
void config_resolve(config *values);

void config_print_help(FILE *out);
void config_print_markdown(FILE *out);

/* Every option as a line `key = value   # source`, which a file may hold, with what config_resolve
 * would choose. */
void config_print_effective(const config *values, const config_sources *sources, FILE *out);

#endif
