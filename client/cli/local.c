/* `gradient compute --local`: the same document, computed in this process by libgradient, to the
 * same bytes. What lives here is the row of steps that the daemon takes over the network. */
#include "cli/commands.h"
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
                               grad_error *error)
{
    grad_encoder *encoder = NULL;
    grad_status status = grad_encode_reply(batch, reply, &encoder, error);

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

static grad_status compute(const grad_batch *batch, grad_error *error)
{
    grad_run *run = NULL;
    grad_status status = grad_run_create(batch, &run, error);

    if (status == GRAD_OK)
        status = grad_run_all(run, error);
    if (status == GRAD_OK)
        status = print_reply(batch, grad_run_reply(run), error);
    grad_run_destroy(run);
    return status;
}

/* The whole document was pushed: what it asks for is checked, computed and printed. */
static grad_status answer(grad_decoder *decoder, grad_error *error)
{
    const grad_limits limits = {.max_result_numbers = GRAD_DEFAULT_MAX_RESULT_NUMBERS};
    grad_measure measure;
    grad_batch *batch;
    grad_status status = grad_decoder_finish_request(decoder, GRAD_REQUEST_GRADIENTS, &batch, error);

    if (status != GRAD_OK)
        return status;
    status = grad_batch_measure(batch, &limits, &measure, error);
    if (status == GRAD_OK)
        status = compute(batch, error);
    if (status != GRAD_OK && error->offset == GRAD_OFFSET_UNKNOWN && error->pointer[0] != '\0')
        error->offset = grad_decoder_locate(decoder, error->pointer);
    return status;
}

/* OpenBLAS starts its threads before main(): to do without them, this process begins again. Where
 * it can't, the threads idle; the tiles of a run give the same bits either way. */
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
    if (grad_decoder_create(NULL, GRAD_FP32, 0, &r.decoder, &error) != GRAD_OK)
        return report_library_error(o, &error);
    exit_code = command_read_document(o, push, &r);
    if (exit_code == EXIT_OK && (error.status != GRAD_OK || answer(r.decoder, &error) != GRAD_OK))
        exit_code = report_library_error(o, &error);
    grad_decoder_destroy(r.decoder);
    return exit_code;
}
