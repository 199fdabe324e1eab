/* What is legal in a batch and surely not meant, told beside the answer. Each question is answered
 * from a few numbers, or stops at the first that answers it: none costs what computing does. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/real.h"
#include "core/size.h"
#include "kernels/losses_blocks.h"
#include "model/validate.h"
#include "plan/run.h"

/* ---- Telling --------------------------------------------------------------------------------- */

/* The words of a note, which the reply points to. */
typedef struct note_text {
    char pointer[64];
    char detail[GRAD_NOTE_DETAIL_SIZE];
} note_text;

struct grad_notes {
    grad_reply_note notes[GRAD_MAX_NOTES];
    note_text texts[GRAD_MAX_NOTES];
};

/* Adds a note, unless there are as many as are told. code lives as long as the program. */
static grad_status tell(grad_run *run, grad_error *error, const char *code, const char *pointer,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));

static grad_status tell(grad_run *run, grad_error *error, const char *code, const char *pointer,
                        const char *format, ...)
{
    size_t index = run->reply.note_count;
    note_text *text;
    va_list arguments;

    if (index == GRAD_MAX_NOTES)
        return GRAD_OK;
    if (run->notes == NULL)
        run->notes = malloc(sizeof *run->notes);
    if (run->notes == NULL)
        return grad_fail_memory(error, sizeof *run->notes);
    text = &run->notes->texts[index];
    snprintf(text->pointer, sizeof text->pointer, "%s", pointer);
    va_start(arguments, format);
    vsnprintf(text->detail, sizeof text->detail, format, arguments);
    va_end(arguments);
    run->notes->notes[index] = (grad_reply_note){code, text->detail, text->pointer};
    run->reply.notes = run->notes->notes;
    run->reply.note_count++;
    return GRAD_OK;
}

/* ---- The loss -------------------------------------------------------------------------------- */

static bool is_softmax_like(grad_activation_kind f)
{
    return f == GRAD_SOFTMAX || f == GRAD_SOFTMIN || f == GRAD_LOG_SOFTMAX || f == GRAD_SIGMOID ||
           f == GRAD_LOG_SIGMOID;
}

/* Whether a layer hands on what it gets: it does not part its neighbours. */
static bool hands_on(const grad_layer *layer)
{
    return grad_kind_of(layer)->forward.run == NULL && layer->activation.kind == GRAD_IDENTITY &&
           layer->residual == GRAD_RESIDUAL_NONE && layer->dropout_mask.data == NULL;
}

/* The activation of the last layer spoils what the loss does by itself, or expects. */
static grad_status note_activation(grad_run *run, grad_error *error)
{
    const grad_layer *layers = run->batch->layers;
    const grad_loss_row *loss = grad_loss_row_of(run->loss.loss->kind);
    size_t last = run->batch->layer_count - 1;
    grad_activation_kind f;
    const char *name;

    while (last > 0 && hands_on(&layers[last]))
        last--;
    f = layers[last].activation.kind;
    name = grad_activation_info_of(f)->name;
    if (layers[last].residual != GRAD_RESIDUAL_NONE || !is_softmax_like(f))
        return GRAD_OK;
    if (loss->has_own != NULL)
        return tell(run, error, "activation_before_loss", GRAD_AT("/layers/%zu/activation", last),
                    "%s follows %s, but has a %s of its own and expects logits: give that layer "
                    "the activation identity",
                    loss->info.name, name, loss->has_own);
    if (loss->takes_logarithms && f != GRAD_LOG_SOFTMAX && f != GRAD_LOG_SIGMOID)
        return tell(run, error, "activation_before_loss", GRAD_AT("/layers/%zu/activation", last),
                    "%s follows %s, but expects logarithms of probabilities: give that layer the "
                    "activation log_softmax",
                    loss->info.name, name);
    return GRAD_OK;
}

static grad_status note_mean_of_mean(grad_run *run, grad_error *error)
{
    if (run->batch->reduction != GRAD_MEAN || run->loss.loss->reduction != GRAD_LOSS_MEAN ||
        run->loss.B < 2)
        return GRAD_OK;
    return tell(run, error, "mean_of_mean", "/reduction",
                "the loss is a mean already, and reduction mean divides the deltas by %zu once "
                "more: leave reduction out for the gradient of the loss",
                run->loss.B);
}

enum { LABELS_A_CLASS = 4 }; /* of a batch of which one expects to see every class */

/* Whether class 0 is there, or is meant not to be. */
static bool spares_class_zero(const grad_loss_view *view)
{
    return grad_loss_ignores(view->loss, view->type, 0) || grad_loss_class_weight(view, 0) == 0;
}

static grad_status note_labels(grad_run *run, grad_error *error)
{
    const grad_loss_view *view = &run->loss;
    double first = 0, label;
    size_t count = 0;
    bool vary = view->N == 2; /* else a batch sorted by class has one only */

    if (view->B / LABELS_A_CLASS < view->N || view->N < 2 || spares_class_zero(view))
        return GRAD_OK;
    for (size_t b = 0; b < view->B; b++) {
        label = grad_real_at(view->type, view->loss->target.data, b);
        if (label == 0)
            return GRAD_OK;
        if (grad_loss_ignores(view->loss, view->type, label))
            continue;
        first = count++ == 0 ? label : first;
        vary = vary || label != first;
    }
    if (count / LABELS_A_CLASS < view->N || !vary)
        return GRAD_OK;
    return tell(run, error, "no_class_zero", "/loss/target",
                "class 0 never occurs among %zu labels of %zu classes: are they counted from 1? "
                "Classes are 0 to %zu",
                count, view->N, view->N - 1);
}

enum { ROWS_LOOKED_AT = 32 };

#define SUM_TOLERANCE 0.01

/* What the probabilities of a sample add up to. */
static double sum_of_row(const grad_loss_view *view, size_t row, bool is_log)
{
    double sum = 0;

    for (size_t n = 0; n < view->N; n++) {
        double t = grad_real_at(view->type, view->loss->target.data, row * view->N + n);

        sum += is_log ? exp(t) : t;
    }
    return sum;
}

/* A row of zeros is a sample left out. */
static grad_status note_probabilities(grad_run *run, grad_error *error)
{
    const grad_loss_view *view = &run->loss;
    bool is_log = grad_loss_row_of(view->loss->kind)->takes_logarithms &&
                  view->loss->parameters[0] != 0; /* log_target */
    size_t rows = grad_size_min(view->B, ROWS_LOOKED_AT);

    if (!grad_loss_row_of(view->loss->kind)->target_is_distribution || view->N < 2)
        return GRAD_OK;
    for (size_t b = 0; b < rows; b++) {
        double sum = sum_of_row(view, b, is_log);

        if (isfinite(sum) && sum != 0 && fabs(sum - 1) > SUM_TOLERANCE)
            return tell(run, error, "not_probabilities", "/loss/target",
                        "the probabilities of sample %zu add up to %.6g, expected 1", b, sum);
    }
    return GRAD_OK;
}

static grad_status note_loss(grad_run *run, grad_error *error)
{
    grad_status status;

    if (run->loss.loss == NULL)
        return GRAD_OK;
    status = note_activation(run, error);
    if (status == GRAD_OK)
        status = note_mean_of_mean(run, error);
    if (status != GRAD_OK)
        return status;
    return grad_loss_has_classes(&run->loss) ? note_labels(run, error)
                                             : note_probabilities(run, error);
}

/* ---- A weight that is transposed ------------------------------------------------------------- */

enum { OUTPUTS_LOOKED_AT = 16 };

#define SAME 1e-4    /* of the sum of |terms|: what rounding may be */
#define ANOTHER 1e-2 /* of it: what it is not */

/* A dense layer with a square weight and a z that was sent. */
typedef struct square {
    grad_datatype type;
    const grad_layer *layer;
    const void *x, *z;
    size_t N;
    size_t other; /* the sample whose x and z are taken off, as nobody knows the bias; 0: none */
} square;

static double difference(const square *s, const void *data, size_t n)
{
    double value = grad_real_at(s->type, data, n);

    return s->other == 0 ? value : value - grad_real_at(s->type, data, s->other * s->N + n);
}

/* How far z_n is from what the weight gives, or its transpose, in units of the sum of |terms|. */
static double error_of(const square *s, size_t n, bool transposed)
{
    const void *W = s->layer->weight.data;
    double bias = s->layer->bias.data == NULL || s->other != 0
                      ? 0
                      : grad_real_at(s->type, s->layer->bias.data, n);
    double z = difference(s, s->z, n), sum = bias, size = fabs(bias) + fabs(z);

    for (size_t k = 0; k < s->N; k++) {
        double w = grad_real_at(s->type, W, transposed ? k * s->N + n : n * s->N + k);
        double term = w * difference(s, s->x, k);

        sum += term;
        size += fabs(term);
    }
    return size > 0 ? fabs(sum - z) / size : 0;
}

/* The largest of the errors of some outputs, as far as it says whether it is beyond the limit. */
static double largest_error(const square *s, bool transposed, double limit)
{
    size_t count = grad_size_min(s->N, OUTPUTS_LOOKED_AT);
    double largest = 0;

    for (size_t i = 0; i < count && largest <= limit; i++) {
        double error = error_of(s, i * s->N / count, transposed);

        largest = error > largest ? error : largest;
    }
    return largest;
}

static grad_status note_transposed(grad_run *run, size_t i, grad_error *error)
{
    const grad_layer *layer = &run->batch->layers[i];
    grad_layer_sizes n = run->plan->layers[i].sizes;
    square s = {run->batch->datatype, layer, run->layers[i].x, layer->pre_activation.data, n.N, 0};

    if (layer->weight.data == NULL || s.z == NULL || s.x == NULL || n.K != n.N || n.N < 2 ||
        n.B == 0)
        return GRAD_OK;
    if (layer->bias.data == NULL)
        s.other = n.B - 1;
    if (!(largest_error(&s, false, ANOTHER) > ANOTHER) || largest_error(&s, true, SAME) > SAME)
        return GRAD_OK;
    return tell(run, error, "transposed_weight", GRAD_AT("/layers/%zu/weight", i),
                "the transpose of layers/%zu/weight gives the pre_activation that was sent, and "
                "the weight does not: weights are [N,K], a row for each output",
                i);
}

/* ---- Layers that are dead -------------------------------------------------------------------- */

enum {
    FEWEST = 32,
    LARGEST_STEP = 1024
}; /* elements: fewer may all be beyond the kink by chance */

/* Whether f' is 0 at every element of z, looked at in steps that double. */
static bool is_dead(const grad_run *run, size_t layer)
{
    grad_layer_sizes sizes = run->plan->layers[layer].sizes;
    grad_function f = grad_layer_function(run, layer);
    size_t count = sizes.B * sizes.N, step = 1;

    for (size_t first = 0; first < count;
         first += step, step = grad_size_min(2 * step, LARGEST_STEP)) {
        size_t elements = grad_size_min(step, count - first);

        if (grad_function_zeros(&f, elements, 1,
                                grad_real_offset_const(run->batch->datatype, run->layers[layer].z,
                                                       first)) < elements)
            return false;
        step = elements;
    }
    return true;
}

static grad_status note_dead(grad_run *run, size_t i, grad_error *error)
{
    const grad_layer *layer = &run->batch->layers[i];
    const grad_layer_plan *l = &run->plan->layers[i];
    grad_activation_kind f = layer->activation.kind;

    if (!l->flow.has_backward || f == GRAD_IDENTITY || f == GRAD_PRELU ||
        grad_activation_couples_features(f) || l->sizes.B * l->sizes.N < FEWEST || !is_dead(run, i))
        return GRAD_OK;
    return tell(run, error, "dead_layer", GRAD_AT("/layers/%zu", i),
                "the derivative of %s is 0 at all %zu elements of layers/%zu: no gradient comes "
                "through it",
                grad_activation_info_of(f)->name, l->sizes.B * l->sizes.N, i);
}

/* ---- All ------------------------------------------------------------------------------------- */

grad_status grad_note_reply(grad_run *run, grad_error *error)
{
    grad_status status = GRAD_OK;

    run->reply.note_count = 0;
    if (run->batch->no_notes)
        return GRAD_OK;
    status = note_loss(run, error);
    for (size_t i = 0; i < run->batch->layer_count && status == GRAD_OK; i++) {
        if (grad_plan_has_failed(run->plan, i))
            continue;
        status = note_transposed(run, i, error);
        if (status == GRAD_OK)
            status = note_dead(run, i, error);
    }
    return status;
}
