/* The decoder of gradient_wire.h: a scanner while the document arrives, jansson over the envelope
 * once it is whole, a reader for what it says. jansson's verdict is translated here. */
#include "codec/document/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json/byte_tail.h"
#include "codec/json/explain.h"
#include "codec/json/load.h"
#include "codec/json/safetensors_document.h"
#include "codec/json/scanner.h"
#include "core/error.h"
#include "core/format_number.h"
#include "core/size.h"

/* ---- What requests and replies have in common ------------------------------------------------ */

grad_reader grad_document_reader(const grad_document *document, grad_error *error)
{
    return (grad_reader){.envelope = document->envelope,
                         .datatype = document->datatype,
                         .numbers = document->numbers,
                         .error = error};
}

grad_status grad_document_count_layers(const grad_document *document, grad_reader *reader,
                                       size_t *count)
{
    const grad_envelope *envelope = document->envelope;
    const json_t *layers = grad_decode_member(document->root, "layers");
    grad_path root = {0};
    grad_path path = {.parent = &root, .key = "layers"};
    size_t found = json_array_size(layers);

    if (!json_is_object(document->root))
        return grad_decode_fail_type(reader, &root, "an object", document->root);
    if (layers == NULL)
        return grad_decode_require(reader, &root, document->root, "layers");
    if (!json_is_array(layers))
        return grad_decode_fail_type(reader, &path, "an array of layers", layers);
    if (found == 0)
        return grad_decode_fail(reader, &path, "empty_batch",
                                "expected at least one layer, found none");
    if (found > document->max_layers) {
        grad_fail_limit(reader->error, "max_layers", document->max_layers, "/layers",
                        "expected at most %zu layer%s, found %zu", document->max_layers,
                        grad_plural(document->max_layers), found);
        if (reader->error != NULL)
            reader->error->offset =
                grad_envelope_offset_of(envelope, grad_envelope_find(envelope, "/layers"));
        return GRAD_TOO_LARGE;
    }
    *count = found;
    return GRAD_OK;
}

void *grad_document_block(const grad_document *document, size_t head, size_t items,
                          size_t item_size, size_t *size, grad_error *error)
{
    /* A string takes less room than in the envelope, where it has quotes and escapes; so does a
     * number that stands for a tensor, where it has a name: "bias":5 and a comma or brace. */
    size_t bytes = head + document->envelope->text.length;
    void *block;

    if (!grad_size_add_product(items, item_size, &bytes))
        bytes = SIZE_MAX;
    block = calloc(1, bytes);
    if (block == NULL)
        grad_fail_memory(error, bytes);
    else
        *size = bytes;
    return block;
}

size_t grad_document_block_bound(size_t layers, size_t envelope_bytes)
{
    size_t bytes =
        sizeof(grad_request_block) + sizeof(grad_reply) + GRAD_MAX_NOTES * sizeof(grad_reply_note);
    size_t layer = sizeof(grad_layer) + sizeof(grad_layer_result) + sizeof(grad_error);

    if (!grad_size_add(bytes, envelope_bytes, &bytes) ||
        !grad_size_add_product(layers, layer, &bytes))
        return SIZE_MAX;
    return bytes;
}

/* ---- The decoder ----------------------------------------------------------------------------- */

/* jansson 2.14 spends 79 bytes a byte on [{},{},…], the dearest of its trees; 18 on a layer. */
enum { TREE_BYTES_PER_BYTE = 80 };

struct grad_decoder {
    grad_scanner scanner;
    bool has_tail;          /* bytes follow the document, */
    bool is_in_tail;        /* which is whole, */
    size_t document_length; /* and has as many */
    bool is_safetensors;    /* the body is: its header makes the document */
    grad_safetensors_header header;
    grad_byte_tail tail;
    size_t max_layers;
    const char *activation; /* of a model of the Open Inference Protocol, or NULL */
    void *block;            /* the request, the reply or the report, once read */
    size_t block_size;
};

static size_t or_default(size_t value, size_t otherwise)
{
    return value > 0 ? value : otherwise;
}

grad_status grad_decoder_create(const grad_wire_limits *limits, grad_datatype datatype,
                                size_t expected_bytes, grad_decoder **decoder, grad_error *error)
{
    grad_wire_limits l = GRAD_WIRE_LIMITS_INIT;
    grad_status status = grad_options_read("grad_wire_limits", limits, &l, error);
    grad_decoder *d;

    if (status != GRAD_OK)
        return status;
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return grad_fail_memory(error, sizeof *d);
    l.max_numbers = or_default(l.max_numbers, GRAD_DEFAULT_MAX_NUMBERS);
    l.max_envelope = or_default(l.max_envelope, GRAD_DEFAULT_MAX_ENVELOPE);
    l.max_depth = or_default(l.max_depth, GRAD_DEFAULT_MAX_DEPTH);
    d->header.max = l.max_envelope;
    d->max_layers = or_default(l.max_layers, GRAD_DEFAULT_MAX_LAYERS);
    if (grad_scanner_init(&d->scanner, &l, datatype, expected_bytes, error) != GRAD_OK) {
        free(d);
        return GRAD_OUT_OF_MEMORY;
    }
    *decoder = d;
    return GRAD_OK;
}

/* Hands the decoder's own error to the caller, whose first error wins as ever. */
static grad_status report(const grad_decoder *decoder, grad_error *error)
{
    const grad_error *own = &decoder->scanner.error;

    if (own->status != GRAD_OK && error != NULL && error->status == GRAD_OK)
        *error = *own;
    return own->status;
}

void grad_decoder_expect_tail(grad_decoder *decoder, size_t document_length)
{
    decoder->has_tail = true;
    decoder->document_length = document_length;
}

void grad_decoder_expect_inputs(grad_decoder *decoder, const char *activation)
{
    decoder->activation = activation;
    decoder->scanner.takes_inputs = true;
}

/* Bytes of which the first may be the document's. */
static void push_with_tail(grad_decoder *d, const char *bytes, size_t length)
{
    grad_scanner *s = &d->scanner;
    size_t left = d->is_in_tail ? 0 : d->document_length - (size_t)s->offset;
    size_t taken = grad_size_min(left, length);

    if (taken > 0)
        grad_scanner_push(s, bytes, taken);
    if (s->error.status == GRAD_OK && taken == left && !d->is_in_tail) {
        d->is_in_tail = true;
        if (grad_scanner_end(s) == GRAD_OK)
            grad_byte_tail_begin(&d->tail, s);
    }
    if (s->error.status == GRAD_OK && length > taken)
        grad_byte_tail_push(&d->tail, s, bytes + taken, length - taken);
}

void grad_decoder_expect_safetensors(grad_decoder *decoder)
{
    decoder->is_safetensors = true;
}

/* The header is whole: makes the document of it. */
static void end_header(grad_decoder *d)
{
    grad_scanner *s = &d->scanner;

    if (grad_safetensors_read(&d->header, &s->error) != GRAD_OK ||
        grad_safetensors_scan(&d->header, s) != GRAD_OK)
        return;
    d->is_in_tail = true;
    grad_safetensors_free_text(&d->header);
    grad_safetensors_sort_by_offset(&d->header);
    grad_byte_tail_begin_listed(&d->tail, s, d->header.tensors, d->header.count);
}

static void push_safetensors(grad_decoder *d, const char *bytes, size_t length)
{
    grad_scanner *s = &d->scanner;
    const char *end = bytes + length;

    if (!d->is_in_tail && grad_safetensors_push(&d->header, &bytes, end, &s->error) == GRAD_OK &&
        grad_safetensors_is_whole(&d->header))
        end_header(d);
    if (s->error.status == GRAD_OK && bytes < end)
        grad_byte_tail_push(&d->tail, s, bytes, (size_t)(end - bytes));
}

grad_status grad_decoder_push(grad_decoder *decoder, const char *bytes, size_t length,
                              grad_error *error)
{
    if (length == 0 || decoder->scanner.error.status != GRAD_OK)
        return report(decoder, error);
    if (decoder->is_safetensors)
        push_safetensors(decoder, bytes, length);
    else if (decoder->has_tail)
        push_with_tail(decoder, bytes, length);
    else
        grad_scanner_push(&decoder->scanner, bytes, length);
    return report(decoder, error);
}

size_t grad_decoder_memory(const grad_decoder *decoder)
{
    const grad_scanner *scanner = &decoder->scanner;

    return sizeof *decoder + scanner->block.count * grad_datatype_size(scanner->block.datatype) +
           grad_envelope_memory(&scanner->envelope) + grad_safetensors_memory(&decoder->header) +
           decoder->block_size;
}

size_t grad_decoder_finish_bound(const grad_decoder *decoder)
{
    size_t length = decoder->scanner.envelope.text.length;
    size_t layers = grad_size_min(decoder->scanner.item_count + 1, decoder->max_layers);
    size_t bound = grad_document_block_bound(layers, length);

    return grad_size_add_product(length, TREE_BYTES_PER_BYTE, &bound) ? bound : SIZE_MAX;
}

/* Where the string that ends before position begins. */
static size_t string_begin(const char *text, size_t position)
{
    size_t begin = position - 1;

    while (begin > 0) {
        size_t slashes = 0;

        begin--;
        while (slashes < begin && text[begin - slashes - 1] == '\\')
            slashes++;
        if (text[begin] == '"' && slashes % 2 == 0)
            break;
    }
    return begin;
}

/* The envelope is no JSON. */
static void fail_syntax(grad_decoder *decoder)
{
    const grad_envelope *envelope = &decoder->scanner.envelope;
    const grad_text *text = &envelope->text;
    char pointer[GRAD_POINTER_SIZE];
    char detail[GRAD_DETAIL_SIZE];
    size_t position;

    grad_json_explain(text->data, text->length, &position, detail, sizeof detail);
    grad_envelope_pointer(envelope, grad_envelope_place_at(envelope, position), NULL, 0, pointer);
    grad_fail_at_byte(&decoder->scanner.error, GRAD_MALFORMED, "malformed_json",
                      grad_envelope_offset(envelope, position), pointer, "%s", detail);
}

/* Says in our words what jansson found wrong with the envelope. */
static void translate(grad_decoder *decoder, const json_error_t *found)
{
    const grad_envelope *envelope = &decoder->scanner.envelope;
    grad_error *error = &decoder->scanner.error;
    size_t position = found->position > 0 ? (size_t)found->position : 1;
    int64_t offset = grad_envelope_offset(envelope, position - 1);
    char pointer[GRAD_POINTER_SIZE];

    grad_envelope_pointer(envelope, grad_envelope_place_at(envelope, position), NULL, 0, pointer);
    if (json_error_code(found) == json_error_duplicate_key) {
        offset = grad_envelope_offset(envelope, string_begin(envelope->text.data, position));
        grad_fail_at_byte(error, GRAD_INVALID, "duplicate_field", offset, pointer,
                          "expected each field once, found this one again");
    } else if (json_error_code(found) == json_error_numeric_overflow) {
        grad_fail_at_byte(error, GRAD_INVALID, "number_out_of_range", offset, pointer,
                          "expected a number that a double can hold, found a larger one");
    } else if (grad_json_is_null_character(found)) {
        grad_fail_at_byte(error, GRAD_INVALID, "unsupported_value", offset, pointer,
                          "expected no \\u0000 in a string, found one");
    } else {
        fail_syntax(decoder);
    }
}

/* The envelope's tree, or NULL and the scanner's error. */
static json_t *parse_envelope(grad_decoder *decoder)
{
    const grad_text *text = &decoder->scanner.envelope.text;
    json_error_t found;
    json_t *root =
        grad_json_load(text->data, text->length,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &found);

    if (root == NULL && found.text[0] == '\0')
        grad_fail_memory(&decoder->scanner.error, text->length);
    else if (root == NULL)
        translate(decoder, &found);
    return root;
}

static void read_block(grad_decoder *decoder, grad_document *document)
{
    grad_error *error = &decoder->scanner.error;

    if (document->kind == GRAD_DOCUMENT_REPLY)
        grad_reply_read(document, &decoder->block, &decoder->block_size, error);
    else if (document->kind == GRAD_DOCUMENT_REPORT)
        grad_report_read(document, &decoder->block, &decoder->block_size, error);
    else if (document->kind == GRAD_DOCUMENT_INFERENCE)
        grad_inference_read(document, &decoder->block, &decoder->block_size, error);
    else
        grad_request_read(document, &decoder->block, &decoder->block_size, error);
}

/* The body is over: so must be the document, and the bytes behind it. */
static grad_status end_body(grad_decoder *d)
{
    grad_scanner *s = &d->scanner;

    if (d->is_safetensors && s->error.status == GRAD_OK && !d->is_in_tail)
        return grad_safetensors_fail_short(&d->header, &s->error);
    if (d->is_safetensors)
        return s->error.status == GRAD_OK ? grad_byte_tail_end(&d->tail, s) : s->error.status;
    if (!d->has_tail)
        return grad_scanner_end(s);
    if (s->error.status == GRAD_OK && !d->is_in_tail && (size_t)s->offset < d->document_length) {
        grad_fail_at_byte(&s->error, GRAD_MALFORMED, "length_mismatch", s->offset, "",
                          "expected a document of %zu bytes, as Inference-Header-Content-Length "
                          "says, found a body of %zu",
                          d->document_length, (size_t)s->offset);
    }
    if (s->error.status == GRAD_OK && !d->is_in_tail)
        grad_scanner_end(s);
    return s->error.status == GRAD_OK ? grad_byte_tail_end(&d->tail, s) : s->error.status;
}

grad_status grad_decoder_finish(grad_decoder *decoder, grad_document_kind kind, void **block,
                                grad_error *error)
{
    grad_scanner *scanner = &decoder->scanner;
    grad_document document = {.kind = kind,
                              .envelope = &scanner->envelope,
                              .datatype = scanner->block.datatype,
                              .numbers = scanner->block.numbers,
                              .activation = decoder->activation,
                              .max_layers = decoder->max_layers};
    json_t *root;

    if (end_body(decoder) != GRAD_OK)
        return report(decoder, error);
    root = parse_envelope(decoder);
    if (root != NULL) {
        free(decoder->block);
        decoder->block = NULL;
        document.root = root;
        read_block(decoder, &document);
        if (decoder->block == NULL)
            decoder->block_size = 0;
        json_decref(root);
    }
    if (scanner->error.status == GRAD_OK)
        *block = decoder->block;
    return report(decoder, error);
}

void *grad_decoder_release(grad_decoder *decoder)
{
    void *block = decoder->block;

    decoder->block = NULL;
    decoder->block_size = 0;
    return block;
}

grad_status grad_decoder_finish_request(grad_decoder *decoder, grad_request_kind kind,
                                        grad_batch **batch, grad_error *error)
{
    static const grad_document_kind kinds[] = {[GRAD_REQUEST_GRADIENTS] = GRAD_DOCUMENT_GRADIENTS,
                                               [GRAD_REQUEST_BACKPROP] = GRAD_DOCUMENT_BACKPROP,
                                               [GRAD_REQUEST_INFERENCE] = GRAD_DOCUMENT_INFERENCE};
    void *block = NULL;
    grad_status status = grad_decoder_finish(decoder, kinds[kind], &block, error);

    if (status == GRAD_OK)
        *batch = &((grad_request_block *)block)->batch;
    return status;
}

grad_status grad_decoder_finish_check(grad_decoder *decoder, grad_check_request **request,
                                      grad_error *error)
{
    void *block = NULL;
    grad_status status = grad_decoder_finish(decoder, GRAD_DOCUMENT_CHECK, &block, error);

    if (status == GRAD_OK)
        *request = &((grad_request_block *)block)->check;
    return status;
}

grad_status grad_decoder_finish_reply(grad_decoder *decoder, grad_reply **reply, grad_error *error)
{
    void *block = NULL;
    grad_status status = grad_decoder_finish(decoder, GRAD_DOCUMENT_REPLY, &block, error);

    if (status == GRAD_OK)
        *reply = block;
    return status;
}

const grad_envelope *grad_decoder_envelope(const grad_decoder *decoder)
{
    return &decoder->scanner.envelope;
}

int64_t grad_decoder_locate(const grad_decoder *decoder, const char *pointer)
{
    const grad_envelope *envelope = &decoder->scanner.envelope;
    size_t place = grad_envelope_find(envelope, pointer);

    return place == GRAD_NO_PLACE ? GRAD_OFFSET_UNKNOWN : grad_envelope_offset_of(envelope, place);
}

/* Where a member is missing that is there and null, the error says so. */
static void mention_null(const grad_decoder *decoder, grad_error *error)
{
    const grad_envelope *envelope = &decoder->scanner.envelope;
    const char *name = strstr(error->detail, " has no ");
    size_t used = strlen(error->detail);
    grad_pointer_text pointer;
    size_t place;

    if (name == NULL || strcmp(error->code, "missing_field") != 0)
        return;
    name += strlen(" has no ");
    pointer = grad_pointer_format("%s/%.*s", error->pointer, (int)strcspn(name, " ,"), name);
    place = grad_envelope_find(envelope, pointer.text);
    if (place != GRAD_NO_PLACE &&
        strncmp(envelope->text.data + envelope->places[place].begin, "null", 4) == 0)
        snprintf(error->detail + used, sizeof error->detail - used, "; null stands for none");
}

void grad_decoder_locate_error(const grad_decoder *decoder, grad_error *error)
{
    bool is_of_the_document = error->status == GRAD_INVALID || error->status == GRAD_TOO_LARGE;

    if (is_of_the_document && decoder->scanner.takes_inputs)
        grad_inference_locate(&decoder->scanner.envelope, error);
    if (is_of_the_document && error->offset == GRAD_OFFSET_UNKNOWN)
        error->offset = grad_decoder_locate(decoder, error->pointer);
    if (is_of_the_document)
        mention_null(decoder, error);
}

void grad_decoder_destroy(grad_decoder *decoder)
{
    if (decoder == NULL)
        return;
    grad_scanner_free(&decoder->scanner);
    grad_safetensors_free(&decoder->header);
    free(decoder->block);
    free(decoder);
}
