/* `gradient compute`, `backprop` and `check`: a document to the service as it is, the response to
 * standard output; or computed in this process (--local), to the same bytes. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DOCUMENT_BYTES ((size_t)1 << 31)

/* ---- By the service -------------------------------------------------------------------------- */

static bool keep(void *context, const char *bytes, size_t length)
{
    grad_text *document = context;

    grad_text_add(document, bytes, length);
    return grad_text_status(document, NULL) == GRAD_OK;
}

static gradient_client_route route_of(const options *o)
{
    if (o->command == COMMAND_CHECK)
        return GRADIENT_CLIENT_CHECK;
    return o->command == COMMAND_BACKPROP ? GRADIENT_CLIENT_BACKPROP : GRADIENT_CLIENT_GRADIENTS;
}

/* Prints the notes, which are at the end of a response. It is read once more only if it has some:
 * inside a string a backslash precedes each quote. */
static void print_notes(const options *o, const grad_text *body)
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

/* A check returns a verdict. */
static int print_response(const options *o, const grad_text *body)
{
    grad_error error = GRAD_ERROR_INIT;
    grad_check_report *report = NULL;
    int exit_code;

    if (o->command != COMMAND_CHECK) {
        report_write(body->data, body->length);
        print_notes(o, body);
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
    int exit_code = command_open_client(o, CALL_RETRIES + 1, COMPUTE_TIMEOUT, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (gradient_client_post(client, route_of(o), o->datatype, document->data, document->length,
                             &body, &error) == GRADIENT_CLIENT_OK) {
        exit_code = print_response(o, &body);
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

/* ---- In this process ------------------------------------------------------------------------- */

typedef struct reading {
    grad_decoder *decoder;
    grad_error *error;
} reading;

static bool push(void *context, const char *bytes, size_t length)
{
    reading *r = context;

    return grad_decoder_push(r->decoder, bytes, length, r->error) == GRAD_OK;
}

static grad_status print_reply(const grad_batch *batch, const grad_reply *reply,
                               const grad_decoder *decoder, grad_error *error)
{
    grad_encoder *encoder = NULL;
    grad_status status = grad_encode_reply(batch, reply, decoder, &encoder, error);

    if (status == GRAD_OK)
        status = grad_encoder_run_all(encoder, error);
    if (status == GRAD_OK) {
        const grad_segment *segments = grad_encoder_segments(encoder);
        for (size_t s = 0; s < grad_encoder_segment_count(encoder); s++)
            report_write(segments[s].text, segments[s].length);
    }
    grad_encoder_destroy(encoder);
    return status;
}

static const grad_limits limits = {.size = sizeof limits,
                                   .max_result_numbers = GRAD_DEFAULT_MAX_RESULT_NUMBERS};

static grad_status compute(const options *o, const grad_batch *batch, const grad_decoder *decoder,
                           grad_error *error)
{
    grad_plan *plan;
    grad_run *run = NULL;
    grad_status status = grad_plan_create(batch, &limits, &plan, error);

    if (status == GRAD_OK)
        status = grad_run_create(plan, &run, error);
    if (status == GRAD_OK)
        status = grad_run_all(run, error);
    if (status == GRAD_OK)
        status = print_reply(batch, grad_run_reply(run), decoder, error);
    if (status == GRAD_OK)
        report_notes(o, grad_run_reply(run)->notes, grad_run_reply(run)->note_count);
    grad_run_destroy(run);
    return status;
}

static grad_status run_document(const options *o, grad_decoder *decoder, grad_error *error)
{
    grad_request_kind kind =
        o->command == COMMAND_BACKPROP ? GRAD_REQUEST_BACKPROP : GRAD_REQUEST_GRADIENTS;
    grad_batch *batch;
    grad_status status = grad_decoder_finish_request(decoder, kind, &batch, error);

    return status == GRAD_OK ? compute(o, batch, decoder, error) : status;
}

/* The verdict goes to *exit_code. */
static grad_status print_report(const options *o, const grad_check_report *report, int *exit_code,
                                grad_error *error)
{
    grad_text document;
    grad_status status;

    grad_text_init(&document, SIZE_MAX);
    grad_check_report_write(report, &document);
    status = grad_text_status(&document, error);
    if (status == GRAD_OK)
        *exit_code = command_print_check(o, &document, report);
    grad_text_free(&document);
    return status;
}

static grad_status check_document(const options *o, grad_decoder *decoder, int *exit_code,
                                  grad_error *error)
{
    const grad_check_report *report = NULL;
    grad_check_request *request;
    grad_check *check = NULL;
    grad_measure measure;
    grad_status status = grad_decoder_finish_check(decoder, &request, error);

    if (status != GRAD_OK)
        return status;
    status = grad_check_measure(request, &limits, &measure, error);
    if (status == GRAD_OK)
        status = grad_check_create(request, &check, error);
    if (status == GRAD_OK)
        status = grad_check_all(check, &report, error);
    if (status == GRAD_OK)
        status = print_report(o, report, exit_code, error);
    grad_check_destroy(check);
    return status;
}

/* Validates, computes and prints what the complete document asks for. */
static grad_status process_document(const options *o, grad_decoder *decoder, int *exit_code,
                                    grad_error *error)
{
    grad_status status = o->command == COMMAND_CHECK ? check_document(o, decoder, exit_code, error)
                                                     : run_document(o, decoder, error);

    grad_decoder_locate_error(decoder, error);
    return status;
}

/* Starts this process again to do without the threads that OpenBLAS starts before main(). If it
 * cannot, they idle; the results have the same bits either way. */
static void use_one_blas_thread(char **arguments)
{
    const char *threads = getenv("OPENBLAS_NUM_THREADS");

    if ((threads == NULL || strcmp(threads, "1") != 0) &&
        setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0)
        execv("/proc/self/exe", arguments);
}

int command_compute_local(const options *o)
{
    grad_error error = GRAD_ERROR_INIT;
    reading r = {.error = &error};
    int exit_code;

    use_one_blas_thread(o->arguments);
    if (grad_decoder_create(NULL, o->datatype, 0, &r.decoder, &error) != GRAD_OK)
        return report_library_error(o, &error);
    exit_code = command_read_document(o, push, &r);
    if (exit_code == EXIT_OK &&
        (error.status != GRAD_OK || process_document(o, r.decoder, &exit_code, &error) != GRAD_OK))
        exit_code = report_library_error(o, &error);
    grad_decoder_destroy(r.decoder);
    return exit_code;
}
