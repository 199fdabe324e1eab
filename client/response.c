/* Reading the bodies of responses as they arrive, and holding a reply against its batch. */
#include "response.h"

#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most that is read of a response that is not a 200. */
#define MAX_PROBLEM_BYTES 65536

void client_response_begin(client_response *response, const client_expectation *expectation)
{
    memset(response, 0, sizeof *response);
    response->expectation = expectation;
    response->error.offset = GRAD_OFFSET_UNKNOWN;
    grad_text_init(&response->text, 0);
}

static bool over_the_cap(client_response *response, size_t cap)
{
    grad_error *error = &response->error;

    error->status = GRAD_TOO_LARGE;
    error->limit = cap;
    snprintf(error->code, sizeof error->code, "answer_too_large");
    snprintf(error->limit_name, sizeof error->limit_name, "max_answer");
    snprintf(error->detail, sizeof error->detail,
             "it is longer than the %zu bytes expected at most", cap);
    return false;
}

/* The first piece has the status. */
static bool start(client_response *response, const client_head *head)
{
    const client_expectation *expectation = response->expectation;

    response->http_status = head->http_status;
    response->document_length = head->document_length;
    if (head->http_status != 200) {
        grad_text_init(&response->text, MAX_PROBLEM_BYTES);
        return true;
    }
    grad_text_init(&response->text, expectation->max_bytes);
    if (expectation->form != CLIENT_REPLY)
        return true;
    if (grad_decoder_create(&expectation->limits, expectation->datatype, expectation->bytes,
                            &response->decoder, &response->error) != GRAD_OK)
        return false;
    if (head->document_length > 0 && expectation->takes_tail)
        grad_decoder_expect_tail(response->decoder, head->document_length);
    return true;
}

static bool take(client_response *response, const char *bytes, size_t length)
{
    const client_expectation *expectation = response->expectation;
    bool right = response->http_status == 200;

    if (length > expectation->max_bytes - response->received)
        return over_the_cap(response, expectation->max_bytes);
    response->received += length;
    if (right && response->decoder != NULL &&
        grad_decoder_push(response->decoder, bytes, length, &response->error) != GRAD_OK)
        return false;
    if (right && response->decoder != NULL && !expectation->keep)
        return true;
    grad_text_add(&response->text, bytes, length);
    return grad_text_status(&response->text, &response->error) == GRAD_OK;
}

bool client_response_receive(void *context, const client_head *head, const char *bytes,
                             size_t length)
{
    client_response *response = context;

    if (response->http_status == 0 && !start(response, head))
        return false;
    return take(response, bytes, length);
}

grad_status client_response_finish(client_response *response, grad_error *error)
{
    client_form form = response->expectation->form;

    if (form == CLIENT_REPORT) {
        return grad_check_report_read(response->text.length > 0 ? response->text.data : "",
                                      response->text.length, &response->report, error);
    }
    if (form != CLIENT_REPLY)
        return GRAD_OK;
    if (response->decoder == NULL && !start(response, &(client_head){.http_status = 200})) {
        *error = response->error;
        return error->status;
    }
    return grad_decoder_finish_reply(response->decoder, &response->reply, error);
}

void client_response_free(client_response *response)
{
    grad_decoder_destroy(response->decoder);
    grad_text_free(&response->text);
    free(response->report);
    response->decoder = NULL;
    response->reply = NULL;
    response->report = NULL;
}

/* ---- What a right reply is ------------------------------------------------------------------- */

/* Of a reply: the most that one number takes, with room for blanks; one layer with statistics but
 * without its name; a layer's error; and the whole without its layers. */
#define NUMBER_BYTES 32
#define LAYER_BYTES ((size_t)2048)
#define ERROR_BYTES ((size_t)8192)
#define REPLY_BYTES ((size_t)65536)
#define NAME_BYTES 6 /* of one byte of a name, escaped */

static size_t name_bytes(const char *name)
{
    return name == NULL ? 0 : strlen(name) * NAME_BYTES;
}

client_expectation client_reply_expect(const grad_batch *batch, const grad_measure *measure)
{
    /* A guess of the length: bytes of a number in a text that is printed without blanks. */
    const size_t guess = batch->datatype == GRAD_FP64 ? 20 : GRAD_NUMBER_WRITE_MAX - 4;
    client_expectation expectation = {.form = CLIENT_REPLY,
                                      .takes_tail = true,
                                      .datatype = batch->datatype,
                                      .limits = GRAD_WIRE_LIMITS_INIT};
    size_t envelope = REPLY_BYTES + name_bytes(batch->id);

    for (size_t l = 0; l < batch->layer_count; l++)
        envelope += LAYER_BYTES + (batch->continue_on_error ? ERROR_BYTES : 0) +
                    name_bytes(batch->layers[l].name);
    expectation.limits.max_numbers = measure->result_numbers;
    expectation.limits.max_layers = batch->layer_count;
    expectation.limits.max_envelope = envelope;
    expectation.max_bytes = measure->result_numbers > (SIZE_MAX - envelope) / NUMBER_BYTES
                                ? SIZE_MAX
                                : measure->result_numbers * NUMBER_BYTES + envelope;
    expectation.bytes = measure->result_numbers * guess;
    return expectation;
}

/* ---- What it must hold ----------------------------------------------------------------------- */

/* The sizes of a layer, and the axes of its samples: those of x but the last. */
typedef struct extent {
    size_t K, N;
    grad_tensor samples; /* without data; of rank 0 where one sample is given as vectors */
} extent;

/* Under continue_on_error a layer may be invalid: reads no further than it goes. */
static size_t columns_of(const grad_tensor *tensor)
{
    bool readable = tensor->rank > 0 && tensor->rank <= GRAD_MAX_RANK;

    return readable ? tensor->shape[tensor->rank - 1] : 0;
}

static const grad_tensor *input_of(const grad_batch *batch, size_t layer)
{
    const grad_tensor *own = &batch->layers[layer].input;

    return own->data == NULL && layer == 0 && batch->network != NULL ? &batch->network->input : own;
}

/* before: of the layer below, which feeds this one where it has no input of its own. */
static extent extent_of(const grad_batch *batch, size_t layer, extent before)
{
    const grad_layer *l = &batch->layers[layer];
    const grad_tensor *x = input_of(batch, layer);
    extent e = {.K = before.N, .samples = before.samples};

    if (x->data != NULL)
        e = (extent){.K = columns_of(x), .samples = *x};
    if (x->data != NULL && e.samples.rank > 0)
        e.samples.rank--;
    e.N = grad_layer_columns(l, e.K);
    return e;
}

/* GRAD_OUTPUT_* bits of a layer's results. */
static unsigned outputs_of(const grad_batch *batch, const grad_layer *layer)
{
    unsigned outputs = grad_layer_deltas(layer);

    if (batch->network == NULL && grad_layer_has_grad_input(layer))
        outputs |= GRAD_OUTPUT_GRAD_INPUT;
    return batch->outputs == 0 ? outputs : outputs & batch->outputs;
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

/* The axes, and one or two behind them; beyond what a tensor may have, of a rank that none has. */
static grad_tensor with_axes(grad_tensor axes, size_t count, size_t first, size_t second)
{
    const size_t sizes[] = {first, second};

    for (size_t i = 0; i < count; i++, axes.rank++)
        if (axes.rank < GRAD_MAX_RANK)
            axes.shape[axes.rank] = sizes[i];
    return axes;
}

/* Whether the tensor is present exactly if it is expected, and has that shape. */
static bool has_shape(const grad_tensor *tensor, bool is_expected, grad_tensor expected)
{
    if (!is_expected || tensor->data == NULL)
        return is_expected == (tensor->data != NULL);
    return tensor->rank == expected.rank && expected.rank <= GRAD_MAX_RANK &&
           memcmp(tensor->shape, expected.shape, expected.rank * sizeof *expected.shape) == 0;
}

/* The axes of what there is one of a sample; a vector's one sample is an axis too. */
static grad_tensor axes_of_samples(const extent *e)
{
    return e->samples.rank > 0 ? e->samples : with_axes(e->samples, 1, 1, 0);
}

static bool matches_output(const grad_batch *batch, const grad_layer *layer, extent e,
                           grad_output_kind output, const grad_tensor *tensor)
{
    bool is_expected = (outputs_of(batch, layer) & 1u << output) != 0;
    grad_tensor axes = batch->reduction == GRAD_PER_SAMPLE ? axes_of_samples(&e) : (grad_tensor){0};
    grad_tensor shape = grad_layer_output_shape(layer, e.K, e.N, output);

    if (output == GRAD_GRAD_INPUT)
        axes = e.samples;
    return has_shape(tensor, is_expected,
                     with_axes(axes, shape.rank, shape.shape[0], shape.shape[1]));
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Whether the result is one of that layer, with what was asked for and nothing else. */
static bool matches_layer(const grad_batch *batch, size_t layer, extent e,
                          const grad_layer_result *result)
{
    const grad_layer *l = &batch->layers[layer];
    bool failed = result->error != NULL;

    if (!same_text(result->name, l->name) || (failed && !batch->continue_on_error))
        return false;
    for (int k = 0; k < GRAD_OUTPUT_COUNT; k++) {
        const grad_tensor *tensor = grad_layer_result_tensor(result, (grad_output_kind)k);
        if (failed ? tensor->data != NULL
                   : !matches_output(batch, l, e, (grad_output_kind)k, tensor))
            return false;
    }
    return failed || result->has_statistics == batch->statistics;
}

/* What a network has besides its layers. e: of the last layer; first: of the first. */
static bool matches_network(const grad_batch *batch, extent first, extent e,
                            const grad_reply *reply)
{
    const grad_loss *loss = batch->network == NULL ? NULL : &batch->network->loss;
    bool has_loss = loss != NULL && loss->kind != GRAD_LOSS_ABSENT;
    bool whole = has_loss && loss->reduction == GRAD_LOSS_NONE;
    bool by_sample = whole && (grad_loss_info_of(loss->kind)->tensors & GRAD_LOSS_PER_SAMPLE) != 0;
    bool grad_input =
        loss != NULL && (batch->outputs == 0 ? grad_layer_has_grad_input(&batch->layers[0])
                                             : (batch->outputs & GRAD_OUTPUT_GRAD_INPUT) != 0);
    grad_tensor y = with_axes(e.samples, 1, e.N, 0);
    bool predictions = loss != NULL && (batch->outputs & GRAD_OUTPUT_PREDICTIONS) != 0;

    return reply->has_loss == (has_loss && !whole) &&
           has_shape(&reply->losses, whole, by_sample ? axes_of_samples(&e) : y) &&
           has_shape(&reply->predictions, predictions, y) &&
           has_shape(&reply->grad_input, grad_input, with_axes(first.samples, 1, first.K, 0));
}

gradient_client_status client_reply_check(const grad_batch *batch, const grad_reply *reply,
                                          gradient_client_error *error)
{
    extent e = {0}, first = {0};

    if (!same_text(reply->id, batch->id) || reply->layer_count != batch->layer_count) {
        return client_fail(error, GRADIENT_CLIENT_PROTOCOL,
                           "the answer isn't this request's: its id or its number of layers is "
                           "another");
    }
    for (size_t l = 0; l < batch->layer_count; l++) {
        e = extent_of(batch, l, e);
        if (l == 0)
            first = e;
        if (!matches_layer(batch, l, e, &reply->layers[l])) {
            return client_fail(error, GRADIENT_CLIENT_PROTOCOL,
                               "the answer isn't this request's: layers/%zu has another name, "
                               "other outputs or other shapes",
                               l);
        }
    }
    if (!matches_network(batch, first, e, reply)) {
        return client_fail(error, GRADIENT_CLIENT_PROTOCOL,
                           "the answer isn't this request's: it has another loss, other "
                           "predictions or another grad_input");
    }
    return GRADIENT_CLIENT_OK;
}
