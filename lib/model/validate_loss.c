/* What is asked of a network's loss, or of the gradient that it starts from instead: parameters,
 * shapes, and targets that mean something (classes that there are, signs). */
#include "kernels/losses.h"
#include "model/validate.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/format_number.h"
#include "core/real.h"
#include "core/spelling.h"

/* The loss being asked about, and what it is applied to. */
typedef struct subject {
    const grad_loss *loss;
    const grad_loss_info *info;
    grad_datatype type;
    grad_layer_sizes sizes;
    bool must_be_finite; /* an answer that cannot be is refused before it is worked out */
    grad_error *error;
} subject;

/* ---- Parameters ------------------------------------------------------------------------------ */

static const char *domain_name(grad_parameter_domain domain)
{
    static const char *const names[] = {
        [GRAD_ANY_NUMBER] = "a finite number",
        [GRAD_POSITIVE] = "a finite positive number",
        [GRAD_NOT_NEGATIVE] = "a finite number that is not negative",
        [GRAD_FRACTION] = "a number from 0 to 1",
        [GRAD_FLAG] = "false or true",
        [GRAD_INTEGER] = "a whole number",
    };

    return names[domain];
}

static bool is_in_domain(double value, grad_parameter_domain domain)
{
    switch (domain) {
    case GRAD_POSITIVE:
        return isfinite(value) && value > 0;
    case GRAD_NOT_NEGATIVE:
        return isfinite(value) && value >= 0;
    case GRAD_FRACTION:
        return value >= 0 && value <= 1;
    case GRAD_FLAG:
        return value == 0 || value == 1;
    case GRAD_INTEGER:
        return isfinite(value) && value == floor(value);
    case GRAD_ANY_NUMBER:
        return isfinite(value);
    }
    return false;
}

static grad_status check_parameters(const subject *s)
{
    for (size_t i = 0; i < s->info->parameter_count; i++) {
        const grad_parameter_info *p = &s->info->parameters[i];

        if (!is_in_domain(s->loss->parameters[i], p->domain))
            return grad_fail(s->error, GRAD_INVALID, "bad_parameter", GRAD_AT("/loss/%s", p->name),
                             "loss/%s is %s, expected %s", p->name,
                             GRAD_NUMBER_TEXT(GRAD_FP64, s->loss->parameters[i]),
                             domain_name(p->domain));
    }
    return GRAD_OK;
}

static grad_status check_reduction(const subject *s)
{
    grad_loss_reduction reduction = s->loss->reduction;
    bool has_batch_mean = grad_loss_row_of(s->loss->kind)->has_batch_mean;

    if ((unsigned)reduction >= GRAD_LOSS_REDUCTION_COUNT)
        return grad_fail(s->error, GRAD_INVALID, "unsupported_value", "/loss/reduction",
                         "loss/reduction is %d, expected mean, sum or none%s", (int)reduction,
                         has_batch_mean ? ", or batchmean" : "");
    if (reduction == GRAD_LOSS_BATCH_MEAN && !has_batch_mean)
        return grad_fail(s->error, GRAD_INVALID, "unsupported_value", "/loss/reduction",
                         "loss/reduction is batchmean, expected mean, sum or none for %s",
                         s->info->name);
    return GRAD_OK;
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

static bool is_vector(const grad_tensor *tensor, size_t length)
{
    return tensor->rank == 1 && tensor->shape[0] == length;
}

/* A number a sample: [B], [B,T] …, [1] where the network's input is a vector. */
static bool is_by_sample(const subject *s, const grad_tensor *tensor)
{
    grad_sample_axes axes = s->sizes.axes;

    if (axes.count < 2)
        return is_vector(tensor, s->sizes.B);
    axes.count--; /* the last of them is the tensor's last */
    return grad_has_sample_axes(tensor, &axes) &&
           grad_tensor_columns(tensor) == axes.lengths[axes.count];
}

/* [B,N], [B,T,N] …, or [N] where the network's input is a vector. */
static bool is_full(const subject *s, const grad_tensor *tensor, size_t N)
{
    return grad_has_sample_axes(tensor, &s->sizes.axes) && grad_tensor_columns(tensor) == N;
}

/* Of the network's output; without data. */
static grad_tensor shape_of_output(const grad_layer_sizes *sizes)
{
    grad_tensor output = {.rank = sizes->axes.count + 1};

    memcpy(output.shape, sizes->axes.lengths, sizes->axes.count * sizeof *output.shape);
    output.shape[output.rank - 1] = sizes->N;
    return output;
}

/* is_vector: it was to be one; else it was to be as the output. */
static grad_status fail_shape(const subject *s, const char *member, const grad_tensor *tensor,
                              bool is_vector, const char *expected)
{
    const grad_tensor output = shape_of_output(&s->sizes);

    return grad_fail(s->error, GRAD_INVALID, "shape_mismatch", GRAD_AT("/loss/%s", member),
                     "loss/%s has shape %s, expected %s, the network's output being %s%s%s", member,
                     grad_shape_text(tensor).text, expected, grad_shape_text(&output).text,
                     output.rank == 1 ? ", a vector" : "",
                     is_vector ? grad_spelling_of_line(tensor).text
                               : grad_spelling_format(tensor, &output).text);
}

static bool is_column(const grad_tensor *t)
{
    return t->rank == 2 && t->shape[1] == 1;
}

static grad_status check_target_shape(const subject *s)
{
    const grad_tensor *t = &s->loss->target;
    bool takes_classes = (s->info->tensors & GRAD_LOSS_CLASSES) != 0;
    bool takes_full = (s->info->tensors & GRAD_LOSS_FULL) != 0;

    if (t->data == NULL)
        return grad_fail(s->error, GRAD_INVALID, "missing_field", "/loss",
                         "loss has no target, expected one");
    if (takes_full && is_full(s, t, s->sizes.N))
        return GRAD_OK;
    if ((takes_classes || !takes_full) && is_by_sample(s, t))
        return GRAD_OK;
    return fail_shape(s, "target", t, !takes_full,
                      takes_classes && is_column(t) ? "classes as [0, 1], not as [[0], [1]]"
                      : takes_classes && takes_full ? "a class a sample, or the output's"
                      : takes_full                  ? "the output's"
                                                    : "one number a sample");
}

static grad_status check_other_shapes(const subject *s)
{
    const grad_loss *l = s->loss;
    size_t N = s->sizes.N;

    if (l->sample_weight.data != NULL && !is_by_sample(s, &l->sample_weight))
        return fail_shape(s, "sample_weight", &l->sample_weight, true, "one number a sample");
    if (l->class_weight.data != NULL && !is_vector(&l->class_weight, N))
        return fail_shape(s, "class_weight", &l->class_weight, true, "one number a column");
    if (l->pos_weight.data != NULL && !is_vector(&l->pos_weight, N))
        return fail_shape(s, "pos_weight", &l->pos_weight, true, "one number a column");
    if (l->variance.data != NULL && !is_full(s, &l->variance, N) && !is_full(s, &l->variance, 1))
        return fail_shape(s, "variance", &l->variance, false, "the output's, or one column");
    if (l->other.data != NULL && !is_full(s, &l->other, N))
        return fail_shape(s, "other", &l->other, false, "the output's");
    return GRAD_OK;
}

/* Which of its tensors the loss has to have, and may not have. */
static grad_status check_presence(const subject *s)
{
    const struct {
        const char *member;
        const grad_tensor *tensor;
        unsigned bit;
        bool must_be;
    } tensors[] = {{"class_weight", &s->loss->class_weight, GRAD_LOSS_CLASS_WEIGHT, false},
                   {"pos_weight", &s->loss->pos_weight, GRAD_LOSS_POS_WEIGHT, false},
                   {"variance", &s->loss->variance, GRAD_LOSS_VARIANCE, true},
                   {"other", &s->loss->other, GRAD_LOSS_OTHER, true}};

    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        bool belongs = (s->info->tensors & tensors[i].bit) != 0;
        bool is_there = tensors[i].tensor->data != NULL;

        if (is_there && !belongs)
            return grad_fail(
                s->error, GRAD_INVALID, "unknown_field", GRAD_AT("/loss/%s", tensors[i].member),
                "loss/%s is no part of %s, expected none", tensors[i].member, s->info->name);
        if (!is_there && belongs && tensors[i].must_be)
            return grad_fail(s->error, GRAD_INVALID, "missing_field", "/loss",
                             "loss has no %s, expected one for %s", tensors[i].member,
                             s->info->name);
    }
    return GRAD_OK;
}

/* ---- Values ---------------------------------------------------------------------------------- */

static grad_status fail_value(const subject *s, const char *member, const grad_tensor *tensor,
                              size_t index, const char *expected)
{
    grad_pointer_text at = grad_element_pointer(GRAD_AT("/loss/%s", member), tensor, index);

    return grad_fail(
        s->error, GRAD_INVALID, "bad_parameter", at.text, "%s is %s, expected %s", at.text + 1,
        GRAD_NUMBER_TEXT(s->type, grad_real_at(s->type, tensor->data, index)), expected);
}

static grad_status check_classes(const subject *s)
{
    const grad_pointer_text range =
        grad_pointer_format("a class from 0 to %zu, or ignore_index", s->sizes.N - 1);

    for (size_t b = 0; b < s->sizes.B; b++) {
        double t = grad_real_at(s->type, s->loss->target.data, b);

        if (!grad_loss_ignores(s->loss, s->type, t) &&
            !(t >= 0 && t < (double)s->sizes.N && t == floor(t)))
            return fail_value(s, "target", &s->loss->target, b, range.text);
    }
    return GRAD_OK;
}

/* Targets that are no classes. */
static grad_status check_target_values(const subject *s)
{
    const grad_loss_row *row = grad_loss_row_of(s->loss->kind);
    size_t count = row->target == NULL ? 0 : grad_tensor_count(&s->loss->target);

    for (size_t i = 0; i < count; i++) {
        double t = grad_real_at(s->type, s->loss->target.data, i);
        const char *expected = row->target(s->loss->parameters, t, s->must_be_finite);

        if (expected != NULL)
            return fail_value(s, "target", &s->loss->target, i, expected);
    }
    return GRAD_OK;
}

static grad_status check_not_negative(const subject *s, const char *member,
                                      const grad_tensor *tensor, const char *expected)
{
    size_t count = grad_tensor_count(tensor);

    for (size_t i = 0; i < count; i++)
        if (grad_real_at(s->type, tensor->data, i) < 0)
            return fail_value(s, member, tensor, i, expected);
    return GRAD_OK;
}

/* The loss without what it is applied to. */
static grad_loss_view view_of(const subject *s)
{
    return (grad_loss_view){.loss = s->loss,
                            .type = s->type,
                            .B = s->sizes.B,
                            .N = s->sizes.N,
                            .sample_axes = s->sizes.axes.count};
}

static grad_status check_targets(const subject *s)
{
    const grad_loss_view view = view_of(s);

    return grad_loss_has_classes(&view) ? check_classes(s) : check_target_values(s);
}

/* A mean over classes that counts none is 0 / 0, or, smoothed, what other classes give over 0. */
static grad_status check_divisor(const subject *s)
{
    const grad_loss *l = s->loss;
    const grad_loss_view view = view_of(s);

    if (!s->must_be_finite || grad_loss_divisor(&view) != 0)
        return GRAD_OK;
    if (s->sizes.B == 0)
        return grad_fail(s->error, GRAD_INVALID, "non_finite", "/loss/reduction",
                         "loss/reduction is %s over no samples, expected sum or none: the mean "
                         "is NaN",
                         l->reduction == GRAD_LOSS_MEAN ? "mean" : "batchmean");
    for (size_t b = 0; b < s->sizes.B; b++)
        if (!grad_loss_ignores(l, s->type, grad_real_at(s->type, l->target.data, b)))
            return grad_fail(s->error, GRAD_INVALID, "non_finite", "/loss/class_weight",
                             "every class of loss/target that counts has the weight 0, expected a "
                             "positive one: the mean divides by 0");
    return grad_fail(s->error, GRAD_INVALID, "non_finite", "/loss/target",
                     "every class of loss/target is ignored, being ignore_index (%s), expected one "
                     "that is not: the mean is NaN",
                     GRAD_NUMBER_TEXT(s->type, grad_real_at(s->type, l->target.data, 0)));
}

static grad_status check_values(const subject *s)
{
    static const char *const expected = "a number that is not negative";
    const grad_loss *l = s->loss;
    grad_status status = check_targets(s);

    if (status == GRAD_OK)
        status = check_not_negative(s, "sample_weight", &l->sample_weight, expected);
    if (status == GRAD_OK)
        status = check_not_negative(s, "class_weight", &l->class_weight, expected);
    if (status == GRAD_OK)
        status = check_not_negative(s, "pos_weight", &l->pos_weight, expected);
    if (status == GRAD_OK)
        status = check_not_negative(s, "variance", &l->variance, expected);
    return status == GRAD_OK ? check_divisor(s) : status;
}

/* ---- What the network starts from ------------------------------------------------------------ */

static grad_status check_grad_output(const grad_tensor *dy, const grad_layer_sizes *sizes,
                                     grad_error *error)
{
    const grad_tensor output = shape_of_output(sizes);
    size_t rank = output.rank;
    size_t rows = dy->rank == 1 ? 1 : dy->shape[0];
    size_t cols = dy->rank > 0 && dy->rank <= GRAD_MAX_RANK ? dy->shape[dy->rank - 1] : 0;

    if (grad_has_sample_axes(dy, &sizes->axes) && cols == sizes->N)
        return GRAD_OK;
    if (dy->rank > 2 || rank > 2)
        return grad_fail(error, GRAD_INVALID, "shape_mismatch", "/grad_output",
                         "grad_output has shape %s, expected that of the network's output, %s",
                         grad_shape_text(dy).text, grad_shape_text(&output).text);
    return grad_fail(error, GRAD_INVALID, "shape_mismatch", "/grad_output",
                     "grad_output has rank %zu with %zu row%s of %zu column%s, expected that of "
                     "the network's output: rank %zu with %zu of %zu%s",
                     dy->rank, rows, grad_plural(rows), cols, grad_plural(cols), rank, sizes->B,
                     sizes->N, grad_spelling_format(dy, &output).text);
}

grad_status grad_verify_loss(const grad_batch *batch, const grad_layer_sizes *sizes,
                             grad_error *error)
{
    const grad_network *network = batch->network;
    bool must_be_finite = batch->non_finite == GRAD_REJECT_NON_FINITE;
    subject s = {&network->loss, NULL, batch->datatype, *sizes, must_be_finite, error};
    grad_status status;

    if (network->loss.kind == GRAD_LOSS_ABSENT && network->grad_output.data == NULL &&
        batch->outputs == GRAD_OUTPUT_PREDICTIONS)
        return GRAD_OK; /* a forward pass and nothing else */
    if ((network->loss.kind == GRAD_LOSS_ABSENT) == (network->grad_output.data == NULL))
        return grad_fail(error, GRAD_INVALID, "missing_field", "",
                         "expected either a loss or a grad_output, found %s",
                         network->grad_output.data == NULL ? "none" : "both");
    if (network->loss.kind == GRAD_LOSS_ABSENT)
        return check_grad_output(&network->grad_output, sizes, error);
    if ((unsigned)network->loss.kind >= GRAD_LOSS_COUNT)
        return grad_fail(error, GRAD_INVALID, "unknown_name", "/loss",
                         "loss is of kind %d, expected one below %d", (int)network->loss.kind,
                         (int)GRAD_LOSS_COUNT);
    s.info = grad_loss_info_of(network->loss.kind);
    status = check_reduction(&s);
    if (status == GRAD_OK)
        status = check_parameters(&s);
    if (status == GRAD_OK)
        status = check_presence(&s);
    if (status == GRAD_OK)
        status = check_target_shape(&s);
    if (status == GRAD_OK)
        status = check_other_shapes(&s);
    return status == GRAD_OK ? check_values(&s) : status;
}
