/* How the checks word their errors: the path first, then what was found and what was expected. */
#include <stdarg.h>
#include <stdio.h>

#include "batch/check.h"
#include "core/error.h"
#include "core/figure.h"
#include "core/real.h"

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
    size_t cols = tensor->shape[tensor->rank - 1];
    size_t rows = tensor->rank == 3 ? tensor->shape[1] : 1;

    if (tensor->rank == 1)
        return grad_pointer_format("/%zu", index);
    if (tensor->rank == 2)
        return grad_pointer_format("/%zu/%zu", index / cols, index % cols);
    return grad_pointer_format("/%zu/%zu/%zu", index / cols / rows, index / cols % rows,
                               index % cols);
}

grad_pointer_text grad_element_pointer(const char *pointer, const grad_tensor *tensor, size_t index)
{
    return grad_pointer_format("%s%s", pointer, indices_of(tensor, index).text);
}

grad_status grad_fail_element(grad_error *error, const grad_batch *batch, size_t layer,
                              const char *member, const grad_tensor *tensor, size_t index)
{
    double value = grad_real_at(batch->datatype, tensor->data, index);

    return grad_fail_layer(error, batch, layer, "non_finite",
                           grad_element_pointer(member, tensor, index).text,
                           " is %s, expected a finite number", GRAD_FIGURE(batch->datatype, value));
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
                     GRAD_FIGURE(type, grad_real_at(type, tensor->data, index)));
}
