/* Decoding documents in every way, and comparing what came of it: with each other, and with
 * jansson's tree (wire_tree.c). */
#include "support/wire_oracle.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "support/wire_bytes.h"
#include "support/wire_tree.h"

const wire_form wire_forms[WIRE_FORMS] = {{WIRE_GRADIENTS, GRAD_FP32},
                                          {WIRE_BACKPROP, GRAD_FP32},
                                          {WIRE_BACKPROP, GRAD_FP64},
                                          {WIRE_CHECK, GRAD_FP64}};

static uint32_t random_state = 12345;

static size_t random_cut(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return 1 + (random_state >> 24) % 40;
}

static void finish(wire_form form, wire_outcome *outcome)
{
    if (form.kind == WIRE_CHECK)
        outcome->status =
            grad_decoder_finish_check(outcome->decoder, &outcome->check, &outcome->error);
    else
        outcome->status = grad_decoder_finish_request(
            outcome->decoder,
            form.kind == WIRE_BACKPROP ? GRAD_REQUEST_BACKPROP : GRAD_REQUEST_GRADIENTS,
            &outcome->batch, &outcome->error);
    if (outcome->check != NULL)
        outcome->batch = outcome->check->batch;
}

wire_outcome wire_decode_as(wire_form form, const char *text, size_t length, size_t cut,
                            const grad_wire_limits *limits)
{
    wire_outcome outcome = {.error = GRAD_ERROR_INIT};
    size_t done = 0;

    outcome.status = grad_decoder_create(limits, form.datatype, cut == 0 ? length : 0,
                                         &outcome.decoder, &outcome.error);
    while (outcome.status == GRAD_OK && done < length) {
        size_t piece = cut == 0 ? length : cut == WIRE_CUT_RANDOM ? random_cut() : cut;

        if (piece > length - done)
            piece = length - done;
        outcome.status = grad_decoder_push(outcome.decoder, text + done, piece, &outcome.error);
        done += piece;
    }
    if (outcome.status == GRAD_OK)
        finish(form, &outcome);
    return outcome;
}

wire_outcome wire_decode(const char *text, size_t length, size_t cut,
                         const grad_wire_limits *limits)
{
    return wire_decode_as((wire_form){WIRE_GRADIENTS, GRAD_FP32}, text, length, cut, limits);
}

/* ---- What came of it ------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_tensor(grad_datatype type, const grad_tensor *a, const grad_tensor *b)
{
    size_t bytes = grad_tensor_count(a) * grad_datatype_size(type);

    return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
           (a->data == NULL) == (b->data == NULL) &&
           (a->data == NULL || memcmp(a->data, b->data, bytes) == 0);
}

static bool same_error(const grad_error *a, const grad_error *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->status == b->status && same_text(a->code, b->code) &&
           same_text(a->pointer, b->pointer) && same_text(a->detail, b->detail) &&
           a->offset == b->offset && same_text(a->limit_name, b->limit_name) &&
           a->limit == b->limit;
}

static bool same_parameters(const grad_layer *a, const grad_layer *b)
{
    return a->activation.kind == b->activation.kind &&
           memcmp(a->activation.parameters, b->activation.parameters,
                  sizeof a->activation.parameters) == 0 &&
           a->epsilon == b->epsilon && a->dropout_rate == b->dropout_rate &&
           a->residual == b->residual;
}

static bool same_layer(grad_datatype type, const grad_layer *a, const grad_layer *b)
{
    return same_text(a->name, b->name) && a->kind == b->kind && same_parameters(a, b) &&
           same_error(a->error, b->error) && same_tensor(type, &a->input, &b->input) &&
           same_tensor(type, &a->pre_activation, &b->pre_activation) &&
           same_tensor(type, &a->grad_output, &b->grad_output) &&
           same_tensor(type, &a->weight, &b->weight) && same_tensor(type, &a->bias, &b->bias) &&
           same_tensor(type, &a->slope, &b->slope) && same_tensor(type, &a->gain, &b->gain) &&
           same_tensor(type, &a->shift, &b->shift) &&
           same_tensor(type, &a->running_mean, &b->running_mean) &&
           same_tensor(type, &a->running_variance, &b->running_variance) &&
           same_tensor(type, &a->dropout_mask, &b->dropout_mask);
}

static bool same_network(grad_datatype type, const grad_network *a, const grad_network *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return same_tensor(type, &a->input, &b->input) &&
           same_tensor(type, &a->grad_output, &b->grad_output) && a->loss.kind == b->loss.kind &&
           a->loss.reduction == b->loss.reduction &&
           memcmp(a->loss.parameters, b->loss.parameters, sizeof a->loss.parameters) == 0 &&
           same_tensor(type, &a->loss.target, &b->loss.target) &&
           same_tensor(type, &a->loss.sample_weight, &b->loss.sample_weight) &&
           same_tensor(type, &a->loss.class_weight, &b->loss.class_weight) &&
           same_tensor(type, &a->loss.pos_weight, &b->loss.pos_weight) &&
           same_tensor(type, &a->loss.variance, &b->loss.variance) &&
           same_tensor(type, &a->loss.other, &b->loss.other);
}

static bool same_options(const grad_batch *a, const grad_batch *b)
{
    return same_text(a->id, b->id) && a->datatype == b->datatype && a->scale == b->scale &&
           a->reduction == b->reduction && a->outputs == b->outputs &&
           a->non_finite == b->non_finite && a->statistics == b->statistics &&
           a->encoding == b->encoding && a->encoding_datatype == b->encoding_datatype &&
           a->continue_on_error == b->continue_on_error && a->no_notes == b->no_notes &&
           a->layer_count == b->layer_count;
}

const char *wire_batches_differ(const grad_batch *a, const grad_batch *b)
{
    if (!same_options(a, b))
        return "options differ";
    if (memcmp(&a->clip, &b->clip, sizeof a->clip) != 0 ||
        memcmp(&a->weight_decay, &b->weight_decay, sizeof a->weight_decay) != 0)
        return "clipping or decay differ";
    for (size_t i = 0; i < a->layer_count; i++)
        if (!same_layer(a->datatype, &a->layers[i], &b->layers[i]))
            return "a layer differs";
    return same_network(a->datatype, a->network, b->network) ? NULL : "the network differs";
}

static const char *checks_differ(const grad_check_request *a, const grad_check_request *b)
{
    grad_datatype type;

    if (a == NULL || b == NULL)
        return a == b ? NULL : "one is a check";
    type = a->batch->datatype;
    if (a->options->samples != b->options->samples || a->options->seed != b->options->seed ||
        a->options->tolerance != b->options->tolerance ||
        !same_tensor(type, &a->claimed_grad_input, &b->claimed_grad_input))
        return "options of the check differ";
    for (size_t i = 0; i < a->batch->layer_count; i++)
        for (size_t k = 0; k < GRAD_OUTPUT_COUNT; k++)
            if (!same_tensor(type, grad_layer_result_tensor(&a->claims[i], (grad_output_kind)k),
                             grad_layer_result_tensor(&b->claims[i], (grad_output_kind)k)))
                return "a claim differs";
    return NULL;
}

const char *wire_outcomes_differ(const wire_outcome *a, const wire_outcome *b)
{
    const char *wrong;

    if (a->status != b->status || a->error.status != b->error.status)
        return "status differs";
    if (!same_error(&a->error, &b->error))
        return "error differs";
    if (a->status != GRAD_OK)
        return NULL;
    wrong = wire_batches_differ(a->batch, b->batch);
    return wrong != NULL ? wrong : checks_differ(a->check, b->check);
}

/* What jansson refuses is refused, but for a number beyond double in a layer that is answered with
 * an error. */
static bool may_be_accepted(const wire_outcome *outcome, const json_error_t *found)
{
    if (json_error_code(found) != json_error_numeric_overflow)
        return false;
    for (size_t i = 0; i < outcome->batch->layer_count; i++)
        if (outcome->batch->layers[i].error != NULL)
            return true;
    return false;
}

/* Members that are null are as if they were absent. */
static void drop_nulls(json_t *value)
{
    const char *key;
    json_t *member;
    void *next;

    json_object_foreach_safe(value, next, key, member)
    {
        drop_nulls(member);
        if (json_is_null(member))
            json_object_del(value, key);
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        drop_nulls(json_array_get(value, i));
}

/* The tree of a document, behind its byte order mark. */
static json_t *load_tree(const char *text, size_t length, json_error_t *found)
{
    size_t mark = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    json_t *root =
        json_loadb(text + mark, length - mark,
                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, found);

    drop_nulls(root);
    return root;
}

static const char *compare_with_tree(const wire_outcome *outcome, const char *text, size_t length)
{
    json_error_t found = {0};
    json_t *root = load_tree(text, length, &found);
    bool has_nul = memchr(text, '\0', length) != NULL; /* jansson skips one behind a number */
    const char *wrong = NULL;

    if (root == NULL && outcome->status == GRAD_OK)
        wrong = may_be_accepted(outcome, &found) ? NULL : "accepted what jansson refuses";
    else if (has_nul && outcome->status == GRAD_OK)
        wrong = "accepted a NUL byte";
    else if (root != NULL && outcome->status == GRAD_MALFORMED && !has_nul &&
             !wire_bytes_are_bad(root))
        wrong = "malformed, which jansson accepts";
    else if (outcome->status == GRAD_OUT_OF_MEMORY)
        wrong = "out of memory";
    else if (root != NULL && outcome->status == GRAD_OK)
        wrong = wire_tree_differs(outcome, root);
    else if (outcome->status != GRAD_OK && outcome->error.offset > (int64_t)length)
        wrong = "an offset beyond the end";
    json_decref(root);
    return wrong;
}

const char *wire_oracle_check(wire_form form, const char *text, size_t length)
{
    static const size_t cuts[] = {1, 2, 3, 7, WIRE_CUT_RANDOM};
    wire_outcome whole = wire_decode_as(form, text, length, 0, NULL);
    const char *wrong = compare_with_tree(&whole, text, length);

    for (size_t i = 0; wrong == NULL && i < sizeof cuts / sizeof *cuts; i++) {
        wire_outcome pieces = wire_decode_as(form, text, length, cuts[i], NULL);

        wrong = wire_outcomes_differ(&whole, &pieces);
        grad_decoder_destroy(pieces.decoder);
    }
    grad_decoder_destroy(whole.decoder);
    return wrong;
}
