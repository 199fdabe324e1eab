/* An encoder being built: a document is a list of pieces, literal text or a range of a tensor's
 * numbers, and segments are runs of pieces of about the same size. The writers say what a document
 * consists of; how numbers look is the room number's. */
#ifndef GRAD_CODEC_JSON_ENCODER_H
#define GRAD_CODEC_JSON_ENCODER_H

#include <math.h>

#include "gradient_wire.h"

/* Numbers in a segment: large enough that a segment's overhead is nothing, small enough that a few
 * workers share a document evenly. */
#define GRAD_SEGMENT_NUMBERS ((size_t)16384)

/* Either the bytes [begin, end) of the literal text (tensor NULL), or the elements [begin, end) of
 * a tensor with the brackets that belong to them. */
typedef struct grad_piece {
    size_t begin, end;
    const grad_tensor *tensor;
    size_t layer;      /* whose tensor it is, or GRAD_NO_LAYER, and */
    const char *field; /* where in it, "weight" or "dropout/mask": for errors. Static storage. */
    bool is_flat;      /* its text is one row, whatever its shape */
} grad_piece;

/* The layer of what belongs to none. */
#define GRAD_NO_LAYER SIZE_MAX

/* How the numbers of a document are printed. */
typedef struct grad_number_format {
    grad_datatype datatype;
    grad_non_finite policy;
    grad_encoding encoding;
    grad_wire_datatype wire; /* of bytes; GRAD_WIRE_COMPUTED in text */
} grad_number_format;

/* The format of a document about that batch, its tensors encoded as it says; wire is the datatype
 * of bytes, or GRAD_WIRE_COMPUTED. */
grad_number_format grad_number_format_of(const grad_batch *batch, grad_wire_datatype wire);

/* An encoder of a document whose numbers have that format. */
grad_status grad_encoder_create(const grad_number_format *format, grad_encoder **encoder,
                                grad_error *error);

/* Where literal text is added. Its status holds the failures of the functions below too. */
grad_text *grad_encoder_text(grad_encoder *encoder);

/* Begins a member of the object being written, with a comma where one came before. name needs no
 * escapes. */
void grad_encoder_member(grad_encoder *encoder, const char *name);

/* Members of one value. A string that is NULL is left out; numbers that are not finite are spelled
 * as strings. */
void grad_encoder_string(grad_encoder *encoder, const char *name, const char *value);
void grad_encoder_number(grad_encoder *encoder, const char *name, double value);
void grad_encoder_size(grad_encoder *encoder, const char *name, size_t value);
void grad_encoder_flag(grad_encoder *encoder, const char *name, bool value);

/* A member that is an object, whose members come between the two; its name is NULL for an element
 * of an array, before which a comma comes where it is needed. */
void grad_encoder_open(grad_encoder *encoder, const char *name);
void grad_encoder_close(grad_encoder *encoder);

/* Adds a tensor's member, which is called as the last part of field, to the object being written;
 * nothing where the tensor is absent. */
void grad_encoder_tensor(grad_encoder *encoder, const char *field, const grad_tensor *tensor,
                         size_t layer);

/* Adds a tensor as an element of an array, an output of the Open Inference Protocol: its name, its
 * datatype, its shape, and its numbers in one row or how many bytes behind the document they are;
 * nothing where the tensor is absent. name, which needs no escapes, and layer are for errors too.
 */
void grad_encoder_output(grad_encoder *encoder, const char *name, const grad_tensor *tensor,
                         size_t layer);

/* The document is complete. On a failure the encoder is destroyed. */
grad_status grad_encoder_seal(grad_encoder **encoder, grad_error *error);

/* Prints a piece of numbers, whose bound is given by grad_piece_bound. Returns the end of the text;
 * NULL and an error where a number may not be printed. */
char *grad_piece_print(const grad_piece *piece, const grad_number_format *format, char *buffer,
                       grad_error *error);
size_t grad_piece_bound(const grad_piece *piece, const grad_number_format *format);

/* The most bytes of one number and the comma behind it. */
size_t grad_number_bound(const grad_number_format *format);

/* ---- Single numbers, which may be ones that JSON has no spelling for ------------------------- */

/* Whether two numbers are the same, 0 and -0 being two. */
static inline bool grad_scalar_same(double a, double b)
{
    return a == b && (signbit(a) != 0) == (signbit(b) != 0);
}

/* The string that stands for a number that is not finite, without quotes. */
static inline const char *grad_scalar_literal(double value)
{
    return isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

/* Adds a number, or the string that stands for it. */
static inline void grad_text_scalar(grad_text *text, double value)
{
    if (isfinite(value))
        grad_text_number(text, value);
    else
        grad_text_string(text, grad_scalar_literal(value));
}

#endif
