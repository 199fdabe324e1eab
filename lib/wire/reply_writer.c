/* The reply document: which members a 200 answer of POST /v1/gradients has, and how large it may
 * become. */
#include <stdint.h>
#include <string.h>

#include "core/size.h"
#include "wire/encoder.h"

static void write_layer(grad_encoder *encoder, const grad_layer_result *result, size_t layer)
{
    grad_text *text = grad_encoder_text(encoder);

    grad_text_add(text, layer > 0 ? ",{" : "{", layer > 0 ? 2 : 1);
    if (result->name != NULL) {
        grad_encoder_member(encoder, "name");
        grad_text_string(text, result->name);
    }
    grad_encoder_tensor(encoder, "weight_delta", &result->weight_delta, layer);
    grad_encoder_tensor(encoder, "bias_delta", &result->bias_delta, layer);
    grad_encoder_tensor(encoder, "grad_input", &result->grad_input, layer);
    grad_text_add(text, "}", 1);
}

grad_status grad_encode_reply(const grad_batch *batch, const grad_reply *reply,
                              grad_encoder **encoder, grad_error *error)
{
    grad_encoder *e = NULL;
    grad_text *text;
    grad_status status = grad_encoder_create(batch->non_finite, &e, error);

    if (status != GRAD_OK)
        return status;
    text = grad_encoder_text(e);
    grad_text_add(text, "{", 1);
    if (batch->id != NULL) {
        grad_encoder_member(e, "id");
        grad_text_string(text, batch->id);
    }
    grad_encoder_member(e, "layers");
    grad_text_add(text, "[", 1);
    for (size_t i = 0; i < batch->layer_count; i++)
        write_layer(e, &reply->layers[i], i);
    grad_text_add(text, "]}\n", 3);
    status = grad_encoder_seal(&e, error);
    if (status == GRAD_OK)
        *encoder = e;
    return status;
}

size_t grad_reply_bound(const grad_batch *batch, size_t result_numbers)
{
    enum {
        HEAD = 4096,  /* the encoder, the first pieces, the outer members */
        LAYER = 2048, /* a layer's members and pieces, in arrays that double */
        ROW = 6,      /* brackets and comma around a row, of up to three dimensions */
        ESCAPED = 6   /* bytes that one byte of a name may become */
    };
    size_t segments = result_numbers / GRAD_SEGMENT_NUMBERS + 1;
    size_t bound = HEAD;
    bool fits = grad_size_add_product(result_numbers, GRAD_NUMBER_WRITE_MAX, &bound) &&
                grad_size_add_product(segments, 4 * sizeof(grad_piece), &bound) &&
                grad_size_add_product(batch->layer_count, LAYER, &bound);

    if (fits && batch->id != NULL)
        fits = grad_size_add_product(strlen(batch->id), 2 * ESCAPED, &bound);
    for (size_t i = 0; fits && i < batch->layer_count; i++) {
        const grad_layer *layer = &batch->layers[i];
        size_t N = layer->pre_activation.rank > 0
                       ? layer->pre_activation.shape[layer->pre_activation.rank - 1]
                       : 0;

        fits = grad_size_add_product(N, ROW, &bound) &&
               grad_size_add_product(layer->input.shape[0], ROW, &bound);
        if (fits && layer->name != NULL)
            fits = grad_size_add_product(strlen(layer->name), 3 * ESCAPED, &bound);
    }
    return fits ? bound : SIZE_MAX;
}
