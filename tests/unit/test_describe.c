/* The tables of --describe: each has a row for all that the library and the daemon know, in which
 * every cell of the header has its own. Whether the pages hold them is lint's question. */
#include "api/describe.h"
#include "api/limits.h"
#include "config/options.h"
#include "observe/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gradient_network.h"

#include <cmocka.h>

/* What is printed of a topic; the caller frees it. */
static char *described(const char *topic)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_true(describe(topic, out));
    assert_int_equal(fclose(out), 0);
    return text;
}

static size_t cells(const char *line)
{
    size_t bars = 0;
    for (; *line && *line != '\n'; line++)
        bars += *line == '|';
    return bars;
}

/* The row that begins with that name, up to the line's end; cut off in place. */
static char *row_of(char *text, const char *name)
{
    char begin[96];
    snprintf(begin, sizeof begin, "\n| `%s` |", name);
    char *row = strstr(text, begin);
    if (!row)
        fail_msg("there is no row of %s", name);
    row++;
    row[strcspn(row, "\n")] = '\0';
    return row;
}

static void assert_row(const char *topic, const char *name, const char *const *parts)
{
    char *text = described(topic), *row = row_of(text, name);
    for (; *parts; parts++)
        if (!strstr(row, *parts))
            fail_msg("expected %s in %s", *parts, row);
    free(text);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_layers_are_all_there(void **state)
{
    (void)state;
    for (int kind = 0; kind < GRAD_LAYER_KIND_COUNT; kind++) {
        const grad_layer_info *info = grad_layer_info_of((grad_layer_kind)kind);
        assert_non_null(info->formula);
        assert_row("layers", info->name, PARTS(info->formula, "`grad_input`"));
    }
    assert_row("layers", "dense",
               PARTS("`linear`", "`weight` [N,K]", "`weight_delta` [N,K]", "`bias_delta` [N]",
                     "required"));
    assert_row("layers", "batch_norm",
               PARTS("`running_mean` [N]", "`epsilon` 1e-5", "`gain_delta` [N]", "`identity`"));
}

static void test_activations_are_all_there(void **state)
{
    (void)state;
    for (int kind = 0; kind < GRAD_ACTIVATION_COUNT; kind++) {
        const grad_activation_info *info = grad_activation_info_of((grad_activation_kind)kind);
        assert_row("activations", info->name, PARTS(info->formula, info->derivative));
    }
    assert_row("activations", "softplus", PARTS("`beta` 1, > 0; `threshold` 20"));
    assert_row("activations", "softshrink", PARTS("`lambda` 0.5, >= 0"));
    assert_row("activations", "silu", PARTS("`swish`"));
}

/* Both tables of a loss: the second row of the name, too. */
static void test_losses_are_all_there(void **state)
{
    (void)state;
    for (int kind = GRAD_LOSS_ABSENT + 1; kind < GRAD_LOSS_COUNT; kind++) {
        const grad_loss_info *info = grad_loss_info_of((grad_loss_kind)kind);
        assert_row("losses", info->name, PARTS(info->formula, info->gradient));
    }
    char *text = described("losses"), *fields = strstr(text, "\n\n");
    assert_non_null(fields);
    assert_string_equal(row_of(fields, "nll"),
                        "| `nll` | classes [B] | `class_weight` [N] | `ignore_index` -100, a whole "
                        "number | [B] | the weights of the classes that count | `log_softmax`: "
                        "`cross_entropy` |");
    free(text);
    text = described("losses");
    fields = strstr(text, "\n\n");
    assert_string_equal(row_of(fields, "gaussian_nll"),
                        "| `gaussian_nll` | [B,N] | `variance` [B,N] or [B,1], required | `full` "
                        "false; `eps` 1e-6, >= 0 | [B,N] | B N |  |");
    free(text);
}

static void test_the_check_has_its_defaults(void **state)
{
    (void)state;
    assert_row("check", "samples", PARTS("| 16 |"));
    assert_row("check", "tolerance", PARTS("1e-6 for FP64, 0.0001 for FP32"));
}

static void test_the_daemons_tables_are_whole(void **state)
{
    (void)state;
    const limit *l;
    const metrics_family *f;
    for (size_t i = 0; (l = limit_at(i)); i++) {
        assert_true(!l->option || option_find(l->option));
        assert_row("limits", l->name, PARTS(l->option ? l->option : "fixed"));
    }
    for (size_t i = 0; (f = metrics_family_at(i)); i++)
        assert_row("metrics", f->name, PARTS(f->type, f->help, f->advice));
    for (size_t i = 0; i < option_total; i++) {
        char flag[OPTION_NAME_SIZE + 2];
        snprintf(flag, sizeof flag, "--%s", config_options[i].name);
        assert_row("options", flag, PARTS(config_options[i].help));
    }
}

/* Who adds a reason says what to do about it. */
static void test_each_rejection_has_its_advice(void **state)
{
    (void)state;
    for (int reason = 0; reason < REJECT_COUNT; reason++)
        assert_row("metrics", "gradientd_rejections_total",
                   PARTS(metrics_rejection_name((metrics_rejection)reason)));
}

/* Also: no cell holds a bar of its own. */
static void test_rows_are_as_wide_as_their_header(void **state)
{
    (void)state;
    char *text = described(NULL), *rest;
    size_t width = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *next = rest;
        if (next && strncmp(next, "|---", 4) == 0)
            width = cells(line);
        if (line[0] == '|' && cells(line) != width)
            fail_msg("%zu bars, expected %zu: %s", cells(line), width, line);
        assert_true(line[0] == '|' || strncmp(line, "## ", 3) == 0);
    }
    free(text);
}

static void test_other_topics_are_none(void **state)
{
    (void)state;
    assert_false(describe("", stderr));
    assert_false(describe("layer", stderr));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_are_all_there),
        cmocka_unit_test(test_activations_are_all_there),
        cmocka_unit_test(test_losses_are_all_there),
        cmocka_unit_test(test_the_check_has_its_defaults),
        cmocka_unit_test(test_the_daemons_tables_are_whole),
        cmocka_unit_test(test_each_rejection_has_its_advice),
        cmocka_unit_test(test_rows_are_as_wide_as_their_header),
        cmocka_unit_test(test_other_topics_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
