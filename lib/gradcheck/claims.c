/* The client's own deltas are those of its request, scale (reduction + decay). What differences are
 * taken of is the loss, so that this is undone here, and nowhere else:
 *     Σ of the samples' deltas = D (claim / scale - l1 sign(W) - l2 W)     D: B of a mean, else 1
 * Clipping can't be undone: it depends on all deltas, and hides what it cuts. A grad_input is of
 * single samples, which no option touches. */
#include <float.h>
#include <math.h>

#include "core/error.h"
#include "core/real.h"
#include "gradcheck/state.h"
#include "gradcheck/tensors.h"

#define ROUNDINGS                                                                                  \
    4 /* units that a claim may be off by: reduced, decayed and scaled, and one over */

/* ---- Questions ------------------------------------------------------------------------------- */

/* The first claim that the options are about: its layer and output. False: there is none. */
static bool find_delta(const grad_check_request *request, size_t *layer, grad_output_kind *output)
{
    for (size_t i = 0; request->claims != NULL && i < request->batch->layer_count; i++)
        for (grad_output_kind k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (k != GRAD_GRAD_INPUT &&
                grad_layer_result_tensor(&request->claims[i], k)->data != NULL) {
                *layer = i;
                *output = k;
                return true;
            }
    return false;
}

grad_status grad_check_verify_claims(const grad_check_request *request, grad_error *error)
{
    static const char *const code = "unsupported_value";
    const grad_batch *batch = request->batch;
    const grad_clip *clip = &batch->clip;
    grad_output_kind output = 0;
    size_t layer = 0;
    grad_pointer_text claim;

    if (!find_delta(request, &layer, &output))
        return GRAD_OK;
    claim = grad_pointer_format("layers/%zu/%s", layer, grad_output_name(output));
    if (batch->reduction == GRAD_PER_SAMPLE)
        return grad_fail(error, GRAD_INVALID, code, "/reduction",
                         "a check is of whole batches, expected reduction sum or mean beside %s, "
                         "found none",
                         claim.text);
    if (batch->scale == 0)
        return grad_fail(error, GRAD_INVALID, code, "/scale",
                         "claims of scale 0 cannot be checked, expected another scale beside %s",
                         claim.text);
    if (clip->value > 0 || clip->layer_norm > 0 || clip->global_norm > 0)
        return grad_fail(error, GRAD_INVALID, code, "/clip",
                         "what was clipped cannot be checked, expected no clip beside %s: leave "
                         "out the clip or the claims",
                         claim.text);
    return GRAD_OK;
}

/* ---- Claims ---------------------------------------------------------------------------------- */

/* What the request makes of the sum of a parameter's deltas. */
typedef struct finishing {
    grad_datatype datatype;
    bool is_none;
    double scale, divisor;
    grad_decay decay;
    const void *weight; /* where there is decay */
} finishing;

static finishing finishing_of(const grad_check *check, const grad_parameter *v)
{
    const grad_batch *batch = check->request->batch;
    size_t first = batch->network != NULL ? 0 : v->layer; /* that gives the number of samples */
    grad_extent extent = {0};
    finishing f = {.datatype = batch->datatype, .is_none = true, .scale = 1, .divisor = 1};

    if (v->output == GRAD_GRAD_INPUT)
        return f;
    f.scale = batch->scale;
    if (batch->reduction == GRAD_MEAN)
        f.divisor = (double)grad_extent_of(batch, first, &extent).B;
    if (v->output == GRAD_WEIGHT_DELTA)
        f.decay = batch->weight_decay;
    f.weight = f.decay.l1 > 0 || f.decay.l2 > 0 ? batch->layers[v->layer].weight.data : NULL;
    f.is_none = f.scale == 1 && f.divisor == 1 && f.weight == NULL;
    return f;
}

static double sign_of(double value)
{
    return (value > 0) - (value < 0);
}

/* One element of a claim, without the finishing. */
static grad_interval undo(const finishing *f, const grad_tensor *claim, size_t i)
{
    double claimed = grad_real_at(f->datatype, claim->data, i), decay = 0, size;
    double unit = f->datatype == GRAD_FP64 ? DBL_EPSILON / 2 : (double)FLT_EPSILON / 2;
    double least = f->datatype == GRAD_FP64 ? DBL_TRUE_MIN : (double)FLT_TRUE_MIN;

    if (f->is_none)
        return (grad_interval){claimed, 0, 0};
    if (f->weight != NULL) {
        double w = grad_real_at(f->datatype, f->weight, i);

        decay = f->decay.l1 * sign_of(w) + f->decay.l2 * w;
    }
    claimed /= f->scale;
    size = unit * (fabs(claimed) + fabs(decay)) + least / fabs(f->scale);
    return (grad_interval){(claimed - decay) * f->divisor, 0, ROUNDINGS * size * f->divisor};
}

/* Along the direction roundings have random signs, and add up as a random walk does. */
grad_interval grad_check_claim_at(const grad_check *check, const grad_sample *s)
{
    const grad_parameter *p = &check->parameters[s->parameter];
    finishing f = finishing_of(check, p);
    grad_interval sum = {0, 0, 0};

    if (s->index != GRAD_ALONG_DIRECTION)
        return undo(&f, p->claim, s->index);
    for (size_t i = 0; i < grad_tensor_count(p->claim); i++) {
        grad_interval one = undo(&f, p->claim, i);

        sum.middle += grad_check_sign(check, s->parameter, i) * one.middle;
        sum.rounding = hypot(sum.rounding, one.rounding);
    }
    return sum;
}
