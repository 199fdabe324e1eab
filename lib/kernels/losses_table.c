/* The table of losses: names, formulae, parameters and tensors. To add a loss: the enum in
 * gradient_network.h, its function in the file of its family, a row here. No arithmetic lives here.
 */
#include <string.h>

#include "core/foreign.h"
#include "gradient_network.h"

/* clang-format off */
static const grad_loss_info table[GRAD_LOSS_COUNT] = {
    [GRAD_LOSS_ABSENT] = {GRAD_LOSS_ABSENT, "", "", "", 0, 0, {{0}}, GRAD_NO_SYNONYMS},
    [GRAD_MSE] = {GRAD_MSE, "mse",
        "(y - t)^2",
        "2 * (y - t)",
        GRAD_LOSS_FULL, 0, {{0}},
        GRAD_SYNONYMS("mean_squared_error", "squared_error")},
    [GRAD_L1] = {GRAD_L1, "l1",
        "abs(y - t)",
        "sign(y - t)",
        GRAD_LOSS_FULL, 0, {{0}},
        GRAD_SYNONYMS("mae",
                      "mean_absolute_error",
                      "absolute_difference")},
    [GRAD_SMOOTH_L1] = {GRAD_SMOOTH_L1, "smooth_l1",
        "abs(y - t) < beta ? (y - t)^2 / (2 * beta) : abs(y - t) - beta / 2",
        "abs(y - t) < beta ? (y - t) / beta : sign(y - t)",
        GRAD_LOSS_FULL, 1, {{"beta", 1, GRAD_NOT_NEGATIVE}}, GRAD_NO_SYNONYMS},
    [GRAD_HUBER] = {GRAD_HUBER, "huber",
        "abs(y - t) <= delta ? (y - t)^2 / 2 : delta * (abs(y - t) - delta / 2)",
        "abs(y - t) <= delta ? y - t : delta * sign(y - t)",
        GRAD_LOSS_FULL, 1, {{"delta", 1, GRAD_POSITIVE}}, GRAD_NO_SYNONYMS},
    [GRAD_LOG_COSH] = {GRAD_LOG_COSH, "log_cosh",
        "log(cosh(y - t))",
        "tanh(y - t)",
        GRAD_LOSS_FULL, 0, {{0}}, GRAD_NO_SYNONYMS},
    [GRAD_BINARY_CROSS_ENTROPY] = {GRAD_BINARY_CROSS_ENTROPY, "binary_cross_entropy",
        "-t * max(log(y), -100) - (1 - t) * max(log(1 - y), -100)",
        "(y - t) / max(y * (1 - y), 1e-12)",
        GRAD_LOSS_FULL, 0, {{0}}, GRAD_SYNONYMS("bce")},
    [GRAD_BCE_WITH_LOGITS] = {GRAD_BCE_WITH_LOGITS, "bce_with_logits",
        "pos_weight * t * log(1 + exp(-y)) + (1 - t) * log(1 + exp(y))",
        "(1 - t) / (1 + exp(-y)) - pos_weight * t / (1 + exp(y))",
        GRAD_LOSS_FULL | GRAD_LOSS_POS_WEIGHT, 0, {{0}},
        GRAD_SYNONYMS("binary_cross_entropy_with_logits",
                      "sigmoid_cross_entropy",
                      "sigmoid_cross_entropy_with_logits",
                      "sigmoid_binary_cross_entropy")},
    [GRAD_CROSS_ENTROPY] = {GRAD_CROSS_ENTROPY, "cross_entropy",
        "sum_j c_j * (log(sum_k exp(y_k)) - y_j) with s = label_smoothing, w = class_weight and, "
        "of a class t, c_j = (1 - s) * w_t * (j = t) + s / N * w_j; of probabilities, "
        "c_j = w_j * ((1 - s) * t_j + s / N)",
        "exp(y_j) / sum_k exp(y_k) * sum_k c_k - c_j",
        GRAD_LOSS_CLASSES | GRAD_LOSS_FULL | GRAD_LOSS_CLASS_WEIGHT | GRAD_LOSS_PER_SAMPLE,
        2, {{"label_smoothing", 0, GRAD_FRACTION}, {"ignore_index", -100, GRAD_INTEGER}},
        GRAD_SYNONYMS("softmax_cross_entropy",
                      "softmax_cross_entropy_with_logits",
                      "softmax_cross_entropy_with_integer_labels",
                      "sparse_softmax_cross_entropy_with_logits")},
    [GRAD_NLL] = {GRAD_NLL, "nll",
        "-class_weight_t * y_t",
        "j = t ? -class_weight_t : 0",
        GRAD_LOSS_CLASSES | GRAD_LOSS_CLASS_WEIGHT | GRAD_LOSS_PER_SAMPLE,
        1, {{"ignore_index", -100, GRAD_INTEGER}}, GRAD_SYNONYMS("negative_log_likelihood")},
    [GRAD_KL_DIV] = {GRAD_KL_DIV, "kl_div",
        "log_target ? exp(t) * (t - y) : t * (log(t) - y), where t * log(t) = 0 at t = 0",
        "log_target ? -exp(t) : -t",
        GRAD_LOSS_FULL, 1, {{"log_target", 0, GRAD_FLAG}}, GRAD_NO_SYNONYMS},
    [GRAD_HINGE] = {GRAD_HINGE, "hinge",
        "max(0, margin - t * y)",
        "t * y < margin ? -t : 0",
        GRAD_LOSS_FULL, 1, {{"margin", 1, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS},
    [GRAD_SQUARED_HINGE] = {GRAD_SQUARED_HINGE, "squared_hinge",
        "max(0, margin - t * y)^2",
        "-2 * t * max(0, margin - t * y)",
        GRAD_LOSS_FULL, 1, {{"margin", 1, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS},
    [GRAD_POISSON_NLL] = {GRAD_POISSON_NLL, "poisson_nll",
        "(log_input ? exp(y) - t * y : y - t * log(y + eps)) + "
        "(full and t > 1 ? t * log(t) - t + log(2 pi t) / 2 : 0)",
        "log_input ? exp(y) - t : 1 - t / (y + eps)",
        GRAD_LOSS_FULL,
        3, {{"log_input", 1, GRAD_FLAG}, {"full", 0, GRAD_FLAG}, {"eps", 1e-8, GRAD_NOT_NEGATIVE}},
        GRAD_NO_SYNONYMS},
    [GRAD_GAUSSIAN_NLL] = {GRAD_GAUSSIAN_NLL, "gaussian_nll",
        "(log(v) + (y - t)^2 / v) / 2 + (full ? log(2 pi) / 2 : 0) with v = max(variance, eps)",
        "(y - t) / v",
        GRAD_LOSS_FULL | GRAD_LOSS_VARIANCE,
        2, {{"full", 0, GRAD_FLAG}, {"eps", 1e-6, GRAD_NOT_NEGATIVE}}, GRAD_NO_SYNONYMS},
    [GRAD_COSINE_EMBEDDING] = {GRAD_COSINE_EMBEDDING, "cosine_embedding",
        "t = 1 ? 1 - c : max(0, c - margin) with c = sum_j y_j * other_j / (p * q), "
        "p^2 = sum_j y_j^2 + 1e-12, q^2 = sum_j other_j^2 + 1e-12",
        "(t = 1 ? -1 : c > margin ? 1 : 0) * (other_j / (p * q) - c * y_j / p^2)",
        GRAD_LOSS_OTHER | GRAD_LOSS_PER_SAMPLE,
        1, {{"margin", 0, GRAD_ANY_NUMBER}}, GRAD_NO_SYNONYMS},
};
/* clang-format on */

const grad_loss_info *grad_loss_info_of(grad_loss_kind kind)
{
    return &table[kind];
}

const grad_loss_info *grad_loss_find(const char *name)
{
    for (size_t kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++)
        if (strcmp(table[kind].name, name) == 0)
            return &table[kind];
    if (grad_foreign_meaning(GRAD_WORDS_OF_LOSSES, name) != NULL)
        return NULL;
    for (size_t kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++)
        if (grad_vocabulary_has(GRAD_WORDS_OF_LOSSES, name, table[kind].name, table[kind].synonyms))
            return &table[kind];
    return NULL;
}

grad_loss grad_loss_default(grad_loss_kind kind)
{
    grad_loss loss = {.kind = kind, .reduction = GRAD_LOSS_MEAN};

    for (size_t i = 0; i < table[kind].parameter_count; i++)
        loss.parameters[i] = table[kind].parameters[i].default_value;
    return loss;
}
