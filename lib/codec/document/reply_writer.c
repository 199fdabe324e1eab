/* The reply document: which members a 200 answer to a request for gradients has, and how much
 * memory it may take, told from the batch before there is a result. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec/document/document.h"
#include "codec/document/problem.h"
#include "codec/json/encoder.h"
#include "core/size.h"

/* A layer of the request: where an error of it may be. */
typedef struct request_layer {
    const grad_envelope *envelope; /* NULL: not known */
    size_t place;                  /* of the layer in it */
    size_t index;
} request_layer;

static void write_statistics(grad_encoder *encoder, const grad_statistics *statistics)
{
    grad_encoder_number(encoder, "l2_norm", statistics->l2_norm);
    grad_encoder_number(encoder, "max_abs", statistics->max_abs);
    grad_encoder_size(encoder, "non_finite", statistics->non_finite);
}

/* Negative: there is no such share, as f' is a matrix. */
static void write_zero_derivative(grad_encoder *encoder, double share)
{
    if (!(share < 0))
        grad_encoder_number(encoder, "zero_derivative", share);
}

static void write_layer_statistics(grad_encoder *encoder, const grad_layer_result *result)
{
    grad_encoder_open(encoder, "statistics");
    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++) {
        grad_output_kind output = (grad_output_kind)i;

        if (grad_layer_result_tensor(result, output)->data == NULL)
            continue;
        grad_encoder_open(encoder, grad_output_name(output));
        write_statistics(encoder, &result->statistics[output]);
        grad_encoder_close(encoder);
    }
    write_zero_derivative(encoder, result->zero_derivative);
    grad_encoder_close(encoder);
}

static void write_clipping(grad_encoder *encoder, const grad_clip_report *report)
{
    grad_encoder_open(encoder, "clipping");
    grad_encoder_size(encoder, "clipped_values", report->clipped_values);
    grad_encoder_number(encoder, "norm", report->norm);
    grad_encoder_number(encoder, "factor", report->factor);
    grad_encoder_close(encoder);
}

/* From the layer's place on, for each of many may have an error. */
static int64_t find_offset(const request_layer *layer, const char *pointer)
{
    char prefix[32];
    size_t length = (size_t)snprintf(prefix, sizeof prefix, "/layers/%zu", layer->index);
    size_t found = GRAD_NO_PLACE;

    if (layer->envelope != NULL && strncmp(pointer, prefix, length) == 0)
        found = grad_envelope_find_from(layer->envelope, layer->place, pointer + length);
    return found == GRAD_NO_PLACE ? GRAD_OFFSET_UNKNOWN
                                  : grad_envelope_offset_of(layer->envelope, found);
}

static void write_error(grad_encoder *encoder, const grad_error *error, const request_layer *layer)
{
    grad_error located = *error;

    if (located.offset == GRAD_OFFSET_UNKNOWN)
        located.offset = find_offset(layer, located.pointer);
    grad_encoder_member(encoder, "error");
    grad_problem_error(&located, grad_encoder_text(encoder));
}

static void write_layer(grad_encoder *encoder, const grad_layer_result *result,
                        const request_layer *layer)
{
    grad_encoder_open(encoder, NULL);
    grad_encoder_string(encoder, "name", result->name);
    if (result->error != NULL) {
        write_error(encoder, result->error, layer);
    } else {
        for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
            grad_encoder_tensor(encoder, grad_output_name((grad_output_kind)i),
                                grad_layer_result_tensor(result, (grad_output_kind)i),
                                layer->index);
        if (result->has_statistics)
            write_layer_statistics(encoder, result);
        if (result->has_clipping)
            write_clipping(encoder, &result->clipping);
    }
    grad_encoder_close(encoder);
}

static void write_layers(grad_encoder *encoder, const grad_batch *batch, const grad_reply *reply,
                         const grad_decoder *request)
{
    request_layer layer = {0};

    if (request != NULL && batch->continue_on_error) {
        layer.envelope = grad_decoder_envelope(request);
        layer.place = grad_envelope_find(layer.envelope, "/layers/0");
    }
    for (; layer.index < reply->layer_count; layer.index++) {
        write_layer(encoder, &reply->layers[layer.index], &layer);
        if (layer.envelope != NULL)
            layer.place = layer.envelope->places[layer.place].next;
    }
}

/* Absent where there is nothing to note. */
static void write_notes(grad_encoder *encoder, const grad_reply *reply)
{
    if (reply->note_count == 0)
        return;
    grad_encoder_member(encoder, "notes");
    grad_notes_write(reply->notes, reply->note_count, grad_encoder_text(encoder));
}

static void write_totals(grad_encoder *encoder, const grad_reply *reply)
{
    grad_encoder_tensor(encoder, "grad_input", &reply->grad_input, GRAD_NO_LAYER);
    if (reply->has_statistics) {
        grad_encoder_open(encoder, "statistics");
        write_statistics(encoder, &reply->statistics);
        write_zero_derivative(encoder, reply->zero_derivative);
        grad_encoder_close(encoder);
    }
    if (reply->has_clipping)
        write_clipping(encoder, &reply->clipping);
    write_notes(encoder, reply);
}

/* Our own members, behind the identity. */
static void write_reply(grad_encoder *e, const grad_batch *batch, const grad_reply *reply,
                        const grad_decoder *request)
{
    if (reply->has_loss)
        grad_encoder_number(e, "loss", reply->loss);
    grad_encoder_tensor(e, "loss", &reply->losses, GRAD_NO_LAYER);
    grad_encoder_tensor(e, "predictions", &reply->predictions, GRAD_NO_LAYER);
    grad_encoder_member(e, "layers");
    grad_text_add(grad_encoder_text(e), "[", 1);
    write_layers(e, batch, reply, request);
    grad_text_add(grad_encoder_text(e), "]", 1);
    write_totals(e, reply);
}

/* Those of the Open Inference Protocol. */
static void write_inference(grad_encoder *e, const grad_batch *batch, const grad_reply *reply)
{
    const char *activation = NULL;
    char name[GRAD_INFERENCE_NAME_SIZE];

    if (batch->is_of_activation)
        activation = grad_activation_info_of(batch->layers[0].activation.kind)->name;
    grad_inference_name(activation, name);
    grad_encoder_string(e, "model_name", name);
    grad_encoder_string(e, "model_version", GRAD_INFERENCE_VERSION);
    grad_encoder_member(e, "outputs");
    grad_text_add(grad_encoder_text(e), "[", 1);
    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
        grad_encoder_output(e, grad_output_name((grad_output_kind)i),
                            grad_layer_result_tensor(&reply->layers[0], (grad_output_kind)i), 0);
    grad_text_add(grad_encoder_text(e), "]", 1);
}

grad_status grad_encode_reply(const grad_batch *batch, const grad_reply *reply,
                              const grad_decoder *request, grad_encoder **encoder,
                              grad_error *error)
{
    const grad_number_format format = grad_number_format_of(batch, batch->encoding_datatype);
    grad_encoder *e = NULL;
    grad_status status = grad_encoder_create(&format, &e, error);

    if (status != GRAD_OK)
        return status;
    grad_encoder_open(e, NULL);
    grad_encoder_string(e, "id", reply->id != NULL ? reply->id : batch->id);
    if (batch->is_inference)
        write_inference(e, batch, reply);
    else
        write_reply(e, batch, reply, request);
    grad_text_add(grad_encoder_text(e), "}\n", 2);
    status = grad_encoder_seal(&e, error);
    if (status == GRAD_OK)
        *encoder = e;
    return status;
}

/* ---- How large it may become ----------------------------------------------------------------- */

enum {
    HEAD = 8192,       /* the encoder, the first pieces, the outer members */
    LAYER = 3072,      /* a layer's members and pieces, in arrays that double */
    STATISTICS = 2048, /* a layer's statistics and clipping, in a text that doubles and a copy */
    SHAPE = 22 * GRAD_MAX_RANK + 96, /* a tensor that is written with its shape */
    ROW = 2 * GRAD_MAX_RANK,         /* brackets and comma around a row */
    ESCAPED = 6,                     /* bytes that one byte of a name may become */
    COPIES = 3, /* of literal text: the skeleton, which doubles, and its segment */
    ESCAPES = 5 /* times as much of safetensors, whose document is a string of a header */
};

/* The texts of an error, each byte of which may need an escape, and its other members. */
#define ERROR_BOUND                                                                                \
    ((size_t)COPIES * (ESCAPED * (GRAD_DETAIL_SIZE + GRAD_POINTER_SIZE + 2 * GRAD_CODE_SIZE) + 256))

/* A note's texts, none of which needs an escape, and its members' names. */
#define NOTE_BOUND ((size_t)COPIES * (GRAD_NOTE_DETAIL_SIZE + 128))

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The last size of a shape; 0 where the tensor is absent. */
static size_t width_of(const grad_tensor *tensor)
{
    return tensor->rank > 0 ? tensor->shape[tensor->rank - 1] : 0;
}

/* Samples of a tensor, the places of all its axes but the last; a vector is one. */
static size_t samples_of(const grad_tensor *tensor)
{
    size_t samples = 1;

    for (size_t axis = 0; axis + 1 < tensor->rank && axis < GRAD_MAX_RANK; axis++)
        if (!grad_size_mul(samples, tensor->shape[axis], &samples))
            return SIZE_MAX;
    return samples;
}

static size_t batch_size(const grad_batch *batch)
{
    size_t B = batch->network != NULL ? largest(samples_of(&batch->network->input),
                                                samples_of(&batch->network->grad_output))
                                      : 1;

    for (size_t i = 0; i < batch->layer_count; i++) {
        const grad_layer *layer = &batch->layers[i];

        B = largest(B, samples_of(&layer->input));
        B = largest(B, samples_of(&layer->pre_activation));
        B = largest(B, samples_of(&layer->grad_output));
    }
    return B;
}

/* Rows of the matrices that a layer is answered with: those of weight_delta, and one a sample of
 * each of the others. */
static bool add_rows(const grad_batch *batch, const grad_layer *layer, size_t B, size_t *rows)
{
    size_t N = largest(width_of(&layer->pre_activation),
                       largest(width_of(&layer->grad_output), layer->weight.shape[0]));
    size_t copies = batch->reduction == GRAD_PER_SAMPLE ? B : 1;

    return grad_size_add_product(N, copies, rows) &&
           grad_size_add_product(GRAD_OUTPUT_COUNT, B, rows);
}

/* Whether a state has no samples, so that answers of each sample are of no numbers. */
static bool has_no_samples(const grad_batch *batch)
{
    if (batch->network != NULL && samples_of(&batch->network->input) == 0)
        return true;
    for (size_t i = 0; i < batch->layer_count; i++)
        if (samples_of(&batch->layers[i].input) == 0)
            return true;
    return false;
}

static size_t layer_bound(const grad_batch *batch)
{
    bool is_told = batch->statistics || batch->clip.value != 0 || batch->clip.layer_norm != 0 ||
                   batch->clip.global_norm != 0;

    return (size_t)LAYER + (is_told ? STATISTICS : 0) +
           (batch->continue_on_error ? ERROR_BOUND : 0) +
           (has_no_samples(batch) || batch->encoding != GRAD_ENCODING_JSON || batch->is_inference
                ? (size_t)COPIES * GRAD_OUTPUT_COUNT * SHAPE
                : 0);
}

/* All but numbers and rows. */
static bool add_text(const grad_batch *batch, size_t *bound)
{
    size_t names = batch->id != NULL ? strlen(batch->id) : 0;
    size_t text = HEAD + (batch->no_notes ? 0 : GRAD_MAX_NOTES * NOTE_BOUND);
    size_t copies = batch->encoding == GRAD_ENCODING_SAFETENSORS ? ESCAPES : 1;
    bool fits = true;

    for (size_t i = 0; fits && i < batch->layer_count; i++)
        if (batch->layers[i].name != NULL)
            fits = grad_size_add(names, strlen(batch->layers[i].name), &names);
    return fits && grad_size_add_product(batch->layer_count, layer_bound(batch), &text) &&
           grad_size_add_product(names, (size_t)COPIES * ESCAPED, &text) &&
           grad_size_add_product(text, copies, bound);
}

size_t grad_reply_bound(const grad_batch *batch, size_t result_numbers)
{
    const grad_number_format format = grad_number_format_of(batch, batch->encoding_datatype);
    size_t segments = result_numbers / GRAD_SEGMENT_NUMBERS + 1;
    size_t B = batch_size(batch);
    size_t rows = 0, bound = 0;
    bool fits = grad_size_add_product(3, B, &rows); /* loss, predictions, grad_input */

    for (size_t i = 0; fits && i < batch->layer_count; i++)
        fits = add_rows(batch, &batch->layers[i], B, &rows);
    fits = fits && add_text(batch, &bound) &&
           grad_size_add_product(result_numbers, grad_number_bound(&format), &bound) &&
           grad_size_add_product(segments, 4 * sizeof(grad_piece), &bound) &&
           grad_size_add_product(rows, ROW, &bound);
    return fits ? bound : SIZE_MAX;
}
