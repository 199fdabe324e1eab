/* The questions of `gradientd check`, and their table at the end: the files that the configuration
 * names, the BLAS beneath, the numbers of documents. */
#include "self_check.h"

#include "access/access.h"
#include "gradient_wire.h"
#include "tls/tls.h"

#include <string.h>

#define WHY_SIZE 512

/* ---- Files ----------------------------------------------------------------------------------- */

static bool ask_tokens(const config *c, char *why)
{
    access_list *found;

    if (c->token_file[0] == '\0')
        return true;
    found = access_open(c->token_file, why, WHY_SIZE);
    access_close(found);
    return found != NULL;
}

static bool ask_certificates(const config *c, char *why)
{
    tls *found;

    if (!tls_is_wanted(c))
        return true;
    found = tls_create(c, why, WHY_SIZE);
    tls_destroy(found);
    return found != NULL;
}

/* ---- BLAS ------------------------------------------------------------------------------------ */

static bool ask_threads(const config *c, char *why)
{
    grad_error error = GRAD_ERROR_INIT;

    (void)c;
    if (grad_self_test(&error) == GRAD_OK)
        return true;
    snprintf(why, WHY_SIZE, "%s", error.detail);
    return false;
}

enum { SAMPLES = 24, INPUTS = 67, OUTPUTS = 45 };

/* Whole numbers from -5 to 5: every sum of their products is exact in a float. */
static float whole(size_t i)
{
    return (float)((int)(i * 7 % 11) - 5);
}

/* Element [n,k] of ΔW, by whole numbers. */
static int exact(const float *x, const float *dy, size_t n, size_t k)
{
    int sum = 0;

    for (size_t b = 0; b < SAMPLES; b++)
        sum += (int)dy[b * OUTPUTS + n] * (int)x[b * INPUTS + k];
    return sum;
}

static bool ask_products(const config *c, char *why)
{
    float x[SAMPLES * INPUTS], weight[OUTPUTS * INPUTS], dy[SAMPLES * OUTPUTS];
    float delta[OUTPUTS * INPUTS];
    grad_error error = GRAD_ERROR_INIT;

    (void)c;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = whole(i);
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++)
        weight[i] = whole(i + 3);
    for (size_t i = 0; i < sizeof dy / sizeof *dy; i++)
        dy[i] = whole(i * i);
    if (grad_dense_gradients(SAMPLES, INPUTS, OUTPUTS, "identity", x, weight, NULL, dy, delta, NULL,
                             NULL, &error) != GRAD_OK) {
        snprintf(why, WHY_SIZE, "%s", error.detail);
        return false;
    }
    for (size_t i = 0; i < sizeof delta / sizeof *delta; i++) {
        int expected = exact(x, dy, i / INPUTS, i % INPUTS);
        if ((int)delta[i] != expected) {
            snprintf(why, WHY_SIZE, "expected the product %d, found %g", expected,
                     (double)delta[i]);
            return false;
        }
    }
    return true;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* The ends of float32, ties, and what is rounded on the way in, with what comes back. */
static const char sent[] =
    "{\"layers\":[{\"activation\":\"identity\",\"input\":[[1]],\"pre_activation\":[[0.1,1e-45,"
    "3.4028235e38,16777217,1.17549435e-38,0.333333333333333333,-0.0]],\"grad_output\":[[1,2,3,4,5,"
    "6,7]]}]}";
static const char returned[] = "[[0.1,1e-45,3.4028234e38,16777216,1.1754944e-38,0.33333334,-0";

static bool holds(const grad_encoder *encoder, const char *wanted)
{
    const grad_segment *segments = grad_encoder_segments(encoder);

    for (size_t i = 0; i < grad_encoder_segment_count(encoder); i++)
        if (memmem(segments[i].text, segments[i].length, wanted, strlen(wanted)) != NULL)
            return true;
    return false;
}

static bool ask_numbers(const config *c, char *why)
{
    grad_decoder *decoder = NULL;
    grad_encoder *encoder = NULL;
    grad_batch *batch;
    grad_error error = GRAD_ERROR_INIT;
    bool right =
        grad_decoder_create(NULL, GRAD_FP32, 0, &decoder, &error) == GRAD_OK &&
        grad_decoder_push(decoder, sent, sizeof sent - 1, &error) == GRAD_OK &&
        grad_decoder_finish_request(decoder, GRAD_REQUEST_GRADIENTS, &batch, &error) == GRAD_OK &&
        grad_encode_request(batch, &encoder, &error) == GRAD_OK &&
        grad_encoder_run_all(encoder, &error) == GRAD_OK;

    (void)c;
    if (!right)
        snprintf(why, WHY_SIZE, "%s", error.detail);
    else if (!holds(encoder, returned)) {
        snprintf(why, WHY_SIZE, "numbers come back as others");
        right = false;
    }
    grad_encoder_destroy(encoder);
    grad_decoder_destroy(decoder);
    return right;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* The configuration itself was read before any of these is asked. */
static const struct {
    const char *name;
    bool (*ask)(const config *c, char *why); /* why has WHY_SIZE bytes */
} questions[] = {
    {"tokens", ask_tokens},
    {"certificates", ask_certificates},
    {"BLAS: called by several threads", ask_threads},
    {"BLAS: exact where it can be", ask_products},
    {"numbers read and printed", ask_numbers},
};

bool self_check(const config *c, FILE *out)
{
    bool all = true;

    fprintf(out, "ok   configuration\n");
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        char why[WHY_SIZE] = "";
        bool is_ok = questions[i].ask(c, why);
        fprintf(out, "%s %s%s%s\n", is_ok ? "ok  " : "FAIL", questions[i].name, is_ok ? "" : ": ",
                why);
        all = all && is_ok;
    }
    return all;
}
