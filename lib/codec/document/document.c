/* What requests and replies have in common: layers, counted before anything is allocated for them,
 * and one block of memory. */
#include "codec/document/document.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/figure.h"
#include "core/size.h"

grad_reader grad_document_reader(const grad_document *document, grad_error *error)
{
    return (grad_reader){.envelope = document->envelope,
                         .datatype = document->datatype,
                         .numbers = document->numbers,
                         .error = error};
}

grad_status grad_document_count_layers(const grad_document *document, grad_reader *reader,
                                       size_t *count)
{
    const grad_envelope *envelope = document->envelope;
    const json_t *layers = grad_decode_member(document->root, "layers");
    grad_path root = {0};
    grad_path path = {.parent = &root, .key = "layers"};
    size_t found = json_array_size(layers);

    if (!json_is_object(document->root))
        return grad_decode_fail_type(reader, &root, "an object", document->root);
    if (layers == NULL)
        return grad_decode_require(reader, &root, document->root, "layers");
    if (!json_is_array(layers))
        return grad_decode_fail_type(reader, &path, "an array of layers", layers);
    if (found == 0)
        return grad_decode_fail(reader, &path, "empty_batch",
                                "expected at least one layer, found none");
    if (found > document->max_layers) {
        grad_fail_limit(reader->error, "max_layers", document->max_layers, "/layers",
                        "expected at most %zu layer%s, found %zu", document->max_layers,
                        grad_plural(document->max_layers), found);
        if (reader->error != NULL)
            reader->error->offset =
                grad_envelope_offset_of(envelope, grad_envelope_find(envelope, "/layers"));
        return GRAD_TOO_LARGE;
    }
    *count = found;
    return GRAD_OK;
}

void *grad_document_block(const grad_document *document, size_t head, size_t items,
                          size_t item_size, size_t *size, grad_error *error)
{
    /* A string takes less room than in the envelope, where it has quotes and escapes; so does a
     * number that stands for a tensor, where it has a name: "bias":5 and a comma or brace. */
    size_t bytes = head + document->envelope->text.length;
    void *block;

    if (!grad_size_add_product(items, item_size, &bytes))
        bytes = SIZE_MAX;
    block = calloc(1, bytes);
    if (block == NULL)
        grad_fail_memory(error, bytes);
    else
        *size = bytes;
    return block;
}

size_t grad_document_block_bound(size_t layers, size_t envelope_bytes)
{
    size_t bytes =
        sizeof(grad_request_block) + sizeof(grad_reply) + GRAD_MAX_NOTES * sizeof(grad_reply_note);
    size_t layer = sizeof(grad_layer) + sizeof(grad_layer_result) + sizeof(grad_error);

    if (!grad_size_add(bytes, envelope_bytes, &bytes) ||
        !grad_size_add_product(layers, layer, &bytes))
        return SIZE_MAX;
    return bytes;
}
