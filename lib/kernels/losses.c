/* The table of losses, and the losses over a batch: what the mean divides by, and the samples one
 * after the other. */
#include "kernels/losses.h"

#include <string.h>

#include "core/real.h"
#include "kernels/losses_blocks.h"

static const grad_loss_row absent = {
    .info = {GRAD_LOSS_ABSENT, "", "", "", 0, 0, {{0}}, GRAD_NO_SYNONYMS}};

static const grad_loss_row *const table[GRAD_LOSS_COUNT] = {[GRAD_LOSS_ABSENT] = &absent,
#define ROW(KIND, name) [GRAD_##KIND] = &grad_##name##_loss,
                                                            GRAD_LOSSES(ROW)
#undef ROW
};

const grad_loss_row *grad_loss_row_of(grad_loss_kind kind)
{
    return table[kind];
}

const grad_loss_info *grad_loss_info_of(grad_loss_kind kind)
{
    return &table[kind]->info;
}

const grad_loss_info *grad_loss_find(const char *name)
{
    for (size_t kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++)
        if (strcmp(table[kind]->info.name, name) == 0)
            return &table[kind]->info;
    if (grad_foreign_meaning(GRAD_WORDS_OF_LOSSES, name) != NULL)
        return NULL;
    for (size_t kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++)
        if (grad_vocabulary_has(GRAD_WORDS_OF_LOSSES, name, table[kind]->info.name,
                                table[kind]->info.synonyms))
            return &table[kind]->info;
    return NULL;
}

grad_loss grad_loss_default(grad_loss_kind kind)
{
    grad_loss loss = {.kind = kind, .reduction = GRAD_LOSS_MEAN};

    for (size_t i = 0; i < table[kind]->info.parameter_count; i++)
        loss.parameters[i] = table[kind]->info.parameters[i].default_value;
    return loss;
}

grad_loss_kind grad_loss_fusion_of(grad_activation_kind f, grad_loss_kind loss)
{
    return f == table[loss]->fuses_with ? table[loss]->fused : GRAD_LOSS_ABSENT;
}

const char *grad_loss_sign_target(const double *p, double t, bool must_be_finite)
{
    (void)p;
    (void)must_be_finite;
    return t == 1 || t == -1 ? NULL : "-1 or 1";
}

/* ---- Classes --------------------------------------------------------------------------------- */

bool grad_loss_has_classes(const grad_loss_view *view)
{
    const grad_tensor *target = &view->loss->target;
    unsigned tensors = grad_loss_info_of(view->loss->kind)->tensors;

    if ((tensors & GRAD_LOSS_CLASSES) == 0)
        return false;
    if ((tensors & GRAD_LOSS_FULL) == 0)
        return true;
    if (view->sample_axes > 1)
        return target->rank == view->sample_axes;
    if (target->rank != 1)
        return false;
    return view->B > 1 || (target->shape[0] == 1 && view->N > 1);
}

bool grad_loss_ignores(const grad_loss *loss, grad_datatype type, double target)
{
    double ignored = loss->parameters[table[loss->kind]->ignore_index];

    return target == (type == GRAD_FP32 ? (double)(float)ignored : ignored);
}

double grad_loss_class_weight(const grad_loss_view *view, size_t class)
{
    const void *weights = view->loss->class_weight.data;

    return weights == NULL ? 1 : grad_real_at(view->type, weights, class);
}

/* The weights of the classes that are there and not ignored. */
static double weight_of_classes(const grad_loss_view *view)
{
    double sum = 0;

    for (size_t b = 0; b < view->B; b++) {
        double target = grad_real_at(view->type, view->loss->target.data, b);

        if (!grad_loss_ignores(view->loss, view->type, target))
            sum += grad_loss_class_weight(view, (size_t)target);
    }
    return sum;
}

/* ---- The reduction --------------------------------------------------------------------------- */

double grad_loss_divisor(const grad_loss_view *view)
{
    const grad_tensor *target = &view->loss->target;

    if (view->loss->reduction == GRAD_LOSS_BATCH_MEAN)
        return target->rank > 1 ? (double)target->shape[0] : 1;
    if (view->loss->reduction != GRAD_LOSS_MEAN)
        return 1;
    if (grad_loss_has_classes(view))
        return weight_of_classes(view);
    if (grad_loss_info_of(view->loss->kind)->tensors & GRAD_LOSS_PER_SAMPLE)
        return (double)view->B;
    return (double)view->B * (double)view->N;
}

double grad_loss_total(const grad_loss_view *view, const double *sums)
{
    double total = 0;

    for (size_t b = 0; b < view->B; b++)
        total += sums[b];
    return total / view->divisor;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

#define LANES 8

double grad_loss_sum(size_t count, const double *terms)
{
    double sums[LANES] = {0};
    size_t whole = count - count % LANES;

    for (size_t i = 0; i < whole; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += terms[i + lane];
    for (size_t i = whole; i < count; i++)
        sums[i - whole] += terms[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

void grad_loss_widen(grad_datatype type, const void *data, size_t begin, size_t count, double *out)
{
    const void *first = grad_real_offset_const(type, data, begin);

    if (type == GRAD_FP64)
        for (size_t i = 0; i < count; i++)
            out[i] = ((const double *)first)[i];
    else
        for (size_t i = 0; i < count; i++)
            out[i] = (double)((const float *)first)[i];
}

void grad_loss_narrow(grad_datatype type, void *data, size_t begin, size_t count, double factor,
                      const double *terms)
{
    void *first;

    if (data == NULL)
        return;
    first = grad_real_offset(type, data, begin);
    if (type == GRAD_FP64)
        for (size_t i = 0; i < count; i++)
            ((double *)first)[i] = factor * terms[i];
    else
        for (size_t i = 0; i < count; i++)
            ((float *)first)[i] = (float)(factor * terms[i]);
}

/* ---- Samples --------------------------------------------------------------------------------- */

void grad_loss_rows(const grad_loss_view *view, size_t row, size_t rows, double *sums, void *losses,
                    void *grad)
{
    const grad_loss_row *own = table[view->loss->kind];
    const grad_loss_row *loss = view->fusion == GRAD_LOSS_ABSENT ? own : table[view->fusion];
    const void *weights = view->loss->sample_weight.data;
    bool by_sample = own->info.tensors & GRAD_LOSS_PER_SAMPLE;

    for (size_t b = row; b < row + rows; b++) {
        grad_loss_sample one = {.view = view, .b = b, .weight = 1};
        double sum;

        if (weights != NULL)
            one.weight = grad_real_at(view->type, weights, b);
        if (losses != NULL)
            one.losses = grad_real_offset(view->type, losses, by_sample ? b : b * view->N);
        if (grad != NULL)
            one.grad = grad_real_offset(view->type, grad, b * view->N);
        sum = loss->sample(&one);
        if (sums != NULL)
            sums[b] = sum;
    }
}
