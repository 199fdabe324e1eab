/* The command line's words: what was asked for, and the texts that explain it. What a command does
 * lives in the file of its name. */
#ifndef GRADIENT_CLI_OPTIONS_H
#define GRADIENT_CLI_OPTIONS_H

#include "gradient.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum command {
    COMMAND_NONE,
    COMMAND_COMPUTE,
    COMMAND_BACKPROP,
    COMMAND_CHECK,
    COMMAND_HEALTH,
    COMMAND_INFO,
    COMMAND_HELP,
    COMMAND_VERSION
} command;

#define OPTIONS_MAX_HEADERS 32

typedef struct options {
    command command;
    command topic;          /* of COMMAND_HELP; COMMAND_NONE: the whole */
    const char *url;        /* --url, GRADIENT_URL, or the default */
    const char *file;       /* of those that take a document; "-" is standard input */
    const char *token_file; /* --token-file, or NULL */
    const char *headers[OPTIONS_MAX_HEADERS + 1]; /* --header, up to a NULL */
    double timeout;                               /* seconds; 0: the command's default */
    unsigned attempts;                            /* tries; 0: the command's default */
    bool local;                                   /* compute without a service */
    bool has_datatype;                            /* --datatype was given */
    grad_datatype datatype;                       /* what the document's numbers are read as */
    bool json;                                    /* answers as they came, errors as JSON */
    bool quiet;                                   /* nothing on standard error */
    char **arguments;                             /* as main got them */
} options;

/* Its name; "" where it has none. */
const char *options_command_name(command which);

/* Reads the arguments and GRADIENT_URL. On failure fills message (of that size) and returns false;
 * json and quiet are right even then. */
bool options_read(int argc, char **argv, options *o, char *message, size_t size);

/* Prints the help of a command, or the whole, to standard output. */
void options_print_help(command topic);

#endif
