/* The topics of `gradientd --describe`, and the Markdown of each. */
#include "api/describe.h"

#include "api/limits.h"
#include "config/options.h"
#include "gradient_network.h"
#include "observe/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Cells ----------------------------------------------------------------------------------- */

/* "`linear`, `fully_connected`" */
static void print_names(const char *const *names, FILE *out)
{
    for (size_t i = 0; names[i] != NULL; i++)
        fprintf(out, "%s`%s`", i > 0 ? ", " : "", names[i]);
}

/* The shortest decimal that reads back, 1e-5 and not 1e-05. */
static void print_number(double value, FILE *out)
{
    char text[32];
    int digits = 6;
    char *exponent;

    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (strtod(text, NULL) != value && digits++ < 17);
    exponent = strstr(text, "e-0");
    if (exponent != NULL)
        memmove(exponent + 2, exponent + 3, strlen(exponent + 3) + 1);
    fputs(text, out);
}

/* "`alpha` 1, > 0; `threshold` 20" */
static void print_parameters(const grad_parameter_info *parameters, size_t count, FILE *out)
{
    static const char *const domains[] = {
        [GRAD_ANY_NUMBER] = "",
        [GRAD_POSITIVE] = ", > 0",
        [GRAD_NOT_NEGATIVE] = ", >= 0",
        [GRAD_FRACTION] = ", from 0 to 1",
        [GRAD_FLAG] = "",
        [GRAD_INTEGER] = ", a whole number",
    };

    for (size_t i = 0; i < count; i++) {
        const grad_parameter_info *p = &parameters[i];
        fprintf(out, "%s`%s` ", i > 0 ? "; " : "", p->name);
        if (p->domain == GRAD_FLAG)
            fputs(p->default_value != 0 ? "true" : "false", out);
        else
            print_number(p->default_value, out);
        fputs(domains[p->domain], out);
    }
}

/* ---- Layers ---------------------------------------------------------------------------------- */

/* "[N,K]" of "NK" */
static void print_shape(const char *axes, FILE *out)
{
    for (const char *axis = axes; *axis; axis++)
        fprintf(out, "%c%c", axis == axes ? '[' : ',', *axis);
    fputc(']', out);
}

static void print_slots(const grad_layer_info *info, FILE *out)
{
    for (size_t i = 0; i < info->slot_count; i++) {
        fprintf(out, "%s`%s` ", i > 0 ? ", " : "", grad_slot_name(info->slots[i].slot));
        print_shape(info->slots[i].shape, out);
    }
}

static void print_defaults(const grad_attribute_info *attribute, FILE *out)
{
    double single = attribute->default_values[GRAD_FP32];
    double wide = attribute->default_values[GRAD_FP64];

    if (isnan(single))
        fputs("required", out);
    else
        print_number(single, out);
    if (wide > single || wide < single) {
        fputs(" (FP64: ", out);
        print_number(wide, out);
        fputc(')', out);
    }
    fputs(attribute->is_count ? ", a whole number" : "", out);
}

static void print_attributes(const grad_layer_info *info, FILE *out)
{
    for (size_t i = 0; i < info->attribute_count; i++) {
        fprintf(out, "%s`%s` ", i > 0 ? ", " : "", info->attributes[i].name);
        print_defaults(&info->attributes[i], out);
    }
}

static void print_deltas(const grad_layer_info *info, FILE *out)
{
    for (size_t i = 0; i < info->slot_count; i++) {
        const grad_slot_info *slot = &info->slots[i];
        if (slot->delta == GRAD_OUTPUT_COUNT)
            continue;
        fprintf(out, "`%s` ", grad_output_name(slot->delta));
        print_shape(slot->shape, out);
        fputs(", ", out);
    }
    fprintf(out, "`%s`", grad_output_name(GRAD_GRAD_INPUT));
}

static void print_layers(FILE *out)
{
    fputs("| `type` | other names | z | tensors | numbers and defaults | `activation` | outputs |\n"
          "|---|---|---|---|---|---|---|\n",
          out);
    for (int kind = 0; kind < GRAD_LAYER_KIND_COUNT; kind++) {
        const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);
        fprintf(out, "| `%s` | ", info->name);
        print_names(info->synonyms, out);
        fprintf(out, " | `%s` | ", info->formula);
        print_slots(info, out);
        fputs(" | ", out);
        print_attributes(info, out);
        fprintf(out, " | %s | ", info->may_lack_activation ? "`identity`" : "required");
        print_deltas(info, out);
        fputs(" |\n", out);
    }
}

/* ---- Activations and losses ------------------------------------------------------------------ */

static void print_activations(FILE *out)
{
    fputs(
        "| name | other names | f(z) | f'(z) | parameters and defaults |\n|---|---|---|---|---|\n",
        out);
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        const grad_activation_info *info = grad_activation_info_of((grad_activation_kind)kind);
        fprintf(out, "| `%s` | ", info->name);
        print_names(info->synonyms, out);
        fprintf(out, " | `%s` | `%s` | ", info->formula, info->derivative);
        print_parameters(info->parameters, info->parameter_count, out);
        fputs(" |\n", out);
    }
}

static const char *target_of(const grad_loss_info *info)
{
    bool classes = info->tensors & GRAD_LOSS_CLASSES, full = info->tensors & GRAD_LOSS_FULL;

    if (classes)
        return full ? "classes [B], or [B,N]" : "classes [B]";
    return full ? "[B,N]" : "[B]";
}

static void print_loss_tensors(const grad_loss_info *info, FILE *out)
{
    static const struct {
        unsigned bit;
        const char *text;
    } rows[] = {
        {GRAD_LOSS_CLASS_WEIGHT, "`class_weight` [N]"},
        {GRAD_LOSS_POS_WEIGHT, "`pos_weight` [N]"},
        {GRAD_LOSS_VARIANCE, "`variance` [B,N] or [B,1], required"},
        {GRAD_LOSS_OTHER, "`other` [B,N], required"},
    };
    const char *comma = "";

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (info->tensors & rows[i].bit) {
            fprintf(out, "%s%s", comma, rows[i].text);
            comma = "; ";
        }
    }
}

static const char *divisor_of(const grad_loss_info *info)
{
    bool classes = info->tensors & GRAD_LOSS_CLASSES;

    if (classes)
        return info->tensors & GRAD_LOSS_FULL
                   ? "the weights of the classes that count; B where the target is [B,N]"
                   : "the weights of the classes that count";
    return info->tensors & GRAD_LOSS_PER_SAMPLE ? "B" : "B N";
}

/* The activations that become one function with it. */
static void print_fusions(grad_loss_kind loss, FILE *out)
{
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        grad_loss_kind fused = grad_loss_fusion_of((grad_activation_kind)kind, loss);
        if (fused != GRAD_LOSS_ABSENT) {
            fprintf(out, "`%s`: `%s`", grad_activation_info_of((grad_activation_kind)kind)->name,
                    grad_loss_info_of(fused)->name);
        }
    }
}

static void print_loss_formulae(FILE *out)
{
    fputs("| name | other names | of an element, or of a sample | gradient by y |\n"
          "|---|---|---|---|\n",
          out);
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        const grad_loss_info *info = grad_loss_info_of((grad_loss_kind)kind);
        fprintf(out, "| `%s` | ", info->name);
        print_names(info->synonyms, out);
        fprintf(out, " | `%s` | `%s` |\n", info->formula, info->gradient);
    }
}

static void print_loss_fields(FILE *out)
{
    fputs("| name | target | other tensors | parameters and defaults | \"none\" gives | mean "
          "divides by | one function with |\n|---|---|---|---|---|---|---|\n",
          out);
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        const grad_loss_info *info = grad_loss_info_of((grad_loss_kind)kind);
        fprintf(out, "| `%s` | %s | ", info->name, target_of(info));
        print_loss_tensors(info, out);
        fputs(" | ", out);
        print_parameters(info->parameters, info->parameter_count, out);
        fprintf(out, " | %s | %s | ", info->tensors & GRAD_LOSS_PER_SAMPLE ? "[B]" : "[B,N]",
                divisor_of(info));
        print_fusions((grad_loss_kind)kind, out);
        fputs(" |\n", out);
    }
}

static void print_losses(FILE *out)
{
    print_loss_formulae(out);
    fputc('\n', out);
    print_loss_fields(out);
}

static void print_check(FILE *out)
{
    fprintf(out,
            "| field of `check` | default | of |\n|---|---|---|\n"
            "| `samples` | %d | the places of each tensor that are looked at |\n"
            "| `seed` | 0 | their choice, and that of the random directions |\n| `tolerance` | ",
            GRAD_DEFAULT_CHECK_SAMPLES);
    print_number(GRAD_DEFAULT_CHECK_TOLERANCE_FP64, out);
    fputs(" for FP64, ", out);
    print_number(GRAD_DEFAULT_CHECK_TOLERANCE_FP32, out);
    fputs(" for FP32 | the relative error that still passes |\n", out);
}

/* ---- The daemon ------------------------------------------------------------------------------ */

static void print_limits(FILE *out)
{
    const limit *l;

    fputs("| limit | default | set by | of |\n|---|---|---|---|\n", out);
    for (size_t i = 0; (l = limit_at(i)) != NULL; i++) {
        const option *o = l->option != NULL ? option_find(l->option) : NULL;
        char initial[VALUE_INITIAL_SIZE];
        if (o != NULL) {
            value_initial(o, initial);
            fprintf(out, "| `%s` | %s | `--%s` | %s |\n", l->name,
                    o->automation != NULL ? o->automation : initial, o->name, o->help);
        } else {
            fprintf(out, "| `%s` | %" PRIu64 " | fixed | %s |\n", l->name, l->fixed, l->help);
        }
    }
}

static void print_metrics(FILE *out)
{
    const metrics_family *f;

    fputs("| metric | type | labels | meaning | when it moves |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; (f = metrics_family_at(i)) != NULL; i++) {
        fprintf(out, "| `%s` | %s | %s | %s | %s |\n", f->name, f->type, f->labels, f->help,
                f->advice);
    }
}

/* ---- Topics ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*print)(FILE *out);
} topics[] = {
    {"layers", print_layers},        {"activations", print_activations}, {"losses", print_losses},
    {"check", print_check},          {"limits", print_limits},           {"metrics", print_metrics},
    {"options", config_print_table},
};
#define TOPIC_COUNT (sizeof topics / sizeof *topics)

bool describe(const char *topic, FILE *out)
{
    bool found = topic == NULL;

    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        if (topic == NULL)
            fprintf(out, "%s## %s\n\n", i > 0 ? "\n" : "", topics[i].name);
        else if (strcmp(topic, topics[i].name) != 0)
            continue;
        topics[i].print(out);
        found = true;
    }
    return found;
}

void describe_topics(char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < TOPIC_COUNT && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? ", " : "",
                                   topics[i].name);
}
