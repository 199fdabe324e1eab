/* The names of enumerations in documents. */
#include "codec/document/enum_names.h"

const char *const grad_reduction_names[GRAD_REDUCTION_COUNT] = {
    [GRAD_SUM] = "sum", [GRAD_MEAN] = "mean", [GRAD_PER_SAMPLE] = "none"};

const char *const grad_non_finite_names[GRAD_NON_FINITE_COUNT] = {
    [GRAD_REJECT_NON_FINITE] = "reject", [GRAD_ALLOW_NON_FINITE] = "allow"};

const char *const grad_encoding_names[GRAD_ENCODING_COUNT] = {[GRAD_ENCODING_JSON] = "json",
                                                              [GRAD_ENCODING_BASE64] = "base64",
                                                              [GRAD_ENCODING_BINARY] = "binary",
                                                              [GRAD_ENCODING_SAFETENSORS] =
                                                                  "safetensors"};

const char *const grad_loss_reduction_names[GRAD_LOSS_REDUCTION_COUNT] = {
#define NAME(CONSTANT, name) [GRAD_LOSS_##CONSTANT] = #name,
    GRAD_LOSS_REDUCTIONS(NAME)
#undef NAME
};

const char *const grad_check_verdict_names[GRAD_CHECK_VERDICT_COUNT] = {
    [GRAD_CHECK_PASS] = "pass", [GRAD_CHECK_KINK] = "kink", [GRAD_CHECK_FAIL] = "fail"};
