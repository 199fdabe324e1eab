/* The fields of a layer: those of every kind, and around them what the slots, attributes and deltas
 * of its kind are called. */
#include <stdio.h>
#include <string.h>

#include "codec/document/request.h"
#include "core/size.h"

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
    FIELD("dropout", grad_request_dropout, layer, GRAD_IN_BOTH),
    FIELD("residual", grad_request_residual, layer.residual, GRAD_IN_NETWORK),
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

static grad_decode_function *reader_of(const grad_slot_info *slot)
{
    return slot->shape[1] != '\0' ? grad_decode_matrix : grad_decode_vector;
}

/* A field of the list's kind, or one that only others have. */
static grad_field owned(const field_list *list, const char *name, grad_decode_function *read,
                        size_t offset)
{
    return (grad_field){name, read, offset,
                        kind_has(list->kind, name) ? NULL : GRAD_OF_OTHER_LAYERS};
}

/* Of the first kind that has it; NULL: it is no kind's own, but an activation's. */
static const grad_slot_info *slot_of_any(grad_slot slot)
{
    const grad_slot_info *found = NULL;

    for (size_t kind = 0; kind < GRAD_LAYER_KIND_COUNT && found == NULL; kind++)
        found = slot_of(kind, slot);
    return found;
}

static void add_slots(const field_list *list, bool with_delta)
{
    static const grad_layer layer;

    for (grad_slot slot = 0; slot < GRAD_SLOT_COUNT; slot++) {
        const grad_slot_info *any = slot_of_any(slot);
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
        const grad_slot_info *slot = NULL;

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

const grad_layer_fields *grad_request_layer_fields(grad_request *request, grad_layer_kind kind)
{
    const field_list list = {request, kind, &request->layer_fields[kind]};

    if (list.to->count > 0)
        return list.to;
    add_rows(&list, states, GRAD_COUNT(states));
    add_slots(&list, true);
    add_attributes(&list);
    add_slots(&list, false);
    add_rows(&list, surroundings, GRAD_COUNT(surroundings));
    add_claims(&list);
    return list.to;
}
