/* Layers that normalize: z = γ x̂ + β with x̂ = (x - mean) / √(variance + ε), over the features of
 * each sample (layer_norm; rms_norm, whose mean is 0), groups of them (group_norm) or each feature
 * of all samples (batch_norm). */
#include "kernels/norms.h"

#include <float.h>
#include <math.h>

#include "core/format_number.h"
#include "core/real.h"
#include "model/kind.h"

#define GAIN                                                                                       \
    {                                                                                              \
        GRAD_SLOT_GAIN, "N", GRAD_GAIN_DELTA, false, false                                         \
    }
#define SHIFT                                                                                      \
    {                                                                                              \
        GRAD_SLOT_SHIFT, "N", GRAD_SHIFT_DELTA, false, false                                       \
    }
#define EPSILON                                                                                    \
    {                                                                                              \
        "epsilon", offsetof(grad_layer, epsilon), {GRAD_DEFAULT_EPSILON, GRAD_DEFAULT_EPSILON},    \
            false                                                                                  \
    }

static bool is_inference(const grad_layer *layer)
{
    return layer->running_mean.data != NULL;
}

static bool is_by_sample(const grad_layer *layer)
{
    return !grad_layer_info_of(layer->kind)->norm.over_samples;
}

/* That a sample's features are cut into. */
static size_t groups_of(const grad_layer *layer)
{
    size_t attribute = grad_layer_info_of(layer->kind)->norm.groups;

    return attribute == 0 ? 1 : (size_t)grad_layer_attribute(layer, attribute - 1);
}

static grad_norm norm_of(const grad_layer_view *v)
{
    return (grad_norm){.type = v->type,
                       .B = v->sizes.B,
                       .N = v->sizes.N,
                       .by_sample = is_by_sample(v->layer),
                       .groups = groups_of(v->layer),
                       .is_uncentred = grad_layer_info_of(v->layer->kind)->norm.uncentred,
                       .moments_depend_on_x = !is_inference(v->layer),
                       .gain = v->layer->gain.data,
                       .shift = v->layer->shift.data,
                       .x = v->x,
                       .moments = v->scratch};
}

/* ---- Both ------------------------------------------------------------------------------------ */

static grad_grid rows_grid(const grad_layer_view *v)
{
    return grad_grid_rows(v->sizes.B, v->sizes.N);
}

static grad_grid columns_grid(const grad_layer_view *v)
{
    return grad_grid_columns(v->sizes.B, v->sizes.N);
}

static void forward(const grad_layer_view *v, grad_block block, void *z)
{
    grad_norm norm = norm_of(v);

    grad_norm_forward(&norm, block.row, block.rows, z);
}

static void gain_delta(const grad_layer_view *v, grad_block block, void *dgain)
{
    grad_norm norm = norm_of(v);

    if (v->per_sample)
        grad_norm_sample_gain_deltas(&norm, v->dz, v->factor, block.row, block.rows, dgain);
    else
        grad_norm_gain_delta(&norm, v->dz, v->factor, block.col, block.col + block.cols, dgain);
}

#define DELTAS                                                                                     \
    {                                                                                              \
        {grad_sums_grid, gain_delta, GRAD_COST_NOTHING},                                           \
        {                                                                                          \
            grad_sums_grid, grad_sums_run, GRAD_COST_NOTHING                                       \
        }                                                                                          \
    }

/* What takes no sequences: others have features in the second axis there, not in the last. */
static grad_status fail_axes(const grad_subject *s, const grad_layer *layer,
                             const grad_layer_sizes *n)
{
    return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "",
                           " is a %s over an input of rank %zu, expected [B,N]: where there are "
                           "more axes others normalize the second, so send the axis to be "
                           "normalized as the last of two",
                           grad_layer_info_of(layer->kind)->name, n->axes.count + 1);
}

/* ---- By sample ------------------------------------------------------------------------------- */

static size_t moments_of_samples(const grad_layer *layer, const grad_layer_sizes *n)
{
    return n->B * groups_of(layer) * sizeof(grad_moments);
}

static void prepare_samples(const grad_layer_view *v, grad_block block, void *moments)
{
    grad_norm norm = norm_of(v);

    grad_sample_norm_moments(&norm, v->layer->epsilon, block.row, block.rows, moments);
}

static void grad_input_by_sample(const grad_layer_view *v, grad_block block, void *dx)
{
    grad_norm norm = norm_of(v);

    grad_sample_norm_grad_input(&norm, v->dz, block.row, block.rows, dx);
}

#define OPERATIONS_BY_SAMPLE                                                                       \
    .scratch = moments_of_samples, .prepare = {rows_grid, prepare_samples, GRAD_COST_ELEMENTS},    \
    .forward = {rows_grid, forward, GRAD_COST_NOTHING},                                            \
    .grad_input = {rows_grid, grad_input_by_sample, GRAD_COST_NOTHING}, .deltas = DELTAS

const grad_kind grad_kind_layer_norm = {
    .info = {.kind = GRAD_LAYER_NORM,
             .name = "layer_norm",
             .formula = "gain * (x - mean) / sqrt(variance + epsilon) + shift, over the features "
                        "of each sample",
             .map = GRAD_MAP_NORM,
             .may_lack_activation = true,
             .slot_count = 2,
             .slots = {GAIN, SHIFT},
             .attribute_count = 1,
             .attributes = {EPSILON},
             .synonyms = GRAD_NO_SYNONYMS},
    OPERATIONS_BY_SAMPLE,
};

/* Its epsilon is the number type's, as in PyTorch. */
const grad_kind grad_kind_rms_norm = {
    .info = {.kind = GRAD_RMS_NORM,
             .name = "rms_norm",
             .formula = "gain * x / sqrt(mean(x^2) + epsilon), over the features of each sample",
             .map = GRAD_MAP_NORM,
             .norm = {.uncentred = true},
             .may_lack_activation = true,
             .slot_count = 1,
             .slots = {GAIN},
             .attribute_count = 1,
             .attributes =
                 {{"epsilon", offsetof(grad_layer, epsilon), {FLT_EPSILON, DBL_EPSILON}, false}},
             .synonyms = GRAD_NO_SYNONYMS},
    OPERATIONS_BY_SAMPLE,
};

static grad_status validate_groups(const grad_subject *s, const grad_layer *layer,
                                   const grad_layer_sizes *n)
{
    if (n->axes.count > 1)
        return fail_axes(s, layer, n);
    if (n->N % groups_of(layer) != 0)
        return grad_fail_layer(s->error, s->batch, s->layer, "shape_mismatch", "/groups",
                               " is %zu, expected a divisor of the layer's %zu feature%s",
                               groups_of(layer), n->N, grad_plural(n->N));
    return GRAD_OK;
}

const grad_kind grad_kind_group_norm = {
    .info = {.kind = GRAD_GROUP_NORM,
             .name = "group_norm",
             .formula = "gain * (x - mean) / sqrt(variance + epsilon) + shift, over each group of "
                        "features side by side of each sample",
             .map = GRAD_MAP_NORM,
             .norm = {.groups = 1},
             .may_lack_activation = true,
             .slot_count = 2,
             .slots = {GAIN, SHIFT},
             .attribute_count = 2,
             .attributes = {{"groups", offsetof(grad_layer, groups), {NAN, NAN}, true}, EPSILON},
             .synonyms = GRAD_NO_SYNONYMS},
    OPERATIONS_BY_SAMPLE,
    .validate_axes = validate_groups,
};

/* ---- By feature ------------------------------------------------------------------------------ */

static size_t moments_of_features(const grad_layer *layer, const grad_layer_sizes *n)
{
    (void)layer;
    return n->N * sizeof(grad_moments);
}

static grad_grid prepare_features_grid(const grad_layer_view *v)
{
    return is_inference(v->layer) ? grad_grid_whole() : columns_grid(v);
}

static void prepare_features(const grad_layer_view *v, grad_block block, void *moments)
{
    const grad_layer *l = v->layer;

    if (is_inference(l))
        grad_running_moments(v->type, v->sizes.N, l->running_mean.data, l->running_variance.data,
                             l->epsilon, moments);
    else
        grad_batch_norm_moments(v->type, v->sizes.B, v->sizes.N, v->x, l->epsilon, block.col,
                                block.col + block.cols, moments);
}

static void grad_input_by_feature(const grad_layer_view *v, grad_block block, void *dx)
{
    grad_norm norm = norm_of(v);

    grad_batch_norm_grad_input(&norm, v->dz, block.col, block.col + block.cols, dx);
}

static grad_status validate_axes(const grad_subject *s, const grad_layer *layer,
                                 const grad_layer_sizes *n)
{
    if (n->axes.count > 1)
        return fail_axes(s, layer, n);
    if (n->B == 0 && !is_inference(layer))
        return grad_fail_layer(s->error, s->batch, s->layer, "empty_tensor", "",
                               " is a batch_norm over no samples, expected at least one, or "
                               "running_mean and running_variance: none has no moments");
    return GRAD_OK;
}

/* Running values are both there or neither; a variance is not negative. */
static grad_status validate_running(const grad_subject *s, const grad_layer *layer)
{
    const grad_tensor *variance = &layer->running_variance;
    bool has_mean = layer->running_mean.data != NULL;

    if (has_mean != (variance->data != NULL))
        return grad_fail_layer(s->error, s->batch, s->layer, "missing_field", "",
                               " has no %s, expected one beside %s",
                               has_mean ? "running_variance" : "running_mean",
                               has_mean ? "running_mean" : "running_variance");
    for (size_t n = 0; n < grad_tensor_count(variance); n++) {
        double value = grad_real_at(s->batch->datatype, variance->data, n);

        if (value < 0)
            return grad_fail_layer(s->error, s->batch, s->layer, "bad_parameter",
                                   grad_pointer_format("/running_variance/%zu", n).text,
                                   " is %s, expected a number that is not negative",
                                   GRAD_NUMBER_TEXT(s->batch->datatype, value));
    }
    return GRAD_OK;
}

const grad_kind grad_kind_batch_norm = {
    .info = {.kind = GRAD_BATCH_NORM,
             .name = "batch_norm",
             .formula = "gain * (x - mean) / sqrt(variance + epsilon) + shift, of each feature "
                        "over the samples, or by the running mean and variance",
             .map = GRAD_MAP_NORM,
             .norm = {.over_samples = true},
             .may_lack_activation = true,
             .slot_count = 4,
             .slots = {GAIN,
                       SHIFT,
                       {GRAD_SLOT_RUNNING_MEAN, "N", GRAD_OUTPUT_COUNT, false, false},
                       {GRAD_SLOT_RUNNING_VARIANCE, "N", GRAD_OUTPUT_COUNT, false, false}},
             .attribute_count = 1,
             .attributes = {EPSILON},
             .synonyms = GRAD_SYNONYMS("batch_norm_1d")},
    .scratch = moments_of_features,
    .prepare = {prepare_features_grid, prepare_features, GRAD_COST_ELEMENTS},
    .forward = {rows_grid, forward, GRAD_COST_NOTHING},
    .grad_input = {columns_grid, grad_input_by_feature, GRAD_COST_NOTHING},
    .deltas = DELTAS,
    .validate_axes = validate_axes,
    .validate_slots = validate_running,
};
