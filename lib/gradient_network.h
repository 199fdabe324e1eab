/* gradient_network.h: losses, whole networks, and the check of a gradient. A network is a
 * grad_batch (gradient.h) whose layers are chained: the output of each is the input of the next.
 *
 *     #include <gradient_network.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         float x[] = {1, 2}, W[] = {1, 1}, t[] = {1}; // one sample, one layer, its target
 *         grad_layer layer = {.activation = grad_activation_default(GRAD_IDENTITY),
 *                             .weight = {W, 2, {1, 2}}};
 *         grad_network network = {.input = {x, 2, {1, 2}}, .loss = grad_loss_default(GRAD_MSE)};
 *         grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer, .network = &network};
 *         grad_error error = GRAD_ERROR_INIT;
 *         grad_plan *plan;
 *         grad_run *run = NULL;
 *         network.loss.target = (grad_tensor){t, 2, {1, 1}};
 *         if (grad_plan_create(&batch, NULL, &plan, &error) ||
 *             grad_run_create(plan, &run, &error) || grad_run_all(run, &error))
 *             return fprintf(stderr, "%s\n", error.detail), 1;
 *         const grad_reply *reply = grad_run_reply(run);
 *         const float *dW = reply->layers[0].weight_delta.data;
 *         printf("loss %g, dW = %g %g\n", reply->loss, dW[0], dW[1]);
 *         grad_run_destroy(run);
 *         return 0; // loss 4, dW = 4 8
 *     }
 *
 * Runs are made, cut into tiles and read as those of independent layers are, and the same layers
 * one by one give the same bits. The rules of gradient.h hold here too.
 */
#ifndef GRADIENT_NETWORK_H
#define GRADIENT_NETWORK_H

#include "gradient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Losses ---------------------------------------------------------------------------------- */

/* The losses: the constant of each, GRAD_MSE, and its name in documents. y is the network's output
 * [B,N], t the target. Definitions and conventions are PyTorch's, where it has the loss; formulae
 * in docs/mathematics.md and grad_loss_info. */
#define GRAD_LOSSES(X)                                                                             \
    X(MSE, mse)                                                                                    \
    X(L1, l1)                                                                                      \
    X(SMOOTH_L1, smooth_l1)                                                                        \
    X(HUBER, huber)                                                                                \
    X(LOG_COSH, log_cosh)                                                                          \
    X(BINARY_CROSS_ENTROPY, binary_cross_entropy) /* of probabilities */                           \
    X(BCE_WITH_LOGITS, bce_with_logits)                                                            \
    X(CROSS_ENTROPY, cross_entropy) /* of logits; classes or probabilities as target */            \
    X(NLL, nll)                     /* of log-probabilities; classes as target */                  \
    X(KL_DIV, kl_div)               /* of log-probabilities */                                     \
    X(HINGE, hinge)                 /* targets of -1 and 1 */                                      \
    X(SQUARED_HINGE, squared_hinge)                                                                \
    X(POISSON_NLL, poisson_nll)                                                                    \
    X(GAUSSIAN_NLL, gaussian_nll)                                                                  \
    X(COSINE_EMBEDDING, cosine_embedding) /* targets of -1 or 1 [B], and grad_loss.other */        \
    X(FOCAL, focal)                       /* of logits; targets of 0 and 1 */

/* The loss of a network. */
typedef enum grad_loss_kind {
    GRAD_LOSS_ABSENT, /* the network starts from grad_output */
#define GRAD_LOSS_CONSTANT(CONSTANT, name) GRAD_##CONSTANT,
    GRAD_LOSSES(GRAD_LOSS_CONSTANT)
#undef GRAD_LOSS_CONSTANT
        GRAD_LOSS_COUNT
} grad_loss_kind;

/* MEAN divides by the number of elements B N (mse, l1, smooth_l1, huber, log_cosh, both binary
 * cross entropies, focal, kl_div, hinge, squared_hinge, poisson_nll, gaussian_nll) or of samples B
 * (cross_entropy of probabilities, cosine_embedding); for classes (cross_entropy, nll) by the sum
 * of the class weights of those that are not ignored. Where that is 0 the mean is NaN, or infinite
 * with a label_smoothing that gives other classes a part; grad_batch_measure refuses either under
 * reject. Sample weights multiply a sample's loss and leave the divisor as it is. NONE: the
 * gradient is that of the sum. BATCH_MEAN, of kl_div alone: the sum over the length of the first
 * axis of the batch, which is B unless there are more axes; 1 of a vector. */
#define GRAD_LOSS_REDUCTIONS(X)                                                                    \
    X(MEAN, mean)                                                                                  \
    X(SUM, sum)                                                                                    \
    X(NONE, none)                                                                                  \
    X(BATCH_MEAN, batchmean)

/* How the losses of a batch become one. */
typedef enum grad_loss_reduction {
#define GRAD_LOSS_REDUCTION_CONSTANT(CONSTANT, name) GRAD_LOSS_##CONSTANT,
    GRAD_LOSS_REDUCTIONS(GRAD_LOSS_REDUCTION_CONSTANT)
#undef GRAD_LOSS_REDUCTION_CONSTANT
        GRAD_LOSS_REDUCTION_COUNT
} grad_loss_reduction;

#define GRAD_MAX_LOSS_PARAMETERS 3

/* A loss. Start from grad_loss_default(). */
typedef struct grad_loss {
    grad_loss_kind kind;
    grad_loss_reduction reduction;
    double parameters[GRAD_MAX_LOSS_PARAMETERS]; /* in the order of its grad_loss_info */
    grad_tensor target;        /* [B,N]; classes (whole numbers) and cosine_embedding: [B] */
    grad_tensor sample_weight; /* [B], >= 0; or absent */
    grad_tensor class_weight;  /* [N], >= 0: cross_entropy, nll; or absent */
    grad_tensor pos_weight;    /* [N], >= 0: bce_with_logits; or absent */
    grad_tensor variance;      /* [B,N] or [B,1], >= 0: gaussian_nll */
    grad_tensor other;         /* [B,N]: what cosine_embedding compares y with */
} grad_loss;

/* Which of its other tensors a loss takes, bits of grad_loss_info.tensors. */
enum {
    GRAD_LOSS_CLASS_WEIGHT = 1,
    GRAD_LOSS_POS_WEIGHT = 2,
    GRAD_LOSS_VARIANCE = 4,   /* must have it */
    GRAD_LOSS_OTHER = 8,      /* must have it */
    GRAD_LOSS_CLASSES = 16,   /* the target may be classes [B] */
    GRAD_LOSS_FULL = 32,      /* the target may be [B,N] */
    GRAD_LOSS_PER_SAMPLE = 64 /* one loss a sample: NONE gives [B], not [B,N] */
};

/* One loss as people and programs read about it. */
typedef struct grad_loss_info {
    grad_loss_kind kind;
    const char *name;     /* "smooth_l1" */
    const char *formula;  /* of an element, or of a sample: "abs(y - t) < beta ? … : …" */
    const char *gradient; /* by y */
    unsigned tensors;     /* GRAD_LOSS_* bits */
    size_t parameter_count;
    grad_parameter_info parameters[GRAD_MAX_LOSS_PARAMETERS];
    const char *const *synonyms; /* other names of exactly this loss; ended by NULL */
} grad_loss_info;

/* The loss of that kind (GRAD_LOSS_ABSENT < kind < GRAD_LOSS_COUNT). Static storage. */
GRAD_API const grad_loss_info *grad_loss_info_of(grad_loss_kind kind);

/* The loss of that name or synonym, or NULL. Capitals, '-', '_', spaces and "loss" at the end do
 * not count; spellings that other libraries give to another loss ("hingeLoss") are no names. Static
 * storage. */
GRAD_API const grad_loss_info *grad_loss_find(const char *name);

/* The loss of z that a last activation f and a loss are together (sigmoid and binary_cross_entropy:
 * GRAD_BCE_WITH_LOGITS), worked out as one function; GRAD_LOSS_ABSENT where they stay two. */
GRAD_API grad_loss_kind grad_loss_fusion_of(grad_activation_kind f, grad_loss_kind loss);

/* The loss with its default parameters, the mean, and no tensors. */
GRAD_API grad_loss grad_loss_default(grad_loss_kind kind);

/* ---- Networks -------------------------------------------------------------------------------- */

/* What chains the layers of a batch. The forward pass is worked out where states are missing, and
 * only there: x of a layer is its own input, or the output of the layer before it; z its own
 * pre_activation, or what x and the parameters give.
 *
 * Where the last layer's f and the loss are one function of z (grad_loss_fusion_of), that is worked
 * out, without the cancellation and the clamps of their composition. */
typedef struct grad_network {
    grad_tensor input;       /* x of the first layer [B,K]; absent where that layer has its own */
    grad_tensor grad_output; /* ∂L/∂y of the last layer [B,N]; absent where there is a loss, or only
                              * GRAD_OUTPUT_PREDICTIONS are asked for */
    grad_loss loss;
} grad_network;

/* ---- The check of a gradient ----------------------------------------------------------------- */

/* The analytic gradient beside a backward pass in double precision that knows how far the slopes
 * chosen at kinks, and rounding, may move each number, and beside central differences, which must
 * confirm that pass, (L(θ + h) - L(θ - h)) / 2h over steps that adapt: for tensors of up to
 * `samples` numbers each of them, for larger ones that many, chosen by the seed; and for each
 * tensor the slope along one random direction, which sees all of it. How, and where no difference
 * can tell: docs/mathematics.md.
 *
 * L is the loss of a network (the mean or the sum; the sum where its reduction is none), or Σ
 * grad_output ⊙ y where there is none. Dense layers that give z, and either are independent or have
 * no W, are taken as z + (x ΔWᵀ + Δb); in a network, other states that are given are worked out
 * anew, a bias that is missing being what z has more than x Wᵀ. Of the outputs those are checked
 * that the batch asks for or a claim is made of. They are those of L itself, summed over the batch:
 * reduction, scale, clip and weight_decay are taken out of them, and statistics passed over.
 * continue_on_error must be off. */
typedef struct grad_check_options {
    size_t size;    /* of the struct: see grad_options_read. Start from GRAD_CHECK_OPTIONS_INIT */
    size_t samples; /* 0: GRAD_DEFAULT_CHECK_SAMPLES */
    uint64_t seed;
    double tolerance; /* 0: GRAD_DEFAULT_CHECK_TOLERANCE_ of the datatype */
} grad_check_options;

#define GRAD_DEFAULT_CHECK_SAMPLES 16
#define GRAD_DEFAULT_CHECK_TOLERANCE_FP32 1e-4
#define GRAD_DEFAULT_CHECK_TOLERANCE_FP64 1e-6

#define GRAD_CHECK_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(grad_check_options), 0, 0, 0                                                        \
    }

/* The verdict on one tensor. A kink is a place where the two one-sided slopes disagree, as at
 * relu's 0: there all of an interval is right, which is told and not counted as a failure. What
 * lies outside of it fails. */
typedef enum grad_check_verdict {
    GRAD_CHECK_PASS,
    GRAD_CHECK_KINK,
    GRAD_CHECK_FAIL
} grad_check_verdict;

/* What an order of convergence says, or why there is none. */
typedef enum grad_order_state {
    GRAD_ORDER_ABSENT,  /* nobody looked */
    GRAD_ORDER_FOUND,   /* all halvings agree on it */
    GRAD_ORDER_LINEAR,  /* L is as linear as can be told: nothing remains */
    GRAD_ORDER_KINK,    /* at kinks any gradient is of order 1 */
    GRAD_ORDER_ROUNDING /* the halvings disagree, or what remains is lost in rounding */
} grad_order_state;

/* The order of convergence in h of L(θ + h d) - L(θ) - h g·d, over five halvings of h, along the
 * tensor's random direction d: 2 of a right gradient g, 1 of a wrong one. It knows no tolerance:
 * errors that a tolerance allows for count as well. */
typedef struct grad_taylor {
    grad_order_state state;
    double order;
} grad_taylor;

/* How far one gradient is from what it should be, at its worst place: where the verdict is worst,
 * and of those places where the error is largest. */
typedef struct grad_check_finding {
    grad_check_verdict verdict;
    double largest_error; /* |gradient - difference| / max(|either|, floor); at a kink, and where
                           * differences cannot tell, how far the gradient lies outside of what is
                           * right. Up to the tolerance it does not fail. The floor is a part of
                           * the tensor's typical number, or what rounding may do over the
                           * tolerance. Infinite where the gradient is not finite */
    size_t index;         /* in row-major order; SIZE_MAX: along the random direction */
    double gradient, difference; /* NaN: L is not finite to both sides */
    size_t checked, kinks;       /* places looked at, and those of them at kinks */
    double low, high;            /* at a kink what may be right there; else low < high is false */
    grad_taylor taylor;
} grad_check_finding;

/* One tensor: of a layer, or (layer == SIZE_MAX) the network's grad_input. */
typedef struct grad_check_tensor {
    size_t layer;
    const char *layer_name; /* or NULL; borrowed from the batch */
    grad_output_kind output;
    size_t rank, shape[GRAD_MAX_RANK];
    grad_check_finding analytic;
    bool has_claim;
    grad_check_finding claim; /* the client's own delta */
} grad_check_tensor;

/* The whole verdict, owned by whoever made it: grad_check_finish, grad_check_report_read. */
typedef struct grad_check_report {
    const char *id; /* or NULL */
    bool has_loss;
    double loss;
    double tolerance;
    grad_check_verdict verdict; /* the worst of all, kinks counting as a pass */
    size_t tensor_count;
    grad_check_tensor *tensors;
    size_t note_count;
    const grad_reply_note *notes; /* of the request, as a grad_reply's; NULL where there are none */
} grad_check_report;

/* What is to be checked. claims, where there are any, has one entry a layer, whose tensors are the
 * client's own deltas (absent: none); claimed_grad_input is that of a network. Claims are what a
 * run of the batch would answer. Before one of a parameter is judged, the batch's finishing is
 * undone, and the report shows it so: D (claim / scale - decay), D being the B samples where
 * reduction is GRAD_MEAN, else 1; what rounding these steps may take is allowed for. That can't be
 * done, and such claims are refused, where scale is 0, with any clip, and with GRAD_PER_SAMPLE. */
typedef struct grad_check_request {
    grad_batch *batch;
    const grad_check_options *options; /* NULL: the defaults */
    grad_layer_result *claims;         /* or NULL */
    grad_tensor claimed_grad_input;
} grad_check_request;

/* A check being worked out, in stages of tiles as a grad_run is. */
typedef struct grad_check grad_check;

/* What the work of a check may come to where limits say nothing. */
#define GRAD_DEFAULT_MAX_CHECK_FLOPS 1000000000000

/* What a check asks for; the limits are those of the analytic run. memory holds for any number of
 * threads; flops and elements are the most that a difference may take which finds no contradiction:
 * usually a quarter is taken. While there is one it may take twice as many.
 * Errors: as grad_batch_measure; GRAD_INVALID unsupported_value (options that a check has no use
 * for, or that claims can't be freed of, no gradient at all, a claim of a gradient that there is
 * not), shape_mismatch (a claim),
 * bad_parameter; GRAD_TOO_LARGE max_check_flops (flops and 20 for each element, against that of
 * limits, or GRAD_DEFAULT_MAX_CHECK_FLOPS). */
GRAD_API grad_status grad_check_measure(const grad_check_request *request,
                                        const grad_limits *limits, grad_measure *measure,
                                        grad_error *error);

/* Allocates a check that was measured. request and its arrays must outlive it; they are not
 * written. The caller owns *check. Errors: GRAD_OUT_OF_MEMORY. */
GRAD_API grad_status grad_check_create(const grad_check_request *request, grad_check **check,
                                       grad_error *error);

/* Asks that proceed be called with context within tiles, every few milliseconds, by the thread that
 * computes the tile, which may do other things meanwhile. Where it returns false, as it then must
 * from there on, the check is abandoned: its tiles end soon, and grad_check_finish fails
 * (GRAD_INVALID abandoned). Before the first tile. */
GRAD_API void grad_check_set_proceed(grad_check *check, bool (*proceed)(void *context),
                                     void *context);

/* Stages of the check; at least 1, and known from the start. */
GRAD_API size_t grad_check_stage_count(const grad_check *check);

/* Tiles of that stage (stage < grad_check_stage_count); at least 1. Both counts stay as they are,
 * and may be asked for by any thread while tiles are computed. */
GRAD_API size_t grad_check_tile_count(const grad_check *check, size_t stage);

/* Computes one tile, once. Thread-safe for different tiles of the same stage. */
GRAD_API void grad_check_tile(grad_check *check, size_t stage, size_t tile);

/* After the last tile: the report, owned by the check. Errors: GRAD_OUT_OF_MEMORY; GRAD_INVALID
 * non_finite. */
GRAD_API grad_status grad_check_finish(grad_check *check, const grad_check_report **report,
                                       grad_error *error);

/* Every tile in order, then grad_check_finish. */
GRAD_API grad_status grad_check_all(grad_check *check, const grad_check_report **report,
                                    grad_error *error);

/* Frees the check and the report of grad_check_finish; no tile may be running. NULL is fine. The
 * request and its arrays stay the caller's. */
GRAD_API void grad_check_destroy(grad_check *check);

#ifdef __cplusplus
}
#endif
#endif
