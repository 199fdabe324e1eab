/* Reading the layers of a request: which fields a kind of layer has, its activation, numbers that
 * stand for tensors of one, residual connections, and what a layer that cannot be read leaves
 * behind. */
#include "codec/document/request.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/document/enum_names.h"
#include "core/format_number.h"
#include "core/size.h"

/* ---- Activations ----------------------------------------------------------------------------- */

static grad_status find_activation(grad_reader *reader, const grad_path *path, const json_t *value,
                                   const grad_activation_info **info)
{
    grad_known_name known[GRAD_ACTIVATION_COUNT];

    if (!json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "the name of an activation", value);
    *info = grad_activation_find(json_string_value(value));
    if (*info != NULL)
        return GRAD_OK;
    for (size_t i = 0; i < GRAD_ACTIVATION_COUNT; i++) {
        const grad_activation_info *row = grad_activation_info_of((grad_activation_kind)i);

        known[i] = (grad_known_name){row->name, row->synonyms};
    }
    return grad_decode_unknown_word(reader, path, GRAD_WORDS_OF_ACTIVATIONS, "activation",
                                    json_string_value(value), known, GRAD_ACTIVATION_COUNT);
}

/* Parameters are not rounded here, but those of floats must be in their range. */
static grad_status read_parameter(grad_reader *reader, const grad_path *path, const json_t *value,
                                  void *target)
{
    double number = json_number_value(value);

    if (!json_is_number(value))
        return grad_decode_fail_scalar(reader, path, "a number", value);
    if (reader->datatype == GRAD_FP32 && isinf((float)number))
        return grad_decode_fail(reader, path, "number_out_of_range",
                                "expected a number within float32's range, found %s%s",
                                GRAD_NUMBER_TEXT(GRAD_FP64, number), GRAD_FP64_HOLDS_IT);
    *(double *)target = number;
    return GRAD_OK;
}

/* One number is the parameter; *target is the layer. */
static grad_status read_slope(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    grad_layer *layer = target;

    if (grad_decode_is_array(reader, path, value) || json_is_object(value))
        return grad_decode_vector(reader, path, value, &layer->slope);
    if (!json_is_number(value))
        return grad_decode_fail_type(reader, path, "a number or an array of numbers", value);
    return read_parameter(reader, path, value, &layer->activation.parameters[0]);
}

size_t grad_request_parameter_fields(const grad_activation_info *info, size_t layer,
                                     grad_field *fields)
{
    for (size_t i = 0; i < info->parameter_count; i++)
        fields[i] = (grad_field){
            info->parameters[i].name, read_parameter,
            layer + offsetof(grad_layer, activation.parameters) + i * sizeof(double), NULL};
    if (info->kind == GRAD_PRELU)
        fields[0] = (grad_field){info->parameters[0].name, read_slope, layer, NULL};
    return info->parameter_count;
}

static grad_status decode_parameters(grad_reader *reader, const grad_path *path,
                                     const json_t *value, const grad_activation_info *info,
                                     grad_layer *layer)
{
    grad_field fields[GRAD_MAX_PARAMETERS + 1] = {{"name", grad_decode_nothing, 0, NULL}};
    size_t count = grad_request_parameter_fields(info, 0, fields + 1) + 1;

    return grad_decode_object(reader, path, value, "an activation", fields, count, layer);
}

grad_status grad_request_activation(grad_reader *reader, const grad_path *path, const json_t *value,
                                    void *target)
{
    grad_layer *layer = target;
    grad_path name = {.parent = path, .key = "name"};
    const grad_activation_info *info = NULL;
    bool is_object = json_is_object(value);
    grad_status status;

    if (!is_object && !json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "a name or an object with a name", value);
    status = is_object ? grad_decode_require(reader, path, value, "name") : GRAD_OK;
    if (status == GRAD_OK)
        status = find_activation(reader, is_object ? &name : path,
                                 is_object ? json_object_get(value, "name") : value, &info);
    if (status != GRAD_OK)
        return status;
    layer->activation = grad_activation_default(info->kind);
    return is_object ? decode_parameters(reader, path, value, info, layer) : GRAD_OK;
}

/* ---- Dropout and residual connections -------------------------------------------------------- */

static grad_status read_dropout(grad_reader *reader, const grad_path *path, const json_t *value,
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
static grad_status read_residual(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    (void)target;
    return json_is_string(value)
               ? GRAD_OK
               : grad_decode_fail_scalar(reader, path, "the name of a layer", value);
}

/* ---- Which fields there are ------------------------------------------------------------------ */

#define FIELD(name, read, member, places)                                                          \
    {                                                                                              \
        GRAD_FIELD(name, read, grad_decoded_layer, member), places                                 \
    }

static const grad_request_field states[] = {
    FIELD("name", grad_decode_string, layer.name, GRAD_IN_BOTH),
    FIELD("type", grad_decode_nothing, layer.kind, GRAD_IN_BOTH),
    FIELD("activation", grad_request_activation, layer, GRAD_IN_BOTH),
    FIELD("input", grad_decode_tensor, layer.input, GRAD_IN_BOTH),
    FIELD("pre_activation", grad_decode_tensor, layer.pre_activation, GRAD_IN_BOTH),
    FIELD("grad_output", grad_decode_tensor, layer.grad_output, GRAD_IN_GRADIENTS),
};
static const grad_request_field surroundings[] = {
    FIELD("dropout", read_dropout, layer, GRAD_IN_BOTH),
    FIELD("residual", read_residual, layer.residual, GRAD_IN_NETWORK),
};

/* ---- What kinds have ------------------------------------------------------------------------- */

static const grad_slot_info *slot_of(size_t kind, grad_slot slot)
{
    const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);

    for (size_t i = 0; i < info->slot_count; i++)
        if (info->slots[i].slot == slot)
            return &info->slots[i];
    return NULL;
}

static const grad_slot_info *slot_with_delta(size_t kind, grad_output_kind output)
{
    const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);

    for (size_t i = 0; i < info->slot_count; i++)
        if (info->slots[i].delta == output)
            return &info->slots[i];
    return NULL;
}

static const grad_attribute_info *attribute_of(size_t kind, const char *name)
{
    const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);

    for (size_t i = 0; i < info->attribute_count; i++)
        if (strcmp(info->attributes[i].name, name) == 0)
            return &info->attributes[i];
    return NULL;
}

/* Whether that kind of layer has a slot, an attribute or a delta of that name. */
static bool kind_has(size_t kind, const char *name)
{
    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++)
        if (strcmp(name, grad_slot_name(slot)) == 0)
            return slot_of(kind, slot) != NULL;
    for (grad_output_kind output = 0; output < GRAD_OUTPUT_COUNT; output++)
        if (strcmp(name, grad_output_name(output)) == 0)
            return slot_with_delta(kind, output) != NULL;
    return attribute_of(kind, name) != NULL;
}

/* What the norms call their counterparts. */
static const char *hint_of(const char *name)
{
    if (strcmp(name, "weight") == 0)
        return "; norms have \"gain\"";
    return strcmp(name, "bias") == 0 ? "; norms have \"shift\"" : "";
}

void grad_layer_field_owners(const char *name, char *text, size_t size)
{
    size_t owners = 0, told = 0;
    int used = snprintf(text, size, "belongs to layers of type ");

    for (size_t kind = 0; kind < GRAD_LAYER_KIND_COUNT; kind++)
        owners += kind_has(kind, name);
    for (size_t kind = 0; kind < GRAD_LAYER_KIND_COUNT; kind++) {
        if (!kind_has(kind, name) || (size_t)used >= size)
            continue;
        used += snprintf(text + used, size - (size_t)used, "%s%s",
                         told == 0            ? ""
                         : told + 1 == owners ? " and "
                                              : ", ",
                         grad_layer_info_of((grad_layer_kind)kind)->name);
        told++;
    }
    if ((size_t)used < size)
        snprintf(text + used, size - (size_t)used, "%s", hint_of(name));
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* A kind's fields while they are listed. */
typedef struct field_list {
    const grad_request *request;
    grad_layer_kind kind;
    grad_layer_fields *to;
} field_list;

static void add(const field_list *list, grad_field field, unsigned places)
{
    const grad_request_field row = {field, places};

    if (list->to->count < GRAD_FIELDS_MAX)
        grad_request_choose(list->request, &row, 1, &list->to->fields[list->to->count++]);
}

static void add_rows(const field_list *list, const grad_request_field *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(list, rows[i].field, rows[i].places);
}

/* A number alone may stand for a tensor of one, whose rank the slot says. */
static grad_decode_function *reader_of(const grad_slot_info *slot)
{
    static grad_decode_function *const readers[] = {grad_decode_tensor, grad_decode_vector,
                                                    grad_decode_matrix};
    size_t rank = strlen(slot->shape);

    return readers[rank < GRAD_COUNT(readers) ? rank : 0];
}

/* A field of the list's kind, or one that only others have. */
static grad_field owned(const field_list *list, const char *name, grad_decode_function *read,
                        size_t offset)
{
    return (grad_field){name, read, offset,
                        kind_has(list->kind, name) ? NULL : GRAD_OF_OTHER_LAYERS};
}

/* Of that kind, or of the first that has it; NULL: it is no kind's own, but an activation's. */
static const grad_slot_info *slot_of_any(grad_layer_kind first, grad_slot slot)
{
    const grad_slot_info *found = slot_of(first, slot);

    for (size_t kind = 0; kind < GRAD_LAYER_KIND_COUNT && found == NULL; kind++)
        found = slot_of(kind, slot);
    return found;
}

static void add_slots(const field_list *list, bool with_delta)
{
    static const grad_layer layer;

    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++) {
        const grad_slot_info *any = slot_of_any(list->kind, slot);
        ptrdiff_t offset = (const char *)grad_layer_slot(&layer, slot) - (const char *)&layer;

        if (any != NULL && (any->delta != GRAD_OUTPUT_COUNT) == with_delta)
            add(list,
                owned(list, grad_slot_name(slot), reader_of(any),
                      offsetof(grad_decoded_layer, layer) + (size_t)offset),
                GRAD_IN_BOTH);
    }
}

/* Each name once, however many kinds have it. */
static void add_attributes(const field_list *list)
{
    for (size_t kind = 0; kind < GRAD_LAYER_KIND_COUNT; kind++) {
        const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);

        for (size_t i = 0; i < info->attribute_count; i++) {
            const grad_attribute_info *attribute = &info->attributes[i];
            bool was_listed = false;

            for (size_t before = 0; before < kind; before++)
                was_listed = was_listed || attribute_of(before, attribute->name) != NULL;
            if (!was_listed)
                add(list,
                    owned(list, attribute->name, grad_decode_number,
                          offsetof(grad_decoded_layer, layer) + attribute->offset),
                    GRAD_IN_BOTH);
        }
    }
}

/* What a client takes for the answer. */
static void add_claims(const field_list *list)
{
    static const grad_layer_result result;

    for (grad_output_kind output = 0; output < GRAD_OUTPUT_COUNT; output++) {
        const char *name = grad_output_name(output);
        ptrdiff_t offset =
            (const char *)grad_layer_result_tensor(&result, output) - (const char *)&result;
        size_t at = offsetof(grad_decoded_layer, claims) + (size_t)offset;
        const grad_slot_info *slot = slot_with_delta(list->kind, output);

        for (size_t kind = 0; kind < GRAD_LAYER_KIND_COUNT && slot == NULL; kind++)
            slot = slot_with_delta(kind, output);
        if (output == GRAD_GRAD_INPUT)
            add(list, (grad_field){name, grad_decode_tensor, at, NULL},
                GRAD_IN_GRADIENTS | GRAD_IN_CHECK);
        else if (slot == NULL) /* an activation's, of any kind */
            add(list, (grad_field){name, grad_decode_vector, at, NULL},
                GRAD_IN_BOTH | GRAD_IN_CHECK);
        else
            add(list, owned(list, name, reader_of(slot), at), GRAD_IN_BOTH | GRAD_IN_CHECK);
    }
}

static void set_attributes(size_t kind, grad_datatype datatype, grad_layer *layer)
{
    const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);

    for (size_t i = 0; i < info->attribute_count; i++)
        *(double *)(void *)((char *)layer + info->attributes[i].offset) =
            info->attributes[i].default_values[datatype];
}

/* Attributes of other kinds have a default too: the layer's own, else the first kind's. */
static void set_defaults(grad_layer_kind kind, grad_datatype datatype, grad_layer *layer)
{
    layer->kind = kind;
    layer->activation = grad_activation_default(GRAD_IDENTITY);
    for (size_t other = GRAD_LAYER_KIND_COUNT; other-- > 0;)
        set_attributes(other, datatype, layer);
    set_attributes(kind, datatype, layer);
}

const grad_layer_fields *grad_request_fields_of(const grad_reader *reader, grad_layer_kind kind)
{
    grad_request *request = reader->request;
    const field_list list = {request, kind, &request->layer_fields[kind]};

    if (list.to->count > 0)
        return list.to;
    set_defaults(kind, reader->datatype, &list.to->defaults);
    add_rows(&list, states, GRAD_COUNT(states));
    add_slots(&list, true);
    add_attributes(&list);
    add_slots(&list, false);
    add_rows(&list, surroundings, GRAD_COUNT(surroundings));
    add_claims(&list);
    return list.to;
}

/* ---- Ranks of numbers alone: a vector if one sample is given as vectors, else a matrix ------- */

/* The tensors of samples that belong together, looked at twice. */
typedef struct family {
    grad_reader *reader;
    size_t rank;  /* the largest, once all have been looked at; 0: only numbers alone */
    bool settles; /* the second time: ranks are given */
} family;

static grad_status visit(family *f, const grad_path *parent, const char *key, grad_tensor *tensor)
{
    grad_path path = {.parent = parent, .key = key};

    f->rank = f->rank > tensor->rank ? f->rank : tensor->rank;
    if (!f->settles || tensor->data == NULL || tensor->rank > 0)
        return GRAD_OK;
    if (f->rank == 0)
        return grad_decode_fail_single(f->reader, &path);
    grad_decode_give_rank(tensor, f->rank);
    return GRAD_OK;
}

static grad_status visit_layer(family *f, const grad_path *path, grad_layer *layer)
{
    grad_path dropout = {.parent = path, .key = "dropout"};
    grad_status status = visit(f, path, "input", &layer->input);

    if (status == GRAD_OK)
        status = visit(f, path, "pre_activation", &layer->pre_activation);
    if (status == GRAD_OK)
        status = visit(f, path, "grad_output", &layer->grad_output);
    return status == GRAD_OK ? visit(f, &dropout, "mask", &layer->dropout_mask) : status;
}

static grad_status visit_network(family *f, const grad_path *root, grad_request_block *block)
{
    grad_network *network = &block->network;
    grad_path layers = {.parent = root, .key = "layers"};
    grad_path loss = {.parent = root, .key = "loss"};
    grad_status status = visit(f, root, "input", &network->input);

    for (size_t i = 0; i < block->batch.layer_count && status == GRAD_OK; i++) {
        grad_path layer = {.parent = &layers, .index = i};

        status = visit_layer(f, &layer, &block->batch.layers[i]);
    }
    if (status == GRAD_OK)
        status = visit(f, root, "grad_output", &network->grad_output);
    if (status == GRAD_OK && !grad_request_counts_samples(&network->loss))
        status = visit(f, &loss, "target", &network->loss.target);
    if (status == GRAD_OK)
        status = visit(f, &loss, "variance", &network->loss.variance);
    if (status == GRAD_OK)
        status = visit(f, &loss, "other", &network->loss.other);
    return status == GRAD_OK ? visit(f, root, "grad_input", &block->check.claimed_grad_input)
                             : status;
}

static grad_status settle_ranks(grad_reader *reader, const grad_path *path, grad_layer *layer,
                                grad_tensor *claimed_grad_input)
{
    family f = {.reader = reader};
    grad_status status = GRAD_OK;

    for (int pass = 0; pass < 2 && status == GRAD_OK; pass++) {
        f.settles = pass == 1;
        status = visit_layer(&f, path, layer);
        if (status == GRAD_OK)
            status = visit(&f, path, "grad_input", claimed_grad_input);
    }
    return status;
}

grad_status grad_request_ranks_of_network(grad_reader *reader, const grad_path *root)
{
    family f = {.reader = reader};
    grad_status status = visit_network(&f, root, reader->request->block);

    f.settles = true;
    return status == GRAD_OK ? visit_network(&f, root, reader->request->block) : status;
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

static grad_status decode_layer(grad_reader *reader, const grad_path *path, const json_t *value,
                                grad_decoded_layer *decoded)
{
    grad_layer_kind kind = GRAD_DEFAULT_LAYER_KIND;
    grad_status status = read_kind(reader, path, value, &kind);
    const grad_layer_fields *fields;

    if (status != GRAD_OK)
        return status;
    fields = grad_request_fields_of(reader, kind);
    decoded->layer = fields->defaults;
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
        status = settle_ranks(reader, path, &decoded.layer, &decoded.claims.grad_input);
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
    if (status != GRAD_OK && reader->error != NULL && reader->error != own.error)
        *reader->error = *own.error;
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
