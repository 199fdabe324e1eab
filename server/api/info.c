/* GET /v1/info: what this daemon is, what it takes and what it refuses, for people and programs.
 * The lists of functions in it are info_functions.c's. */
#include "api/handlers.h"
#include "api/info_functions.h"
#include "http/request.h"

#include <inttypes.h>

#define INFO_MAX (256 << 10)

/* Those that can be set, then those that cannot, by the names that errors give them. */
static void add_limits(const config *c, grad_text *text)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"max_body", c->max_body},
        {"max_layers", c->max_layers},
        {"max_numbers", c->max_numbers},
        {"max_result_numbers", c->max_result_numbers},
        {"max_envelope", c->max_envelope},
        {"max_connections", c->max_connections},
        {"queue_depth", c->queue_depth},
        {"memory_budget", c->memory_budget},
        {"max_depth", GRAD_DEFAULT_MAX_DEPTH},
        {"max_number_text", GRAD_NUMBER_TEXT_MAX},
        {"max_check_flops", GRAD_MAX_CHECK_FLOPS},
        {"max_headers", SERVICE_MAX_HEADERS},
        {"max_ignored_body", MAX_IGNORED_BODY},
    };
    grad_text_printf(text, "\"limits\":{");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        grad_text_printf(text, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", rows[i].name, rows[i].value);
    grad_text_printf(text, "}");
}

/* The words of the documents: what a member may say, or what it may hold. */
static void add_words(grad_text *text)
{
    grad_text_printf(text, "\"encodings\":[\"json\"],\"datatypes\":[\"FP32\",\"FP64\"],"
                           "\"reductions\":[\"sum\",\"mean\",\"none\"],"
                           "\"loss_reductions\":[\"mean\",\"sum\",\"none\"],"
                           "\"options\":{\"non_finite\":[\"reject\",\"allow\"],"
                           "\"on_error\":[\"abort\",\"continue\"],\"statistics\":[false,true],"
                           "\"clip\":[\"value\",\"layer_norm\",\"global_norm\"],"
                           "\"weight_decay\":[\"l1\",\"l2\"],"
                           "\"check\":[\"samples\",\"seed\",\"tolerance\"]},");
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
        info_add_synonyms(text, grad_layer_info_of((grad_layer_kind)kind)->synonyms);
    }
    grad_text_printf(text, "},");
}

static outcome answer(request *r)
{
    const config *c = r->context->service->config;
    grad_text text;
    grad_text_init(&text, INFO_MAX);
    grad_text_printf(&text,
                     "{\"name\":\"gradientd\",\"version\":\"%s\",\"revision\":\"%s\","
                     "\"workers\":%zu,\"event_loops\":%zu,",
                     GRAD_VERSION, GRADIENTD_REVISION, c->workers, c->event_loops);
    add_words(&text);
    add_limits(c, &text);
    grad_text_printf(&text, ",");
    info_add_activations(&text);
    grad_text_printf(&text, ",");
    info_add_losses(&text);
    grad_text_printf(&text, "}\n");
    return request_respond_text(r, MHD_HTTP_OK, "application/json", &text);
}

const handler handler_info = {.on_end = answer};
