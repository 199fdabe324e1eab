/* Decoding tensors: form 1, nested arrays, whose shape the scanner inferred; form 2, an object with
 * a shape and data; and forms 3 and 4, one with a shape, a datatype and bytes. Whether the shapes
 * of different tensors agree is asked elsewhere. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec/document/decode_fields.h"
#include "codec/json/word.h"
#include "codec/payload/binary.h"
#include "core/format_number.h"
#include "core/real.h"
#include "core/size.h"

/* Where a tensor of no numbers points: it is there, and none of it is read. */
static const double no_numbers = 0;

/* A tensor that is an object. */
typedef struct spelled_tensor {
    grad_tensor shape; /* no data */
    grad_tensor data;
    const grad_number_array *bytes; /* NULL: it has data */
    grad_wire_datatype wire;        /* what it says its numbers are; GRAD_WIRE_COMPUTED: nothing */
    bool takes_flags;               /* true and false stand for 1 and 0 */
    bool is_input;                  /* of the Open Inference Protocol, */
    bool has_no_bytes;              /* which says so, where nothing tells where bytes begin */
} spelled_tensor;

const grad_number_array *grad_decode_array(const grad_reader *reader, const grad_path *path)
{
    return grad_envelope_array(reader->envelope, grad_decode_place(reader, path));
}

static grad_status decode_array(grad_reader *reader, const grad_path *path, bool takes_flags,
                                grad_tensor *target)
{
    const grad_number_array *array = grad_decode_array(reader, path);

    if (array == NULL)
        return grad_decode_fail(reader, path, "empty_tensor", GRAD_EMPTY_ARRAY);
    if (array->flags > 0 && !takes_flags)
        return grad_decode_fail_array_error(reader, path,
                                            &reader->envelope->array_errors[array->flags - 1]);
    if (array->rank == 0)
        return grad_decode_fail_array_error(reader, path,
                                            &reader->envelope->array_errors[array->first]);
    *target =
        (grad_tensor){.data = grad_real_offset(reader->datatype, reader->numbers, array->first),
                      .rank = array->rank};
    for (size_t i = 0; i < array->rank; i++)
        target->shape[i] = array->shape[i];
    return GRAD_OK;
}

/* ---- Numbers alone --------------------------------------------------------------------------- */

/* The number at path as the datatype has it: read from its text, for the tree has the nearest
 * double, and a float is not rounded twice. */
static grad_status read_single(grad_reader *reader, const grad_path *path, const json_t *value,
                               double *number)
{
    const grad_text *text = &reader->envelope->text;
    size_t position = reader->envelope->places[grad_decode_place(reader, path)].begin;
    float single = (float)json_number_value(value);
    const char *stop;

    *number = json_number_value(value);
    if (reader->datatype == GRAD_FP64)
        return GRAD_OK;
    if (grad_number_read(text->data + position, text->data + text->length, &single, &stop) ==
        GRAD_NUMBER_OUT_OF_RANGE)
        return grad_decode_fail(reader, path, "number_out_of_range",
                                "expected a number within float32's range, found %s%s",
                                GRAD_NUMBER_TEXT(GRAD_FP64, *number), GRAD_FP64_HOLDS_IT);
    *number = (double)single;
    return GRAD_OK;
}

static grad_status decode_single(grad_reader *reader, const grad_path *path, const json_t *value,
                                 grad_tensor *target)
{
    double number = json_is_true(value) ? 1 : 0;
    grad_status status = GRAD_OK;

    if (json_is_number(value))
        status = read_single(reader, path, value, &number);
    if (status != GRAD_OK)
        return status;
    grad_real_put(reader->datatype, --reader->singles, 0, number);
    *target = (grad_tensor){.data = reader->singles};
    return GRAD_OK;
}

static bool is_single(const grad_reader *reader, const json_t *value, bool takes_flags)
{
    return reader->singles != NULL &&
           (json_is_number(value) || (takes_flags && json_is_boolean(value)));
}

void grad_decode_give_rank(grad_tensor *tensor, size_t rank)
{
    if (tensor->data == NULL || tensor->rank > 0)
        return;
    tensor->rank = rank;
    for (size_t i = 0; i < rank; i++)
        tensor->shape[i] = 1;
}

grad_status grad_decode_fail_single(grad_reader *reader, const grad_path *path)
{
    return grad_decode_fail(
        reader, path, "unexpected_type",
        "expected an array of numbers or an object, found a number; a tensor of "
        "one is [5], in a batch of one [[5]]");
}

/* ---- Tensors --------------------------------------------------------------------------------- */

grad_status grad_decode_shape(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    grad_tensor *shape = target;
    size_t rank = json_array_size(value);

    if (json_is_number(value)) {
        shape->rank = 1;
        return grad_decode_size(reader, path, value, shape->shape);
    }
    if (!json_is_array(value))
        return grad_decode_fail_type(reader, path, "an array of integers", value);
    if ((rank == 0 && reader->singles == NULL) || rank > GRAD_MAX_RANK)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected 1 to %d dimensions, found %zu", GRAD_MAX_RANK, rank);
    shape->rank = rank;
    return grad_decode_elements(reader, path, value, grad_decode_size, shape->shape,
                                sizeof *shape->shape);
}

/* Something that is no tensor: what it may be. */
static grad_status fail_tensor(grad_reader *reader, const grad_path *path, const char *expected,
                               const json_t *value)
{
    if (json_is_string(value))
        return grad_decode_fail_string(reader, path, expected, value);
    if (json_object_size(value) > 0)
        return grad_decode_fail(reader, path, "unexpected_type",
                                "expected %s, found an object of numbered members%s", expected,
                                GRAD_TYPED_ARRAY);
    if (json_is_object(value))
        return grad_decode_fail(reader, path, "unexpected_type",
                                "expected %s, found an empty object; null stands for none (R's "
                                "jsonlite: null = \"null\")",
                                expected);
    if (json_is_boolean(value))
        return grad_decode_fail(reader, path, "unexpected_type", GRAD_NO_FLAG,
                                json_is_true(value) ? "true" : "false");
    return grad_decode_fail_type(reader, path, expected, value);
}

static grad_status read_data(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    spelled_tensor *tensor = target;

    if (json_is_array(value) && json_array_size(value) == 0) {
        tensor->data = (grad_tensor){.data = (void *)(uintptr_t)&no_numbers, .rank = 1};
        return GRAD_OK;
    }
    if (grad_decode_is_array(reader, path, value))
        return decode_array(reader, path, tensor->takes_flags, &tensor->data);
    if (!is_single(reader, value, tensor->takes_flags))
        return fail_tensor(reader, path, "an array of numbers", value);
    return decode_single(reader, path, value, &tensor->data);
}

static grad_status read_datatype(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    const char *names[GRAD_WIRE_DATATYPE_COUNT - 1];
    spelled_tensor *tensor = target;
    size_t index = 0;
    grad_status status;

    for (size_t i = 0; i < GRAD_COUNT(names); i++)
        names[i] = grad_wire_datatype_name((grad_wire_datatype)(i + 1));
    status = grad_decode_choice(reader, path, value, names, GRAD_COUNT(names), &index);
    tensor->wire = (grad_wire_datatype)(index + 1);
    return status;
}

static grad_status read_base64(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    spelled_tensor *tensor = target;

    tensor->bytes = grad_decode_array(reader, path);
    if (tensor->bytes == NULL || !tensor->bytes->is_bytes)
        return grad_decode_fail_type(reader, path, "a string of base64", value);
    return GRAD_OK;
}

static grad_status read_binary(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    spelled_tensor *tensor = target;
    size_t size = 0;
    grad_status status = grad_decode_size(reader, path, value, &size);

    if (status != GRAD_OK)
        return status;
    tensor->bytes = grad_decode_array(reader, path);
    if (tensor->bytes != NULL && tensor->bytes->bytes == size)
        return GRAD_OK;
    if (tensor->bytes != NULL)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected an integer in digits alone, found another");
    return grad_decode_fail_malformed(
        reader, path, "length_mismatch",
        "expected the header Inference-Header-Content-Length, which says where the document ends "
        "and the bytes of its tensors begin, found none");
}

static const grad_field tensor_fields[] = {
    GRAD_FIELD("shape", grad_decode_shape, spelled_tensor, shape),
    {"data", read_data, 0, NULL},
    {"datatype", read_datatype, 0, NULL},
    {"base64", read_base64, 0, NULL},
    {"binary_data_size", read_binary, 0, NULL},
};

/* Whether the shape has an axis of length 0. */
static bool is_of_none(const grad_tensor *shape)
{
    for (size_t i = 0; i < shape->rank; i++)
        if (shape->shape[i] == 0)
            return true;
    return false;
}

/* Flat data takes the shape; nested data must already have it. */
static bool shapes_agree(const grad_tensor *shape, const grad_tensor *data)
{
    size_t count = 1;

    if (data->rank > 1 && data->rank != shape->rank)
        return false;
    for (size_t i = 0; i < shape->rank; i++) {
        if (data->rank > 1 && data->shape[i] != shape->shape[i])
            return false;
        if (!grad_size_mul(count, shape->shape[i], &count))
            return false;
    }
    return data->rank > 1 || count == (data->rank == 0 ? 1 : data->shape[0]);
}

enum { SHAPE_TEXT = 22 * GRAD_MAX_RANK }; /* integers of 20 digits, what stands between them */

static void print_shape(const grad_tensor *tensor, char text[SHAPE_TEXT])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%zu", i > 0 ? ", " : "",
                                 tensor->shape[i]);
}

static grad_status fail_shape(grad_reader *reader, const grad_path *path,
                              const spelled_tensor *tensor)
{
    char expected[SHAPE_TEXT], found[SHAPE_TEXT];

    print_shape(&tensor->shape, expected);
    print_shape(&tensor->data, found);
    return grad_decode_fail(reader, path, "shape_mismatch",
                            "expected data of shape [%s], found [%s]", expected, found);
}

/* Whether an object's members are called 0, 1, 2 …, as those of an array that was taken for one. */
static bool is_numbered(const json_t *value)
{
    return json_object_get(value, "0") != NULL || json_object_get(value, "1") != NULL;
}

/* Numbers in text are of the request's datatype; in bytes, of any that it holds. */
static grad_status check_datatype(grad_reader *reader, const grad_path *path,
                                  const spelled_tensor *tensor)
{
    const grad_path datatype = {.parent = path, .key = "datatype"};
    const char *expected = grad_wire_datatype_name(grad_wire_datatype_of(reader->datatype));
    const char *found = grad_wire_datatype_name(tensor->wire);

    if (tensor->bytes != NULL || tensor->is_input
            ? grad_binary_is_exact(tensor->wire, reader->datatype)
            : tensor->wire == GRAD_WIRE_COMPUTED ||
                  tensor->wire == grad_wire_datatype_of(reader->datatype))
        return GRAD_OK;
    if (tensor->wire == GRAD_WIRE_FP16 || tensor->wire == GRAD_WIRE_BF16)
        return grad_decode_fail(reader, &datatype, "unsupported_value",
                                "expected \"%s\" beside \"data\", found \"%s\", whose numbers come "
                                "as \"base64\"",
                                expected, found);
    return grad_decode_fail(reader, &datatype, "unsupported_value",
                            "expected \"%s\" as the request's other numbers, found \"%s\"; "
                            "?datatype=%s reads all of them as such",
                            expected, found, found);
}

/* The bytes that the shape needs, as a text: it may be more than can be counted. */
static grad_status fail_length(grad_reader *reader, const grad_path *path,
                               const spelled_tensor *tensor)
{
    char shape[SHAPE_TEXT], needed[32] = "more";
    size_t bytes = grad_wire_datatype_size(tensor->wire);
    bool fits = true;

    for (size_t i = 0; i < tensor->shape.rank; i++)
        fits = fits && grad_size_mul(bytes, tensor->shape.shape[i], &bytes);
    if (fits)
        snprintf(needed, sizeof needed, "%zu", bytes);
    print_shape(&tensor->shape, shape);
    return grad_decode_fail_malformed(reader, path, "length_mismatch",
                                      "expected %s bytes, which shape [%s] of %s takes, found %zu",
                                      needed, shape, grad_wire_datatype_name(tensor->wire),
                                      tensor->bytes->bytes);
}

static grad_status decode_bytes(grad_reader *reader, const grad_path *path, const json_t *value,
                                const spelled_tensor *tensor, grad_tensor *target)
{
    const grad_number_array *bytes = tensor->bytes;
    size_t size = grad_wire_datatype_size(tensor->wire), needed = size;
    grad_status status = grad_decode_require(reader, path, value, "datatype");

    if (status == GRAD_OK)
        status = check_datatype(reader, path, tensor);
    if (status != GRAD_OK)
        return status;
    for (size_t i = 0; i < tensor->shape.rank; i++)
        if (!grad_size_mul(needed, tensor->shape.shape[i], &needed))
            return fail_length(reader, path, tensor);
    if (needed != bytes->bytes)
        return fail_length(reader, path, tensor);
    if (bytes->wire != tensor->wire)
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected \"datatype\" before what follows the bytes");
    *target = tensor->shape;
    target->data = needed > 0 ? grad_real_offset(reader->datatype, reader->numbers, bytes->first)
                              : (void *)(uintptr_t)&no_numbers;
    return GRAD_OK;
}

/* Two of the members that hold a tensor's numbers. */
static grad_status fail_twice(grad_reader *reader, const grad_path *path, const json_t *value)
{
    static const char *const names[] = {"data", "base64", "binary_data_size"};
    const char *found[2] = {"", ""};
    size_t count = 0;

    for (size_t i = 0; i < GRAD_COUNT(names) && count < 2; i++)
        if (grad_decode_member(value, names[i]) != NULL)
            found[count++] = names[i];
    if (count < 2)
        return GRAD_OK;
    return grad_decode_fail(reader, path, "unsupported_value",
                            "expected either \"%s\" or \"%s\", found both", found[0], found[1]);
}

static grad_status decode_data(grad_reader *reader, const grad_path *path, const json_t *value,
                               spelled_tensor *tensor, grad_tensor *target)
{
    const grad_path data = {.parent = path, .key = "data"};
    grad_status status =
        tensor->data.data != NULL ? GRAD_OK : grad_decode_require(reader, path, value, "data");

    if (status != GRAD_OK)
        return status;
    if (tensor->data.data == &no_numbers && !is_of_none(&tensor->shape))
        return grad_decode_fail(reader, &data, "empty_tensor", GRAD_EMPTY_ARRAY);
    if (!shapes_agree(&tensor->shape, &tensor->data))
        return fail_shape(reader, path, tensor);
    *target = tensor->shape;
    target->data = tensor->data.data;
    return GRAD_OK;
}

static grad_status decode_object(grad_reader *reader, const grad_path *path, const json_t *value,
                                 bool takes_flags, grad_tensor *target)
{
    spelled_tensor tensor = {.takes_flags = takes_flags};
    grad_status status =
        grad_decode_object(reader, path, value, "an array of numbers or an object", tensor_fields,
                           sizeof tensor_fields / sizeof *tensor_fields, &tensor);

    if (status == GRAD_OK)
        status = fail_twice(reader, path, value);
    if (status == GRAD_OK && tensor.bytes == NULL)
        status = check_datatype(reader, path, &tensor);
    if (status == GRAD_OK && grad_decode_member(value, grad_other_field_name("shape")) == NULL)
        status = grad_decode_require(reader, path, value, "shape");
    if (status != GRAD_OK)
        return status;
    return tensor.bytes != NULL ? decode_bytes(reader, path, value, &tensor, target)
                                : decode_data(reader, path, value, &tensor, target);
}

/* ---- Tensors of the Open Inference Protocol -------------------------------------------------- */

/* A tensor of no bytes may come without the header that says where bytes begin: KServe's client
 * sends it so. */
static grad_status read_input_size(grad_reader *reader, const grad_path *path, const json_t *value,
                                   void *target)
{
    spelled_tensor *tensor = target;

    if (json_number_value(value) != 0 || !json_is_number(value) ||
        grad_decode_array(reader, path) != NULL)
        return read_binary(reader, path, value, target);
    tensor->has_no_bytes = true;
    return GRAD_OK;
}

static grad_status read_input_parameters(grad_reader *reader, const grad_path *path,
                                         const json_t *value, void *target)
{
    static const grad_field fields[] = {{"binary_data_size", read_input_size, 0, NULL}};

    return grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), target);
}

static const grad_field input_fields[] = {
    {"name", grad_decode_nothing, 0, NULL},
    GRAD_FIELD("shape", grad_decode_shape, spelled_tensor, shape),
    {"datatype", read_datatype, 0, NULL},
    {"data", read_data, 0, NULL},
    {"parameters", read_input_parameters, 0, NULL},
};

grad_status grad_decode_input(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    spelled_tensor tensor = {.is_input = true};
    grad_status status = grad_decode_object(reader, path, value, "a tensor", input_fields,
                                            GRAD_COUNT(input_fields), &tensor);

    if (status == GRAD_OK)
        status = grad_decode_require(reader, path, value, "shape");
    if (status == GRAD_OK)
        status = grad_decode_require(reader, path, value, "datatype");
    if (status == GRAD_OK)
        status = check_datatype(reader, path, &tensor);
    if (status != GRAD_OK)
        return status;
    if (tensor.data.data != NULL && (tensor.bytes != NULL || tensor.has_no_bytes))
        return grad_decode_fail(reader, path, "unsupported_value",
                                "expected either \"data\" or \"binary_data_size\", found both");
    if (tensor.bytes != NULL)
        return decode_bytes(reader, path, value, &tensor, target);
    if (tensor.has_no_bytes)
        tensor.data = (grad_tensor){.data = (void *)(uintptr_t)&no_numbers, .rank = 1};
    return decode_data(reader, path, value, &tensor, target);
}

/* ---- Tensors of our own documents ------------------------------------------------------------ */

static grad_status decode_tensor(grad_reader *reader, const grad_path *path, const json_t *value,
                                 bool takes_flags, grad_tensor *target)
{
    if (grad_decode_is_array(reader, path, value))
        return decode_array(reader, path, takes_flags, target);
    if (is_single(reader, value, takes_flags))
        return decode_single(reader, path, value, target);
    if (json_object_size(value) == 0 || is_numbered(value))
        return fail_tensor(reader, path, "an array of numbers or an object", value);
    return decode_object(reader, path, value, takes_flags, target);
}

grad_status grad_decode_tensor(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    return decode_tensor(reader, path, value, false, target);
}

grad_status grad_decode_flags(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    return decode_tensor(reader, path, value, true, target);
}

grad_status grad_decode_vector(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    grad_status status = decode_tensor(reader, path, value, false, target);

    grad_decode_give_rank(target, 1);
    return status;
}

grad_status grad_decode_matrix(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    grad_status status = decode_tensor(reader, path, value, false, target);

    grad_decode_give_rank(target, 2);
    return status;
}
