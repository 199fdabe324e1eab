/* How much memory encoding a reply may take, told from the batch before there is a result. What a
 * reply consists of is reply_writer.c's. */
#include <stdint.h>
#include <string.h>

#include "codec/json/encoder.h"
#include "core/size.h"

enum {
    HEAD = 8192,       /* the encoder, the first pieces, the outer members */
    LAYER = 3072,      /* a layer's members and pieces, in arrays that double */
    STATISTICS = 2048, /* a layer's statistics and clipping, in a text that doubles and a copy */
    SHAPE = 22 * GRAD_MAX_RANK + 32, /* a tensor of no numbers, which is written with its shape */
    ROW = 2 * GRAD_MAX_RANK,         /* brackets and comma around a row */
    ESCAPED = 6,                     /* bytes that one byte of a name may become */
    COPIES = 3 /* of literal text: the skeleton, which doubles, and its segment */
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
           (has_no_samples(batch) ? (size_t)COPIES * GRAD_OUTPUT_COUNT * SHAPE : 0);
}

size_t grad_reply_bound(const grad_batch *batch, size_t result_numbers)
{
    size_t segments = result_numbers / GRAD_SEGMENT_NUMBERS + 1;
    size_t B = batch_size(batch);
    size_t rows = 0, names = batch->id != NULL ? strlen(batch->id) : 0;
    size_t bound = HEAD + (batch->no_notes ? 0 : GRAD_MAX_NOTES * NOTE_BOUND);
    bool fits = grad_size_add_product(3, B, &rows); /* loss, predictions, grad_input */

    for (size_t i = 0; fits && i < batch->layer_count; i++) {
        const grad_layer *layer = &batch->layers[i];

        fits = add_rows(batch, layer, B, &rows) &&
               grad_size_add(names, layer->name != NULL ? strlen(layer->name) : 0, &names);
    }
    fits = fits &&
           grad_size_add_product(result_numbers, grad_number_bound(batch->datatype), &bound) &&
           grad_size_add_product(segments, 4 * sizeof(grad_piece), &bound) &&
           grad_size_add_product(batch->layer_count, layer_bound(batch), &bound) &&
           grad_size_add_product(rows, ROW, &bound) &&
           grad_size_add_product(names, (size_t)COPIES * ESCAPED, &bound);
    return fits ? bound : SIZE_MAX;
}
