/* The layers of a request: what one that cannot be read leaves behind, and the names of residual
 * connections. */
#include <stdio.h>
#include <string.h>

#include "codec/document/enum_names.h"
#include "codec/document/request.h"
#include "core/size.h"

/* ---- Fields ---------------------------------------------------------------------------------- */

grad_status grad_request_dropout(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("mask", grad_decode_flags, grad_layer, dropout_mask),
        GRAD_FIELD("rate", grad_decode_number, grad_layer, dropout_rate),
    };
    grad_status status =
        grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);

    if (status == GRAD_OK)
        status = grad_decode_require(reader, path, value, "mask");
    return status == GRAD_OK ? grad_decode_require(reader, path, value, "rate") : status;
}

/* Which layer it is, is found when the names of all are known. */
grad_status grad_request_residual(grad_reader *reader, const grad_path *path, const json_t *value,
                                  void *target)
{
    (void)target;
    return json_is_string(value)
               ? GRAD_OK
               : grad_decode_fail_scalar(reader, path, "the name of a layer", value);
}

/* ---- One layer ------------------------------------------------------------------------------- */

/* Which fields there are depends on the kind, so it is looked up before they are read. */
static grad_status read_kind(grad_reader *reader, const grad_path *path, const json_t *layer,
                             grad_layer_kind *kind)
{
    const json_t *value = grad_decode_member(layer, "type");
    grad_path here = {.parent = path, .key = "type"};
    grad_known_name known[GRAD_LAYER_KIND_COUNT];
    const char *name = json_string_value(value);
    const grad_activation_info *activation;
    const grad_layer_info *info;

    if (value == NULL)
        return GRAD_OK;
    if (name == NULL)
        return grad_decode_fail_scalar(reader, &here, "the name of a type of layer", value);
    info = grad_layer_find(name);
    if (info != NULL) {
        *kind = info->kind;
        return GRAD_OK;
    }
    activation = grad_activation_find(name);
    if (activation != NULL)
        return grad_decode_fail(reader, &here, "unknown_name",
                                "unknown type of layer \"%.60s\": write {\"type\": \"activation\", "
                                "\"activation\": \"%s\"}",
                                name, activation->name);
    for (size_t i = 0; i < GRAD_LAYER_KIND_COUNT; i++)
        known[i] = (grad_known_name){grad_layer_info_of((grad_layer_kind)i)->name,
                                     grad_layer_info_of((grad_layer_kind)i)->synonyms};
    return grad_decode_unknown_word(reader, &here, GRAD_WORDS_OF_LAYER_TYPES, "type of layer", name,
                                    known, GRAD_LAYER_KIND_COUNT);
}

static void set_attributes(size_t kind, grad_layer *layer)
{
    const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);

    for (size_t i = 0; i < info->attribute_count; i++)
        *(double *)(void *)((char *)layer + info->attributes[i].offset) =
            info->attributes[i].default_value;
}

/* Attributes of other kinds have a default too; where two kinds differ, it is the layer's own. */
static void set_defaults(grad_layer_kind kind, grad_layer *layer)
{
    layer->kind = kind;
    layer->activation = grad_activation_default(GRAD_IDENTITY);
    for (size_t other = 0; other < GRAD_LAYER_KIND_COUNT; other++)
        set_attributes(other, layer);
    set_attributes(kind, layer);
}

static grad_status decode_layer(grad_reader *reader, const grad_path *path, const json_t *value,
                                grad_decoded_layer *decoded)
{
    grad_layer_kind kind = GRAD_DEFAULT_LAYER_KIND;
    grad_status status = read_kind(reader, path, value, &kind);
    const grad_layer_fields *fields;

    if (status != GRAD_OK)
        return status;
    set_defaults(kind, &decoded->layer);
    fields = grad_request_layer_fields(reader->request, kind);
    status =
        grad_decode_object(reader, path, value, "a layer", fields->fields, fields->count, decoded);
    if (status == GRAD_OK && !grad_layer_info_of(kind)->may_lack_activation)
        status = grad_decode_require(reader, path, value, "activation");
    return status;
}

static grad_status read_layer(grad_reader *reader, const grad_path *path, const json_t *value,
                              size_t index)
{
    grad_request *request = reader->request;
    grad_decoded_layer decoded = {0};
    grad_status status = decode_layer(reader, path, value, &decoded);

    if (status == GRAD_OK && (request->places & GRAD_IN_GRADIENTS) != 0)
        status =
            grad_request_ranks_of_layer(reader, path, &decoded.layer, &decoded.claims.grad_input);
    request->block->batch.layers[index] = decoded.layer;
    if (request->claims != NULL)
        request->claims[index] = decoded.claims;
    return status;
}

/* ---- Residual connections -------------------------------------------------------------------- */

/* A name that no layer before the index-th has, but the layer itself or a later one. */
static grad_status fail_later(grad_reader *reader, const grad_path *path, const char *name,
                              size_t index, size_t found)
{
    if (found == index)
        return grad_decode_fail(reader, path, "unknown_name",
                                "expected an earlier layer, found \"%.60s\", the layer itself",
                                name);
    return grad_decode_fail(reader, path, "unknown_name",
                            "expected an earlier layer, found \"%.60s\" of layers/%zu, a later one",
                            name, found);
}

/* A name that no layer before the index-th has. */
static grad_status fail_residual(grad_reader *reader, const grad_path *path, const char *name,
                                 size_t index)
{
    enum { LISTED = 16 }; /* the nearest layers before it */
    const grad_batch *batch = &reader->request->block->batch;
    const grad_layer *layers = batch->layers;
    grad_known_name known[LISTED + 1];
    size_t count = 0;

    for (size_t i = index; i < batch->layer_count; i++)
        if (layers[i].name != NULL && strcmp(layers[i].name, name) == 0)
            return fail_later(reader, path, name, index, i);
    for (size_t i = index - grad_size_min(index, LISTED); i < index; i++)
        if (layers[i].name != NULL)
            known[count++] = (grad_known_name){layers[i].name, NULL};
    known[count++] = (grad_known_name){GRAD_RESIDUAL_INPUT_NAME, NULL};
    return grad_decode_fail_name(reader, path, "unknown_name", "earlier layer", name, known, count);
}

static grad_status find_residual(grad_reader *reader, const grad_path *path, const json_t *value,
                                 size_t index)
{
    grad_layer *layers = reader->request->block->batch.layers;
    const char *name = json_string_value(json_object_get(value, "residual"));
    grad_path here = {.parent = path, .key = "residual"};
    size_t found = GRAD_RESIDUAL_NONE;

    if (name == NULL || layers[index].error != NULL)
        return GRAD_OK;
    for (size_t i = 0; i < index; i++) {
        if (layers[i].name == NULL || strcmp(layers[i].name, name) != 0)
            continue;
        if (found != GRAD_RESIDUAL_NONE)
            return grad_decode_fail(
                reader, &here, "unsupported_value",
                "expected a name that one earlier layer has, found \"%.60s\" of "
                "layers %zu and %zu",
                name, found - GRAD_RESIDUAL_OF(0), i);
        found = GRAD_RESIDUAL_OF(i);
    }
    if (found == GRAD_RESIDUAL_NONE && strcmp(name, GRAD_RESIDUAL_INPUT_NAME) == 0)
        found = GRAD_RESIDUAL_INPUT;
    if (found == GRAD_RESIDUAL_NONE)
        return fail_residual(reader, &here, name, index);
    layers[index].residual = found;
    return GRAD_OK;
}

/* ---- All of them ----------------------------------------------------------------------------- */

typedef grad_status layer_function(grad_reader *reader, const grad_path *path, const json_t *value,
                                   size_t index);

/* The layer is answered with the error that was just written, and its name if it can be read. */
static void mark_layer(grad_reader *reader, const json_t *value, size_t index)
{
    const json_t *name = json_object_get(value, "name");
    const grad_path nowhere = {0};
    grad_request *request = reader->request;
    grad_layer *layer = &request->block->batch.layers[index];

    *layer = (grad_layer){.name = layer->name, .error = reader->errors++};
    if (layer->name == NULL && json_is_string(name))
        grad_decode_string(reader, &nowhere, name, &layer->name);
    if (request->claims != NULL)
        request->claims[index] = (grad_layer_result){0};
}

/* Where a layer's errors do not end the request they go into the block. */
static grad_status for_each_layer(grad_reader *reader, const grad_path *path, const json_t *value,
                                  layer_function *function)
{
    const grad_place *places = reader->envelope->places;
    size_t next = grad_decode_place(reader, path) + 1;
    bool continues = reader->request->continues;
    grad_reader own = *reader;
    grad_status status = GRAD_OK;

    for (size_t i = 0; i < json_array_size(value) && status == GRAD_OK; i++) {
        const json_t *layer = json_array_get(value, i);
        grad_path here = {.parent = path, .index = i, .place = next};

        next = places[next].next;
        if (continues)
            own.error = own.errors;
        status = function(&own, &here, layer, i);
        if (status == GRAD_INVALID && continues) {
            mark_layer(&own, layer, i);
            status = GRAD_OK;
        }
    }
    reader->strings = own.strings;
    reader->errors = own.errors;
    reader->singles = own.singles;
    return status;
}

grad_status grad_request_layers(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    (void)target;
    return for_each_layer(reader, path, value, read_layer);
}

grad_status grad_request_residuals(grad_reader *reader, const grad_path *path, const json_t *value)
{
    return for_each_layer(reader, path, value, find_residual);
}
