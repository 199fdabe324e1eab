/* gradient.h: the backward pass of neural-network layers, batched. Arrays go in, arrays come out:
 *
 *     #include <gradient.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         float x[] = {1, 2, 3};               // one sample of 3 inputs
 *         float W[] = {1, 0, 0, 0, 1, 0};      // 2 outputs: a row each
 *         float b[] = {0, -3}, dy[] = {1, 10}; // dy is the loss's gradient by the outputs
 *         float dW[6], db[2];
 *         grad_error error = GRAD_ERROR_INIT;
 *         if (grad_dense_gradients(1, 3, 2, "relu", x, W, b, dy, dW, db, NULL, &error))
 *             return fprintf(stderr, "%s\n", error.detail), 1;
 *         printf("dW[0] = %g %g %g, db = %g %g\n", dW[0], dW[1], dW[2], db[0], db[1]);
 *         return 0; // dW[0] = 1 2 3, db = 1 0
 *     }
 *
 * Compile it with `cc program.c $(pkg-config --cflags --libs gradient)`. A grad_batch asks for
 * more: many layers at once, other kinds of layers, doubles, clipping, threads of your own. Losses,
 * whole networks and the check of a gradient are in gradient_network.h; JSON documents in
 * gradient_wire.h.
 *
 * The mathematics. B samples, K inputs, N outputs. Matrices are row-major; a batch has one sample a
 * row; W is [N,K], as in PyTorch's nn.Linear. States may have more axes in front of their last one:
 * [B,T,K] is B T samples in row-major order, whose answers come back in the same axes.
 *
 *     z = x Wᵀ + b        y = f(z)
 *     δ  = ∂L/∂z = ∂L/∂y ⊙ f'(z)                      [B,N]
 *     ΔW = ∂L/∂W = δᵀ x      (sum over the batch)      [N,K]
 *     Δb = ∂L/∂b = column sums of δ                    [N]
 *     ∂L/∂x      = δ W                                 [B,K]
 *
 * For one sample ΔW is the outer product (∇_y L ⊙ f'(z)) · xᵀ: the delta that updates W, not the
 * Jacobian of the layer, which would be a 3-D tensor. For softmax f' is a matrix J per sample and
 * δ = Jᵀ ∂L/∂y. docs/mathematics.md derives the other kinds of layers and every convention.
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

#include "gradient_core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAD_VERSION "0.1.0"

/* ---- Activations ----------------------------------------------------------------------------- */

/* The activations, y = f(z): the constant of each, GRAD_RELU, and its name in documents. Formulae,
 * parameters and derivatives are in grad_activation_info. prelu is leaky_relu whose slope has a
 * gradient: see grad_layer.slope. */
#define GRAD_ACTIVATIONS(X)                                                                        \
    X(IDENTITY, identity)                                                                          \
    X(RELU, relu)                                                                                  \
    X(RELU6, relu6)                                                                                \
    X(LEAKY_RELU, leaky_relu)                                                                      \
    X(PRELU, prelu)                                                                                \
    X(THRESHOLD, threshold)                                                                        \
    X(HARD_TANH, hard_tanh)                                                                        \
    X(HARD_SIGMOID, hard_sigmoid)                                                                  \
    X(HARDSWISH, hardswish)                                                                        \
    X(SOFTSHRINK, softshrink)                                                                      \
    X(HARDSHRINK, hardshrink)                                                                      \
    X(SQUARED_RELU, squared_relu)                                                                  \
    X(EXP, exp)                                                                                    \
    X(ELU, elu)                                                                                    \
    X(CELU, celu)                                                                                  \
    X(SELU, selu)                                                                                  \
    X(SIGMOID, sigmoid)                                                                            \
    X(LOG_SIGMOID, log_sigmoid)                                                                    \
    X(SOFTPLUS, softplus)                                                                          \
    X(SILU, silu)                                                                                  \
    X(MISH, mish)                                                                                  \
    X(TANH, tanh)                                                                                  \
    X(TANHSHRINK, tanhshrink)                                                                      \
    X(SOFTSIGN, softsign)                                                                          \
    X(SNAKE, snake)                                                                                \
    X(GELU, gelu)                                                                                  \
    X(GELU_TANH, gelu_tanh)                                                                        \
    X(QUICK_GELU, quick_gelu)                                                                      \
    X(SOFTMAX, softmax)                                                                            \
    X(LOG_SOFTMAX, log_softmax)                                                                    \
    X(SOFTMIN, softmin)

/* f of a layer. */
typedef enum grad_activation_kind {
#define GRAD_ACTIVATION_CONSTANT(CONSTANT, name) GRAD_##CONSTANT,
    GRAD_ACTIVATIONS(GRAD_ACTIVATION_CONSTANT)
#undef GRAD_ACTIVATION_CONSTANT
        GRAD_ACTIVATION_COUNT
} grad_activation_kind;

#define GRAD_MAX_PARAMETERS 2

/* An activation and its parameters, in the order of its grad_activation_info. Start from
 * grad_activation_default(). */
typedef struct grad_activation {
    grad_activation_kind kind;
    double parameters[GRAD_MAX_PARAMETERS]; /* rounded to float where the batch is FP32 */
} grad_activation;

/* Which values a parameter of an activation or a loss may have: finite ones, and of those … */
typedef enum grad_parameter_domain {
    GRAD_ANY_NUMBER,
    GRAD_POSITIVE,
    GRAD_NOT_NEGATIVE,
    GRAD_FRACTION, /* 0 to 1 */
    GRAD_FLAG,     /* false or true, as 0 or 1 */
    GRAD_INTEGER
} grad_parameter_domain;

/* One parameter of an activation or a loss. */
typedef struct grad_parameter_info {
    const char *name; /* "negative_slope" */
    double default_value;
    grad_parameter_domain domain;
} grad_parameter_info;

/* One activation as people and programs read about it. Conventions at kinks are PyTorch's
 * (2.14). Where z is NaN, f and f' are NaN (but for identity's f', which is 1); at an infinity they
 * are their limits; a row of softmax, log_softmax or softmin that has no finite largest number
 * is NaN. hard_tanh's min_val may not be above max_val. */
typedef struct grad_activation_info {
    grad_activation_kind kind;
    const char *name;       /* "leaky_relu" */
    const char *formula;    /* "z > 0 ? z : negative_slope * z" */
    const char *derivative; /* "z > 0 ? 1 : negative_slope" */
    size_t parameter_count;
    grad_parameter_info parameters[GRAD_MAX_PARAMETERS];
    const char *const *synonyms; /* other names of exactly this function; ended by NULL */
} grad_activation_info;

/* The activation of that kind (kind < GRAD_ACTIVATION_COUNT). Static storage. */
GRAD_API const grad_activation_info *grad_activation_info_of(grad_activation_kind kind);

/* The activation of that name or synonym, or NULL. Capitals, '-', '_' and spaces do not count;
 * spellings that other libraries give to another function ("hardSigmoid", "leakyRelu") are none.
 * Static storage. */
GRAD_API const grad_activation_info *grad_activation_find(const char *name);

/* The activation with its default parameters. */
GRAD_API grad_activation grad_activation_default(grad_activation_kind kind);

/* y[B,N] = f(z[B,N]), within 4 units in the last place. y may be z. Softmax, log_softmax and
 * softmin are over the N features of each sample. */
GRAD_API void grad_activation_forward(const grad_activation *f, size_t B, size_t N, const float *z,
                                      float *y);

/* δ[B,N] = ∂L/∂y[B,N] ⊙ f'(z[B,N]); for softmax and its kin δ = Jᵀ ∂L/∂y. f' is within 4 units in
 * the last place where it is a normal number, within 1e-7 where it crosses 0, and the same bits on
 * every processor. delta may be grad_output. */
GRAD_API void grad_activation_backward(const grad_activation *f, size_t B, size_t N, const float *z,
                                       const float *grad_output, float *delta);

/* z[B,N] = x[B,K] W[N,K]ᵀ + b[N]. b may be NULL (no bias). Nothing overlaps z. */
GRAD_API void grad_dense_forward(size_t B, size_t K, size_t N, const float *x, const float *W,
                                 const float *b, float *z);

/* ---- One dense layer ------------------------------------------------------------------------- */

/* The gradients of y = f(x Wᵀ + b), given ∂L/∂y: the simple entry, one call for all of what follows
 * below. In: input x[B,K], weight W[N,K], bias b[N] (NULL: none), grad_output ∂L/∂y[B,N], and the
 * name of f ("relu"), which has its default parameters. Out: weight_delta ΔW[N,K] and bias_delta
 * Δb[N], summed over the batch, and grad_input ∂L/∂x[B,K]; one that is NULL is not worked out.
 * Outputs overlap nothing. Arrays stay the caller's. Thread-safe.
 * Errors: GRAD_INVALID unknown_name, missing_field (an array that is NULL), empty_tensor (K or N is
 * 0), non_finite (a NaN or infinity, in or out); GRAD_TOO_LARGE size_overflow; GRAD_OUT_OF_MEMORY.
 */
GRAD_API grad_status grad_dense_gradients(size_t B, size_t K, size_t N, const char *activation,
                                          const float *input, const float *weight,
                                          const float *bias, const float *grad_output,
                                          float *weight_delta, float *bias_delta, float *grad_input,
                                          grad_error *error);

/* ---- A batch of layers ----------------------------------------------------------------------- */

/* How the samples of a batch come together in the deltas. grad_input is per sample always. */
typedef enum grad_reduction {
    GRAD_SUM,       /* deltas are sums over the batch */
    GRAD_MEAN,      /* deltas are sums over the batch divided by B */
    GRAD_PER_SAMPLE /* "none": one delta a sample, [B,N,K] and [B,N] */
} grad_reduction;

/* What becomes of a number that is NaN or infinite. */
typedef enum grad_non_finite {
    GRAD_REJECT_NON_FINITE, /* a NaN or infinity, in or out, is an error that says where */
    GRAD_ALLOW_NON_FINITE
} grad_non_finite;

/* The tensors that a layer can be answered with: the constant of each, GRAD_WEIGHT_DELTA, and its
 * name in grad_layer_result and in documents. */
#define GRAD_OUTPUTS(X)                                                                            \
    X(WEIGHT_DELTA, weight_delta) /* ΔW [N,K] */                                                  \
    X(BIAS_DELTA, bias_delta)     /* Δb [N] */                                                    \
    X(GRAD_INPUT, grad_input)     /* ∂L/∂x [B,K] */                                            \
    X(SLOPE_DELTA, slope_delta)   /* of prelu's slope, in its shape: [1] or [N] */                 \
    X(GAIN_DELTA, gain_delta)     /* Δγ [N] of the norms */                                      \
    X(SHIFT_DELTA, shift_delta)   /* Δβ [N] */

/* A tensor of an answer. */
typedef enum grad_output_kind {
#define GRAD_OUTPUT_CONSTANT(CONSTANT, name) GRAD_##CONSTANT,
    GRAD_OUTPUTS(GRAD_OUTPUT_CONSTANT)
#undef GRAD_OUTPUT_CONSTANT
        GRAD_OUTPUT_COUNT
} grad_output_kind;

/* Its name in documents: "weight_delta". Static storage. */
GRAD_API const char *grad_output_name(grad_output_kind output);

/* What to compute, bits of grad_batch.outputs: GRAD_OUTPUT_WEIGHT_DELTA …; GRAD_OUTPUT_GRAD_INPUT
 * of a network is ∂L/∂x of its first layer. */
enum {
#define GRAD_OUTPUT_BIT(CONSTANT, name) GRAD_OUTPUT_##CONSTANT = 1 << GRAD_##CONSTANT,
    GRAD_OUTPUTS(GRAD_OUTPUT_BIT)
#undef GRAD_OUTPUT_BIT
        GRAD_OUTPUT_PREDICTIONS = 1 << GRAD_OUTPUT_COUNT /* y of a network's last layer */
};

/* The tensors that are a layer's parameters: the constant of each, GRAD_SLOT_WEIGHT, and its name
 * in grad_layer and in documents. Which of them a kind of layer has is in its grad_layer_info;
 * slope belongs to the activation prelu. */
#define GRAD_SLOTS(X)                                                                              \
    X(WEIGHT, weight)                                                                              \
    X(BIAS, bias)                                                                                  \
    X(SLOPE, slope)                                                                                \
    X(GAIN, gain)                                                                                  \
    X(SHIFT, shift)                                                                                \
    X(RUNNING_MEAN, running_mean)                                                                  \
    X(RUNNING_VARIANCE, running_variance)

/* A tensor of a layer's parameters. */
typedef enum grad_slot {
#define GRAD_SLOT_CONSTANT(CONSTANT, name) GRAD_SLOT_##CONSTANT,
    GRAD_SLOTS(GRAD_SLOT_CONSTANT)
#undef GRAD_SLOT_CONSTANT
        GRAD_SLOT_COUNT
} grad_slot;

/* Its name in documents: "weight". Static storage. */
GRAD_API const char *grad_slot_name(grad_slot slot);

/* The kinds of layers, by what makes z of x: the constant of each, GRAD_DENSE, and its name in
 * documents. Formulae and parameters are in grad_layer_info. K = N for all but the dense layer. */
#define GRAD_LAYER_KINDS(X)                                                                        \
    X(DENSE, dense)                                                                                \
    X(ELEMENTS, activation)                                                                        \
    X(LAYER_NORM, layer_norm)                                                                      \
    X(BATCH_NORM, batch_norm)                                                                      \
    X(RMS_NORM, rms_norm)                                                                          \
    X(GROUP_NORM, group_norm)

/* A kind of layer. */
typedef enum grad_layer_kind {
#define GRAD_LAYER_KIND_CONSTANT(CONSTANT, name) GRAD_##CONSTANT,
    GRAD_LAYER_KINDS(GRAD_LAYER_KIND_CONSTANT)
#undef GRAD_LAYER_KIND_CONSTANT
        GRAD_LAYER_KIND_COUNT
} grad_layer_kind;

/* What a layer is whose document does not say it, and one that is its activation alone. */
#define GRAD_DEFAULT_LAYER_KIND GRAD_DENSE
#define GRAD_PLAIN_LAYER_KIND GRAD_ELEMENTS

/* What makes z of x, for those who follow numbers through a layer. */
typedef enum grad_layer_map {
    GRAD_MAP_IDENTITY,
    GRAD_MAP_PRODUCT, /* with its essential slot, and a sum */
    GRAD_MAP_NORM /* z = γ x̂ + β with x̂ = (x - mean) / √(variance + ε): see grad_norm_info */
} grad_layer_map;

/* Which numbers of x a norm takes the mean and the variance of: sets of them, each by itself. */
typedef struct grad_norm_info {
    bool over_samples; /* a feature of all samples is a set, or has running values; else features
                        * of a sample are */
    bool uncentred;    /* the mean is taken for 0: x̂ = x / √(mean x² + ε) */
    size_t groups;     /* which attribute, counted from 1, is the number of groups that a sample's
                        * features are cut into, each a set; 0: all are one */
} grad_norm_info;

#define GRAD_MAX_LAYER_SLOTS 4
#define GRAD_MAX_ATTRIBUTES 2

/* A tensor that a kind of layer has. */
typedef struct grad_slot_info {
    grad_slot slot;
    const char *shape;      /* its axes: of N outputs or K inputs, or '*', as the tensor has it:
                             * "NK", "N", "N**" */
    grad_output_kind delta; /* its gradient; GRAD_OUTPUT_COUNT: it has none */
    bool is_essential;      /* without it z and ∂L/∂x cannot be worked out; its 'N' is N */
    bool delta_always;      /* it has a delta where it is absent too */
} grad_slot_info;

/* A number that a kind of layer has. */
typedef struct grad_attribute_info {
    const char *name; /* "epsilon" */
    size_t offset;    /* in grad_layer, where it is a double */
    /* By grad_datatype. NaN: there is none, it must be given. */
    double default_values[GRAD_DATATYPE_COUNT];
    bool is_count; /* a whole number, at least 1; else it is not negative */
} grad_attribute_info;

/* A kind of layer as people and programs read about it. */
typedef struct grad_layer_info {
    grad_layer_kind kind;
    const char *name;    /* "layer_norm" */
    const char *formula; /* of z: "x W^T + b" */
    grad_layer_map map;
    grad_norm_info norm;      /* of GRAD_MAP_NORM */
    bool may_lack_activation; /* documents may leave the activation out: it is identity */
    size_t slot_count;
    grad_slot_info slots[GRAD_MAX_LAYER_SLOTS];
    size_t attribute_count;
    grad_attribute_info attributes[GRAD_MAX_ATTRIBUTES];
    const char *const *synonyms; /* other names of exactly that kind; ended by NULL */
} grad_layer_info;

/* The kind of layer (kind < GRAD_LAYER_KIND_COUNT). Static storage. */
GRAD_API const grad_layer_info *grad_layer_info_of(grad_layer_kind kind);

/* The kind of layer of that name or synonym, or NULL. Capitals, '-', '_' and spaces do not count.
 * Static storage. */
GRAD_API const grad_layer_info *grad_layer_find(const char *name);

/* grad_layer.residual: what is added to a layer's output, in a network. */
#define GRAD_RESIDUAL_NONE ((size_t)0)
#define GRAD_RESIDUAL_INPUT ((size_t)1)               /* the network's input */
#define GRAD_RESIDUAL_OF(layer) ((size_t)2 + (layer)) /* the output of that earlier layer */

/* A layer: y = mask ⊙ f(z) / (1 - rate) + residual, its states as its forward pass left them, and
 * its parameters. Where input, pre_activation and grad_output are vectors, the batch is one sample
 * and grad_input is a vector too; where they have more than two axes, [B,T,K], all but the last are
 * the samples', alike in every state, mask and answer (batch_norm and group_norm take [B,N] only).
 * Absent: data is NULL. All but name, activation and input may be left out where what is said
 * behind them holds. */
typedef struct grad_layer {
    const char *name; /* UTF-8, or NULL */
    grad_layer_kind kind;
    grad_activation activation;
    grad_tensor input;          /* x [B,K]; in a network what the layer before it gave, if absent */
    grad_tensor pre_activation; /* z [B,N]; worked out from x and the parameters, if absent */
    grad_tensor grad_output;    /* ∂L/∂y [B,N]; never in a network */
    grad_tensor weight;         /* W [N,K], dense: for grad_input, decay, and where z is absent */
    grad_tensor bias;           /* b [N], dense: only where z is absent; if absent there is none */
    grad_tensor slope;          /* prelu: [1] or [N]; if absent its parameter, shared */
    grad_tensor gain;           /* γ [N], norms; if absent ones, without a delta */
    grad_tensor shift;          /* β [N], norms; if absent zeros, without a delta */
    grad_tensor running_mean;   /* [N], batch_norm's inference form: both or neither */
    grad_tensor running_variance;
    double epsilon;           /* of the norms, >= 0 */
    double groups;            /* of group_norm: how many N is cut into, a divisor of it */
    grad_tensor dropout_mask; /* [B,N], of zeros and ones as a rule; if absent nothing is dropped */
    double dropout_rate;      /* in [0, 1): what is kept is divided by 1 - rate */
    size_t residual;          /* GRAD_RESIDUAL_*; of the same width as y */
    const grad_error *error;  /* continue_on_error: this layer could not be read, and is answered
                               * with that error. Else NULL */
} grad_layer;

#define GRAD_DEFAULT_EPSILON 1e-5

/* That tensor of the layer, absent where its data is NULL. Points into the layer: it may be changed
 * where the layer may. */
GRAD_API const grad_tensor *grad_layer_slot(const grad_layer *layer, grad_slot slot);

/* One of the attributes of its kind, by its index in the grad_layer_info. */
GRAD_API double grad_layer_attribute(const grad_layer *layer, size_t index);

/* N of a layer with K inputs: the columns of its z. The kind has been checked, and the ranks of
 * pre_activation and of what the kind has. */
GRAD_API size_t grad_layer_columns(const grad_layer *layer, size_t K);

/* The parameters' deltas that a layer has, GRAD_OUTPUT_* bits; grad_input is not among them. */
GRAD_API unsigned grad_layer_deltas(const grad_layer *layer);

/* The shape, without numbers, of an output that a layer of these sizes has: of the sums over the
 * batch, and of one sample's ∂L/∂x. */
GRAD_API grad_tensor grad_layer_output_shape(const grad_layer *layer, size_t K, size_t N,
                                             grad_output_kind output);

/* Whether ∂L/∂x of the layer can be worked out. */
GRAD_API bool grad_layer_has_grad_input(const grad_layer *layer);

/* Bounds on the deltas of parameters, applied in this order before weight decay and scale; 0: none.
 * As PyTorch's clip_grad_value_ and clip_grad_norm_: the factor is max / (norm + 1e-6), at most 1,
 * and norms are l2. Under GRAD_PER_SAMPLE only value may be set. grad_input is never clipped. */
typedef struct grad_clip {
    double value;       /* largest |element| */
    double layer_norm;  /* norm of all deltas of one layer together */
    double global_norm; /* norm of all deltas of all layers together */
} grad_clip;

/* Added to weight_delta: l1 sign(W) + l2 W. Needs the weight of each dense layer; not under
 * GRAD_PER_SAMPLE. */
typedef struct grad_decay {
    double l1, l2;
} grad_decay;

/* How a reply spells its tensors: as nested arrays of numbers, or as their bytes, little-endian, in
 * base64, behind the document, or as safetensors, whose metadata has the document. */
typedef enum grad_encoding {
    GRAD_ENCODING_JSON,
    GRAD_ENCODING_BASE64,
    GRAD_ENCODING_BINARY,
    GRAD_ENCODING_SAFETENSORS
} grad_encoding;

#define GRAD_ENCODING_COUNT 4

/* What the numbers of a tensor are that is spelled as bytes. */
typedef enum grad_wire_datatype {
    GRAD_WIRE_COMPUTED, /* what the batch is computed in */
    GRAD_WIRE_FP32,
    GRAD_WIRE_FP64,
    GRAD_WIRE_FP16,
    GRAD_WIRE_BF16
} grad_wire_datatype;

#define GRAD_WIRE_DATATYPE_COUNT 5

/* What to compute, over which layers. The batch views the caller's memory and owns none.
 *     delta = scale (clip(reduction of the samples' deltas) + decay) */
typedef struct grad_batch {
    const char *id; /* UTF-8, or NULL; echoed in replies */
    grad_datatype datatype;
    grad_reduction reduction;
    double scale;     /* multiplies the deltas. Set it: 1 for plain gradients, 0 gives zeros.
                       * It multiplies finished sums: one that overflows stays infinite. grad_input
                       * is never scaled */
    unsigned outputs; /* GRAD_OUTPUT_* bits; 0: every delta a layer has, and grad_input where the
                       * weights for it are given */
    grad_non_finite non_finite;
    bool overwrite_grad_output; /* δ may be written over grad_output: saves [B,N] a layer */
    bool statistics;
    bool no_notes;          /* nothing is noted in the reply: see grad_reply_note */
    bool continue_on_error; /* a layer whose own values are wrong is answered with its error */
    grad_encoding encoding; /* of the reply's tensors */
    bool is_of_activation;  /* of is_inference: the model's name ends with the activation's */
    bool is_inference;      /* the reply is the Open Inference Protocol's, of one layer; its
                             * encoding is not GRAD_ENCODING_BASE64 */
    grad_wire_datatype encoding_datatype; /* FP16 and BF16 round once, to nearest and ties to even;
                                           * not of GRAD_ENCODING_JSON. Or GRAD_WIRE_COMPUTED */
    grad_clip clip;
    grad_decay weight_decay;
    size_t layer_count;
    grad_layer *layers;
    const struct grad_network *network; /* NULL: the layers are independent of each other */
} grad_batch;

/* What services and tools take for max_result_numbers unless they are told otherwise. */
#define GRAD_DEFAULT_MAX_RESULT_NUMBERS 67108864

/* Caps of a computation. Start from GRAD_LIMITS_INIT: no caps. 0 means no cap of that name. */
typedef struct grad_limits {
    size_t size; /* of the struct: see grad_options_read */
    size_t max_layers;
    size_t max_result_numbers; /* elements of all outputs together */
    size_t max_check_flops;    /* of a check: see grad_check_measure; 0: the default */
} grad_limits;

#define GRAD_LIMITS_INIT                                                                           \
    {                                                                                              \
        sizeof(grad_limits), 0, 0, 0                                                               \
    }

/* What a batch asks for, known before memory for its numbers is allocated. */
typedef struct grad_measure {
    size_t result_numbers; /* elements of all outputs together */
    size_t memory;         /* bytes that the plan and its run hold together, at most */
    double flops;          /* multiply-adds of the products, counted as two */
    double elements;       /* worked out by activations, norms and losses */
} grad_measure;

/* Of the numbers of one tensor as answered. */
typedef struct grad_statistics {
    double l2_norm;    /* √Σ x² */
    double max_abs;    /* 0 where there are none */
    size_t non_finite; /* how many are NaN or infinite; the two above are over all of them */
} grad_statistics;

/* What clipping did; all zero but the factors (1) where nothing was clipped. */
typedef struct grad_clip_report {
    size_t clipped_values; /* elements beyond clip.value */
    double norm;           /* after clipping by value, before clipping by norm */
    double factor;         /* what the norm's clipping multiplied with */
} grad_clip_report;

/* The answer for one layer. Those not asked for are absent. */
typedef struct grad_layer_result {
    const char *name;         /* the layer's, borrowed from the batch */
    grad_tensor weight_delta; /* ΔW [N,K], or [B,N,K] under GRAD_PER_SAMPLE */
    grad_tensor bias_delta;   /* Δb [N], or [B,N] */
    grad_tensor grad_input;   /* ∂L/∂x [B,K], or [K] for a batch of one given as vectors */
    grad_tensor slope_delta;  /* [1] or [N], or [B,1] or [B,N] */
    grad_tensor gain_delta;   /* Δγ [N], or [B,N] */
    grad_tensor shift_delta;  /* Δβ [N], or [B,N] */
    bool has_statistics;
    grad_statistics statistics[GRAD_OUTPUT_COUNT]; /* of the tensors that are present */
    double
        zero_derivative; /* share of the elements of z where f'(z) = 0; negative: f' is a matrix */
    bool has_clipping;
    grad_clip_report clipping;
    const grad_error *error; /* continue_on_error: why there is nothing else; or NULL */
} grad_layer_result;

/* One of its tensors. */
GRAD_API const grad_tensor *grad_layer_result_tensor(const grad_layer_result *result,
                                                     grad_output_kind output);

/* Something of a request that is legal and surely not what was meant. docs/api.md has the codes. */
typedef struct grad_reply_note {
    const char *code;    /* stable, for programs: "mean_of_mean" */
    const char *detail;  /* for people */
    const char *pointer; /* RFC 6901, where in the request */
} grad_reply_note;

/* As many are told; the first ones. */
#define GRAD_MAX_NOTES 8

/* The longest detail of one, its terminating NUL included. */
#define GRAD_NOTE_DETAIL_SIZE 224

/* The whole answer: computed by a run, which owns it and all it points to, or read from a document
 * by a decoder, which then does. */
typedef struct grad_reply {
    const char *id; /* or NULL */
    size_t layer_count;
    grad_layer_result *layers;
    /* Of a network only: */
    bool has_loss;
    double loss;             /* reduced; not under GRAD_LOSS_NONE */
    double loss_divisor;     /* of the mean, as gradient_network.h says; else 1; 0 without a loss */
    grad_tensor losses;      /* GRAD_LOSS_NONE: [B] or [B,N], as docs/mathematics.md says */
    grad_tensor predictions; /* y of the last layer [B,N] */
    grad_tensor grad_input;  /* ∂L/∂x of the network [B,K] */
    /* Of both: */
    bool has_statistics;
    grad_statistics statistics; /* of all outputs of all layers together */
    double zero_derivative;     /* of all element-wise activations together; negative: of none */
    bool has_clipping;
    grad_clip_report clipping; /* by the global norm; clipped_values of all layers */
    size_t note_count;
    const grad_reply_note *notes; /* NULL where there are none */
} grad_reply;

/* A batch that was asked every question there is, measured, and laid out: where each array will lie
 * and what is to be done, in which order. It holds no numbers of the batch. */
typedef struct grad_plan grad_plan;

/* Makes the plan of a batch (shapes, options, caps, finite values under reject). Reads the tensors.
 * batch and its arrays must outlive the plan, unchanged. The caller owns *plan, and gives it to
 * grad_run_create or destroys it.
 * A batch may be of no samples: an axis of 0 before the last of its states, whose data are not NULL
 * all the same. Its deltas are zeros.
 * limits may be NULL: no caps.
 * Errors: GRAD_INVALID shape_mismatch, empty_tensor, missing_field, bad_parameter, non_finite …;
 * GRAD_TOO_LARGE max_layers, max_result_numbers, or a size that overflows; GRAD_OUT_OF_MEMORY. */
GRAD_API grad_status grad_plan_create(const grad_batch *batch, const grad_limits *limits,
                                      grad_plan **plan, grad_error *error);

/* The same without a question, of a batch that differs in numbers alone from one that was accepted.
 * continue_on_error must be off. Errors: GRAD_TOO_LARGE size_overflow; GRAD_OUT_OF_MEMORY. */
GRAD_API grad_status grad_plan_create_trusted(const grad_batch *batch, grad_plan **plan,
                                              grad_error *error);

/* What the plan's batch asks for. Owned by the plan. */
GRAD_API const grad_measure *grad_plan_measure(const grad_plan *plan);

/* Bytes that making the plan of a batch takes; the plan takes no more. In proportion to its layers,
 * and told from their number and the options alone, before any question. */
GRAD_API size_t grad_plan_memory(const grad_batch *batch);

/* Frees a plan that was not given to a run. NULL is fine. */
GRAD_API void grad_plan_destroy(grad_plan *plan);

/* The measure of a plan that is made and freed. Errors: as grad_plan_create. */
GRAD_API grad_status grad_batch_measure(const grad_batch *batch, const grad_limits *limits,
                                        grad_measure *measure, grad_error *error);

/* A planned batch being computed: its results in one block of memory, and the work cut into tiles.
 * The work is a sequence of stages; the tiles of one stage are independent, and may run in any
 * order and on any threads; a stage begins when the one before it is complete. */
typedef struct grad_run grad_run;

/* Allocates the run of a plan, which it takes over whether it succeeds or not. The plan's batch and
 * its arrays must outlive the run. The caller owns *run and destroys it. Errors:
 * GRAD_OUT_OF_MEMORY. */
GRAD_API grad_status grad_run_create(grad_plan *plan, grad_run **run, grad_error *error);

/* Stages of the run; at least 1. */
GRAD_API size_t grad_run_stage_count(const grad_run *run);

/* Tiles of that stage; at least 1. */
GRAD_API size_t grad_run_tile_count(const grad_run *run, size_t stage);

/* Computes one tile, once. Thread-safe for different tiles of the same stage. */
GRAD_API void grad_run_tile(grad_run *run, size_t stage, size_t tile);

/* After the last tile: under reject, whether every output is finite. Errors: GRAD_INVALID
 * non_finite, naming the first in the order of the results (its place in the answer; of a loss the
 * sample, why, and the place of its target in the request); with continue_on_error that error is
 * the layer's, and only one of the whole (loss, predictions, …) is returned; GRAD_OUT_OF_MEMORY,
 * where there is something to note, which takes 3 KiB besides what was measured. */
GRAD_API grad_status grad_run_finish(grad_run *run, grad_error *error);

/* Every tile in order, then grad_run_finish. */
GRAD_API grad_status grad_run_all(grad_run *run, grad_error *error);

/* The answer, one result a layer, in order. Owned by the run. */
GRAD_API const grad_reply *grad_run_reply(const grad_run *run);

/* Frees the run, its plan and its results. NULL is fine. */
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
