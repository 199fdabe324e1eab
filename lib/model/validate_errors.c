/* How the checks word their errors: the path first, then what was found and what was expected. */
#include <stdarg.h>
#include <stdio.h>

#include "core/error.h"
#include "core/format_number.h"
#include "core/real.h"
#include "model/validate.h"

grad_status grad_fail_layer(grad_error *error, const grad_batch *batch, size_t layer,
                            const char *code, const char *member, const char *format, ...)
{
    const char *name = batch->layers[layer].name;
    char text[GRAD_DETAIL_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return grad_fail(error, GRAD_INVALID, code, GRAD_AT("/layers/%zu%s", layer, member),
                     "layers/%zu%s%s%s%s%s", layer, member, text, name == NULL ? "" : " (layer \"",
                     name == NULL ? "" : name, name == NULL ? "" : "\")");
}

/* The indices of an element as a pointer has them: "/2/7". */
static grad_pointer_text indices_of(const grad_tensor *tensor, size_t index)
{
    size_t steps[GRAD_MAX_RANK] = {0};
    grad_pointer_text text = {""};

    for (size_t axis = tensor->rank; axis-- > 0; index /= tensor->shape[axis])
        steps[axis] = index % tensor->shape[axis];
    for (size_t axis = 0; axis < tensor->rank; axis++)
        text = grad_pointer_format("%s/%zu", text.text, steps[axis]);
    return text;
}

grad_pointer_text grad_shape_text(const grad_tensor *tensor)
{
    grad_pointer_text text = {"["};

    for (size_t axis = 0; axis < tensor->rank && axis < GRAD_MAX_RANK; axis++)
        text = grad_pointer_format("%s%s%zu", text.text, axis > 0 ? ", " : "", tensor->shape[axis]);
    return grad_pointer_format("%s]", text.text);
}

bool grad_has_sample_axes(const grad_tensor *tensor, const grad_sample_axes *axes)
{
    bool has = tensor->rank == axes->count + 1;

    for (size_t axis = 0; has && axis < axes->count; axis++)
        has = tensor->shape[axis] == axes->lengths[axis];
    return has;
}

grad_pointer_text grad_element_pointer(const char *pointer, const grad_tensor *tensor, size_t index)
{
    return grad_pointer_format("%s%s", pointer, indices_of(tensor, index).text);
}

grad_status grad_fail_element(grad_error *error, const grad_batch *batch, size_t layer,
                              const char *member, const grad_tensor *tensor, size_t index)
{
    double value = grad_real_at(batch->datatype, tensor->data, index);

    return grad_fail_layer(
        error, batch, layer, "non_finite", grad_element_pointer(member, tensor, index).text,
        " is %s, expected a finite number", GRAD_NUMBER_TEXT(batch->datatype, value));
}

grad_status grad_fail_output(grad_error *error, const grad_batch *batch, size_t layer,
                             const char *name, const grad_tensor *tensor, size_t index)
{
    char member[GRAD_CODE_SIZE];

    snprintf(member, sizeof member, "/%s", name);
    return grad_fail_element(error, batch, layer, member, tensor, index);
}

grad_status grad_fail_number(grad_error *error, const char *pointer, grad_datatype type,
                             const grad_tensor *tensor, size_t index)
{
    grad_pointer_text at = grad_element_pointer(pointer, tensor, index);

    return grad_fail(error, GRAD_INVALID, "non_finite", at.text,
                     "%s is %s, expected a finite number", at.text + 1,
                     GRAD_NUMBER_TEXT(type, grad_real_at(type, tensor->data, index)));
}

const char *grad_slot_member(grad_slot slot)
{
    static const char *const members[GRAD_SLOT_COUNT] = {
#define MEMBER(SLOT, name) [GRAD_SLOT_##SLOT] = "/" #name,
        GRAD_SLOTS(MEMBER)
#undef MEMBER
    };

    return slot == GRAD_SLOT_SLOPE ? "/activation/slope" : members[slot];
}
