/* Documents in pieces and segments: cutting them, and printing a segment into memory of its size.
 * What the documents say is their writers'. */
#include "codec/json/encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number/number.h"
#include "codec/payload/base64.h"
#include "codec/payload/binary.h"
#include "codec/payload/safetensors.h"
#include "core/error.h"
#include "core/format_number.h"
#include "core/real.h"
#include "core/size.h"

/* ---- A range of a tensor: brackets where rows and planes begin and end ----------------------- */

/* Dimensions whose border is at an element: a whole number of their rows lies before it. */
static size_t borders_at(const grad_tensor *tensor, size_t element)
{
    size_t borders = 0;
    size_t row = 1;

    for (size_t i = tensor->rank; i-- > 0; borders++) {
        row *= tensor->shape[i];
        if (element % row != 0)
            break;
    }
    return borders;
}

static char *repeat(char *text, char c, size_t count)
{
    memset(text, c, count);
    return text + count;
}

/* What stands between an element and the one before it, or before the first. */
static char *print_border(const grad_tensor *tensor, size_t element, char *text)
{
    size_t borders = borders_at(tensor, element);

    if (element > 0) {
        text = repeat(text, ']', borders);
        *text++ = ',';
    }
    return repeat(text, '[', borders);
}

static grad_status fail_non_finite(const grad_piece *piece, const grad_number_format *format,
                                   size_t element, double value, grad_error *error)
{
    const grad_tensor *tensor = piece->tensor;
    size_t index[GRAD_MAX_RANK] = {0};
    size_t rest = element;
    grad_pointer_text pointer =
        piece->layer == GRAD_NO_LAYER
            ? grad_pointer_format("/%s", piece->field)
            : grad_pointer_format("/layers/%zu/%s", piece->layer, piece->field);

    for (size_t i = tensor->rank; i-- > 0; rest /= tensor->shape[i])
        index[i] = rest % tensor->shape[i];
    for (size_t i = 0; i < tensor->rank; i++)
        pointer = grad_pointer_format("%s/%zu", pointer.text, index[i]);
    if (isfinite(value))
        return grad_fail(error, GRAD_INVALID, "non_finite", pointer.text,
                         "expected a number that %s holds, found %s",
                         grad_wire_datatype_name(format->wire), GRAD_NUMBER_TEXT(GRAD_FP64, value));
    return grad_fail(error, GRAD_INVALID, "non_finite", pointer.text,
                     "expected a finite number, found %s", grad_scalar_literal(value));
}

/* Whether eight floats are finite: an exponent of ones carries into the sign's place. */
static bool are_finite(const float *values)
{
    uint32_t bits[8], carry = 0;

    memcpy(bits, values, sizeof bits);
    for (size_t i = 0; i < 8; i++)
        carry |= (bits[i] & 0x7F800000) + 0x00800000;
    return (carry & 0x80000000) == 0;
}

/* How many numbers there are before the first that is not finite. */
static size_t finite_floats(const float *values, size_t count)
{
    size_t i = 0;

    while (i + 8 <= count && are_finite(values + i))
        i += 8;
    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

static size_t finite_doubles(const double *values, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(values[i]))
        i++;
    return i;
}

/* Prints the elements from begin on up to end, or to the first that is not finite, which it
 * returns. */
static size_t print_finite(const grad_piece *piece, size_t begin, size_t end,
                           grad_datatype datatype, char **text)
{
    const void *values = grad_real_offset_const(datatype, piece->tensor->data, begin);
    size_t finite;

    if (datatype == GRAD_FP64) {
        finite = finite_doubles(values, end - begin);
        *text = grad_number_row_write_double(values, finite, *text);
    } else {
        finite = finite_floats(values, end - begin);
        *text = grad_number_row_write(values, finite, *text);
    }
    return begin + finite;
}

static char *print_literal(double value, char *text)
{
    const char *name = grad_scalar_literal(value);
    size_t length = strlen(name);

    *text++ = '"';
    memcpy(text, name, length);
    text[length] = '"';
    return text + length + 1;
}

/* Elements [begin, end) of one row, with the commas between them. */
static char *print_run(const grad_piece *piece, size_t begin, size_t end,
                       const grad_number_format *format, char *text, grad_error *error)
{
    for (size_t i = begin; i < end;) {
        size_t finite = print_finite(piece, i, end, format->datatype, &text);
        double value;

        if (finite > i && finite < end)
            *text++ = ',';
        i = finite;
        if (i == end)
            break;
        value = grad_real_at(format->datatype, piece->tensor->data, i);
        if (format->policy != GRAD_ALLOW_NON_FINITE) {
            fail_non_finite(piece, format, i, value, error);
            return NULL;
        }
        text = print_literal(value, text);
        i++;
        if (i < end)
            *text++ = ',';
    }
    return text;
}

/* ---- A range of a tensor as bytes ------------------------------------------------------------ */

/* Whether the elements may be written: as bytes every number can be, but not every one may. */
static bool may_be_written(const grad_piece *piece, const grad_number_format *format,
                           grad_error *error)
{
    const double largest = grad_binary_largest(format->wire);
    size_t i = piece->begin;

    if (format->policy == GRAD_ALLOW_NON_FINITE)
        return true;
    if (format->wire == GRAD_WIRE_FP32)
        i += finite_floats((const float *)piece->tensor->data + i, piece->end - i);
    for (; i < piece->end; i++) {
        double value = grad_real_at(format->datatype, piece->tensor->data, i);

        if (!(fabs(value) <= largest)) {
            fail_non_finite(piece, format, i, value, error);
            return false;
        }
    }
    return true;
}

static char *print_base64(const grad_piece *piece, const grad_number_format *format, char *text)
{
    enum { BLOCK = 3 * 256 }; /* numbers; a multiple of three leaves no padding between blocks */
    unsigned char bytes[BLOCK * sizeof(double)];

    for (size_t i = piece->begin; i < piece->end; i += BLOCK) {
        size_t count = grad_size_min(BLOCK, piece->end - i);

        grad_binary_write(format->wire, format->datatype,
                          grad_real_offset_const(format->datatype, piece->tensor->data, i), count,
                          bytes);
        text = grad_base64_encode(bytes, count * grad_wire_datatype_size(format->wire), text);
    }
    return text;
}

static char *print_bytes(const grad_piece *piece, const grad_number_format *format, char *text,
                         grad_error *error)
{
    size_t count = piece->end - piece->begin;

    if (!may_be_written(piece, format, error))
        return NULL;
    if (format->encoding == GRAD_ENCODING_BASE64)
        return print_base64(piece, format, text);
    grad_binary_write(format->wire, format->datatype,
                      grad_real_offset_const(format->datatype, piece->tensor->data, piece->begin),
                      count, (unsigned char *)text);
    return text + count * grad_wire_datatype_size(format->wire);
}

/* ---- A range of a tensor --------------------------------------------------------------------- */

static char *print_text(const grad_piece *piece, const grad_number_format *format, char *buffer,
                        grad_error *error)
{
    const grad_tensor *tensor = piece->tensor;
    size_t row = tensor->shape[tensor->rank - 1];
    char *text = buffer;

    for (size_t i = piece->begin; i < piece->end && text != NULL;) {
        size_t run = grad_size_min(row - i % row, piece->end - i);

        text = print_run(piece, i, i + run, format, print_border(tensor, i, text), error);
        i += run;
    }
    if (text != NULL && piece->end == grad_tensor_count(tensor))
        text = repeat(text, ']', tensor->rank);
    return text;
}

/* In one row; an error has its place in the tensor's own shape. */
static char *print_flat(const grad_piece *piece, const grad_number_format *format, char *buffer,
                        grad_error *error)
{
    const size_t count = grad_tensor_count(piece->tensor);
    char *text = buffer;

    *text = piece->begin > 0 ? ',' : '[';
    text = print_run(piece, piece->begin, piece->end, format, text + 1, error);
    if (text != NULL && piece->end == count)
        *text++ = ']';
    return text;
}

char *grad_piece_print(const grad_piece *piece, const grad_number_format *format, char *buffer,
                       grad_error *error)
{
    if (piece->is_flat && format->encoding == GRAD_ENCODING_JSON)
        return print_flat(piece, format, buffer, error);
    return format->encoding == GRAD_ENCODING_JSON ? print_text(piece, format, buffer, error)
                                                  : print_bytes(piece, format, buffer, error);
}

size_t grad_number_bound(const grad_number_format *format)
{
    size_t size = grad_wire_datatype_size(format->wire);

    switch (format->encoding) {
    case GRAD_ENCODING_BASE64:
        return (4 * size + 2) / 3;
    case GRAD_ENCODING_BINARY:
    case GRAD_ENCODING_SAFETENSORS:
        return size;
    case GRAD_ENCODING_JSON:
        break;
    }
    return format->datatype == GRAD_FP64 ? GRAD_DOUBLE_WRITE_MAX : GRAD_NUMBER_WRITE_MAX;
}

size_t grad_piece_bound(const grad_piece *piece, const grad_number_format *format)
{
    const grad_tensor *tensor = piece->tensor;
    size_t numbers = piece->end - piece->begin;
    size_t rows;

    if (format->encoding != GRAD_ENCODING_JSON)
        return numbers * grad_number_bound(format) + 4; /* padding */
    rows = numbers / tensor->shape[tensor->rank - 1] + 2;
    return numbers * grad_number_bound(format) + rows * (2 * tensor->rank + 1);
}

/* ---- The encoder ----------------------------------------------------------------------------- */

enum { FIRST_PIECES = 16 };

typedef struct piece_list {
    grad_piece *pieces;
    size_t count, capacity;
    size_t open_numbers; /* in the segment being filled */
} piece_list;

/* All literal text of a document: names, mostly. Far above what a decoder takes back. */
#define SKELETON_MAX ((size_t)1 << 28)

struct grad_encoder {
    grad_number_format format;
    grad_text skeleton;
    size_t skeleton_cut; /* its bytes that are in pieces already */
    piece_list document;
    piece_list tail;    /* bytes that follow the document, or the header of safetensors, */
    size_t tail_bytes;  /* as many, of the latter */
    grad_text header;   /* the tensors in that header, each behind a comma */
    grad_piece *pieces; /* of both, once it is sealed */
    size_t piece_count;
    size_t *first_pieces; /* of each segment, and the end */
    grad_segment *segments;
    size_t segment_count;
};

grad_number_format grad_number_format_of(const grad_batch *batch, grad_wire_datatype wire)
{
    grad_number_format format = {batch->datatype, batch->non_finite, batch->encoding,
                                 GRAD_WIRE_COMPUTED};

    if (format.encoding != GRAD_ENCODING_JSON)
        format.wire = wire != GRAD_WIRE_COMPUTED ? wire : grad_wire_datatype_of(batch->datatype);
    return format;
}

grad_status grad_encoder_create(const grad_number_format *format, grad_encoder **encoder,
                                grad_error *error)
{
    grad_encoder *e = calloc(1, sizeof *e);

    if (e == NULL)
        return grad_fail_memory(error, sizeof *e);
    e->format = *format;
    grad_text_init(&e->skeleton, SKELETON_MAX);
    grad_text_init(&e->header, SKELETON_MAX);
    *encoder = e;
    return GRAD_OK;
}

grad_text *grad_encoder_text(grad_encoder *encoder)
{
    return &encoder->skeleton;
}

void grad_encoder_member(grad_encoder *encoder, const char *name)
{
    grad_text *text = &encoder->skeleton;

    if (text->length > 0 && text->data[text->length - 1] != '{')
        grad_text_add(text, ",\"", 2);
    else
        grad_text_add(text, "\"", 1);
    grad_text_add(text, name, strlen(name));
    grad_text_add(text, "\":", 2);
}

void grad_encoder_string(grad_encoder *encoder, const char *name, const char *value)
{
    if (value == NULL)
        return;
    grad_encoder_member(encoder, name);
    grad_text_string(&encoder->skeleton, value);
}

void grad_encoder_number(grad_encoder *encoder, const char *name, double value)
{
    grad_encoder_member(encoder, name);
    grad_text_scalar(&encoder->skeleton, value);
}

void grad_encoder_size(grad_encoder *encoder, const char *name, size_t value)
{
    grad_encoder_member(encoder, name);
    grad_text_printf(&encoder->skeleton, "%zu", value);
}

void grad_encoder_flag(grad_encoder *encoder, const char *name, bool value)
{
    grad_encoder_member(encoder, name);
    grad_text_printf(&encoder->skeleton, "%s", value ? "true" : "false");
}

void grad_encoder_open(grad_encoder *encoder, const char *name)
{
    grad_text *text = &encoder->skeleton;

    if (name != NULL)
        grad_encoder_member(encoder, name);
    else if (text->length > 0 && text->data[text->length - 1] != '[')
        grad_text_add(text, ",", 1);
    grad_text_add(text, "{", 1);
}

void grad_encoder_close(grad_encoder *encoder)
{
    grad_text_add(&encoder->skeleton, "}", 1);
}

static void add_piece(grad_encoder *e, piece_list *list, const grad_piece *piece)
{
    if (e->skeleton.status != GRAD_OK)
        return;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : FIRST_PIECES;
        grad_piece *pieces = realloc(list->pieces, capacity * sizeof *pieces);

        if (pieces == NULL) {
            e->skeleton.status = GRAD_OUT_OF_MEMORY;
            return;
        }
        list->pieces = pieces;
        list->capacity = capacity;
    }
    list->pieces[list->count++] = *piece;
}

/* The text added since the last piece becomes one. */
static void cut_skeleton(grad_encoder *e)
{
    grad_piece piece = {.begin = e->skeleton_cut, .end = e->skeleton.length};

    if (piece.begin < piece.end)
        add_piece(e, &e->document, &piece);
    e->skeleton_cut = piece.end;
}

/* All of a tensor's numbers, cut where a segment has its share; in base64 at a multiple of three
 * numbers, for which no padding is needed. */
static void add_numbers(grad_encoder *e, piece_list *list, grad_piece piece)
{
    size_t count = grad_tensor_count(piece.tensor);

    while (piece.end < count) {
        size_t room = GRAD_SEGMENT_NUMBERS - list->open_numbers;

        if (e->format.encoding == GRAD_ENCODING_BASE64)
            room = grad_size_ceil_div(room, 3) * 3;
        piece.begin = piece.end;
        piece.end = piece.begin + grad_size_min(room, count - piece.begin);
        add_piece(e, list, &piece);
        list->open_numbers += piece.end - piece.begin;
        if (list->open_numbers >= GRAD_SEGMENT_NUMBERS)
            list->open_numbers = 0;
    }
}

/* "shape":[2,3], and a comma. */
static void write_shape(grad_text *text, const grad_tensor *tensor)
{
    grad_text_printf(text, "\"shape\":[");
    for (size_t i = 0; i < tensor->rank; i++)
        grad_text_printf(text, "%s%zu", i > 0 ? "," : "", tensor->shape[i]);
    grad_text_printf(text, "],");
}

/* A tensor as an object: its shape, its datatype, and where its bytes are. */
static void write_bytes(grad_encoder *e, const grad_piece *piece)
{
    grad_text *text = &e->skeleton;
    bool is_behind = e->format.encoding == GRAD_ENCODING_BINARY;
    const char *name = grad_wire_datatype_name(e->format.wire);
    size_t bytes = grad_tensor_count(piece->tensor) * grad_wire_datatype_size(e->format.wire);

    grad_text_add(text, "{", 1);
    write_shape(text, piece->tensor);
    if (is_behind) {
        grad_text_printf(text, "\"datatype\":\"%s\",\"binary_data_size\":%zu}", name, bytes);
        add_numbers(e, &e->tail, *piece);
        return;
    }
    grad_text_printf(text, "\"datatype\":\"%s\",\"base64\":\"", name);
    cut_skeleton(e);
    add_numbers(e, &e->document, *piece);
    grad_text_add(text, "\"}", 2);
}

/* A tensor of safetensors, called as the document would have it: "layers.0.dropout.mask". */
static void write_named(grad_encoder *e, const grad_piece *piece)
{
    grad_text *text = &e->header;
    size_t begin = e->tail_bytes, mark;

    e->tail_bytes += grad_tensor_count(piece->tensor) * grad_wire_datatype_size(e->format.wire);
    grad_text_add(text, ",\"", 2);
    if (piece->layer != GRAD_NO_LAYER)
        grad_text_printf(text, "layers.%zu.", piece->layer);
    mark = text->length;
    grad_text_add(text, piece->field, strlen(piece->field));
    for (; mark < text->length; mark++)
        if (text->data[mark] == '/')
            text->data[mark] = '.';
    grad_text_printf(text, "\":{\"dtype\":\"%s\",", grad_safetensors_dtype(e->format.wire));
    write_shape(text, piece->tensor);
    grad_text_printf(text, "\"data_offsets\":[%zu,%zu]}", begin, e->tail_bytes);
    add_numbers(e, &e->tail, *piece);
}

void grad_encoder_tensor(grad_encoder *e, const char *field, const grad_tensor *tensor,
                         size_t layer)
{
    grad_piece piece = {.tensor = tensor, .layer = layer, .field = field};
    const char *slash = strrchr(field, '/');

    if (tensor->data == NULL)
        return;
    if (e->format.encoding == GRAD_ENCODING_SAFETENSORS) {
        write_named(e, &piece);
        return;
    }
    grad_encoder_member(e, slash != NULL ? slash + 1 : field);
    if (e->format.encoding != GRAD_ENCODING_JSON) {
        write_bytes(e, &piece);
        return;
    }
    if (grad_tensor_count(tensor) == 0) { /* [] would not tell its shape */
        grad_text_add(&e->skeleton, "{", 1);
        write_shape(&e->skeleton, tensor);
        grad_text_printf(&e->skeleton, "\"data\":[]}");
    }
    cut_skeleton(e);
    add_numbers(e, &e->document, piece);
}

void grad_encoder_output(grad_encoder *e, const char *name, const grad_tensor *tensor, size_t layer)
{
    grad_piece piece = {.tensor = tensor, .layer = layer, .field = name, .is_flat = true};
    grad_wire_datatype wire = grad_wire_datatype_of(e->format.datatype);
    size_t count = grad_tensor_count(tensor);

    if (tensor->data == NULL)
        return;
    grad_encoder_open(e, NULL);
    grad_encoder_string(e, "name", name);
    grad_encoder_string(e, "datatype", grad_wire_datatype_name(wire));
    grad_text_add(&e->skeleton, ",", 1);
    write_shape(&e->skeleton, tensor);
    if (e->format.encoding == GRAD_ENCODING_BINARY) {
        grad_text_printf(&e->skeleton, "\"parameters\":{\"binary_data_size\":%zu}}",
                         count * grad_wire_datatype_size(wire));
        add_numbers(e, &e->tail, piece);
        return;
    }
    grad_text_printf(&e->skeleton, "\"data\":%s", count == 0 ? "[]" : "");
    cut_skeleton(e);
    add_numbers(e, &e->document, piece);
    grad_encoder_close(e);
}

/* Puts each piece into a segment: a new one begins when the last has its numbers. */
static void fill_segments(grad_encoder *e)
{
    size_t numbers = 0;
    size_t count = 0;

    e->first_pieces[count++] = 0;
    for (size_t i = 0; i < e->piece_count; i++) {
        const grad_piece *piece = &e->pieces[i];

        if (numbers >= GRAD_SEGMENT_NUMBERS && piece->tensor != NULL) {
            e->first_pieces[count++] = i;
            numbers = 0;
        }
        if (piece->tensor != NULL)
            numbers += piece->end - piece->begin;
    }
    e->first_pieces[count] = e->piece_count;
    e->segment_count = count;
}

/* The document becomes a string in the header of safetensors, which blanks bring to a multiple of
 * 8 bytes, so that all that is read where it lies is aligned. */
static void wrap_document(grad_encoder *e)
{
    char prefix[GRAD_SAFETENSORS_PREFIX] = "";
    grad_text document = e->skeleton;
    grad_text *text = &e->skeleton;

    grad_text_init(text, SKELETON_MAX);
    grad_text_add(text, prefix, sizeof prefix);
    grad_text_printf(text,
                     "{\"" GRAD_SAFETENSORS_METADATA "\":{\"" GRAD_SAFETENSORS_DOCUMENT "\":");
    while (document.length > 0 && document.data[document.length - 1] == '\n')
        document.data[--document.length] = '\0';
    grad_text_string(text, document.length > 0 ? document.data : "");
    grad_text_add(text, "}", 1);
    grad_text_add(text, e->header.data, e->header.length);
    grad_text_add(text, "}", 1);
    while (text->status == GRAD_OK && text->length % GRAD_SAFETENSORS_PREFIX != 0)
        grad_text_add(text, " ", 1);
    if (text->status == GRAD_OK)
        text->status = document.status != GRAD_OK ? document.status : e->header.status;
    if (text->status == GRAD_OK) {
        grad_safetensors_write_length(text->length - sizeof prefix, prefix);
        memcpy(text->data, prefix, sizeof prefix);
    }
    grad_text_free(&document);
    grad_text_free(&e->header);
}

/* One list of both; those of the tail come last. */
static void join_pieces(grad_encoder *e)
{
    cut_skeleton(e);
    for (size_t i = 0; i < e->tail.count; i++)
        add_piece(e, &e->document, &e->tail.pieces[i]);
    e->pieces = e->document.pieces;
    e->piece_count = e->document.count;
}

grad_status grad_encoder_seal(grad_encoder **encoder, grad_error *error)
{
    grad_encoder *e = *encoder;
    grad_status status;

    if (e->format.encoding == GRAD_ENCODING_SAFETENSORS)
        wrap_document(e);
    join_pieces(e);
    status = grad_text_status(&e->skeleton, error);
    if (status == GRAD_OK) {
        e->first_pieces = calloc(e->piece_count + 2, sizeof *e->first_pieces);
        e->segments = calloc(e->piece_count + 1, sizeof *e->segments);
        if (e->first_pieces == NULL || e->segments == NULL)
            status = grad_fail_memory(error, e->piece_count * sizeof *e->segments);
    }
    if (status != GRAD_OK) {
        grad_encoder_destroy(e);
        *encoder = NULL;
        return status;
    }
    fill_segments(e);
    return GRAD_OK;
}

size_t grad_encoder_document_length(const grad_encoder *encoder)
{
    return encoder->format.encoding == GRAD_ENCODING_BINARY ? encoder->skeleton.length : 0;
}

size_t grad_encoder_segment_count(const grad_encoder *encoder)
{
    return encoder->segment_count;
}

static size_t segment_bound(const grad_encoder *e, size_t segment)
{
    size_t bound = 1;

    for (size_t i = e->first_pieces[segment]; i < e->first_pieces[segment + 1]; i++) {
        const grad_piece *piece = &e->pieces[i];

        bound +=
            piece->tensor != NULL ? grad_piece_bound(piece, &e->format) : piece->end - piece->begin;
    }
    return bound;
}

static char *print_segment(const grad_encoder *e, size_t segment, char *text, grad_error *error)
{
    for (size_t i = e->first_pieces[segment]; i < e->first_pieces[segment + 1]; i++) {
        const grad_piece *piece = &e->pieces[i];

        if (piece->tensor != NULL) {
            text = grad_piece_print(piece, &e->format, text, error);
            if (text == NULL)
                return NULL;
        } else {
            memcpy(text, e->skeleton.data + piece->begin, piece->end - piece->begin);
            text += piece->end - piece->begin;
        }
    }
    return text;
}

grad_status grad_encoder_segment_run(grad_encoder *encoder, size_t segment, grad_error *error)
{
    size_t bound = segment_bound(encoder, segment);
    char *text = malloc(bound);
    char *end, *exact;

    if (text == NULL)
        return grad_fail_memory(error, bound);
    end = print_segment(encoder, segment, text, error);
    if (end == NULL) {
        free(text);
        return GRAD_INVALID;
    }
    encoder->segments[segment].length = (size_t)(end - text);
    exact = realloc(text, (size_t)(end - text) + 1);
    if (exact != NULL)
        text = exact;
    encoder->segments[segment].text = text;
    return GRAD_OK;
}

grad_status grad_encoder_run_all(grad_encoder *encoder, grad_error *error)
{
    for (size_t i = 0; i < encoder->segment_count; i++) {
        grad_status status = grad_encoder_segment_run(encoder, i, error);

        if (status != GRAD_OK)
            return status;
    }
    return GRAD_OK;
}

const grad_segment *grad_encoder_segments(const grad_encoder *encoder)
{
    return encoder->segments;
}

void grad_encoder_destroy(grad_encoder *encoder)
{
    if (encoder == NULL)
        return;
    for (size_t i = 0; i < encoder->segment_count; i++)
        free((void *)(uintptr_t)encoder->segments[i].text);
    free(encoder->segments);
    free(encoder->first_pieces);
    free(encoder->document.pieces);
    free(encoder->tail.pieces);
    grad_text_free(&encoder->header);
    grad_text_free(&encoder->skeleton);
    free(encoder);
}
