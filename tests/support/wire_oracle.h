/* The decoder's oracle: jansson's tree of the whole document. Used by the unit tests and by the
 * fuzzing harness; asserts nothing itself, says what is wrong. */
#ifndef TESTS_SUPPORT_WIRE_ORACLE_H
#define TESTS_SUPPORT_WIRE_ORACLE_H

#include "gradient_wire.h"

/* A document decoded as a request. batch is the decoder's, NULL where status is not GRAD_OK. */
typedef struct wire_outcome {
    grad_status status;
    grad_error error;
    grad_decoder *decoder;
    grad_batch *batch;
} wire_outcome;

/* How a document is cut into pieces: all of that size, 0 for not at all, or at random. */
#define WIRE_CUT_RANDOM ((size_t)-1)

/* The caller destroys outcome.decoder. limits may be NULL. */
wire_outcome wire_decode(const char *text, size_t length, size_t cut,
                         const grad_wire_limits *limits);

/* NULL where two outcomes are the same, to the bit and to the error's byte; else what differs. */
const char *wire_outcomes_differ(const wire_outcome *a, const wire_outcome *b);

/* Decodes the document in every way of cutting, and compares with jansson: what it refuses is
 * refused, what it accepts is never malformed, and what is read has the tree's values. Returns NULL
 * or what is wrong. */
const char *wire_oracle_check(const char *text, size_t length);

#endif
