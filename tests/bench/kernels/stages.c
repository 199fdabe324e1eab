/* Times what a request costs without a daemon: reads the body in the file named, as a daemon would
 * (pieces of 128 KiB), computes and prints the reply, all through the public library on one thread.
 * Prints the seconds of decoding, computing and encoding as one JSON object, medians over
 * repetitions. Each repetition begins with nothing allocated, like a request. */
#include "gradient_wire.h"
#include "timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 128 * 1024, REPETITIONS_MAX = 2000 };
enum stage { DECODE, COMPUTE, ENCODE, TOTAL, STAGES };

static void must(grad_status status, const grad_error *error)
{
    if (status != GRAD_OK) {
        fprintf(stderr, "stages: %s\n", error->detail);
        exit(1);
    }
}

static char *file_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    long size = ftell(file);
    rewind(file);
    char *data = size > 0 ? malloc((size_t)size) : NULL;
    if (data && fread(data, 1, (size_t)size, file) == (size_t)size)
        *length = (size_t)size;
    fclose(file);
    return data;
}

static size_t reply_length(const grad_encoder *encoder)
{
    size_t length = 0;
    const grad_segment *segments = grad_encoder_segments(encoder);
    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++)
        length += segments[i].length;
    return length;
}

/* One request from its bytes to its reply's; returns the reply's length. */
static size_t request_run(grad_request_kind kind, const char *body, size_t length,
                          double seconds[STAGES])
{
    grad_error error = GRAD_ERROR_INIT;
    grad_decoder *decoder = NULL;
    grad_batch *batch = NULL;
    double begin = thread_seconds();
    must(grad_decoder_create(NULL, GRAD_FP32, length, &decoder, &error), &error);
    for (size_t i = 0; i < length; i += PIECE) {
        size_t piece = length - i < PIECE ? length - i : PIECE;
        must(grad_decoder_push(decoder, body + i, piece, &error), &error);
    }
    must(grad_decoder_finish_request(decoder, kind, &batch, &error), &error);
    double decoded = thread_seconds();

    grad_plan *plan;
    grad_run *run = NULL;
    must(grad_plan_create(batch, NULL, &plan, &error), &error);
    must(grad_run_create(plan, &run, &error), &error);
    must(grad_run_all(run, &error), &error);
    double computed = thread_seconds();

    grad_encoder *encoder = NULL;
    must(grad_encode_reply(batch, grad_run_reply(run), NULL, &encoder, &error), &error);
    must(grad_encoder_run_all(encoder, &error), &error);
    double encoded = thread_seconds();

    size_t reply = reply_length(encoder);
    grad_encoder_destroy(encoder);
    grad_run_destroy(run);
    grad_decoder_destroy(decoder);
    seconds[DECODE] = decoded - begin;
    seconds[COMPUTE] = computed - decoded;
    seconds[ENCODE] = encoded - computed;
    seconds[TOTAL] = thread_seconds() - begin;
    return reply;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(double), compare_doubles);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    static double samples[STAGES][REPETITIONS_MAX];
    size_t length = 0, reply = 0;
    char *body = argc == 4 ? file_read(argv[2], &length) : NULL;
    if (!body || length == 0) {
        fprintf(stderr, "usage: stages gradients|backprop BODY_FILE SECONDS\n");
        return 2;
    }
    bool is_network = strcmp(argv[1], "backprop") == 0;
    grad_request_kind kind = is_network ? GRAD_REQUEST_BACKPROP : GRAD_REQUEST_GRADIENTS;
    double limit = atof(argv[3]), begin = thread_seconds();
    int count = 0;
    while (count < 3 || (count < REPETITIONS_MAX && thread_seconds() - begin < limit)) {
        double seconds[STAGES];
        reply = request_run(kind, body, length, seconds);
        for (int s = 0; s < STAGES; s++)
            samples[s][count] = seconds[s];
        count++;
    }
    printf("{\"decode_s\": %.9f, \"compute_s\": %.9f, \"encode_s\": %.9f, \"total_s\": %.9f, "
           "\"repetitions\": %d, \"reply_bytes\": %zu}\n",
           median(samples[DECODE], count), median(samples[COMPUTE], count),
           median(samples[ENCODE], count), median(samples[TOTAL], count), count, reply);
    free(body);
    return 0;
}
