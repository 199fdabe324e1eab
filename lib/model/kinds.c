/* The table of the kinds of layers, and what follows from a kind's slots. */
#include "model/kind.h"

#include <string.h>

static const grad_kind *const table[GRAD_LAYER_KIND_COUNT] = {
#define ROW(KIND, name) [GRAD_##KIND] = &grad_kind_##name,
    GRAD_LAYER_KINDS(ROW)
#undef ROW
};

/* ---- Names ----------------------------------------------------------------------------------- */

const grad_layer_info *grad_layer_info_of(grad_layer_kind kind)
{
    return &table[kind]->info;
}

const grad_layer_info *grad_layer_find(const char *name)
{
    bool is_foreign = grad_foreign_meaning(GRAD_WORDS_OF_LAYER_TYPES, name) != NULL;

    for (size_t i = 0; i < GRAD_LAYER_KIND_COUNT && !is_foreign; i++)
        if (grad_vocabulary_has(GRAD_WORDS_OF_LAYER_TYPES, name, table[i]->info.name,
                                table[i]->info.synonyms))
            return &table[i]->info;
    return NULL;
}

const char *grad_slot_name(grad_slot slot)
{
    static const char *const names[GRAD_SLOT_COUNT] = {
#define NAME(SLOT, name) [GRAD_SLOT_##SLOT] = #name,
        GRAD_SLOTS(NAME)
#undef NAME
    };

    return names[slot];
}

const char *grad_output_name(grad_output_kind output)
{
    static const char *const names[GRAD_OUTPUT_COUNT] = {
#define NAME(OUTPUT, name) [GRAD_##OUTPUT] = #name,
        GRAD_OUTPUTS(NAME)
#undef NAME
    };

    return names[output];
}

/* ---- Tensors --------------------------------------------------------------------------------- */

const grad_tensor *grad_layer_slot(const grad_layer *layer, grad_slot slot)
{
    static const size_t offsets[GRAD_SLOT_COUNT] = {
#define OFFSET(SLOT, name) [GRAD_SLOT_##SLOT] = offsetof(grad_layer, name),
        GRAD_SLOTS(OFFSET)
#undef OFFSET
    };

    return (const grad_tensor *)(const void *)((const char *)layer + offsets[slot]);
}

const grad_tensor *grad_layer_result_tensor(const grad_layer_result *result,
                                            grad_output_kind output)
{
    static const size_t offsets[GRAD_OUTPUT_COUNT] = {
#define OFFSET(OUTPUT, name) [GRAD_##OUTPUT] = offsetof(grad_layer_result, name),
        GRAD_OUTPUTS(OFFSET)
#undef OFFSET
    };

    return (const grad_tensor *)(const void *)((const char *)result + offsets[output]);
}

/* ---- Slots ----------------------------------------------------------------------------------- */

const grad_kind *grad_kind_of(const grad_layer *layer)
{
    return table[layer->kind];
}

const grad_slot_info *grad_kind_essential(const grad_kind *kind)
{
    for (size_t i = 0; i < kind->info.slot_count; i++)
        if (kind->info.slots[i].is_essential)
            return &kind->info.slots[i];
    return NULL;
}

const grad_slot_info *grad_kind_slot(const grad_kind *kind, grad_slot slot)
{
    for (size_t i = 0; i < kind->info.slot_count; i++)
        if (kind->info.slots[i].slot == slot)
            return &kind->info.slots[i];
    return NULL;
}

grad_tensor grad_slot_shape(const grad_slot_info *slot, const grad_tensor *own, size_t K, size_t N)
{
    grad_tensor shape = {.rank = strlen(slot->shape)};

    for (size_t axis = 0; axis < shape.rank; axis++)
        shape.shape[axis] = slot->shape[axis] == 'K'   ? K
                            : slot->shape[axis] == 'N' ? N
                                                       : own->shape[axis];
    return shape;
}

double grad_layer_attribute(const grad_layer *layer, size_t index)
{
    size_t offset = table[layer->kind]->info.attributes[index].offset;

    return *(const double *)(const void *)((const char *)layer + offset);
}

unsigned grad_layer_deltas(const grad_layer *layer)
{
    const grad_layer_info *info = &table[layer->kind]->info;
    unsigned deltas = layer->activation.kind == GRAD_PRELU ? GRAD_OUTPUT_SLOPE_DELTA : 0;

    for (size_t i = 0; i < info->slot_count; i++) {
        const grad_slot_info *slot = &info->slots[i];

        if (slot->delta != GRAD_OUTPUT_COUNT &&
            (slot->delta_always || grad_layer_slot(layer, slot->slot)->data != NULL))
            deltas |= 1U << slot->delta;
    }
    return deltas;
}

bool grad_layer_has_grad_input(const grad_layer *layer)
{
    const grad_slot_info *essential = grad_kind_essential(table[layer->kind]);

    return essential == NULL || grad_layer_slot(layer, essential->slot)->data != NULL;
}

size_t grad_layer_columns(const grad_layer *layer, size_t K)
{
    const grad_slot_info *essential = grad_kind_essential(table[layer->kind]);

    if (layer->pre_activation.data != NULL)
        return grad_tensor_columns(&layer->pre_activation);
    if (essential == NULL)
        return K;
    return grad_layer_slot(layer, essential->slot)->shape[strcspn(essential->shape, "N")];
}

/* ---- Operations ------------------------------------------------------------------------------ */

grad_operation grad_kind_operation(const grad_kind *kind, grad_output_kind output)
{
    static const grad_operation none = {0};

    if (output == GRAD_GRAD_INPUT)
        return kind->grad_input;
    if (output == GRAD_SLOPE_DELTA)
        return grad_slope_operation;
    for (size_t i = 0; i < kind->info.slot_count; i++)
        if (kind->info.slots[i].delta == output)
            return kind->deltas[i];
    return none;
}

grad_tensor grad_layer_output_shape(const grad_layer *layer, size_t K, size_t N,
                                    grad_output_kind output)
{
    const grad_layer_info *info = &table[layer->kind]->info;

    for (size_t i = 0; i < info->slot_count; i++)
        if (info->slots[i].delta == output)
            return grad_slot_shape(&info->slots[i], grad_layer_slot(layer, info->slots[i].slot), K,
                                   N);
    if (output == GRAD_SLOPE_DELTA)
        K = layer->slope.data == NULL ? 1 : layer->slope.shape[0];
    return (grad_tensor){.rank = 1, .shape = {K}};
}
