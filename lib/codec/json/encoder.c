/* Documents in pieces and segments: cutting them, and printing a segment into memory of its size.
 * What the documents say is in request_writer.c and reply_writer.c. */
#include "codec/json/encoder.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json/scalar.h"
#include "core/error.h"
#include "core/size.h"

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
        grad_text_add(text, ",", 1);
    grad_text_printf(text, "\"%s\":", name);
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
