/* The command line: its options, what it says of failures, and its commands. Each command does its
 * work, says what went wrong, and returns the exit code. */
#ifndef GRADIENT_CLI_H
#define GRADIENT_CLI_H

#include "gradient.h"
#include "gradient_client.h"

#include <stdbool.h>
#include <stddef.h>

/* ---- Options --------------------------------------------------------------------------------- */

typedef enum command {
    COMMAND_NONE,
    COMMAND_COMPUTE,
    COMMAND_BACKPROP,
    COMMAND_CHECK,
    COMMAND_HEALTH,
    COMMAND_INFO,
    COMMAND_BENCH,
    COMMAND_HELP,
    COMMAND_VERSION
} command;

/* The defaults of --retries (health: none) and, in seconds, of --timeout: plain digits, which the
 * help prints. */
#define CALL_RETRIES 4
#define COMPUTE_TIMEOUT 120
#define INFO_TIMEOUT 30
#define HEALTH_TIMEOUT 5
/* Those of bench. */
#define BENCH_CONNECTIONS 8
#define BENCH_SECONDS 10
#define BENCH_TIMEOUT 30

#define OPTIONS_MAX_HEADERS 32
#define OPTIONS_MAX_REPLICAS 15
#define OPTIONS_TOKEN_SIZE 16384
#define OPTIONS_MAX_LAYERS 16

/* A dense layer that bench sends, x [B,K] and W [N,K], so often among the others; and how the
 * tensors of the request and of its answer are spelled. */
typedef struct bench_layer {
    size_t B, K, N;
    grad_encoding request, answer;
    unsigned weight;
} bench_layer;

typedef struct options {
    command command;
    command topic;                                  /* of COMMAND_HELP; COMMAND_NONE: the whole */
    const char *url;                                /* --url, GRADIENT_URL, or the default */
    const char *replicas[OPTIONS_MAX_REPLICAS + 1]; /* --url again, up to a NULL */
    const char *ca_file;                            /* --ca-file, or NULL */
    const char *certificate;                        /* --certificate, or NULL */
    const char *key;                                /* --key, or NULL */
    bool has_url;                                   /* --url was given */
    const char *file;       /* of those that take a document; "-" is standard input */
    const char *token_file; /* --token-file, or NULL */
    const char *headers[OPTIONS_MAX_HEADERS + 1]; /* --header, up to a NULL */
    double timeout;                               /* seconds; 0: the command's default */
    unsigned attempts;                            /* tries; 0: the command's default */
    bool local;                                   /* compute without a service */
    bool has_datatype;                            /* --datatype was given */
    grad_datatype datatype;                       /* what the document's numbers are read as */
    bench_layer layers[OPTIONS_MAX_LAYERS + 1];   /* --layer, up to one of B = 0 */
    unsigned connections;                         /* --connections */
    double rate;                                  /* --rate, requests a second; 0: as answered */
    double seconds;                               /* --seconds */
    bool hdr;                                     /* bench: percentiles alone */
    bool json;                                    /* answers as they came, errors as JSON */
    bool quiet;                                   /* nothing on standard error */
    char **arguments;                             /* as main got them */
} options;

/* Its name; "" where it has none. */
const char *options_command_name(command which);

/* "json", "base64" or "binary". */
const char *options_encoding_name(grad_encoding encoding);

/* Reads the arguments and GRADIENT_URL. On failure fills message (of that size) and returns false;
 * json and quiet are right even then. */
bool options_read(int argc, char **argv, options *o, char *message, size_t size);

/* Gives to->token what --token-file, GRADIENT_TOKEN or GRADIENT_TOKEN_FILE holds now, kept in
 * token; and the headers, replicas and files of TLS that the arguments name. Returns the exit
 * code. */
int options_read_credentials(const options *o, char token[OPTIONS_TOKEN_SIZE],
                             gradient_client_options *to);

/* Prints the help of a command, or the whole, to standard output. */
void options_print_help(command topic);

/* ---- Reports --------------------------------------------------------------------------------- */

/* 1 says of a check that a gradient is wrong. From EXIT_BAD_INPUT on in the order of
 * gradient_client_status. */
enum {
    EXIT_OK = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_BAD_INPUT = 3,
    EXIT_UNREACHABLE,
    EXIT_BUSY,
    EXIT_TIMED_OUT,
    EXIT_REFUSED,
    EXIT_PROTOCOL,
    EXIT_INTERNAL
};

/* Reports a failure on standard error, as the options want it. Each returns the exit code. */
int report_failure(const options *o, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What of the system failed, followed by its own words about errno. */
int report_system_failure(const options *o, int exit_code, const char *what);
int report_client_error(const options *o, const gradient_client_error *error);
/* An error of the library in-process, said as the service would say it. */
int report_library_error(const options *o, const grad_error *error);

/* Prints the notes of a response on standard error, except with --json, whose document has them. */
void report_notes(const options *o, const grad_reply_note *notes, size_t count);

/* Replaces control characters: names from documents and words of the peer must not steer the
 * terminal. */
void report_defuse(char *text, size_t length);

/* Writes to standard output and keeps the first errno. */
void report_write(const char *bytes, size_t length);
/* Flushes the rest. The errno of the first failure, or 0. */
int report_write_end(void);

/* Whether escape sequences belong into that stream (1 or 2): a terminal, and no NO_COLOR. */
bool report_in_color(int descriptor);

/* ---- Commands -------------------------------------------------------------------------------- */

/* compute, backprop and check: by the service, or in this process. */
int command_compute(const options *o);
int command_compute_local(const options *o);

/* Prints the report of a check, as a table or (--json) as the document that it is. Returns the exit
 * code, which says the verdict. */
int command_print_check(const options *o, const grad_text *document,
                        const grad_check_report *report);

int command_health(const options *o);
int command_info(const options *o);
int command_bench(const options *o);

/* A client by the options; attempts and timeout are used where these name none. Returns the exit
 * code. */
int command_open_client(const options *o, unsigned attempts, double timeout,
                        gradient_client **client);

/* Reads o->file piece by piece until take returns false, which then has the reason. Recognizes
 * files that are not JSON by their first bytes. Returns the exit code of the reading itself. */
int command_read_document(const options *o,
                          bool (*take)(void *context, const char *bytes, size_t length),
                          void *context);

#endif
