/* Requests of the Open Inference Protocol, version 2: the model is one layer, whose tensors are the
 * inputs by their names and whose options are parameters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/document/request.h"
#include "codec/json/word.h"
#include "core/error.h"

/* What a request says. */
typedef struct inference {
    grad_request_block block;
    grad_decoded_layer decoded;
    const grad_activation_info *of_model; /* its activation; NULL: the request names it */
    bool is_binary;                /* the answer's tensors, where their output does not say so */
    size_t output_count;           /* those asked for, */
    size_t text_count, tail_count; /* and of them those that say to be numbers, or bytes */
} inference;

void grad_inference_name(const char *activation, char name[GRAD_INFERENCE_NAME_SIZE])
{
    snprintf(name, GRAD_INFERENCE_NAME_SIZE, "%s%s%s", GRAD_INFERENCE_MODEL,
             activation != NULL ? "_" : "", activation != NULL ? activation : "");
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

static bool is_tensor(const grad_field *field)
{
    return field->elsewhere == NULL &&
           (field->read == grad_decode_tensor || field->read == grad_decode_vector ||
            field->read == grad_decode_matrix);
}

/* The layer's field of that name, if it is a tensor; NULL and an error otherwise. */
static const grad_field *find_input(grad_reader *reader, const grad_path *path, const char *name)
{
    const grad_layer_fields *fields = grad_request_fields_of(reader, GRAD_DEFAULT_LAYER_KIND);
    grad_known_name known[GRAD_FIELDS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (!is_tensor(&fields->fields[i]))
            continue;
        if (strcmp(fields->fields[i].name, name) == 0)
            return &fields->fields[i];
        known[count++] = (grad_known_name){fields->fields[i].name, NULL};
    }
    grad_decode_fail_name(reader, path, "unknown_name", "input", name, known, count);
    return NULL;
}

static grad_status read_input(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    const grad_path name_path = {.parent = path, .key = "name"};
    const json_t *name = grad_decode_member(value, "name");
    inference *request = target;
    const grad_field *field;
    grad_tensor *tensor;

    if (!json_is_object(value))
        return grad_decode_fail_type(reader, path, "a tensor", value);
    if (name == NULL)
        return grad_decode_require(reader, path, value, "name");
    if (!json_is_string(name))
        return grad_decode_fail_scalar(reader, &name_path, "the name of an input", name);
    field = find_input(reader, &name_path, json_string_value(name));
    if (field == NULL)
        return GRAD_INVALID;
    tensor = (grad_tensor *)(void *)((char *)&request->decoded + field->offset);
    if (tensor->data != NULL)
        return grad_decode_fail(reader, &name_path, "duplicate_field",
                                "expected each input once, found \"%s\" again", field->name);
    return grad_decode_input(reader, path, value, tensor);
}

static grad_status read_inputs(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    /* An array of numbers, or of whatever: nobody told the scanner to expect inputs. */
    if (!json_is_array(value) || grad_decode_array(reader, path) != NULL)
        return grad_decode_fail_type(reader, path, "an array of tensors", value);
    return grad_decode_elements(reader, path, value, read_input, target, 0);
}

/* ---- Outputs --------------------------------------------------------------------------------- */

static grad_status read_binary_data(grad_reader *reader, const grad_path *path, const json_t *value,
                                    void *target)
{
    bool is_binary = false;
    grad_status status = grad_decode_boolean(reader, path, value, &is_binary);
    inference *request = target;

    request->tail_count += is_binary;
    request->text_count += !is_binary;
    return status;
}

static grad_status read_output_parameters(grad_reader *reader, const grad_path *path,
                                          const json_t *value, void *target)
{
    static const grad_field fields[] = {{"binary_data", read_binary_data, 0, NULL}};

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

/* Outputs that the layer has: a name that it has not would be answered by nothing. */
static grad_status read_output_name(grad_reader *reader, const grad_path *path, const json_t *value,
                                    void *target)
{
    const grad_layer_info *info = grad_layer_info_of(GRAD_DEFAULT_LAYER_KIND);
    const char *names[GRAD_OUTPUT_COUNT] = {NULL};
    grad_output_kind outputs[GRAD_OUTPUT_COUNT];
    unsigned *wanted = &((inference *)target)->block.batch.outputs;
    size_t count = 0, index = 0;
    grad_status status;

    for (size_t i = 0; i < info->slot_count; i++)
        if (info->slots[i].delta != GRAD_OUTPUT_COUNT)
            outputs[count++] = info->slots[i].delta;
    outputs[count++] = GRAD_GRAD_INPUT;
    for (size_t i = 0; i < count; i++)
        names[i] = grad_output_name(outputs[i]);
    status = grad_decode_choice(reader, path, value, names, count, &index);
    if (status == GRAD_OK && (*wanted >> outputs[index] & 1) != 0)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected each output once, found \"%s\" again", names[index]);
    if (status == GRAD_OK)
        *wanted |= 1u << outputs[index];
    return status;
}

static grad_status read_output(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    static const grad_field fields[] = {
        {"name", read_output_name, 0, NULL},
        {"parameters", read_output_parameters, 0, NULL},
    };
    grad_status status =
        grad_decode_object(reader, path, value, "an output", fields, GRAD_COUNT(fields), target);

    ((inference *)target)->output_count++;
    return status == GRAD_OK ? grad_decode_require(reader, path, value, "name") : status;
}

/* None asked for are all. */
static grad_status read_outputs(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    if (!json_is_array(value))
        return grad_decode_fail_type(reader, path, "an array of outputs", value);
    return grad_decode_elements(reader, path, value, read_output, target, 0);
}

/* ---- Parameters ------------------------------------------------------------------------------ */

/* An option of our own requests, whose target is an inference. */
static grad_field option(const char *name)
{
    grad_field field = grad_request_option(name);

    field.offset += offsetof(inference, block);
    return field;
}

/* The activation's parameters stand beside it. */
static size_t list_parameters(const grad_activation_info *info, grad_field *fields)
{
    size_t count = 0;

    fields[count++] = (grad_field){"activation", grad_decode_nothing, 0, NULL};
    fields[count++] = option("reduction");
    fields[count++] = option("scale");
    fields[count++] = option("non_finite");
    fields[count++] =
        (grad_field)GRAD_FIELD("binary_data_output", grad_decode_boolean, inference, is_binary);
    /* These change nothing of the answer. */
    fields[count++] = (grad_field){"priority", grad_decode_nothing, 0, NULL};
    fields[count++] = (grad_field){"timeout", grad_decode_nothing, 0, NULL};
    if (info != NULL)
        count +=
            grad_request_parameter_fields(info, offsetof(inference, decoded.layer), fields + count);
    return count;
}

/* The activation comes first: it sets its parameters to their defaults. */
static grad_status read_parameters(grad_reader *reader, const grad_path *path, const json_t *value,
                                   void *target)
{
    const grad_path activation_path = {.parent = path, .key = "activation"};
    const json_t *activation = grad_decode_member(value, "activation");
    const char *name = json_string_value(activation);
    grad_field fields[GRAD_FIELDS_MAX];
    inference *request = target;
    const grad_activation_info *info = request->of_model;
    grad_status status = GRAD_OK;
    size_t count;

    if (activation != NULL && info != NULL)
        return grad_decode_fail(reader, &activation_path, "unsupported_value",
                                "expected no activation beside that of the model, %s, found one",
                                info->name);
    if (activation != NULL)
        status =
            grad_request_activation(reader, &activation_path, activation, &request->decoded.layer);
    if (status != GRAD_OK)
        return status;
    if (name != NULL)
        info = grad_activation_find(name);
    count = list_parameters(info, fields);
    return grad_decode_object(reader, path, value, "an object", fields, count, target);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static grad_status read_model(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    const grad_activation_info *activation = ((const inference *)target)->of_model;
    char name[GRAD_INFERENCE_NAME_SIZE];
    const char *const names[] = {name};
    size_t index;

    grad_inference_name(activation != NULL ? activation->name : NULL, name);
    return grad_decode_choice(reader, path, value, names, GRAD_COUNT(names), &index);
}

static grad_status require_parts(grad_reader *reader, const grad_path *root, const json_t *value,
                                 const inference *request)
{
    const grad_path parameters = {.parent = root, .key = "parameters"};
    const json_t *found = grad_decode_member(value, "parameters");

    if (grad_decode_member(value, "inputs") == NULL)
        return grad_decode_require(reader, root, value, "inputs");
    if (request->of_model != NULL)
        return GRAD_OK;
    if (found == NULL || grad_decode_member(found, "activation") == NULL)
        return grad_decode_fail(reader, found == NULL ? root : &parameters, "missing_field",
                                "expected \"activation\" in \"parameters\", found none");
    return GRAD_OK;
}

/* Bytes where every output that was asked for comes so. Clients read numbers as well. */
static grad_encoding choose_encoding(const inference *request)
{
    size_t unsaid = request->output_count - request->text_count - request->tail_count;
    bool is_text = request->text_count > 0 ||
                   (!request->is_binary && (request->output_count == 0 || unsaid > 0));

    return is_text ? GRAD_ENCODING_JSON : GRAD_ENCODING_BINARY;
}

static grad_status decode_inference(grad_reader *reader, const json_t *root, inference *request)
{
    const grad_field fields[] = {
        option("id"),
        {"model_name", read_model, 0, NULL},
        {"inputs", read_inputs, 0, NULL},
        {"outputs", read_outputs, 0, NULL},
        {"parameters", read_parameters, 0, NULL},
    };
    const grad_path path = {0};
    grad_status status =
        grad_decode_object(reader, &path, root, "an object", fields, GRAD_COUNT(fields), request);

    return status == GRAD_OK ? require_parts(reader, &path, root, request) : status;
}

grad_status grad_inference_read(const grad_document *document, void **block, size_t *size,
                                grad_error *error)
{
    grad_reader reader = grad_document_reader(document, error);
    grad_request common = {.places = GRAD_IN_GRADIENTS};
    inference request = {0};
    grad_status status;

    if (grad_request_begin(document, 1, &common, &reader, size) == NULL)
        return GRAD_OUT_OF_MEMORY;
    reader.singles = NULL; /* whose shape is always said */
    request.block = *common.block;
    request.decoded.layer = grad_request_fields_of(&reader, GRAD_DEFAULT_LAYER_KIND)->defaults;
    if (document->activation != NULL) {
        request.of_model = grad_activation_find(document->activation);
        request.decoded.layer.activation = grad_activation_default(request.of_model->kind);
    }
    status = decode_inference(&reader, document->root, &request);
    if (status != GRAD_OK) {
        free(common.block);
        return status;
    }
    request.block.batch.is_inference = true;
    request.block.batch.is_of_activation = request.of_model != NULL;
    request.block.batch.no_notes = true;
    request.block.batch.encoding = choose_encoding(&request);
    request.block.batch.layers[0] = request.decoded.layer;
    *common.block = request.block;
    *block = common.block;
    return GRAD_OK;
}

/* ---- Errors found in the batch --------------------------------------------------------------- */

/* The place of the input of that name; GRAD_NO_PLACE: there is none. */
static size_t place_of_input(const grad_envelope *envelope, const char *name, size_t *index)
{
    const size_t inputs = grad_envelope_find(envelope, "/inputs");

    if (inputs == GRAD_NO_PLACE)
        return GRAD_NO_PLACE;
    for (*index = 0;; (*index)++) {
        size_t place = grad_envelope_element(envelope, inputs, *index), at;

        if (place == GRAD_NO_PLACE)
            return GRAD_NO_PLACE;
        at = grad_envelope_member(envelope, place, "name");
        if (at != GRAD_NO_PLACE &&
            grad_envelope_is_name(envelope, envelope->places[at].begin + 1, &name, 1))
            return place;
    }
}

/* The activation's own parameters stand beside it. */
static grad_pointer_text pointer_to_activation(const grad_envelope *envelope, const char *rest)
{
    grad_pointer_text beside = grad_pointer_format("/parameters%s", rest);

    return rest[0] != '\0' && grad_envelope_find(envelope, beside.text) != GRAD_NO_PLACE
               ? beside
               : grad_pointer_format("/parameters/activation%s", rest);
}

/* "/layers/0/input/1/2" as the document has it: "/inputs/0/1/2". */
static void move_pointer(const grad_envelope *envelope, const char *member, grad_error *error)
{
    const size_t length = strcspn(member, "/");
    const char *rest = member + length;
    char name[GRAD_POINTER_SIZE];
    size_t index = 0;
    grad_pointer_text moved;

    snprintf(name, sizeof name, "%.*s", (int)length, member);
    if (length == 0)
        moved = grad_pointer_format("%s", "");
    else if (place_of_input(envelope, name, &index) != GRAD_NO_PLACE)
        moved = grad_pointer_format("/inputs/%zu%s", index, rest);
    else if (strcmp(name, "activation") == 0)
        moved = pointer_to_activation(envelope, rest);
    else
        moved = grad_pointer_format("/outputs/%s", member);
    snprintf(error->pointer, sizeof error->pointer, "%s", moved.text);
}

void grad_inference_locate(const grad_envelope *envelope, grad_error *error)
{
    static const char layer[] = "/layers/0", activation[] = "/activation/";
    const size_t length = sizeof layer - 1;
    char detail[GRAD_DETAIL_SIZE];

    if (strncmp(error->pointer, layer, length) != 0)
        return;
    if (strncmp(error->detail, layer + 1, length - 1) == 0) {
        const char *rest = error->detail + length - 1;

        if (strncmp(rest, activation, sizeof activation - 1) == 0)
            rest += sizeof activation - 2;
        snprintf(detail, sizeof detail, "%s%s", *rest == '/' ? "" : "the request",
                 rest + (*rest == '/'));
        snprintf(error->detail, sizeof error->detail, "%s", detail);
    }
    move_pointer(envelope, error->pointer + length + (error->pointer[length] == '/'), error);
}
