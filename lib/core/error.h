/* Filling in a grad_error. Every function writes only where error is not NULL and holds no error
 * yet (the first wins), and returns the status it was given, so that a caller can write `return
 * grad_fail(…)`. */
#ifndef GRAD_CORE_ERROR_H
#define GRAD_CORE_ERROR_H

#include "gradient.h"

/* An RFC 6901 pointer being passed to one of the functions below. */
typedef struct grad_pointer_text {
    char text[GRAD_POINTER_SIZE];
} grad_pointer_text;

/* A pointer that does not fit is cut back to the value that encloses it: right, but less exact. */
grad_pointer_text grad_pointer_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The text of such a pointer, alive until the end of the full expression:
 *     return grad_fail(error, GRAD_INVALID, "empty_tensor", GRAD_AT("/layers/%zu/input", i),
 *                      "expected at least one row, found %zu", rows); */
#define GRAD_AT(...) (grad_pointer_format(__VA_ARGS__).text)

/* An error at a pointer ("" where there is none), its place in the text unknown. */
grad_status grad_fail(grad_error *error, grad_status status, const char *code, const char *pointer,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));

/* An error at a pointer and a byte of the document. */
grad_status grad_fail_at_byte(grad_error *error, grad_status status, const char *code,
                              int64_t offset, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* GRAD_TOO_LARGE: a cap was hit. The code is the cap's name. */
grad_status grad_fail_limit(grad_error *error, const char *limit_name, uint64_t limit,
                            const char *pointer, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* GRAD_OUT_OF_MEMORY, code out_of_memory: that many bytes were asked for in vain. */
grad_status grad_fail_memory(grad_error *error, size_t bytes);

#endif
