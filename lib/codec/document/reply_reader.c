/* The fields of a 200 answer to a request for gradients. Unknown fields are skipped, so that those
 * of newer services can be read. */
#include <stdlib.h>

#include "codec/document/document.h"
#include "codec/document/problem.h"
#include "core/size.h"

/* ---- Statistics and clipping ----------------------------------------------------------------- */

static grad_status read_statistics(grad_reader *reader, const grad_path *path, const json_t *value,
                                   void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("l2_norm", grad_decode_scalar, grad_statistics, l2_norm),
        GRAD_FIELD("max_abs", grad_decode_scalar, grad_statistics, max_abs),
        GRAD_FIELD("non_finite", grad_decode_size, grad_statistics, non_finite),
    };

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

static grad_status read_layer_statistics(grad_reader *reader, const grad_path *path,
                                         const json_t *value, void *target)
{
    grad_layer_result *result = target;
    grad_field fields[GRAD_OUTPUT_COUNT + 1];

    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
        fields[i] = (grad_field){
            grad_output_name((grad_output_kind)i), read_statistics,
            offsetof(grad_layer_result, statistics) + i * sizeof(grad_statistics), NULL};
    fields[GRAD_OUTPUT_COUNT] = (grad_field)GRAD_FIELD("zero_derivative", grad_decode_scalar,
                                                       grad_layer_result, zero_derivative);
    result->has_statistics = true;
    result->zero_derivative = -1;
    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

/* The same names stand for the whole in the reply; *target is the reply. */
static grad_status read_total_statistics(grad_reader *reader, const grad_path *path,
                                         const json_t *value, void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("l2_norm", grad_decode_scalar, grad_reply, statistics.l2_norm),
        GRAD_FIELD("max_abs", grad_decode_scalar, grad_reply, statistics.max_abs),
        GRAD_FIELD("non_finite", grad_decode_size, grad_reply, statistics.non_finite),
        GRAD_FIELD("zero_derivative", grad_decode_scalar, grad_reply, zero_derivative),
    };
    grad_reply *reply = target;

    reply->has_statistics = true;
    reply->zero_derivative = -1;
    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

static grad_status read_report(grad_reader *reader, const grad_path *path, const json_t *value,
                               grad_clip_report *report)
{
    static const grad_field fields[] = {
        GRAD_FIELD("clipped_values", grad_decode_size, grad_clip_report, clipped_values),
        GRAD_FIELD("norm", grad_decode_scalar, grad_clip_report, norm),
        GRAD_FIELD("factor", grad_decode_scalar, grad_clip_report, factor),
    };

    report->factor = 1;
    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), report);
}

static grad_status read_layer_clipping(grad_reader *reader, const grad_path *path,
                                       const json_t *value, void *target)
{
    grad_layer_result *result = target;

    result->has_clipping = true;
    return read_report(reader, path, value, &result->clipping);
}

static grad_status read_total_clipping(grad_reader *reader, const grad_path *path,
                                       const json_t *value, void *target)
{
    grad_reply *reply = target;

    reply->has_clipping = true;
    return read_report(reader, path, value, &reply->clipping);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

static grad_status read_error(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    if (!json_is_object(value))
        return grad_decode_fail_type(reader, path, "an object", value);
    *reader->errors = (grad_error)GRAD_ERROR_INIT;
    grad_problem_read_error(value, reader->errors);
    *(const grad_error **)target = reader->errors++;
    return GRAD_OK;
}

#define TENSOR(name) GRAD_FIELD(#name, grad_decode_tensor, grad_layer_result, name)

static const grad_field layer_fields[] = {
    GRAD_FIELD("name", grad_decode_string, grad_layer_result, name),
    TENSOR(weight_delta),
    TENSOR(bias_delta),
    TENSOR(grad_input),
    TENSOR(slope_delta),
    TENSOR(gain_delta),
    TENSOR(shift_delta),
    {"statistics", read_layer_statistics, 0, NULL},
    {"clipping", read_layer_clipping, 0, NULL},
    GRAD_FIELD("error", read_error, grad_layer_result, error),
};

static grad_status read_layer(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    return grad_decode_object(reader, path, value, "a layer", layer_fields,
                              GRAD_COUNT(layer_fields), target);
}

static grad_status read_layers(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    return grad_decode_elements(reader, path, value, read_layer, *(grad_layer_result **)target,
                                sizeof(grad_layer_result));
}

static size_t count_errors(const json_t *root)
{
    const json_t *layers = json_object_get(root, "layers");
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(layers); i++)
        count += json_object_get(json_array_get(layers, i), "error") != NULL;
    return count;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* A number, or one a sample or an element; *target is the reply. */
static grad_status read_loss(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    grad_reply *reply = target;

    if (grad_decode_is_array(reader, path, value) || json_is_object(value))
        return grad_decode_tensor(reader, path, value, &reply->losses);
    reply->has_loss = true;
    return grad_decode_scalar(reader, path, value, &reply->loss);
}

static const grad_field reply_fields[] = {
    GRAD_FIELD("id", grad_decode_string, grad_reply, id),
    {"loss", read_loss, 0, NULL},
    GRAD_FIELD("predictions", grad_decode_tensor, grad_reply, predictions),
    GRAD_FIELD("layers", read_layers, grad_reply, layers),
    GRAD_FIELD("grad_input", grad_decode_tensor, grad_reply, grad_input),
    {"statistics", read_total_statistics, 0, NULL},
    {"clipping", read_total_clipping, 0, NULL},
    GRAD_FIELD("notes", grad_notes_read, grad_reply, notes),
};

grad_status grad_reply_read(const grad_document *document, void **block, size_t *size,
                            grad_error *error)
{
    grad_reader reader = grad_document_reader(document, error);
    grad_path root = {0};
    grad_reply *reply;
    size_t errors = count_errors(document->root), notes = grad_notes_count(document->root);
    size_t layers = 0;
    grad_status status = grad_document_count_layers(document, &reader, &layers);

    if (status != GRAD_OK)
        return status;
    reply = grad_document_block(
        document, sizeof *reply + errors * sizeof(grad_error) + notes * sizeof *reply->notes,
        layers, sizeof *reply->layers, size, error);
    if (reply == NULL)
        return GRAD_OUT_OF_MEMORY;
    reply->layers = (grad_layer_result *)(reply + 1);
    reply->layer_count = layers;
    reader.skips_unknown_fields = true;
    reader.errors = (grad_error *)(reply->layers + layers);
    reply->note_count = notes;
    if (notes > 0)
        reply->notes = (grad_reply_note *)(reader.errors + errors);
    reader.strings = (char *)(reader.errors + errors) + notes * sizeof *reply->notes;
    status = grad_decode_object(&reader, &root, document->root, "an object", reply_fields,
                                GRAD_COUNT(reply_fields), reply);
    if (status != GRAD_OK)
        free(reply);
    else
        *block = reply;
    return status;
}
