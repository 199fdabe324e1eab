/* What the codings have in common: their errors. */
#ifndef GRADIENTD_CODING_H
#define GRADIENTD_CODING_H

#include "gradient_wire.h"

/* What is found of a body that ends before its coding does. */
#define CODING_CUT_OFF "its end too early: the body is cut off"

/* 400 malformed_encoding: "expected gzip (RFC 1952), found " and what was found. */
grad_status coding_fail(grad_error *error, const char *expected, const char *found);

grad_status coding_fail_memory(grad_error *error);

#endif
