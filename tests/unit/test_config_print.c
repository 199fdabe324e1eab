/* What people read of the options: --help names them all. The tables of --describe are
 * test_describe.c's. */
#include "config/config.h"
#include "config/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a printer prints; the caller frees it. */
static char *printed(void (*print)(FILE *out))
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    print(out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_help_names_everything(void **state)
{
    (void)state;
    char *help = printed(config_print_help);
    char flag[OPTION_NAME_SIZE + 8];
    for (size_t i = 0; i < option_total; i++) {
        snprintf(flag, sizeof flag, "\n  --%s ", config_options[i].name);
        assert_non_null(strstr(help, flag));
        assert_non_null(strstr(help, config_options[i].help));
    }
    for (size_t i = 0; i < OPTION_COMMAND_COUNT; i++) {
        snprintf(flag, sizeof flag, "--%s", config_commands[i].name);
        assert_non_null(strstr(help, flag));
        assert_non_null(strstr(help, config_commands[i].help));
    }
    assert_non_null(strstr(help, "gradientd healthcheck"));
    free(help);
}

static void test_lines_of_help_fit_a_terminal(void **state)
{
    (void)state;
    char *help = printed(config_print_help);
    char *rest;
    for (char *line = strtok_r(help, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strlen(line) > 100)
            fail_msg("%zu columns: %s", strlen(line), line);
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_names_everything),
        cmocka_unit_test(test_lines_of_help_fit_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
