/* Writing down what grad_activation_info and grad_loss_info say. */
#include "api/info_functions.h"

#include "gradient_network.h"

void info_add_member(grad_text *text, const char *name, const char *value)
{
    grad_text_string(text, name);
    grad_text_add(text, ":", 1);
    grad_text_string(text, value);
}

void info_add_synonyms(grad_text *text, const char *const *synonyms)
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
    info_add_member(text, "name", name);
    grad_text_printf(text, ",\"synonyms\":");
    info_add_synonyms(text, synonyms);
    grad_text_add(text, ",", 1);
}

static void add_formulae(grad_text *text, const char *formula, const char *derivative_name,
                         const char *derivative)
{
    info_add_member(text, "formula", formula);
    grad_text_add(text, ",", 1);
    info_add_member(text, derivative_name, derivative);
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
        info_add_member(text, "name", p->name);
        grad_text_printf(text, ",\"default\":");
        grad_text_number(text, p->default_value);
        grad_text_printf(text, ",\"positive\":%s}", p->positive ? "true" : "false");
    }
    grad_text_printf(text, "]}");
}

void info_add_activations(grad_text *text)
{
    grad_text_printf(text, "\"activations\":[");
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_text_add(text, ",", kind > 0);
        add_activation(grad_activation_info_of((grad_activation_kind)kind), text);
    }
    grad_text_printf(text, "]");
}

/* ---- Losses ---------------------------------------------------------------------------------- */

static void add_loss_parameter(const grad_loss_parameter_info *p, grad_text *text)
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
    info_add_member(text, "name", p->name);
    grad_text_printf(text, ",\"default\":");
    if (p->domain == GRAD_FLAG)
        grad_text_printf(text, "%s", p->default_value != 0 ? "true" : "false");
    else
        grad_text_number(text, p->default_value);
    grad_text_printf(text, ",");
    info_add_member(text, "domain", domains[p->domain]);
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
        bool taken, required;
    } rows[] = {
        {"target", target_shapes(tensors), true, true},
        {"sample_weight", "\"[B]\"", true, false},
        {"class_weight", "\"[N]\"", tensors & GRAD_LOSS_CLASS_WEIGHT, false},
        {"pos_weight", "\"[N]\"", tensors & GRAD_LOSS_POS_WEIGHT, false},
        {"variance", "\"[B,N]\",\"[B,1]\"", tensors & GRAD_LOSS_VARIANCE, true},
        {"other", "\"[B,N]\"", tensors & GRAD_LOSS_OTHER, true},
    };
    grad_text_printf(text, "\"tensors\":[");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].taken) {
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

void info_add_losses(grad_text *text)
{
    grad_text_printf(text, "\"losses\":[");
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        grad_text_add(text, ",", kind > GRAD_LOSS_ABSENT + 1);
        add_loss(grad_loss_info_of((grad_loss_kind)kind), text);
    }
    grad_text_printf(text, "]");
}
