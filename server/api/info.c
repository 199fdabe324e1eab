/* GET /v1/info: what this daemon is, what it reads and what it rejects, for people and programs. */
#include "api/handlers.h"

#include "api/limits.h"
#include "body/body.h"
#include "gradient_network.h"
#include "gradient_wire.h"
#include "http/request.h"

#include <inttypes.h>

#define INFO_MAX (256 << 10)

/* ---- Members --------------------------------------------------------------------------------- */

/* Adds "name":"value". */
static void add_member(grad_text *text, const char *name, const char *value)
{
    grad_text_string(text, name);
    grad_text_add(text, ":", 1);
    grad_text_string(text, value);
}

/* ["linear"], of names ended by NULL. */
static void add_synonyms(grad_text *text, const char *const *synonyms)
{
    grad_text_printf(text, "[");
    for (size_t i = 0; synonyms[i] != NULL; i++) {
        grad_text_add(text, ",", i > 0);
        grad_text_string(text, synonyms[i]);
    }
    grad_text_printf(text, "]");
}

static void add_names(grad_text *text, const char *name, const char *const *synonyms)
{
    add_member(text, "name", name);
    grad_text_printf(text, ",\"synonyms\":");
    add_synonyms(text, synonyms);
    grad_text_add(text, ",", 1);
}

static void add_formulae(grad_text *text, const char *formula, const char *derivative_name,
                         const char *derivative)
{
    add_member(text, "formula", formula);
    grad_text_add(text, ",", 1);
    add_member(text, derivative_name, derivative);
}

/* ---- Activations ----------------------------------------------------------------------------- */

static void add_activation(const grad_activation_info *info, grad_text *text)
{
    grad_text_printf(text, "{");
    add_names(text, info->name, info->synonyms);
    add_formulae(text, info->formula, "derivative", info->derivative);
    grad_text_printf(text, ",\"parameters\":[");
    for (size_t i = 0; i < info->parameter_count; i++) {
        const grad_parameter_info *p = &info->parameters[i];
        grad_text_printf(text, "%s{", i > 0 ? "," : "");
        add_member(text, "name", p->name);
        grad_text_printf(text, ",\"default\":");
        grad_text_number(text, p->default_value);
        grad_text_printf(text, ",\"positive\":%s}", p->domain == GRAD_POSITIVE ? "true" : "false");
    }
    grad_text_printf(text, "]}");
}

static void add_activations(grad_text *text)
{
    grad_text_printf(text, "\"activations\":[");
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_text_add(text, ",", kind > 0);
        add_activation(grad_activation_info_of((grad_activation_kind)kind), text);
    }
    grad_text_printf(text, "]");
}

/* ---- Losses ---------------------------------------------------------------------------------- */

static void add_loss_parameter(const grad_parameter_info *p, grad_text *text)
{
    static const char *const domains[] = {
        [GRAD_ANY_NUMBER] = "any",
        [GRAD_POSITIVE] = "positive",
        [GRAD_NOT_NEGATIVE] = "not_negative",
        [GRAD_FRACTION] = "fraction",
        [GRAD_FLAG] = "flag",
        [GRAD_INTEGER] = "integer",
    };

    grad_text_printf(text, "{");
    add_member(text, "name", p->name);
    grad_text_printf(text, ",\"default\":");
    if (p->domain == GRAD_FLAG)
        grad_text_printf(text, "%s", p->default_value != 0 ? "true" : "false");
    else
        grad_text_number(text, p->default_value);
    grad_text_printf(text, ",");
    add_member(text, "domain", domains[p->domain]);
    grad_text_printf(text, "}");
}

/* The shapes of a loss's target: one class or one word a sample, or a number for each of y. */
static const char *target_shapes(unsigned tensors)
{
    bool classes = tensors & GRAD_LOSS_CLASSES, full = tensors & GRAD_LOSS_FULL;

    if (classes && full)
        return "\"[B]\",\"[B,N]\"";
    return full ? "\"[B,N]\"" : "\"[B]\"";
}

static void add_tensors(unsigned tensors, grad_text *text)
{
    const struct {
        const char *name;
        const char *shapes;
        bool applies, required;
    } rows[] = {
        {"target", target_shapes(tensors), true, true},
        {"sample_weight", "\"[B]\"", true, false},
        {"class_weight", "\"[N]\"", tensors & GRAD_LOSS_CLASS_WEIGHT, false},
        {"pos_weight", "\"[N]\"", tensors & GRAD_LOSS_POS_WEIGHT, false},
        {"variance", "\"[B,N]\",\"[B,1]\"", tensors & GRAD_LOSS_VARIANCE, true},
        {"other", "\"[B,N]\"", tensors & GRAD_LOSS_OTHER, true},
    };

    grad_text_printf(text, "\"tensors\":[");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].applies) {
            grad_text_printf(text, "%s{\"name\":\"%s\",\"shapes\":[%s],\"required\":%s}",
                             i > 0 ? "," : "", rows[i].name, rows[i].shapes,
                             rows[i].required ? "true" : "false");
        }
    }
    grad_text_printf(text, "]");
}

static void add_loss(const grad_loss_info *info, grad_text *text)
{
    grad_text_printf(text, "{");
    add_names(text, info->name, info->synonyms);
    add_formulae(text, info->formula, "gradient", info->gradient);
    grad_text_printf(text, ",\"per_sample\":%s,\"parameters\":[",
                     info->tensors & GRAD_LOSS_PER_SAMPLE ? "true" : "false");
    for (size_t i = 0; i < info->parameter_count; i++) {
        grad_text_add(text, ",", i > 0);
        add_loss_parameter(&info->parameters[i], text);
    }
    grad_text_printf(text, "],");
    add_tensors(info->tensors, text);
    grad_text_printf(text, "}");
}

static void add_losses(grad_text *text)
{
    grad_text_printf(text, "\"losses\":[");
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        grad_text_add(text, ",", kind > GRAD_LOSS_ABSENT + 1);
        add_loss(grad_loss_info_of((grad_loss_kind)kind), text);
    }
    grad_text_printf(text, "]");
}

/* ---- The document ---------------------------------------------------------------------------- */

static void add_limits(const config *c, grad_text *text)
{
    const limit *l;

    grad_text_printf(text, "\"limits\":{");
    for (size_t i = 0; (l = limit_at(i)) != NULL; i++)
        grad_text_printf(text, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", l->name, limit_value(l, c));
    grad_text_printf(text, "}");
}

#define QUOTED_BEHIND_COMMA(CONSTANT, name) ",\"" #name "\""

/* The words of the documents: what a member may say, or what it may hold. */
static void add_words(grad_text *text)
{
    static const char loss_reductions[] = GRAD_LOSS_REDUCTIONS(QUOTED_BEHIND_COMMA);

    grad_text_printf(text,
                     "\"encodings\":[\"json\",\"base64\",\"binary\",\"safetensors\"],"
                     "\"datatypes\":[\"FP32\",\"FP64\"],"
                     "\"reductions\":[\"sum\",\"mean\",\"none\"],"
                     "\"loss_reductions\":[%s],"
                     "\"options\":{\"non_finite\":[\"reject\",\"allow\"],"
                     "\"on_error\":[\"abort\",\"continue\"],\"statistics\":[false,true],"
                     "\"clip\":[\"value\",\"layer_norm\",\"global_norm\"],"
                     "\"weight_decay\":[\"l1\",\"l2\"],"
                     "\"check\":[\"samples\",\"seed\",\"tolerance\"]},",
                     loss_reductions + 1);
    grad_text_printf(text, "\"outputs\":[");
    for (int output = 0; output < GRAD_OUTPUT_COUNT; output++)
        grad_text_printf(text, "\"%s\",", grad_output_name((grad_output_kind)output));
    grad_text_printf(text, "\"predictions\"],\"layer_types\":[");
    for (int kind = 0; kind < GRAD_LAYER_KIND_COUNT; kind++) {
        grad_text_printf(text, "%s\"%s\"", kind > 0 ? "," : "",
                         grad_layer_info_of((grad_layer_kind)kind)->name);
    }
    grad_text_printf(text, "],\"layer_type_synonyms\":{");
    for (int kind = 0; kind < GRAD_LAYER_KIND_COUNT; kind++) {
        grad_text_printf(text, "%s\"%s\":", kind > 0 ? "," : "",
                         grad_layer_info_of((grad_layer_kind)kind)->name);
        add_synonyms(text, grad_layer_info_of((grad_layer_kind)kind)->synonyms);
    }
    grad_text_printf(text, "},");
}

static void add_content_encodings(const body_formats *formats, grad_text *text)
{
    grad_text_printf(text, "\"content_encodings\":[");
    for (size_t i = 0; formats->filters[i] != NULL; i++)
        grad_text_printf(text, "%s\"%s\"", i > 0 ? "," : "", formats->filters[i]->coding);
    grad_text_printf(text, "],");
}

static outcome respond(request *r)
{
    const config *c = r->context->service->config;
    grad_text text;

    grad_text_init(&text, INFO_MAX);
    grad_text_printf(&text,
                     "{\"name\":\"gradientd\",\"version\":\"%s\",\"revision\":\"%s\","
                     "\"workers\":%zu,\"event_loops\":%zu,",
                     GRAD_VERSION, GRADIENTD_REVISION, c->workers, c->event_loops);
    add_content_encodings(r->context->service->formats, &text);
    add_words(&text);
    add_limits(c, &text);
    grad_text_printf(&text, ",");
    add_activations(&text);
    grad_text_printf(&text, ",");
    add_losses(&text);
    grad_text_printf(&text, "}\n");
    return request_respond_text(r, MHD_HTTP_OK, "application/json", &text);
}

const handler handler_info = {.on_end = respond};
