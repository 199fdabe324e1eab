/* The tables of foreign.h. A row in small letters is that name however it is spelled; a row with a
 * capital is that spelling alone, for a name that is ours where it is spelled otherwise: PyTorch's
 * Hardsigmoid is hard_sigmoid, TF.js's hardSigmoid and ONNX's HardSigmoid are another function.
 * What each means was taken from PyTorch 2.14, Keras 3, TF.js 4.22, Optax and ONNX's opset 24. */
#include "core/foreign.h"

#include <string.h>

#include "core/size.h"

typedef struct foreign_name {
    const char *name, *meaning;
} foreign_name;

#define HARD_SIGMOID                                                                               \
    "that spelling is clip(0.2 z + 0.5, 0, 1) in TF.js, Keras 2 and ONNX; \"hard_sigmoid\" here "  \
    "is PyTorch's clip(z / 6 + 0.5, 0, 1)"
#define LEAKY_RELU                                                                                 \
    "in TF.js its slope is 0.2 as an operation and 0.3 as a layer: write {\"name\": "              \
    "\"leaky_relu\", \"negative_slope\": 0.2}"
#define THRESHOLDED_RELU "write {\"name\": \"threshold\", \"threshold\": 1}, or the theta you have"
#define SHORT_LEAKY_RELU                                                                           \
    "its slope differs from library to library: write {\"name\": \"leaky_relu\", "                 \
    "\"negative_slope\": 0.01}, or the slope you have"
#define CLAMP "write {\"name\": \"hard_tanh\", \"min_val\": -1, \"max_val\": 1}"

static const foreign_name of_activations[] = {
    {"hardSigmoid", HARD_SIGMOID},
    {"HardSigmoid", HARD_SIGMOID},
    {"leakyRelu", LEAKY_RELU},
    {"leakyReLU", LEAKY_RELU},
    {"lrelu", SHORT_LEAKY_RELU},
    {"leaky", SHORT_LEAKY_RELU},
    {"thresholded_relu", THRESHOLDED_RELU},
    {"clip", CLAMP},
    {"clamp", CLAMP},
    {"none", "no activation is \"identity\""},
    {"rrelu", "its slope is random in training; in evaluation it is {\"name\": \"leaky_relu\", "
              "\"negative_slope\": 0.22916667}"},
    {"shrink", "ONNX's is \"hardshrink\" with bias 0, and \"softshrink\" with bias equal to lambd"},
    {"gelu_fast", "it is \"gelu_tanh\" but for the digits behind the tenth of its constant"},
    {"gelu_approx", "the tanh form is \"gelu_tanh\""},
    {"gelu_exact", "\"gelu\" is the exact form, by erf"},
    {"glu", ""},
    {"arctan", ""},
    {"atan", ""},
    {"crelu", ""},
    {"srelu", ""},
    {"frelu", ""},
    {"brelu", ""},
    {"geglu", ""},
    {"reglu", ""},
    {"swiglu", ""},
    {"hardmax", ""},
    {"sparsemax", ""},
    {"entmax", ""},
    {"gumbel_softmax", ""},
    {"spatial_softmax", ""},
    {"softmax2d", ""},
    {"log_softmin", ""},
    {"squareplus", ""},
    {"sparse_plus", ""},
    {"sparse_sigmoid", ""},
    {"bipolar_sigmoid", ""},
    {"hard_mish", ""},
    {"penalized_tanh", ""},
    {"lecun_tanh", ""},
    {"serf", ""},
    {"logit", ""},
    {"maxout", ""},
    {"step", ""},
    {"sign", ""},
    {"abs", ""},
    {"sin", ""},
    {"cos", ""},
    {"tan", ""},
    {"sinh", ""},
    {"cosh", ""},
    {"log", ""},
    {"sqrt", ""},
    {"square", ""},
    {"gaussian", ""},
    {"bent_identity", ""},
};

#define OF_PROBABILITIES                                                                           \
    "in Keras and TF.js it takes probabilities; \"cross_entropy\" takes what softmax would get "   \
    "(leave the softmax layer out), and its target may be classes or probabilities"
#define DIVERGENCE                                                                                 \
    "in Keras it takes probabilities; \"kl_div\" takes their logarithms (a log_softmax layer "     \
    "in front), and its mean is over B N elements, not B samples"
#define COSINE                                                                                     \
    "write \"cosine_embedding\" with the vectors to compare with as \"other\" and a target of "    \
    "ones: 1 - cosine; TF.js's cosineDistance does not normalise"
#define HALF_SQUARES                                                                               \
    "it is (y - t)^2 in some libraries and half of it in others (Optax): \"mse\" is the first, "   \
    "\"mse\" with a \"sample_weight\" of 0.5 for every sample the second"

#define FOCAL                                                                                      \
    "in Keras it takes probabilities, and has no alpha unless it is told so; \"focal\" takes "     \
    "logits"

static const foreign_name of_losses[] = {
    {"hingeLoss", "TF.js's takes labels 0 and 1; \"hinge\" takes targets -1 and 1"},
    {"categorical_crossentropy", OF_PROBABILITIES},
    {"sparse_categorical_crossentropy", OF_PROBABILITIES},
    {"cce", OF_PROBABILITIES},
    {"scce", OF_PROBABILITIES},
    {"kl_divergence", DIVERGENCE},
    {"kullback_leibler_divergence", DIVERGENCE},
    {"kld", DIVERGENCE},
    {"kl", DIVERGENCE},
    {"l2", HALF_SQUARES},
    {"squared", HALF_SQUARES},
    {"log", "TF.js's adds 1e-7 inside its logarithms; \"binary_cross_entropy\" is without it"},
    {"poisson", "Keras's takes rates: write {\"name\": \"poisson_nll\", \"log_input\": false}; "
                "PyTorch's default takes their logarithms"},
    {"cosine_similarity", COSINE},
    {"cosine_proximity", COSINE},
    {"cosine_distance", COSINE},
    {"cosine", COSINE},
    {"soft_margin", "it is \"bce_with_logits\" of the target (t + 1) / 2"},
    {"rmse", "its square is \"mse\""},
    {"root_mean_squared_error", "its square is \"mse\""},
    {"mape", ""},
    {"mean_absolute_percentage_error", ""},
    {"msle", ""},
    {"mean_squared_logarithmic_error", ""},
    {"categorical_hinge", ""},
    {"hinge_embedding", ""},
    {"binary_focal_crossentropy", FOCAL},
    {"categorical_focal_crossentropy", ""},
    {"dice", ""},
    {"tversky", ""},
    {"ctc", ""},
    {"circle", ""},
    {"triplet", ""},
    {"triplet_margin", ""},
    {"triplet_margin_with_distance", ""},
    {"contrastive", ""},
    {"margin_ranking", ""},
    {"multi_margin", ""},
    {"multilabel_margin", ""},
    {"multilabel_soft_margin", ""},
    {"js_divergence", ""},
    {"adaptive_log_softmax_with", ""},
};

#define NORMALIZATION(ours)                                                                        \
    "its epsilon is 1e-3 in Keras and TF.js, 1e-5 in ONNX and here: write {\"type\": \"" ours      \
    "\", \"epsilon\": 0.001}, or the one you have"
#define ANOTHER_NORM                                                                               \
    "the norms here are \"layer_norm\", \"group_norm\", \"batch_norm\" and \"rms_norm\""

static const foreign_name of_layer_types[] = {
    {"layer_normalization", NORMALIZATION("layer_norm")},
    {"batch_normalization", NORMALIZATION("batch_norm")},
    {"rms_normalization",
     "its epsilon is 1e-6 in Keras, 1e-5 in ONNX and the number type's here, as "
     "in PyTorch: write {\"type\": \"rms_norm\", \"epsilon\": 1e-6}, or the one "
     "you have"},
    {"dropout", "it is a member of a layer: \"dropout\": {\"mask\": …, \"rate\": …}"},
    {"residual", "it is a member of a layer: \"residual\": the name of an earlier one"},
    {"add", "it is a member of a layer: \"residual\": the name of an earlier one"},
    {"flatten", "send [B,K]: rows are samples already"},
    {"batch_norm_2d", "the inputs of \"batch_norm\" are [B,N], without space"},
    {"batch_norm_3d", "the inputs of \"batch_norm\" are [B,N], without space"},
    {"instance_norm", ANOTHER_NORM},
    {"group_normalization",
     "its groups are 32 in Keras where none are given, its epsilon 1e-3 (1e-5 in "
     "ONNX and here): write {\"type\": \"group_norm\", \"groups\": 32, "
     "\"epsilon\": 0.001}, or those you have"},
    {"fc", "a fully connected layer is \"dense\""},
    {"gemm", "write \"dense\": its weight is [N,K], which is ONNX's B where transB is 1"},
    {"matmul", "write \"dense\": its weight is [N,K], the transpose of x W's"},
    {"conv", ""},
    {"conv1d", ""},
    {"conv2d", ""},
    {"conv3d", ""},
    {"embedding", ""},
    {"bilinear", ""},
    {"lstm", ""},
    {"gru", ""},
    {"rnn", ""},
    {"attention", ""},
    {"multihead_attention", ""},
};

static const struct {
    const foreign_name *rows;
    size_t count;
    const char *ending;
} tables[GRAD_VOCABULARY_COUNT] = {
    [GRAD_WORDS_OF_ACTIVATIONS] = {of_activations, GRAD_COUNT(of_activations), ""},
    [GRAD_WORDS_OF_LOSSES] = {of_losses, GRAD_COUNT(of_losses), "loss"},
    [GRAD_WORDS_OF_LAYER_TYPES] = {of_layer_types, GRAD_COUNT(of_layer_types), ""},
};

bool grad_vocabulary_has(grad_vocabulary vocabulary, const char *name, const char *own,
                         const char *const *synonyms)
{
    const char *ending = tables[vocabulary].ending;

    if (grad_name_same(name, own, ending))
        return true;
    for (; *synonyms != NULL; synonyms++)
        if (grad_name_same(name, *synonyms, ending))
            return true;
    return false;
}

static bool has_capital(const char *name)
{
    return strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
}

const char *grad_foreign_meaning(grad_vocabulary vocabulary, const char *name)
{
    for (size_t i = 0; i < tables[vocabulary].count; i++) {
        const foreign_name *row = &tables[vocabulary].rows[i];

        if (has_capital(row->name) ? strcmp(name, row->name) == 0
                                   : grad_name_same(name, row->name, tables[vocabulary].ending))
            return row->meaning;
    }
    return NULL;
}

void grad_foreign_offer(grad_vocabulary vocabulary, grad_suggestion *search)
{
    for (size_t i = 0; i < tables[vocabulary].count; i++)
        if (!has_capital(tables[vocabulary].rows[i].name))
            grad_suggestion_offer(search, tables[vocabulary].rows[i].name, NULL);
}
