/* Binding tensors: form 1, nested arrays, whose shape the scanner inferred; and form 2, an object
 * with a shape and data. Whether the shapes of different tensors agree is asked elsewhere. */
#include <stdio.h>

#include "core/figure.h"
#include "core/real.h"
#include "core/size.h"
#include "wire/bind.h"

/* A tensor as form 2 spells it. */
typedef struct spelled_tensor {
    grad_tensor shape; /* no data */
    grad_tensor data;
} spelled_tensor;

const grad_number_array *grad_bind_array(const grad_binder *binder, const json_t *value)
{
    const json_t *reference = json_array_get(value, 0);
    const json_t *index = json_array_get(reference, 0);

    if (json_array_size(reference) != 1 || !json_is_number(index))
        return NULL;
    return &binder->envelope->arrays[(size_t)json_number_value(index)];
}

static grad_status bind_array(grad_binder *binder, const grad_path *path, const json_t *value,
                              grad_tensor *target)
{
    const grad_number_array *array = grad_bind_array(binder, value);

    if (array == NULL)
        return grad_bind_fail(binder, path, "empty_tensor",
                              "expected at least one number, found an empty array");
    if (array->rank == 0)
        return grad_bind_fail_fault(binder, path, &binder->envelope->faults[array->first]);
    *target =
        (grad_tensor){.data = grad_real_offset(binder->datatype, binder->numbers, array->first),
                      .rank = array->rank};
    for (size_t i = 0; i < array->rank; i++)
        target->shape[i] = array->shape[i];
    return GRAD_OK;
}

grad_status grad_bind_shape(grad_binder *binder, const grad_path *path, const json_t *value,
                            void *target)
{
    grad_tensor *shape = target;
    size_t rank = json_array_size(value);

    if (!json_is_array(value))
        return grad_bind_fail_type(binder, path, "an array of integers", value);
    if (rank < 1 || rank > GRAD_MAX_RANK)
        return grad_bind_fail(binder, path, "unsupported_value",
                              "expected 1 to %d dimensions, found %zu", GRAD_MAX_RANK, rank);
    shape->rank = rank;
    return grad_bind_elements(binder, path, value, grad_bind_size, shape->shape,
                              sizeof *shape->shape);
}

static grad_status read_data(grad_binder *binder, const grad_path *path, const json_t *value,
                             void *target)
{
    if (!json_is_array(value))
        return grad_bind_fail_type(binder, path, "an array of numbers", value);
    return bind_array(binder, path, value, target);
}

static grad_status read_datatype(grad_binder *binder, const grad_path *path, const json_t *value,
                                 void *target)
{
    static const char *const datatypes[] = {[GRAD_FP32] = "FP32", [GRAD_FP64] = "FP64"};
    size_t index;

    (void)target;
    return grad_bind_choice(binder, path, value, &datatypes[binder->datatype], 1, &index);
}

static grad_status refuse_encoding(grad_binder *binder, const grad_path *path, const json_t *value,
                                   void *target)
{
    (void)value;
    (void)target;
    return grad_bind_fail(binder, path, "unsupported_value",
                          "expected \"data\", found \"%s\", which this version does not read",
                          path->key);
}

static const grad_field tensor_fields[] = {
    GRAD_FIELD("shape", grad_bind_shape, spelled_tensor, shape),
    GRAD_FIELD("data", read_data, spelled_tensor, data),
    {"datatype", read_datatype, 0, NULL},
    {"base64", refuse_encoding, 0, NULL},
    {"binary_data_size", refuse_encoding, 0, NULL},
};

/* Flat data takes the shape; nested data must already have it. */
static bool shapes_agree(const grad_tensor *shape, const grad_tensor *data)
{
    size_t count = 1;

    for (size_t i = 0; i < shape->rank; i++) {
        if (data->rank > 1 && (data->rank != shape->rank || data->shape[i] != shape->shape[i]))
            return false;
        if (!grad_size_mul(count, shape->shape[i], &count))
            return false;
    }
    return data->rank > 1 || count == data->shape[0];
}

static grad_status fail_shape(grad_binder *binder, const grad_path *path,
                              const spelled_tensor *tensor)
{
    enum { SHAPE_TEXT = 22 * GRAD_MAX_RANK }; /* integers of 20 digits, what stands between them */
    const grad_tensor *shapes[2] = {&tensor->shape, &tensor->data};
    char texts[2][SHAPE_TEXT];

    for (size_t which = 0; which < 2; which++) {
        size_t used = 0;

        for (size_t i = 0; i < shapes[which]->rank; i++)
            used += (size_t)snprintf(texts[which] + used, SHAPE_TEXT - used, "%s%zu",
                                     i > 0 ? ", " : "", shapes[which]->shape[i]);
    }
    return grad_bind_fail(binder, path, "shape_mismatch", "expected data of shape [%s], found [%s]",
                          texts[0], texts[1]);
}

grad_status grad_bind_tensor(grad_binder *binder, const grad_path *path, const json_t *value,
                             void *target)
{
    spelled_tensor tensor = {0};
    grad_status status;

    if (json_is_array(value))
        return bind_array(binder, path, value, target);
    status = grad_bind_object(binder, path, value, "an array of numbers or an object",
                              tensor_fields, sizeof tensor_fields / sizeof *tensor_fields, &tensor);
    if (status == GRAD_OK)
        status = grad_bind_require(binder, path, value, "shape");
    if (status == GRAD_OK)
        status = grad_bind_require(binder, path, value, "data");
    if (status != GRAD_OK)
        return status;
    if (!shapes_agree(&tensor.shape, &tensor.data))
        return fail_shape(binder, path, &tensor);
    tensor.shape.data = tensor.data.data;
    *(grad_tensor *)target = tensor.shape;
    return GRAD_OK;
}
