/* Documents in pieces and segments: cutting them, and printing a segment into memory of its size.
 * What the documents say is their writers'. */
#include "codec/json/encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number/number.h"
#include "core/error.h"
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

static grad_status fail_non_finite(const grad_piece *piece, size_t element, double value,
                                   grad_error *error)
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
            fail_non_finite(piece, i, value, error);
            return NULL;
        }
        text = print_literal(value, text);
        i++;
        if (i < end)
            *text++ = ',';
    }
    return text;
}

char *grad_piece_print(const grad_piece *piece, const grad_number_format *format, char *buffer,
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

size_t grad_number_bound(grad_datatype datatype)
{
    return datatype == GRAD_FP64 ? GRAD_DOUBLE_WRITE_MAX : GRAD_NUMBER_WRITE_MAX;
}

size_t grad_piece_bound(const grad_piece *piece, const grad_number_format *format)
{
    const grad_tensor *tensor = piece->tensor;
    size_t numbers = piece->end - piece->begin;
    size_t rows = numbers / tensor->shape[tensor->rank - 1] + 2;

    return numbers * grad_number_bound(format->datatype) + rows * (2 * tensor->rank + 1);
}

/* ---- The encoder ----------------------------------------------------------------------------- */

enum { FIRST_PIECES = 16 };

/* All literal text of a document: names, mostly. Far above what a decoder takes back. */
#define SKELETON_MAX ((size_t)1 << 28)

struct grad_encoder {
    grad_number_format format;
    grad_text skeleton;
    size_t skeleton_cut; /* its bytes that are in pieces already */
    grad_piece *pieces;
    size_t piece_count, piece_capacity;
    size_t open_numbers;  /* in the segment being filled */
    size_t *first_pieces; /* of each segment, and the end */
    grad_segment *segments;
    size_t segment_count;
};

grad_status grad_encoder_create(const grad_batch *batch, grad_encoder **encoder, grad_error *error)
{
    grad_encoder *e = calloc(1, sizeof *e);

    if (e == NULL)
        return grad_fail_memory(error, sizeof *e);
    e->format = (grad_number_format){batch->datatype, batch->non_finite};
    grad_text_init(&e->skeleton, SKELETON_MAX);
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

static void add_piece(grad_encoder *e, const grad_piece *piece)
{
    if (e->skeleton.status != GRAD_OK)
        return;
    if (e->piece_count == e->piece_capacity) {
        size_t capacity = e->piece_capacity > 0 ? e->piece_capacity * 2 : FIRST_PIECES;
        grad_piece *pieces = realloc(e->pieces, capacity * sizeof *pieces);

        if (pieces == NULL) {
            e->skeleton.status = GRAD_OUT_OF_MEMORY;
            return;
        }
        e->pieces = pieces;
        e->piece_capacity = capacity;
    }
    e->pieces[e->piece_count++] = *piece;
}

/* The text added since the last piece becomes one. */
static void cut_skeleton(grad_encoder *e)
{
    grad_piece piece = {.begin = e->skeleton_cut, .end = e->skeleton.length};

    if (piece.begin < piece.end)
        add_piece(e, &piece);
    e->skeleton_cut = piece.end;
}

/* A tensor of no numbers has its shape told: [] would not tell it. */
static void write_none(grad_text *text, const grad_tensor *tensor)
{
    grad_text_printf(text, "{\"shape\":[");
    for (size_t i = 0; i < tensor->rank; i++)
        grad_text_printf(text, "%s%zu", i > 0 ? "," : "", tensor->shape[i]);
    grad_text_printf(text, "],\"data\":[]}");
}

void grad_encoder_tensor(grad_encoder *e, const char *field, const grad_tensor *tensor,
                         size_t layer)
{
    size_t count = grad_tensor_count(tensor);
    grad_piece piece = {.tensor = tensor, .layer = layer, .field = field};
    const char *slash = strrchr(field, '/');

    if (tensor->data == NULL)
        return;
    grad_encoder_member(e, slash != NULL ? slash + 1 : field);
    if (count == 0)
        write_none(&e->skeleton, tensor);
    cut_skeleton(e);
    while (piece.end < count) {
        size_t room = GRAD_SEGMENT_NUMBERS - e->open_numbers;

        piece.begin = piece.end;
        piece.end = piece.begin + grad_size_min(room, count - piece.begin);
        add_piece(e, &piece);
        e->open_numbers = (e->open_numbers + piece.end - piece.begin) % GRAD_SEGMENT_NUMBERS;
    }
}

/* Puts each piece into a segment: a new one begins when the last has its numbers. */
static void fill_segments(grad_encoder *e)
{
    size_t numbers = 0;
    size_t count = 0;

    e->first_pieces[count++] = 0;
    for (size_t i = 0; i < e->piece_count; i++) {
        const grad_piece *piece = &e->pieces[i];

        if (numbers == GRAD_SEGMENT_NUMBERS && piece->tensor != NULL) {
            e->first_pieces[count++] = i;
            numbers = 0;
        }
        if (piece->tensor != NULL)
            numbers += piece->end - piece->begin;
    }
    e->first_pieces[count] = e->piece_count;
    e->segment_count = count;
}

grad_status grad_encoder_seal(grad_encoder **encoder, grad_error *error)
{
    grad_encoder *e = *encoder;
    grad_status status;

    cut_skeleton(e);
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
    free(encoder->pieces);
    grad_text_free(&encoder->skeleton);
    free(encoder);
}
