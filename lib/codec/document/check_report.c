/* The report of a check of gradients, written as a small document and read as any other: by tables
 * of fields. Unknown fields are skipped. What a verdict means is gradient_network.h's. */
#include <stdlib.h>

#include "codec/document/document.h"
#include "codec/document/enum_names.h"
#include "codec/document/problem.h"
#include "codec/json/encoder.h"
#include "core/format_number.h"
#include "core/size.h"

/* Why there is no order of convergence, from GRAD_ORDER_LINEAR on. */
static const char *const no_order_names[] = {"linear", "kink", "rounding"};

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_number(grad_text *text, const char *name, double value)
{
    grad_text_printf(text, ",\"%s\":", name);
    grad_text_scalar(text, value);
}

static void write_sizes(grad_text *text, const char *name, const size_t *sizes, size_t count)
{
    grad_text_printf(text, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++)
        grad_text_printf(text, "%s%zu", i > 0 ? "," : "", sizes[i]);
    grad_text_add(text, "]", 1);
}

/* Where the worst error is: an element's place, or the random direction. */
static void write_place(grad_text *text, const grad_check_tensor *tensor, size_t element)
{
    size_t index[GRAD_MAX_RANK] = {0};

    if (element == SIZE_MAX) {
        grad_text_printf(text, ",\"direction\":true");
        return;
    }
    for (size_t i = tensor->rank; i-- > 0; element /= tensor->shape[i])
        index[i] = element % tensor->shape[i];
    write_sizes(text, "index", index, tensor->rank);
}

/* The members of a finding, the first of them without a comma. */
static void write_finding(grad_text *text, const grad_check_tensor *tensor,
                          const grad_check_finding *finding)
{
    grad_text_printf(text, "\"verdict\":\"%s\"", grad_check_verdict_names[finding->verdict]);
    write_number(text, "largest_error", finding->largest_error);
    write_place(text, tensor, finding->index);
    write_number(text, "gradient", finding->gradient);
    write_number(text, "difference", finding->difference);
    grad_text_printf(text, ",\"checked\":%zu,\"kinks\":%zu", finding->checked, finding->kinks);
    if (finding->low < finding->high) {
        grad_text_printf(text, ",\"interval\":[");
        grad_text_scalar(text, finding->low);
        grad_text_add(text, ",", 1);
        grad_text_scalar(text, finding->high);
        grad_text_add(text, "]", 1);
    }
    if (finding->taylor.state == GRAD_ORDER_FOUND)
        write_number(text, "order", finding->taylor.order);
    else if (finding->taylor.state != GRAD_ORDER_ABSENT)
        grad_text_printf(text, ",\"no_order\":\"%s\"",
                         no_order_names[finding->taylor.state - GRAD_ORDER_LINEAR]);
}

static void write_tensor(grad_text *text, const grad_check_tensor *tensor)
{
    grad_text_add(text, "{", 1);
    if (tensor->layer != SIZE_MAX)
        grad_text_printf(text, "\"layer\":%zu,", tensor->layer);
    if (tensor->layer_name != NULL) {
        grad_text_printf(text, "\"name\":");
        grad_text_string(text, tensor->layer_name);
        grad_text_add(text, ",", 1);
    }
    grad_text_printf(text, "\"tensor\":\"%s\"", grad_output_name(tensor->output));
    write_sizes(text, "shape", tensor->shape, tensor->rank);
    grad_text_add(text, ",", 1);
    write_finding(text, tensor, &tensor->analytic);
    if (tensor->has_claim) {
        grad_text_printf(text, ",\"claim\":{");
        write_finding(text, tensor, &tensor->claim);
        grad_text_add(text, "}", 1);
    }
    grad_text_add(text, "}", 1);
}

void grad_check_report_write(const grad_check_report *report, grad_text *text)
{
    grad_text_add(text, "{", 1);
    if (report->id != NULL) {
        grad_text_printf(text, "\"id\":");
        grad_text_string(text, report->id);
        grad_text_add(text, ",", 1);
    }
    grad_text_printf(
        text, "\"verdict\":\"%s\"",
        grad_check_verdict_names[report->verdict == GRAD_CHECK_FAIL ? GRAD_CHECK_FAIL
                                                                    : GRAD_CHECK_PASS]);
    write_number(text, "tolerance", report->tolerance);
    if (report->has_loss)
        write_number(text, "loss", report->loss);
    grad_text_printf(text, ",\"tensors\":[");
    for (size_t i = 0; i < report->tensor_count; i++) {
        if (i > 0)
            grad_text_add(text, ",", 1);
        write_tensor(text, &report->tensors[i]);
    }
    grad_text_add(text, "]", 1);
    if (report->note_count > 0) {
        grad_text_printf(text, ",\"notes\":");
        grad_notes_write(report->notes, report->note_count, text);
    }
    grad_text_add(text, "}\n", 2);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static grad_status read_verdict(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    size_t which = GRAD_CHECK_PASS;
    grad_status status = grad_decode_choice(reader, path, value, grad_check_verdict_names,
                                            GRAD_CHECK_VERDICT_COUNT, &which);

    *(grad_check_verdict *)target = (grad_check_verdict)which;
    return status;
}

static grad_status read_output(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    const char *names[GRAD_OUTPUT_COUNT];
    size_t which = 0;
    grad_status status;

    for (size_t i = 0; i < GRAD_OUTPUT_COUNT; i++)
        names[i] = grad_output_name((grad_output_kind)i);
    status = grad_decode_choice(reader, path, value, names, GRAD_OUTPUT_COUNT, &which);
    *(grad_output_kind *)target = (grad_output_kind)which;
    return status;
}

static grad_status read_interval(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    grad_check_finding *finding = target;
    grad_tensor interval;
    grad_status status = grad_decode_tensor(reader, path, value, &interval);

    if (status == GRAD_OK && (interval.rank != 1 || interval.shape[0] != 2))
        return grad_decode_fail(reader, path, "shape_mismatch", "expected two numbers");
    if (status == GRAD_OK) {
        finding->low = ((const double *)interval.data)[0];
        finding->high = ((const double *)interval.data)[1];
    }
    return status;
}

static grad_status read_order(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    grad_taylor *taylor = target;

    taylor->state = GRAD_ORDER_FOUND;
    return grad_decode_scalar(reader, path, value, &taylor->order);
}

static grad_status read_no_order(grad_reader *reader, const grad_path *path, const json_t *value,
                                 void *target)
{
    size_t which = 0;
    grad_status status =
        grad_decode_choice(reader, path, value, no_order_names, GRAD_COUNT(no_order_names), &which);

    ((grad_taylor *)target)->state = (grad_order_state)(GRAD_ORDER_LINEAR + which);
    return status;
}

/* An element's place becomes its number in row-major order. */
static grad_status decode_place(grad_reader *reader, const grad_path *path, const json_t *finding,
                                const grad_tensor *shape, size_t *element)
{
    const json_t *value = json_object_get(finding, "index");
    grad_path here = {.parent = path, .key = "index"};
    grad_tensor index;
    grad_status status;

    *element = SIZE_MAX;
    if (value == NULL)
        return GRAD_OK;
    status = grad_decode_tensor(reader, &here, value, &index);
    if (status != GRAD_OK)
        return status;
    if (index.rank != 1 || index.shape[0] != shape->rank)
        return grad_decode_fail(reader, &here, "shape_mismatch", "expected %zu indices",
                                shape->rank);
    *element = 0;
    for (size_t i = 0; i < shape->rank; i++) {
        double at = ((const double *)index.data)[i];

        if (!(at >= 0 && at < (double)shape->shape[i]) || at != (double)(size_t)at)
            return grad_decode_fail(reader, &here, "unsupported_value",
                                    "expected an integer below %zu, found %s", shape->shape[i],
                                    GRAD_NUMBER_TEXT(GRAD_FP64, at));
        *element = *element * shape->shape[i] + (size_t)at;
    }
    return GRAD_OK;
}

#define FINDING(name, read) GRAD_FIELD(#name, read, grad_check_finding, name)

static grad_status decode_finding(grad_reader *reader, const grad_path *path, const json_t *value,
                                  const grad_tensor *shape, grad_check_finding *finding)
{
    static const grad_field fields[] = {
        FINDING(verdict, read_verdict),
        FINDING(largest_error, grad_decode_scalar),
        FINDING(gradient, grad_decode_scalar),
        FINDING(difference, grad_decode_scalar),
        FINDING(checked, grad_decode_size),
        FINDING(kinks, grad_decode_size),
        {"interval", read_interval, 0, NULL},
        GRAD_FIELD("order", read_order, grad_check_finding, taylor),
        GRAD_FIELD("no_order", read_no_order, grad_check_finding, taylor),
    };
    grad_status status =
        grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), finding);

    return status == GRAD_OK ? decode_place(reader, path, value, shape, &finding->index) : status;
}

static grad_status read_tensor(grad_reader *reader, const grad_path *path, const json_t *value,
                               void *target)
{
    static const grad_field fields[] = {
        GRAD_FIELD("layer", grad_decode_size, grad_check_tensor, layer),
        GRAD_FIELD("name", grad_decode_string, grad_check_tensor, layer_name),
        GRAD_FIELD("tensor", read_output, grad_check_tensor, output),
    };
    grad_check_tensor *tensor = target;
    const json_t *claim = json_object_get(value, "claim");
    grad_path shape_path = {.parent = path, .key = "shape"};
    grad_path claim_path = {.parent = path, .key = "claim"};
    grad_tensor shape = {0};
    grad_status status;

    tensor->layer = SIZE_MAX;
    status =
        grad_decode_object(reader, path, value, "an object", fields, GRAD_COUNT(fields), tensor);
    if (status == GRAD_OK)
        status = grad_decode_require(reader, path, value, "tensor");
    if (status == GRAD_OK)
        status = grad_decode_require(reader, path, value, "shape");
    if (status == GRAD_OK)
        status = grad_decode_shape(reader, &shape_path, json_object_get(value, "shape"), &shape);
    if (status == GRAD_OK)
        status = decode_finding(reader, path, value, &shape, &tensor->analytic);
    if (status != GRAD_OK)
        return status;
    tensor->rank = shape.rank;
    for (size_t i = 0; i < shape.rank; i++)
        tensor->shape[i] = shape.shape[i];
    tensor->has_claim = claim != NULL;
    return claim != NULL ? decode_finding(reader, &claim_path, claim, &shape, &tensor->claim)
                         : GRAD_OK;
}

static grad_status read_tensors(grad_reader *reader, const grad_path *path, const json_t *value,
                                void *target)
{
    return grad_decode_elements(reader, path, value, read_tensor, *(grad_check_tensor **)target,
                                sizeof(grad_check_tensor));
}

static grad_status read_loss(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    grad_check_report *report = target;

    report->has_loss = true;
    return grad_decode_scalar(reader, path, value, &report->loss);
}

static const grad_field report_fields[] = {
    GRAD_FIELD("id", grad_decode_string, grad_check_report, id),
    GRAD_FIELD("verdict", read_verdict, grad_check_report, verdict),
    GRAD_FIELD("tolerance", grad_decode_scalar, grad_check_report, tolerance),
    {"loss", read_loss, 0, NULL},
    GRAD_FIELD("tensors", read_tensors, grad_check_report, tensors),
    GRAD_FIELD("notes", grad_notes_read, grad_check_report, notes),
};

static grad_status check_root(grad_reader *reader, const grad_path *root, const json_t *value)
{
    const json_t *tensors = json_object_get(value, "tensors");
    grad_path path = {.parent = root, .key = "tensors"};
    grad_status status;

    if (!json_is_object(value))
        return grad_decode_fail_type(reader, root, "an object", value);
    status = grad_decode_require(reader, root, value, "verdict");
    if (status == GRAD_OK)
        status = grad_decode_require(reader, root, value, "tensors");
    if (status == GRAD_OK && !json_is_array(tensors))
        status = grad_decode_fail_type(reader, &path, "an array of objects", tensors);
    return status;
}

grad_status grad_report_read(const grad_document *document, void **block, size_t *size,
                             grad_error *error)
{
    grad_reader reader = grad_document_reader(document, error);
    grad_path root = {0};
    grad_check_report *report;
    grad_status status = check_root(&reader, &root, document->root);

    if (status != GRAD_OK)
        return status;
    reader.skips_unknown_fields = true;
    report = grad_document_block(
        document, sizeof *report + grad_notes_count(document->root) * sizeof *report->notes,
        json_array_size(json_object_get(document->root, "tensors")), sizeof *report->tensors, size,
        error);
    if (report == NULL)
        return GRAD_OUT_OF_MEMORY;
    report->tensor_count = json_array_size(json_object_get(document->root, "tensors"));
    report->tensors = (grad_check_tensor *)(report + 1);
    report->note_count = grad_notes_count(document->root);
    if (report->note_count > 0)
        report->notes = (grad_reply_note *)(report->tensors + report->tensor_count);
    reader.strings = (char *)(report->tensors + report->tensor_count) +
                     report->note_count * sizeof *report->notes;
    status = grad_decode_object(&reader, &root, document->root, "an object", report_fields,
                                GRAD_COUNT(report_fields), report);
    if (status != GRAD_OK)
        free(report);
    else
        *block = report;
    return status;
}

grad_status grad_check_report_read(const char *text, size_t length, grad_check_report **report,
                                   grad_error *error)
{
    /* The reference to an array may be longer than its text, [[12345]] for [0]. */
    size_t most = length < SIZE_MAX / 8 ? length * 8 + 64 : SIZE_MAX;
    const grad_wire_limits limits = {
        .size = sizeof limits, .max_envelope = most, .max_numbers = most};
    grad_decoder *decoder = NULL;
    void *block = NULL;
    grad_status status = grad_decoder_create(&limits, GRAD_FP64, 0, &decoder, error);

    if (status != GRAD_OK)
        return status;
    status = grad_decoder_push(decoder, text, length, error);
    if (status == GRAD_OK)
        status = grad_decoder_finish(decoder, GRAD_DOCUMENT_REPORT, &block, error);
    if (status == GRAD_OK)
        *report = grad_decoder_release(decoder);
    grad_decoder_destroy(decoder);
    return status;
}
