/* Decoding single values: strings, choices, numbers, true and false. Arrays of numbers are in
 * decode_tensor.c. Whether a number makes sense where it stands is asked elsewhere. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/document/decode_fields.h"
#include "core/figure.h"

/* The largest integer up to which a double holds all of them. */
#define EXACT_INTEGERS 9007199254740992.0

grad_status grad_decode_nothing(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    (void)reader;
    (void)path;
    (void)value;
    (void)target;
    return GRAD_OK;
}

grad_status grad_decode_string(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    size_t size;

    if (!json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "a string", value);
    size = json_string_length(value) + 1;
    memcpy(reader->strings, json_string_value(value), size);
    *(const char **)target = reader->strings;
    reader->strings += size;
    return GRAD_OK;
}

grad_status grad_decode_choice(grad_reader *reader, const grad_path *path, const json_t *value,
                               const char *const *known, size_t count, size_t *target)
{
    char list[GRAD_DETAIL_SIZE] = "";
    size_t used = 0;

    if (!json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "a string", value);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(known[i], json_string_value(value)) == 0) {
            *target = i;
            return GRAD_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"",
                                     i > 0 ? " or " : "", known[i]);
    }
    return grad_decode_fail(reader, path, "unsupported_value", "expected %s, found \"%.60s\"", list,
                            json_string_value(value));
}

grad_status grad_decode_boolean(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    if (!json_is_boolean(value) || grad_decode_array(reader, path) != NULL)
        return grad_decode_fail_scalar(reader, path, "true or false", value);
    *(bool *)target = json_is_true(value);
    return GRAD_OK;
}

grad_status grad_decode_number(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    if (!json_is_number(value))
        return grad_decode_fail_scalar(reader, path, "a number", value);
    *(double *)target = json_number_value(value);
    return GRAD_OK;
}

grad_status grad_decode_integer(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    double number = json_number_value(value);

    if (!json_is_number(value))
        return grad_decode_fail_scalar(reader, path, "an integer", value);
    if (number != trunc(number))
        return grad_decode_fail(reader, path, "unsupported_value", "expected an integer, found %s",
                                GRAD_FIGURE(GRAD_FP64, number));
    *(double *)target = number;
    return GRAD_OK;
}

grad_status grad_decode_size(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    double size = json_number_value(value);

    if (!json_is_number(value))
        return grad_decode_fail_scalar(reader, path, "an integer", value);
    if (!(size >= 0 && size <= EXACT_INTEGERS) || size != (double)(size_t)size)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected an integer that is not negative, found %s",
                                GRAD_FIGURE(GRAD_FP64, size));
    *(size_t *)target = (size_t)size;
    return GRAD_OK;
}

grad_status grad_decode_scalar(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    static const char *const names[] = {"NaN", "Infinity", "-Infinity"};
    static const double values[] = {(double)NAN, (double)INFINITY, (double)-INFINITY};
    size_t which = 0;
    grad_status status;

    if (!json_is_string(value))
        return grad_decode_number(reader, path, value, target);
    status = grad_decode_choice(reader, path, value, names, 3, &which);
    if (status == GRAD_OK)
        *(double *)target = values[which];
    return status;
}
