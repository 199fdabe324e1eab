/* How enumerations are spelled in documents, by their values: what readers and writers share.
 * Outputs, layer kinds, activations and losses have public names of their own. */
#ifndef GRAD_CODEC_DOCUMENT_ENUM_NAMES_H
#define GRAD_CODEC_DOCUMENT_ENUM_NAMES_H

#include "gradient_wire.h"

enum { GRAD_REDUCTION_COUNT = 3, GRAD_NON_FINITE_COUNT = 2, GRAD_CHECK_VERDICT_COUNT = 3 };

extern const char *const grad_reduction_names[GRAD_REDUCTION_COUNT];
extern const char *const grad_encoding_names[GRAD_ENCODING_COUNT];
extern const char *const grad_non_finite_names[GRAD_NON_FINITE_COUNT];
extern const char *const grad_loss_reduction_names[GRAD_LOSS_REDUCTION_COUNT];
extern const char *const grad_check_verdict_names[GRAD_CHECK_VERDICT_COUNT];

/* Of GRAD_OUTPUT_PREDICTIONS, which is no layer's. */
#define GRAD_PREDICTIONS_NAME "predictions"

/* Of the network's input, where no layer has that name. */
#define GRAD_RESIDUAL_INPUT_NAME "input"

#endif
