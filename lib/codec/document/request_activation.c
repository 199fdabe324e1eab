/* The activation of a layer: a name, or a name with parameters; prelu's slope is a parameter, or a
 * tensor of the layer. */
#include <math.h>

#include "codec/document/request.h"
#include "core/figure.h"

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
                                GRAD_FIGURE(GRAD_FP64, number), GRAD_FP64_HOLDS_IT);
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

static grad_status decode_parameters(grad_reader *reader, const grad_path *path,
                                     const json_t *value, const grad_activation_info *info,
                                     grad_layer *layer)
{
    grad_field fields[GRAD_MAX_PARAMETERS + 1] = {{"name", grad_decode_nothing, 0, NULL}};

    for (size_t i = 0; i < info->parameter_count; i++)
        fields[i + 1] =
            (grad_field){info->parameters[i].name, read_parameter,
                         offsetof(grad_layer, activation.parameters) + i * sizeof(double), NULL};
    if (info->kind == GRAD_PRELU)
        fields[1] = (grad_field){info->parameters[0].name, read_slope, 0, NULL};
    return grad_decode_object(reader, path, value, "an activation", fields,
                              info->parameter_count + 1, layer);
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
