/* The table of losses: names, parameters, formulae. To add one: the enum in gradient_network.h, a
 * row here, and its function in the file of its family. No arithmetic lives here. */
#include <string.h>

#include "kernels/losses.h"

/* clang-format off */
static const grad_loss_info table[GRAD_LOSS_COUNT] = {
    [GRAD_MSE] = {GRAD_MSE, "mse", "(y - t)^2", "2 (y - t)", GRAD_LOSS_FULL, 0, {{0}}},
    [GRAD_L1] = {GRAD_L1, "l1", "abs(y - t)", "sign(y - t), 0 at 0", GRAD_LOSS_FULL, 0, {{0}}},
    [GRAD_SMOOTH_L1] = {GRAD_SMOOTH_L1, "smooth_l1",
        "abs(d) < beta ? d^2 / (2 beta) : abs(d) - beta / 2 with d = y - t",
        "abs(d) < beta ? d / beta : sign(d)",
        GRAD_LOSS_FULL, 1, {{"beta", 1, GRAD_NOT_NEGATIVE}}},
    [GRAD_HUBER] = {GRAD_HUBER, "huber",
        "abs(d) <= delta ? d^2 / 2 : delta (abs(d) - delta / 2) with d = y - t",
        "abs(d) <= delta ? d : delta sign(d)",
        GRAD_LOSS_FULL, 1, {{"delta", 1, GRAD_POSITIVE}}},
    [GRAD_LOG_COSH] = {GRAD_LOG_COSH, "log_cosh",
        "log(cosh(y - t))", "tanh(y - t)", GRAD_LOSS_FULL, 0, {{0}}},
    [GRAD_BINARY_CROSS_ENTROPY] = {GRAD_BINARY_CROSS_ENTROPY, "binary_cross_entropy",
        "-t log(y) - (1 - t) log(1 - y), each logarithm at least -100",
        "(y - t) / max(y (1 - y), 1e-12)",
        GRAD_LOSS_FULL, 0, {{0}}},
    [GRAD_BCE_WITH_LOGITS] = {GRAD_BCE_WITH_LOGITS, "bce_with_logits",
        "-pos_weight t log(s) - (1 - t) log(1 - s) with s = 1 / (1 + exp(-y))",
        "(1 - t) s - pos_weight t (1 - s)",
        GRAD_LOSS_FULL | GRAD_LOSS_POS_WEIGHT, 0, {{0}}},
    [GRAD_CROSS_ENTROPY] = {GRAD_CROSS_ENTROPY, "cross_entropy",
        "-sum_j c_j log(p_j) with p = softmax(y), c_j = class_weight_j ((1 - label_smoothing) t_j "
        "+ label_smoothing / N)",
        "p_j sum_i c_i - c_j",
        GRAD_LOSS_FULL | GRAD_LOSS_CLASSES | GRAD_LOSS_CLASS_WEIGHT | GRAD_LOSS_PER_SAMPLE,
        2, {{"label_smoothing", 0, GRAD_FRACTION}, {"ignore_index", -100, GRAD_INTEGER}}},
    [GRAD_NLL] = {GRAD_NLL, "nll",
        "-class_weight_t y_t", "j = t ? -class_weight_t : 0",
        GRAD_LOSS_CLASSES | GRAD_LOSS_CLASS_WEIGHT | GRAD_LOSS_PER_SAMPLE,
        1, {{"ignore_index", -100, GRAD_INTEGER}}},
    [GRAD_KL_DIV] = {GRAD_KL_DIV, "kl_div",
        "log_target ? exp(t) (t - y) : t (log(t) - y)", "log_target ? -exp(t) : -t",
        GRAD_LOSS_FULL, 1, {{"log_target", 0, GRAD_FLAG}}},
    [GRAD_HINGE] = {GRAD_HINGE, "hinge",
        "max(0, margin - t y)", "t y < margin ? -t : 0",
        GRAD_LOSS_FULL, 1, {{"margin", 1, GRAD_ANY_NUMBER}}},
    [GRAD_SQUARED_HINGE] = {GRAD_SQUARED_HINGE, "squared_hinge",
        "max(0, margin - t y)^2", "-2 t max(0, margin - t y)",
        GRAD_LOSS_FULL, 1, {{"margin", 1, GRAD_ANY_NUMBER}}},
    [GRAD_POISSON_NLL] = {GRAD_POISSON_NLL, "poisson_nll",
        "log_input ? exp(y) - t y : y - t log(y + eps); full adds t log(t) - t + log(2 pi t) / 2 "
        "where t > 1",
        "log_input ? exp(y) - t : 1 - t / (y + eps)",
        GRAD_LOSS_FULL, 3, {{"log_input", 1, GRAD_FLAG}, {"full", 0, GRAD_FLAG},
                            {"eps", 1e-8, GRAD_POSITIVE}}},
    [GRAD_GAUSSIAN_NLL] = {GRAD_GAUSSIAN_NLL, "gaussian_nll",
        "(log(v) + (y - t)^2 / v) / 2 with v = max(variance, eps); full adds log(2 pi) / 2",
        "(y - t) / v",
        GRAD_LOSS_FULL | GRAD_LOSS_VARIANCE, 2, {{"full", 0, GRAD_FLAG},
                                                 {"eps", 1e-6, GRAD_POSITIVE}}},
    [GRAD_COSINE_EMBEDDING] = {GRAD_COSINE_EMBEDDING, "cosine_embedding",
        "t = 1 ? 1 - cos : max(0, cos - margin) with cos = y o / sqrt((y^2 + 1e-12) (o^2 + 1e-12))",
        "t = 1 ? -dcos/dy : cos >= margin ? dcos/dy : 0",
        GRAD_LOSS_OTHER | GRAD_LOSS_PER_SAMPLE, 1, {{"margin", 0, GRAD_ANY_NUMBER}}},
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
    return NULL;
}

grad_loss grad_loss_default(grad_loss_kind kind)
{
    grad_loss loss = {.kind = kind};

    for (size_t i = 0; i < table[kind].parameter_count; i++)
        loss.parameters[i] = table[kind].parameters[i].default_value;
    return loss;
}
