/* The decoder's oracle: jansson's tree of the whole document, read as naively as can be. Used by
 * the unit tests and by the fuzzing harness; asserts nothing itself, says what is wrong. */
#ifndef TESTS_SUPPORT_WIRE_ORACLE_H
#define TESTS_SUPPORT_WIRE_ORACLE_H

#include "gradient_wire.h"

typedef enum wire_kind { WIRE_GRADIENTS, WIRE_BACKPROP, WIRE_CHECK } wire_kind;

/* What a document is read as. */
typedef struct wire_form {
    wire_kind kind;
    grad_datatype datatype;
} wire_form;

/* Those that a document of any content is tried as. */
enum { WIRE_FORMS = 4 };
extern const wire_form wire_forms[WIRE_FORMS];

/* A document decoded as a request. batch and check are the decoder's, NULL where status is not
 * GRAD_OK; check is NULL where the document was not read as one. */
typedef struct wire_outcome {
    grad_status status;
    grad_error error;
    grad_decoder *decoder;
    grad_batch *batch;
    grad_check_request *check;
} wire_outcome;

/* How a document is cut into pieces: all of that size, 0 for not at all, or at random. */
#define WIRE_CUT_RANDOM ((size_t)-1)

/* The caller destroys outcome.decoder. limits may be NULL. */
wire_outcome wire_decode_as(wire_form form, const char *text, size_t length, size_t cut,
                            const grad_wire_limits *limits);

/* The same for a body of /v1/gradients in floats. */
wire_outcome wire_decode(const char *text, size_t length, size_t cut,
                         const grad_wire_limits *limits);

/* NULL where two batches are the same to the bit, but for overwrite_grad_output; else what
 * differs. */
const char *wire_batches_differ(const grad_batch *a, const grad_batch *b);

/* NULL where two outcomes are the same, to the bit and to the error's byte; else what differs. */
const char *wire_outcomes_differ(const wire_outcome *a, const wire_outcome *b);

/* Decodes the document in every way of cutting, and compares with jansson: what it refuses is
 * refused, what it accepts is never malformed, and what is read has the tree's values. Returns NULL
 * or what is wrong. */
const char *wire_oracle_check(wire_form form, const char *text, size_t length);

#endif
