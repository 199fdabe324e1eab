/* libgradient: the backward pass of dense layers, batched. This header is the manual: the types
 * that cross the library's border and the functions that compute. What lives here is mathematics
 * and memory; documents (JSON) are in gradient_wire.h, and nothing here knows of HTTP.
 *
 * The mathematics. B samples, K inputs, N outputs. Matrices are row-major; a batch has one sample a
 * row; W is [N,K], as in PyTorch's nn.Linear.
 *
 *     z = x Wᵀ + b        y = f(z)
 *     δ  = ∂L/∂z = ∂L/∂y ⊙ f'(z)                      [B,N]
 *     ΔW = ∂L/∂W = δᵀ x      (sum over the batch)      [N,K]
 *     Δb = ∂L/∂b = column sums of δ                    [N]
 *     ∂L/∂x      = δ W                                 [B,K]
 *
 * For one sample ΔW is the outer product (∇_y L ⊙ f'(z)) · xᵀ: the delta that updates W, not the
 * Jacobian of the layer, which would be a 3-D tensor. For softmax f' is a matrix J per sample and
 * δ = Jᵀ ∂L/∂y.
 *
 * Ground rules
 * - A function that can fail returns a grad_status and takes the error object last. Outputs are
 *   written on success only. The error argument may be NULL.
 * - The library never logs, exits, prints, reads the environment or holds mutable globals. Distinct
 *   objects may be used from distinct threads at once; one object by one thread at a time, unless
 *   a function says otherwise.
 * - The matrix products are OpenBLAS's. Set OPENBLAS_NUM_THREADS=1 in the environment before the
 *   process starts: parallelism comes from running tiles (below) on threads of your own.
 * - The same batch gives the same bits whatever the number of threads and the order of the tiles.
 */
#ifndef GRADIENT_H
#define GRADIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GRAD_VERSION "0.1.0"

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

/* ---- Tensors --------------------------------------------------------------------------------- */

#define GRAD_MAX_RANK 3

/* A view of numbers in row-major order; who owns them is said where a tensor is used.
 * data == NULL: the tensor is absent. A vector [n] has rank 1. */
typedef struct grad_tensor {
    float *data;
    size_t rank;
    size_t shape[GRAD_MAX_RANK];
} grad_tensor;

/* Number of elements: the product of the shape, 0 where the tensor is absent. */
GRAD_API size_t grad_tensor_count(const grad_tensor *tensor);

/* ---- Activations ----------------------------------------------------------------------------- */

typedef enum grad_activation_kind {
    GRAD_IDENTITY,
    GRAD_RELU,
    GRAD_RELU6,
    GRAD_LEAKY_RELU,
    GRAD_THRESHOLD,
    GRAD_HARD_TANH,
    GRAD_HARD_SIGMOID,
    GRAD_HARDSWISH,
    GRAD_SOFTSHRINK,
    GRAD_HARDSHRINK,
    GRAD_EXP,
    GRAD_ELU,
    GRAD_CELU,
    GRAD_SELU,
    GRAD_SIGMOID,
    GRAD_LOG_SIGMOID,
    GRAD_SOFTPLUS,
    GRAD_SILU,
    GRAD_MISH,
    GRAD_TANH,
    GRAD_TANHSHRINK,
    GRAD_SOFTSIGN,
    GRAD_GELU,
    GRAD_GELU_TANH,
    GRAD_SOFTMAX,
    GRAD_LOG_SOFTMAX,
    GRAD_SOFTMIN,
    GRAD_ACTIVATION_COUNT
} grad_activation_kind;

#define GRAD_MAX_PARAMETERS 2

/* An activation and its parameters, in the order of its grad_activation_info. Start from
 * grad_activation_default(). */
typedef struct grad_activation {
    grad_activation_kind kind;
    float parameters[GRAD_MAX_PARAMETERS];
} grad_activation;

typedef struct grad_parameter_info {
    const char *name; /* "negative_slope" */
    float default_value;
    bool positive; /* the value must be > 0; otherwise any finite value will do */
} grad_parameter_info;

/* One activation as people and programs read about it. Conventions at kinks are PyTorch's (1.13),
 * those of its vector code where its scalar code differs (hardswish at 3). A z that is NaN passes
 * through the smooth activations; the piecewise ones treat it as their comparisons come out. */
typedef struct grad_activation_info {
    grad_activation_kind kind;
    const char *name;       /* "leaky_relu" */
    const char *formula;    /* "z > 0 ? z : negative_slope * z" */
    const char *derivative; /* "z > 0 ? 1 : negative_slope" */
    size_t parameter_count;
    grad_parameter_info parameters[GRAD_MAX_PARAMETERS];
} grad_activation_info;

/* The activation of that kind (kind < GRAD_ACTIVATION_COUNT). Static storage. */
GRAD_API const grad_activation_info *grad_activation_info_of(grad_activation_kind kind);

/* The activation of that name, or NULL. Static storage. */
GRAD_API const grad_activation_info *grad_activation_find(const char *name);

/* The activation with its default parameters. */
GRAD_API grad_activation grad_activation_default(grad_activation_kind kind);

/* y[B,N] = f(z[B,N]), worked out in double and rounded once. y may be z. Softmax, log_softmax and
 * softmin are over the N features of each sample. */
GRAD_API void grad_activation_forward(const grad_activation *f, size_t B, size_t N, const float *z,
                                      float *y);

/* δ[B,N] = ∂L/∂y[B,N] ⊙ f'(z[B,N]); for softmax and its kin δ = Jᵀ ∂L/∂y. Worked out in double and
 * rounded once; the same bits on every processor. delta may be grad_output. */
GRAD_API void grad_activation_backward(const grad_activation *f, size_t B, size_t N, const float *z,
                                       const float *grad_output, float *delta);

/* z[B,N] = x[B,K] W[N,K]ᵀ + b[N]. b may be NULL (no bias). Nothing overlaps z. */
GRAD_API void grad_dense_forward(size_t B, size_t K, size_t N, const float *x, const float *W,
                                 const float *b, float *z);

/* ---- A batch of layers ----------------------------------------------------------------------- */

typedef enum grad_reduction {
    GRAD_SUM, /* deltas are sums over the batch */
    GRAD_MEAN /* deltas are sums over the batch divided by B */
} grad_reduction;

typedef enum grad_non_finite {
    GRAD_REJECT_NON_FINITE, /* a NaN or infinity, in or out, is an error that says where */
    GRAD_ALLOW_NON_FINITE
} grad_non_finite;

/* What to compute, bits of grad_batch.outputs. */
enum { GRAD_OUTPUT_WEIGHT_DELTA = 1, GRAD_OUTPUT_BIAS_DELTA = 2, GRAD_OUTPUT_GRAD_INPUT = 4 };

/* The states of one layer, as its forward pass left them. Where input, pre_activation and
 * grad_output are vectors, the batch is one sample and grad_input is a vector too. */
typedef struct grad_layer {
    const char *name; /* UTF-8, or NULL */
    grad_activation activation;
    grad_tensor input;          /* x [B,K] */
    grad_tensor pre_activation; /* z [B,N] */
    grad_tensor grad_output;    /* ∂L/∂y [B,N] */
    grad_tensor weight;         /* W [N,K]; only for grad_input, else absent */
} grad_layer;

/* What to compute, over which layers. The batch views the caller's memory and owns none. */
typedef struct grad_batch {
    const char *id; /* UTF-8, or NULL; echoed in replies */
    grad_reduction reduction;
    double scale;     /* multiplies the deltas. Set it: 1 for plain gradients, 0 gives zeros.
                       * It multiplies finished float32 sums: one that overflows float32 stays
                       * infinite. grad_input is never scaled */
    unsigned outputs; /* GRAD_OUTPUT_* bits; 0: the deltas, and grad_input where weight is given */
    grad_non_finite non_finite;
    bool overwrite_grad_output; /* δ may be written over grad_output: saves [B,N] a layer */
    size_t layer_count;
    grad_layer *layers;
} grad_batch;

/* What services and tools take for max_result_numbers unless they are told otherwise. */
#define GRAD_DEFAULT_MAX_RESULT_NUMBERS ((size_t)1 << 26)

/* Caps of a computation. 0 means no cap of that name. */
typedef struct grad_limits {
    size_t max_layers;
    size_t max_result_numbers; /* elements of all outputs together */
} grad_limits;

/* What a batch asks for, known before anything is allocated. */
typedef struct grad_measure {
    size_t result_numbers; /* elements of all outputs together */
    size_t memory;         /* bytes that grad_run_create will allocate */
    double flops;          /* multiply-adds of the products, counted as two */
} grad_measure;

/* The answer for one layer. Tensors view the run's memory; those not asked for are absent. */
typedef struct grad_layer_result {
    const char *name;         /* the layer's, borrowed from the batch */
    grad_tensor weight_delta; /* ΔW [N,K] */
    grad_tensor bias_delta;   /* Δb [N] */
    grad_tensor grad_input;   /* ∂L/∂x [B,K], or [K] for a batch of one given as vectors */
} grad_layer_result;

/* Asks every question there is of a batch (shapes, options, caps, finite values under reject) and
 * sizes it. Reads the tensors, allocates nothing.
 * Errors: GRAD_INVALID shape_mismatch, empty_tensor, missing_field, bad_parameter, non_finite …;
 * GRAD_TOO_LARGE max_layers, max_result_numbers, or a size that overflows. */
GRAD_API grad_status grad_batch_measure(const grad_batch *batch, const grad_limits *limits,
                                        grad_measure *measure, grad_error *error);

/* A measured batch being computed: its results in one block of memory, and the work cut into tiles.
 * The work is a sequence of stages; the tiles of one stage are independent, and may run in any
 * order and on any threads; a stage begins when the one before it is complete. */
typedef struct grad_run grad_run;

/* Allocates the run for a batch that grad_batch_measure accepted. batch and its arrays must outlive
 * the run. The caller owns *run and destroys it. Errors: GRAD_OUT_OF_MEMORY. */
GRAD_API grad_status grad_run_create(const grad_batch *batch, grad_run **run, grad_error *error);

#define GRAD_RUN_STAGES 2 /* δ of every layer, then the outputs */

/* Tiles of that stage; at least 1. */
GRAD_API size_t grad_run_tile_count(const grad_run *run, size_t stage);

/* Computes one tile, once. Thread-safe for different tiles of the same stage. */
GRAD_API void grad_run_tile(grad_run *run, size_t stage, size_t tile);

/* After the last tile: under reject, whether every output is finite. Errors: GRAD_INVALID
 * non_finite, naming the first in the order of the results. */
GRAD_API grad_status grad_run_finish(grad_run *run, grad_error *error);

/* Every tile in order, then grad_run_finish. */
GRAD_API grad_status grad_run_all(grad_run *run, grad_error *error);

/* One result a layer, in order: batch->layer_count of them. Owned by the run. */
GRAD_API const grad_layer_result *grad_run_results(const grad_run *run);

/* Frees the run and its results. NULL is fine. */
GRAD_API void grad_run_destroy(grad_run *run);

/* ---- The ground ------------------------------------------------------------------------------ */

/* Whether the BLAS beneath may be called from several threads: asks it (OpenBLAS's serial flavour
 * answers no) and compares products computed by two threads at once with one's. Takes a few
 * milliseconds; meant for the start of a service. Errors: GRAD_INVALID unsafe_blas. */
GRAD_API grad_status grad_self_test(grad_error *error);

#ifdef __cplusplus
}
#endif
#endif
