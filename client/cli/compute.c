/* `gradient compute`, `backprop` and `check`: a document to the service as it is, the answer to
 * standard output. What lives here is reading the input too, which --local shares; computing is
 * local.c's, the table of a check check_table.c's. */
#include "cli/commands.h"
#include "cli/file_kind.h"
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DOCUMENT_BYTES ((size_t)1 << 31)
#define PIECE_BYTES 65536
#define COMPUTE_ATTEMPTS 5
#define COMPUTE_TIMEOUT 120

/* Whether it can be a document, by its first piece. Returns the exit code. */
static int judge_beginning(const options *o, const char *bytes, size_t length)
{
    const char *file = strcmp(o->file, "-") == 0 ? "standard input" : o->file;
    file_kind kind = file_kind_of(bytes, length);

    if (kind.name == NULL)
        return EXIT_OK;
    return report_failure(o, EXIT_BAD_INPUT, "%s: expected a JSON document, found %s%s%s%s", file,
                          kind.name, kind.hint != NULL ? " (" : "",
                          kind.hint != NULL ? kind.hint : "", kind.hint != NULL ? ")" : "");
}

static int read_pieces(const options *o, FILE *in,
                       bool (*take)(void *context, const char *bytes, size_t length), void *context)
{
    char piece[PIECE_BYTES];
    size_t length = fread(piece, 1, sizeof piece, in);
    int exit_code = ferror(in) ? EXIT_OK : judge_beginning(o, piece, length);

    if (exit_code != EXIT_OK)
        return exit_code;
    for (; length > 0; length = fread(piece, 1, sizeof piece, in))
        if (!take(context, piece, length))
            return EXIT_OK;
    if (ferror(in))
        return report_system_failure(o, EXIT_BAD_INPUT, o->file);
    return EXIT_OK;
}

int command_read_document(const options *o,
                          bool (*take)(void *context, const char *bytes, size_t length),
                          void *context)
{
    FILE *in = strcmp(o->file, "-") == 0 ? stdin : fopen(o->file, "rb");
    int exit_code;

    if (in == NULL)
        return report_system_failure(o, EXIT_BAD_INPUT, o->file);
    if (in == stdin && isatty(STDIN_FILENO) && !o->quiet)
        fprintf(stderr, "gradient: reading the document from standard input\n");
    exit_code = read_pieces(o, in, take, context);
    if (in != stdin)
        fclose(in);
    return exit_code;
}

static bool keep(void *context, const char *bytes, size_t length)
{
    grad_text *document = context;

    grad_text_add(document, bytes, length);
    return grad_text_status(document, NULL) == GRAD_OK;
}

static gradient_client_route route_of(const options *o)
{
    switch (o->command) {
    case COMMAND_BACKPROP:
        return GRADIENT_CLIENT_BACKPROP;
    case COMMAND_CHECK:
        return GRADIENT_CLIENT_CHECK;
    default:
        return GRADIENT_CLIENT_GRADIENTS;
    }
}

/* Notes stand at the end of an answer, which is read once more only where it has some: in a string
 * there is a backslash before each quote. */
static void tell_notes(const options *o, const grad_text *body)
{
    static const char member[] = "\"notes\":[{";
    grad_decoder *decoder = NULL;
    grad_reply *reply;

    if (o->quiet || o->json || memmem(body->data, body->length, member, sizeof member - 1) == NULL)
        return;
    if (grad_decoder_create(NULL, o->datatype, body->length, &decoder, NULL) == GRAD_OK &&
        grad_decoder_push(decoder, body->data, body->length, NULL) == GRAD_OK &&
        grad_decoder_finish_reply(decoder, &reply, NULL) == GRAD_OK)
        report_notes(o, reply->notes, reply->note_count);
    grad_decoder_destroy(decoder);
}

/* The answer to a check says whether the gradients are right. */
static int print_answer(const options *o, const grad_text *body)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_check_report *report = NULL;
    int exit_code;

    if (o->command != COMMAND_CHECK) {
        report_write(body->data, body->length);
        tell_notes(o, body);
        return EXIT_OK;
    }
    if (grad_check_report_read(body->data, body->length, &report, &error) != GRAD_OK)
        return report_failure(o, EXIT_INTERNAL, "%s", error.detail);
    exit_code = command_print_check(o, body, report);
    free(report);
    return exit_code;
}

static int post(const options *o, const grad_text *document)
{
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;
    gradient_client *client = NULL;
    grad_text body;
    int exit_code = command_open_client(o, COMPUTE_ATTEMPTS, COMPUTE_TIMEOUT, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (gradient_client_post(client, route_of(o), o->datatype, document->data, document->length,
                             &body, &error) == GRADIENT_CLIENT_OK) {
        exit_code = print_answer(o, &body);
        grad_text_free(&body);
    } else {
        exit_code = report_client_error(o, &error);
    }
    gradient_client_close(client);
    return exit_code;
}

int command_compute(const options *o)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_text document;
    int exit_code;

    grad_text_init(&document, MAX_DOCUMENT_BYTES);
    exit_code = command_read_document(o, keep, &document);
    if (exit_code == EXIT_OK) {
        exit_code = grad_text_status(&document, &error) == GRAD_OK
                        ? post(o, &document)
                        : report_library_error(o, &error);
    }
    grad_text_free(&document);
    return exit_code;
}
