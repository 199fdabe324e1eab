/* The options of a request: what to compute and how to answer. Layers are in request_layers.c. Only
 * those numbers are judged here whose wrong values a batch could not tell from absent ones. */
#include "codec/document/enum_names.h"
#include "codec/document/request.h"
#include "core/figure.h"

grad_status grad_request_reduction(grad_reader *reader, const grad_path *path, const json_t *value,
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

grad_status grad_request_outputs(grad_reader *reader, const grad_path *path, const json_t *value,
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

grad_status grad_request_non_finite(grad_reader *reader, const grad_path *path, const json_t *value,
                                    void *target)
{
    size_t index = GRAD_REJECT_NON_FINITE;
    grad_status status = grad_decode_choice(reader, path, value, grad_non_finite_names,
                                            GRAD_NON_FINITE_COUNT, &index);

    *(grad_non_finite *)target = (grad_non_finite)index;
    return status;
}

/* An option of which this version knows one value only. */
grad_status grad_request_encoding(grad_reader *reader, const grad_path *path, const json_t *value,
                                  void *target)
{
    static const char *const names[] = {"json"};
    size_t index;

    (void)target;
    return grad_decode_choice(reader, path, value, names, GRAD_COUNT(names), &index);
}

grad_status grad_request_on_error(grad_reader *reader, const grad_path *path, const json_t *value,
                                  void *target)
{
    static const char *const names[] = {"abort", "continue"};
    size_t index = 0;
    grad_status status = grad_decode_choice(reader, path, value, names, GRAD_COUNT(names), &index);

    *(bool *)target = index == 1;
    return status;
}

/* In the batch the option is whether there are none. */
grad_status grad_request_notes(grad_reader *reader, const grad_path *path, const json_t *value,
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
                                GRAD_FIGURE(GRAD_FP64, *(double *)target));
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

grad_status grad_request_clip(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("value", read_positive, grad_clip, value),
        GRAD_FIELD("layer_norm", read_positive, grad_clip, layer_norm),
        GRAD_FIELD("global_norm", read_positive, grad_clip, global_norm),
    };

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

grad_status grad_request_decay(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("l1", grad_decode_number, grad_decay, l1),
        GRAD_FIELD("l2", grad_decode_number, grad_decay, l2),
    };

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

grad_status grad_request_check(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("samples", read_samples, grad_check_options, samples),
        GRAD_FIELD("seed", read_seed, grad_check_options, seed),
        GRAD_FIELD("tolerance", read_positive, grad_check_options, tolerance),
    };

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}
