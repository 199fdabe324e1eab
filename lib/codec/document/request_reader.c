/* Reads a request: the document as a whole with its options, and the loss of a network. A number is
 * judged here only where a batch could not tell its wrong value from an absent one. */
#include "codec/document/request.h"

#include <stdlib.h>
#include <string.h>

#include "codec/document/enum_names.h"
#include "codec/payload/binary.h"
#include "core/format_number.h"

/* ---- Options --------------------------------------------------------------------------------- */

static grad_status read_reduction(grad_reader *reader, const grad_path *path, const json_t *value,
                                  void *target)
{
    size_t index = GRAD_SUM;
    grad_status status =
        grad_decode_choice(reader, path, value, grad_reduction_names, GRAD_REDUCTION_COUNT, &index);

    *(grad_reduction *)target = (grad_reduction)index;
    return status;
}

/* One name; the bit of the i-th is 1 << i. Predictions come last, and only of a network. */
static grad_status read_output(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    const char *names[GRAD_OUTPUT_COUNT + 1];
    bool is_network = (reader->request->places & GRAD_IN_NETWORK) != 0;
    unsigned *outputs = target;
    size_t which = 0;
    grad_status status;

    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
        names[i] = grad_output_name((grad_output_kind)i);
    names[GRAD_OUTPUT_COUNT] = GRAD_PREDICTIONS_NAME;
    status = grad_decode_choice(reader, path, value, names,
                                is_network ? GRAD_OUTPUT_COUNT + 1 : GRAD_OUTPUT_COUNT, &which);
    if (status == GRAD_OK && (*outputs >> which & 1) != 0)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected each output once, found \"%s\" again", names[which]);
    if (status == GRAD_OK)
        *outputs |= 1u << which;
    return status;
}

static grad_status read_outputs(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    if (json_is_string(value)) /* one alone */
        return read_output(reader, path, value, target);
    if (!json_is_array(value))
        return grad_decode_fail_type(reader, path, "an array of names", value);
    if (json_array_size(value) == 0)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected at least one output, found none");
    return grad_decode_elements(reader, path, value, read_output, target, 0);
}

static grad_status read_non_finite(grad_reader *reader, const grad_path *path, const json_t *value,
                                   void *target)
{
    size_t index = GRAD_REJECT_NON_FINITE;
    grad_status status = grad_decode_choice(reader, path, value, grad_non_finite_names,
                                            GRAD_NON_FINITE_COUNT, &index);

    *(grad_non_finite *)target = (grad_non_finite)index;
    return status;
}

static grad_status read_encoding(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    size_t index = GRAD_ENCODING_JSON;
    grad_status status =
        grad_decode_choice(reader, path, value, grad_encoding_names, GRAD_ENCODING_COUNT, &index);

    *(grad_encoding *)target = (grad_encoding)index;
    return status;
}

/* Of the answer's numbers as bytes: what they are computed in, or narrower. */
static grad_status read_datatype(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    const grad_wire_datatype known[] = {grad_wire_datatype_of(reader->datatype), GRAD_WIRE_FP16,
                                        GRAD_WIRE_BF16};
    const char *names[GRAD_COUNT(known)];
    const char *found = json_string_value(value);
    size_t index = 0;
    grad_status status;

    for (size_t i = 0; i < GRAD_COUNT(known); i++)
        names[i] = grad_wire_datatype_name(known[i]);
    if (found != NULL && (strcmp(found, "FP32") == 0 || strcmp(found, "FP64") == 0) &&
        strcmp(found, names[0]) != 0)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected \"%s\" as the request's numbers, found \"%s\"; "
                                "?datatype=%s computes in it",
                                names[0], found, found);
    status = grad_decode_choice(reader, path, value, names, GRAD_COUNT(known), &index);
    *(grad_wire_datatype *)target = index > 0 ? known[index] : GRAD_WIRE_COMPUTED;
    return status;
}

static grad_status read_on_error(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    static const char *const names[] = {"abort", "continue"};
    size_t index = 0;
    grad_status status = grad_decode_choice(reader, path, value, names, GRAD_COUNT(names), &index);

    *(bool *)target = index == 1;
    return status;
}

/* In the batch the option is whether there are none. */
static grad_status read_notes(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    bool wanted = true;
    grad_status status = grad_decode_boolean(reader, path, value, &wanted);

    *(bool *)target = !wanted;
    return status;
}

/* In the batch 0 stands for none. */
static grad_status read_positive(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    grad_status status = grad_decode_number(reader, path, value, target);

    if (status == GRAD_OK && !(*(double *)target > 0))
        return grad_decode_fail(reader, path, "bad_parameter",
                                "expected a number above 0, found %s",
                                GRAD_NUMBER_TEXT(GRAD_FP64, *(double *)target));
    return status;
}

static grad_status read_samples(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    grad_status status = grad_decode_size(reader, path, value, target);

    if (status == GRAD_OK && *(size_t *)target == 0)
        return grad_decode_fail(reader, path, "bad_parameter", "expected at least 1, found 0");
    return status;
}

static grad_status read_seed(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    size_t seed = 0;
    grad_status status = grad_decode_size(reader, path, value, &seed);

    *(uint64_t *)target = seed;
    return status;
}

static grad_status read_clip(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("value", read_positive, grad_clip, value),
        GRAD_FIELD("layer_norm", read_positive, grad_clip, layer_norm),
        GRAD_FIELD("global_norm", read_positive, grad_clip, global_norm),
    };

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

static grad_status read_decay(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("l1", grad_decode_number, grad_decay, l1),
        GRAD_FIELD("l2", grad_decode_number, grad_decay, l2),
    };

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

static grad_status read_check(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("samples", read_samples, grad_check_options, samples),
        GRAD_FIELD("seed", read_seed, grad_check_options, seed),
        GRAD_FIELD("tolerance", read_positive, grad_check_options, tolerance),
    };

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

/* ---- The loss: its name decides which parameters and tensors it has -------------------------- */

static grad_status find_loss(grad_reader *reader, const grad_path *path, const json_t *value,
                             const grad_loss_info **info)
{
    grad_known_name known[GRAD_LOSS_COUNT];
    size_t count = 0;

    if (!json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "the name of a loss", value);
    *info = grad_loss_find(json_string_value(value));
    if (*info != NULL)
        return GRAD_OK;
    for (size_t i = GRAD_LOSS_ABSENT + 1; i < GRAD_LOSS_COUNT; i++) {
        const grad_loss_info *row = grad_loss_info_of((grad_loss_kind)i);

        known[count++] = (grad_known_name){row->name, row->synonyms};
    }
    return grad_decode_unknown_word(reader, path, GRAD_WORDS_OF_LOSSES, "loss",
                                    json_string_value(value), known, count);
}

static grad_status read_loss_reduction(grad_reader *reader, const grad_path *path,
                                       const json_t *value, void *target)
{
    size_t index = GRAD_LOSS_MEAN;
    grad_status status = grad_decode_choice(reader, path, value, grad_loss_reduction_names,
                                            GRAD_LOSS_REDUCTION_COUNT, &index);

    *(grad_loss_reduction *)target = (grad_loss_reduction)index;
    return status;
}

/* Flags are 0 or 1 among the parameters. */
static grad_status read_flag(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    bool flag = false;
    grad_status status = grad_decode_boolean(reader, path, value, &flag);

    *(double *)target = flag ? 1 : 0;
    return status;
}

static grad_field parameter_field(const grad_loss_info *info, size_t parameter)
{
    const grad_parameter_info *p = &info->parameters[parameter];

    return (grad_field){p->name,
                        p->domain == GRAD_FLAG      ? read_flag
                        : p->domain == GRAD_INTEGER ? grad_decode_integer
                                                    : grad_decode_number,
                        offsetof(grad_loss, parameters) + parameter * sizeof(double), NULL};
}

/* The fields of that loss; tensors that only others take say so. Returns how many. */
static size_t list_fields(const grad_loss_info *info, grad_field *fields)
{
    static const struct {
        grad_field field;
        unsigned bit; /* 0: of every loss */
    } rows[] = {
        {{"name", grad_decode_nothing, 0, NULL}, 0},
        {GRAD_FIELD("target", grad_decode_flags, grad_loss, target), 0},
        {GRAD_FIELD("reduction", read_loss_reduction, grad_loss, reduction), 0},
        {GRAD_FIELD("sample_weight", grad_decode_vector, grad_loss, sample_weight), 0},
        {GRAD_FIELD("class_weight", grad_decode_vector, grad_loss, class_weight),
         GRAD_LOSS_CLASS_WEIGHT},
        {GRAD_FIELD("pos_weight", grad_decode_vector, grad_loss, pos_weight), GRAD_LOSS_POS_WEIGHT},
        {GRAD_FIELD("variance", grad_decode_tensor, grad_loss, variance), GRAD_LOSS_VARIANCE},
        {GRAD_FIELD("other", grad_decode_tensor, grad_loss, other), GRAD_LOSS_OTHER},
    };
    size_t count = 0;

    for (size_t i = 0; i < GRAD_COUNT(rows); i++) {
        fields[count] = rows[i].field;
        if (rows[i].bit != 0 && (info->tensors & rows[i].bit) == 0)
            fields[count].elsewhere = "belongs to other losses";
        count++;
    }
    for (size_t i = 0; i < info->parameter_count; i++)
        fields[count++] = parameter_field(info, i);
    return count;
}

bool grad_request_counts_samples(const grad_loss *loss)
{
    unsigned tensors = grad_loss_info_of(loss->kind)->tensors;

    return (tensors & (GRAD_LOSS_CLASSES | GRAD_LOSS_FULL)) != GRAD_LOSS_FULL;
}

static grad_status read_loss(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    grad_path name = {.parent = path, .key = "name"};
    grad_field fields[GRAD_FIELDS_MAX];
    const grad_loss_info *info = NULL;
    grad_status status;
    size_t count;

    if (!json_is_object(value))
        return grad_decode_fail_type(reader, path, "an object with the name of a loss", value);
    status = grad_decode_require(reader, path, value, "name");
    if (status == GRAD_OK)
        status = find_loss(reader, &name, json_object_get(value, "name"), &info);
    if (status != GRAD_OK)
        return status;
    *(grad_loss *)target = grad_loss_default(info->kind);
    count = list_fields(info, fields);
    status = grad_decode_object(reader, path, value, "a loss", fields, count, target);
    if (grad_request_counts_samples(target))
        grad_decode_give_rank(&((grad_loss *)target)->target, 1);
    return status == GRAD_OK ? grad_decode_require(reader, path, value, "target") : status;
}

/* ---- The whole ------------------------------------------------------------------------------- */

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
    OPTION("reduction", read_reduction, batch.reduction),
    OPTION("scale", grad_decode_number, batch.scale),
    OPTION("outputs", read_outputs, batch.outputs),
    OPTION("encoding", read_encoding, batch.encoding),
    OPTION("datatype", read_datatype, batch.encoding_datatype),
    OPTION("non_finite", read_non_finite, batch.non_finite),
    OPTION("on_error", read_on_error, batch.continue_on_error),
    OPTION("statistics", grad_decode_boolean, batch.statistics),
    OPTION("notes", read_notes, batch.no_notes),
    OPTION("clip", read_clip, batch.clip),
    OPTION("weight_decay", read_decay, batch.weight_decay),
    OPTION("layers", grad_request_layers, batch.layers),
    OF_NETWORK("input", grad_decode_tensor, network.input),
    OF_NETWORK("loss", read_loss, network.loss),
    OF_NETWORK("grad_output", grad_decode_tensor, network.grad_output),
    OF_CHECK("check", read_check, check_options, GRAD_IN_BOTH),
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

/* Text holds every number: it is never narrowed. */
static grad_status check_encoding(grad_reader *reader, const grad_path *root)
{
    const grad_path datatype = {.parent = root, .key = "datatype"};
    const grad_batch *batch = &reader->request->block->batch;

    if (batch->encoding != GRAD_ENCODING_JSON || batch->encoding_datatype == GRAD_WIRE_COMPUTED)
        return GRAD_OK;
    return grad_decode_fail(
        reader, &datatype, "unsupported_value",
        "expected \"encoding\": \"base64\", \"binary\" or \"safetensors\" beside \"datatype\": "
        "\"%s\", which is of answers in bytes, found none",
        grad_wire_datatype_name(batch->encoding_datatype));
}

grad_request_block *grad_request_begin(const grad_document *document, size_t layers,
                                       grad_request *request, grad_reader *reader, size_t *size)
{
    if (create_block(document, layers, request, reader, size) != NULL)
        set_defaults(request->block, document, request, layers);
    return request->block;
}

grad_field grad_request_option(const char *name)
{
    size_t i = 0;

    while (strcmp(request_fields[i].field.name, name) != 0)
        i++;
    return request_fields[i].field;
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
    if (status == GRAD_OK)
        status = check_encoding(reader, &path);
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
    if (grad_request_begin(document, layers, &request, &reader, size) == NULL)
        return GRAD_OUT_OF_MEMORY;
    status = decode_request(&reader, document->root);
    if (status != GRAD_OK)
        free(request.block);
    else
        *block = request.block;
    return status;
}
