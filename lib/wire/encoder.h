/* An encoder being built: a document is a list of pieces, literal text or a range of a tensor's
 * numbers, and segments are runs of pieces of about the same size. The writers say what a document
 * consists of; how numbers look is number_write.c's. */
#ifndef GRADIENT_WIRE_ENCODER_H
#define GRADIENT_WIRE_ENCODER_H

#include "gradient_wire.h"

/* Numbers in a segment: large enough that a segment's overhead is nothing, small enough that a few
 * workers share a document evenly. */
#define GRAD_SEGMENT_NUMBERS ((size_t)16384)

/* Either the bytes [begin, end) of the literal text (tensor NULL), or the elements [begin, end) of
 * a tensor with the brackets that belong to them. */
typedef struct grad_piece {
    size_t begin, end;
    const grad_tensor *tensor;
    size_t layer;      /* whose tensor it is, and */
    const char *field; /* the tensor's name: for errors. Static storage. */
} grad_piece;

grad_status grad_encoder_create(grad_non_finite policy, grad_encoder **encoder, grad_error *error);

/* Where literal text is added. Its status holds the failures of the functions below too. */
grad_text *grad_encoder_text(grad_encoder *encoder);

/* Begins a member of the object being written, with a comma where one came before. name needs no
 * escapes. */
void grad_encoder_member(grad_encoder *encoder, const char *name);

/* Adds the member of that name to the object of a layer; nothing where the tensor is absent. */
void grad_encoder_tensor(grad_encoder *encoder, const char *field, const grad_tensor *tensor,
                         size_t layer);

/* The document is complete. On a failure the encoder is destroyed. */
grad_status grad_encoder_seal(grad_encoder **encoder, grad_error *error);

/* Prints a piece of numbers, whose bound is given by grad_piece_bound. Returns the end of the text;
 * NULL and an error where a number may not be printed. */
char *grad_piece_print(const grad_piece *piece, grad_non_finite policy, char *buffer,
                       grad_error *error);
size_t grad_piece_bound(const grad_piece *piece);

#endif
