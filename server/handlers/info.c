/* GET /v1/info: what this daemon is, what it takes and what it refuses, for people and programs. */
#include "handlers/handlers.h"
#include "http/request.h"

#define INFO_MAX 65536

static void add_member(grad_text *text, const char *name, const char *value)
{
    grad_text_string(text, name);
    grad_text_add(text, ":", 1);
    grad_text_string(text, value);
}

static void add_limits(const config *c, grad_text *text)
{
    const struct {
        const char *name;
        size_t value;
    } rows[] = {
        {"max_body", c->max_body},         {"max_layers", c->max_layers},
        {"max_numbers", c->max_numbers},   {"max_result_numbers", c->max_result_numbers},
        {"max_envelope", c->max_envelope}, {"max_connections", c->max_connections},
        {"queue_depth", c->queue_depth},   {"memory_budget", c->memory_budget},
    };
    grad_text_printf(text, "\"limits\":{");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        grad_text_printf(text, "%s\"%s\":%zu", i > 0 ? "," : "", rows[i].name, rows[i].value);
    grad_text_printf(text, "}");
}

static void add_activation(const grad_activation_info *info, grad_text *text)
{
    grad_text_printf(text, "{");
    add_member(text, "name", info->name);
    grad_text_printf(text, ",");
    add_member(text, "formula", info->formula);
    grad_text_printf(text, ",");
    add_member(text, "derivative", info->derivative);
    grad_text_printf(text, ",\"parameters\":[");
    for (size_t i = 0; i < info->parameter_count; i++) {
        const grad_parameter_info *p = &info->parameters[i];
        grad_text_printf(text, "%s{", i > 0 ? "," : "");
        add_member(text, "name", p->name);
        grad_text_printf(text, ",\"default\":");
        grad_text_number(text, p->default_value);
        grad_text_printf(text, ",\"positive\":%s}", p->positive ? "true" : "false");
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

static void finish(request *r)
{
    const config *c = r->context->service->config;
    grad_text text;
    grad_text_init(&text, INFO_MAX);
    grad_text_printf(&text,
                     "{\"name\":\"gradientd\",\"version\":\"%s\",\"revision\":\"%s\","
                     "\"workers\":%zu,\"event_loops\":%zu,\"encodings\":[\"json\"],"
                     "\"datatypes\":[\"FP32\"],\"reductions\":[\"sum\",\"mean\"],"
                     "\"outputs\":[\"weight_delta\",\"bias_delta\",\"grad_input\"],",
                     GRAD_VERSION, GRADIENTD_REVISION, c->workers, c->event_loops);
    add_limits(c, &text);
    grad_text_printf(&text, ",");
    add_activations(&text);
    grad_text_printf(&text, "}\n");
    request_answer_text(r, MHD_HTTP_OK, "application/json", &text);
}

const handler handler_info = {.finish = finish};
