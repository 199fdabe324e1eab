/* What the commands that talk with the service share, and the two small ones: health and info. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_open_client(const options *o, unsigned attempts, double timeout,
                        gradient_client **client)
{
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    double total = o->timeout > 0 ? o->timeout : timeout;
    char token[OPTIONS_TOKEN_SIZE];
    gradient_client_options client_options = {
        .size = sizeof client_options,
        .connect_timeout = total < 5 ? total : 5,
        .attempt_timeout = total,
        .total_timeout = total,
        .max_attempts = o->attempts > 0 ? o->attempts : attempts,
    };
    int exit_code = options_read_credentials(o, token, &client_options);

    if (exit_code != EXIT_OK)
        return exit_code;
    switch (gradient_client_open(o->url, &client_options, client, &error)) {
    case GRADIENT_CLIENT_OK:
        return EXIT_OK;
    case GRADIENT_CLIENT_BAD_INPUT:
        return report_failure(o, EXIT_USAGE, "%s", error.message);
    case GRADIENT_CLIENT_UNREACHABLE:
    case GRADIENT_CLIENT_BUSY:
    case GRADIENT_CLIENT_TIMEOUT:
    case GRADIENT_CLIENT_REFUSED:
    case GRADIENT_CLIENT_PROTOCOL:
    case GRADIENT_CLIENT_INTERNAL:
        break;
    }
    return report_client_error(o, &error);
}

/* GETs a small document. Returns the exit code; on OK the caller frees *body. */
static int get(const options *o, unsigned attempts, double timeout, const char *path,
               grad_text *body)
{
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client *client = NULL;
    int exit_code = command_open_client(o, attempts, timeout, &client);

    if (exit_code == EXIT_OK &&
        gradient_client_get(client, path, body, &error) != GRADIENT_CLIENT_OK)
        exit_code = report_client_error(o, &error);
    gradient_client_close(client);
    return exit_code;
}

static void print_document(const grad_text *body)
{
    report_write(body->data, body->length);
    if (body->length > 0 && body->data[body->length - 1] != '\n')
        putchar('\n');
}

static void find_ready(void *context, const char *pointer, const char *value)
{
    bool *ready = context;

    *ready |= strcmp(pointer, "/status") == 0 && strcmp(value, "ready") == 0;
}

/* Any other server may respond with 200 too. */
static int print_health(const options *o, const grad_text *body)
{
    bool ready = false;

    if (grad_json_walk(body->data, body->length, find_ready, &ready, NULL) != GRAD_OK || !ready) {
        return report_failure(o, EXIT_PROTOCOL, "%s isn't gradientd: its answer isn't \"ready\"",
                              o->url);
    }
    if (o->json)
        print_document(body);
    else
        puts("ready");
    return EXIT_OK;
}

int command_health(const options *o)
{
    grad_text body;
    int exit_code = get(o, 1, HEALTH_TIMEOUT, "/readyz", &body);

    if (exit_code == EXIT_OK) {
        exit_code = print_health(o, &body);
        grad_text_free(&body);
    }
    return exit_code;
}

/* A table of names and values; the first walk finds how wide the names are. */
typedef struct table {
    int width;
    bool print;
    bool color;
} table;

static void visit(void *context, const char *pointer, const char *value)
{
    table *t = context;
    const char *name = pointer[0] == '/' ? pointer + 1 : pointer;

    if (t->print) {
        printf("%s%-*s%s  %s\n", t->color ? "\033[1m" : "", t->width, name,
               t->color ? "\033[0m" : "", value);
    } else if ((int)strlen(name) > t->width) {
        t->width = (int)strlen(name);
    }
}

static int print_info(const options *o, const grad_text *body)
{
    grad_error error = GRAD_ERROR_INIT;
    table t = {.color = report_in_color(STDOUT_FILENO)};

    if (grad_json_walk(body->data, body->length, visit, &t, &error) != GRAD_OK)
        return report_failure(o, EXIT_PROTOCOL, "the answer isn't right: %s", error.detail);
    if (o->json) {
        print_document(body);
        return EXIT_OK;
    }
    t.print = true;
    grad_json_walk(body->data, body->length, visit, &t, &error);
    return EXIT_OK;
}

int command_info(const options *o)
{
    grad_text body;
    int exit_code = get(o, CALL_RETRIES + 1, INFO_TIMEOUT, "/v1/info", &body);

    if (exit_code == EXIT_OK) {
        exit_code = print_info(o, &body);
        grad_text_free(&body);
    }
    return exit_code;
}
