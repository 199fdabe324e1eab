/* The fields of a 200 answer of POST /v1/gradients. Unknown fields are skipped, so that answers of
 * newer services can be read. */
#include <stdlib.h>

#include "wire/document.h"

static const grad_field layer_fields[] = {
    {"name", grad_bind_string, offsetof(grad_layer_result, name)},
    {"weight_delta", grad_bind_tensor, offsetof(grad_layer_result, weight_delta)},
    {"bias_delta", grad_bind_tensor, offsetof(grad_layer_result, bias_delta)},
    {"grad_input", grad_bind_tensor, offsetof(grad_layer_result, grad_input)},
};

static grad_status read_layer(grad_binder *binder, const grad_path *path, const json_t *value,
                              void *target)
{
    return grad_bind_object(binder, path, value, "a layer", layer_fields,
                            sizeof layer_fields / sizeof *layer_fields, target);
}

static grad_status read_layers(grad_binder *binder, const grad_path *path, const json_t *value,
                               void *target)
{
    return grad_bind_elements(binder, path, value, read_layer, *(grad_layer_result **)target,
                              sizeof(grad_layer_result));
}

static const grad_field reply_fields[] = {
    {"id", grad_bind_string, offsetof(grad_reply, id)},
    {"layers", read_layers, offsetof(grad_reply, layers)},
};

grad_status grad_reply_read(const grad_document *document, void **block, size_t *size,
                            grad_error *error)
{
    grad_binder binder = {document->envelope, document->numbers, NULL, true, error};
    grad_path root = {0};
    grad_reply *reply;
    size_t layers = 0;
    grad_status status = grad_document_count_layers(document, &binder, &layers);

    if (status != GRAD_OK)
        return status;
    reply =
        grad_document_block(document, sizeof *reply, layers, sizeof *reply->layers, size, error);
    if (reply == NULL)
        return GRAD_OUT_OF_MEMORY;
    reply->layers = (grad_layer_result *)(reply + 1);
    reply->layer_count = layers;
    binder.strings = (char *)(reply->layers + layers);
    status = grad_bind_object(&binder, &root, document->root, "an object", reply_fields,
                              sizeof reply_fields / sizeof *reply_fields, reply);
    if (status != GRAD_OK)
        free(reply);
    else
        *block = reply;
    return status;
}
