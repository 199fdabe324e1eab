/* gradient_core.h: the errors and tensors of the other public headers, which include it.
 *
 *     #include <gradient_core.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         float numbers[] = {1, 2, 3, 4, 5, 6};
 *         grad_tensor matrix = {numbers, 2, {2, 3}}; // rank 2: two rows of three
 *         grad_error error = GRAD_ERROR_INIT;        // what a function writes when it fails
 *         printf("%zu numbers, status %d\n", grad_tensor_count(&matrix), error.status);
 *         return 0; // 6 numbers, status 0
 *     }
 */
#ifndef GRADIENT_CORE_H
#define GRADIENT_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what the shared library exports; everything else in it is hidden. */
#if defined(__GNUC__)
#define GRAD_API __attribute__((visibility("default")))
#else
#define GRAD_API
#endif

/* ---- Errors ---------------------------------------------------------------------------------- */

/* What kind of thing went wrong; the error object says which thing, and where. */
typedef enum grad_status {
    GRAD_OK = 0,
    GRAD_OUT_OF_MEMORY, /* an allocation failed; the same call may succeed later */
    GRAD_MALFORMED,     /* the document is not what its grammar says (JSON) */
    GRAD_INVALID,       /* well-formed but wrong: a shape, a name, a value, a field */
    GRAD_TOO_LARGE      /* over a cap, whose name and value the error holds */
} grad_status;

#define GRAD_CODE_SIZE 40
#define GRAD_POINTER_SIZE 128
#define GRAD_DETAIL_SIZE 320
#define GRAD_OFFSET_UNKNOWN (-1)

/* An error, on the caller's stack. Start from GRAD_ERROR_INIT; the first error written wins, later
 * ones are dropped, so that the cause is kept and not its consequences. */
typedef struct grad_error {
    grad_status status;
    char code[GRAD_CODE_SIZE];       /* stable, for programs: "shape_mismatch" */
    char pointer[GRAD_POINTER_SIZE]; /* RFC 6901, where in the document; "" is the whole of it */
    char detail[GRAD_DETAIL_SIZE];   /* for people: what was expected and what was found */
    int64_t offset;                  /* byte in the document, or GRAD_OFFSET_UNKNOWN */
    char limit_name[GRAD_CODE_SIZE]; /* the cap that was hit, or "" */
    uint64_t limit;                  /* its value */
} grad_error;

/* Positional, so that C++ before C++20 takes it. */
#define GRAD_ERROR_INIT                                                                            \
    {                                                                                              \
        GRAD_OK, "", "", "", GRAD_OFFSET_UNKNOWN, "", 0                                            \
    }

/* ---- Options --------------------------------------------------------------------------------- */

/* A struct of options begins with its size, which its initialiser sets (GRAD_LIMITS_INIT …), and
 * new fields are added at its end: a program that was compiled with fewer gets the defaults of the
 * rest. What reads one does it by this function: options, which starts with its own size, holds the
 * defaults, and gets what given holds, which is such a struct of any version, or NULL; name is the
 * struct's, for the error. Errors: GRAD_INVALID bad_parameter (a size that was never set),
 * unsupported_value (a field that is set and lies behind the last one of options). */
GRAD_API grad_status grad_options_read(const char *name, const void *given, void *options,
                                       grad_error *error);

/* ---- Names ----------------------------------------------------------------------------------- */

/* Insertions, deletions, replacements and swaps of neighbours that lead from one name to the other;
 * capitals, '-', '_' and spaces do not count. SIZE_MAX where one has more than 63 letters. */
GRAD_API size_t grad_name_distance(const char *a, const char *b);

/* ---- Tensors --------------------------------------------------------------------------------- */

#define GRAD_MAX_RANK 5

/* What the numbers of a batch are, all of them: float or double. FP64 is for checking gradients,
 * not for speed. */
typedef enum grad_datatype { GRAD_FP32, GRAD_FP64 } grad_datatype;

#define GRAD_DATATYPE_COUNT 2

/* Bytes of one number. */
GRAD_API size_t grad_datatype_size(grad_datatype datatype);

/* A view of numbers in row-major order; who owns them is said where a tensor is used, and whether
 * data points to float or double by the datatype of the batch it belongs to.
 * data == NULL: the tensor is absent. A vector [n] has rank 1. */
typedef struct grad_tensor {
    void *data;
    size_t rank;
    size_t shape[GRAD_MAX_RANK];
} grad_tensor;

/* Number of elements: the product of the shape, 0 where the tensor is absent. */
GRAD_API size_t grad_tensor_count(const grad_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
