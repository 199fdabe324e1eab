/* A request document as a whole: its outermost fields, and the block that it is read into. The
 * fields' values are read by request_options.c, request_layers.c and request_loss.c. */
#include <stdlib.h>
#include <string.h>

#include "codec/document/request.h"

void grad_request_choose(const grad_request *request, const grad_request_field *rows, size_t count,
                         grad_field *fields)
{
    for (size_t i = 0; i < count; i++) {
        const grad_request_field *row = &rows[i];

        fields[i] = row->field;
        if ((row->places & GRAD_IN_CHECK & ~request->places) != 0)
            fields[i].elsewhere = "belongs to a check (POST /v1/check)";
        else if ((row->places & GRAD_IN_BOTH & request->places) == 0)
            fields[i].elsewhere = (row->places & GRAD_IN_NETWORK) != 0
                                      ? "belongs to a network (POST /v1/backprop)"
                                      : "belongs at the top level, beside the layers";
    }
}

#define OPTION(name, read, member)                                                                 \
    {                                                                                              \
        GRAD_FIELD(name, read, grad_request_block, member), GRAD_IN_BOTH                           \
    }
#define OF_NETWORK(name, read, member)                                                             \
    {                                                                                              \
        GRAD_FIELD(name, read, grad_request_block, member), GRAD_IN_NETWORK                        \
    }
#define OF_CHECK(name, read, member, places)                                                       \
    {                                                                                              \
        GRAD_FIELD(name, read, grad_request_block, member), (places) | GRAD_IN_CHECK               \
    }

static const grad_request_field request_fields[] = {
    OPTION("id", grad_decode_string, batch.id),
    OPTION("reduction", grad_request_reduction, batch.reduction),
    OPTION("scale", grad_decode_number, batch.scale),
    OPTION("outputs", grad_request_outputs, batch.outputs),
    OPTION("encoding", grad_request_encoding, batch),
    OPTION("non_finite", grad_request_non_finite, batch.non_finite),
    OPTION("on_error", grad_request_on_error, batch.continue_on_error),
    OPTION("statistics", grad_decode_boolean, batch.statistics),
    OPTION("notes", grad_request_notes, batch.no_notes),
    OPTION("clip", grad_request_clip, batch.clip),
    OPTION("weight_decay", grad_request_decay, batch.weight_decay),
    OPTION("layers", grad_request_layers, batch.layers),
    OF_NETWORK("input", grad_decode_tensor, network.input),
    OF_NETWORK("loss", grad_request_loss, network.loss),
    OF_NETWORK("grad_output", grad_decode_tensor, network.grad_output),
    OF_CHECK("check", grad_request_check, check_options, GRAD_IN_BOTH),
    OF_CHECK("grad_input", grad_decode_tensor, check.claimed_grad_input, GRAD_IN_NETWORK),
};

_Static_assert(GRAD_COUNT(request_fields) <= GRAD_FIELDS_MAX, "room for the fields of a request");

static unsigned places_of(const grad_document *document)
{
    const json_t *root = document->root;
    bool is_network = grad_decode_member(root, "input") != NULL ||
                      grad_decode_member(root, "loss") != NULL ||
                      grad_decode_member(root, "grad_output") != NULL;

    if (document->kind == GRAD_DOCUMENT_CHECK)
        return GRAD_IN_CHECK | (is_network ? GRAD_IN_NETWORK : GRAD_IN_GRADIENTS);
    return document->kind == GRAD_DOCUMENT_BACKPROP ? GRAD_IN_NETWORK : GRAD_IN_GRADIENTS;
}

static bool continues_on_error(const json_t *root)
{
    const char *value = json_string_value(json_object_get(root, "on_error"));

    return value != NULL && strcmp(value, "continue") == 0;
}

/* Layers, errors, claims and strings follow the head. */
static grad_request_block *create_block(const grad_document *document, size_t layers,
                                        grad_request *request, grad_reader *reader, size_t *size)
{
    size_t errors = request->continues ? layers : 0;
    size_t claims = (request->places & GRAD_IN_CHECK) != 0 ? layers : 0;
    size_t item = sizeof(grad_layer) + (errors > 0 ? sizeof(grad_error) : 0) +
                  (claims > 0 ? sizeof(grad_layer_result) : 0);
    grad_request_block *block =
        grad_document_block(document, sizeof *block, layers, item, size, reader->error);
    grad_layer_result *after_errors;

    if (block == NULL)
        return NULL;
    block->batch.layers = (grad_layer *)(block + 1);
    reader->errors = (grad_error *)(block->batch.layers + layers);
    after_errors = (grad_layer_result *)(reader->errors + errors);
    if (claims > 0)
        request->claims = after_errors;
    reader->strings = (char *)(after_errors + claims);
    reader->singles = (double *)(void *)((char *)block + *size / sizeof(double) * sizeof(double));
    reader->request = request;
    request->block = block;
    return block;
}

static void set_defaults(grad_request_block *block, const grad_document *document,
                         const grad_request *request, size_t layers)
{
    grad_batch *batch = &block->batch;

    batch->datatype = document->datatype;
    batch->scale = 1;
    batch->layer_count = layers;
    batch->overwrite_grad_output = request->claims == NULL;
    if ((request->places & GRAD_IN_NETWORK) != 0)
        batch->network = &block->network;
    block->check.batch = batch;
    block->check.options = &block->check_options;
    block->check_options.size = sizeof block->check_options;
    block->check.claims = request->claims;
}

/* What the backward pass of a network starts from. */
static grad_status check_start(grad_reader *reader, const grad_path *root, const json_t *value)
{
    grad_path grad_output = {.parent = root, .key = "grad_output"};
    bool has_loss = grad_decode_member(value, "loss") != NULL;
    bool has_grad_output = grad_decode_member(value, "grad_output") != NULL;

    if (!has_loss && !has_grad_output &&
        reader->request->block->batch.outputs != GRAD_OUTPUT_PREDICTIONS)
        return grad_decode_fail(reader, root, "missing_field",
                                "expected a field \"loss\" or \"grad_output\", found neither; with "
                                "\"outputs\": [\"predictions\"] the forward pass alone is run");
    if (has_loss && has_grad_output)
        return grad_decode_fail(reader, &grad_output, "unsupported_value",
                                "expected either \"loss\" or \"grad_output\", found both");
    return GRAD_OK;
}

static grad_status decode_request(grad_reader *reader, const json_t *root)
{
    const grad_request *request = reader->request;
    grad_field fields[GRAD_FIELDS_MAX];
    grad_path path = {0};
    grad_path layers = {.parent = &path, .key = "layers"};
    grad_status status;

    grad_request_choose(request, request_fields, GRAD_COUNT(request_fields), fields);
    status = grad_decode_object(reader, &path, root, "an object", fields,
                                GRAD_COUNT(request_fields), request->block);
    if (status != GRAD_OK || request->block->batch.network == NULL)
        return status;
    status = check_start(reader, &path, root);
    if (status == GRAD_OK)
        status = grad_request_ranks_of_network(reader, &path);
    return status == GRAD_OK
               ? grad_request_residuals(reader, &layers, json_object_get(root, "layers"))
               : status;
}

grad_status grad_request_read(const grad_document *document, void **block, size_t *size,
                              grad_error *error)
{
    grad_reader reader = grad_document_reader(document, error);
    grad_request request = {0};
    size_t layers = 0;
    grad_status status = grad_document_count_layers(document, &reader, &layers);

    if (status != GRAD_OK)
        return status;
    request.places = places_of(document);
    request.continues = continues_on_error(document->root);
    if (create_block(document, layers, &request, &reader, size) == NULL)
        return GRAD_OUT_OF_MEMORY;
    set_defaults(request.block, document, &request, layers);
    status = decode_request(&reader, document->root);
    if (status != GRAD_OK)
        free(request.block);
    else
        *block = request.block;
    return status;
}
