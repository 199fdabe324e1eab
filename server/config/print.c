/* What people read of the table of options: --help, the documentation's table, --check-config. */
#include "config/options.h"
#include "config/values.h"

static const char *const arguments[] = {
    [OPTION_ADDRESS] = "HOST:PORT", [OPTION_ORIGINS] = "ORIGINS", [OPTION_NUMBER] = "NUMBER",
    [OPTION_SIZE] = "SIZE",         [OPTION_RATE] = "RATE",       [OPTION_TIME] = "TIME",
    [OPTION_CHOICE] = "WORD",       [OPTION_SWITCH] = "on|off",
};

static void print_option(const option *o, FILE *out)
{
    char range[VALUE_RANGE_SIZE], initial[VALUE_INITIAL_SIZE];
    value_range(o, range);
    value_initial(o, initial);
    fprintf(out, "  --%s %s\n        %s", o->name, arguments[o->kind], o->help);
    if (o->kind == OPTION_CHOICE)
        fprintf(out, ": %s", range);
    if (o->automation)
        fprintf(out, "; 0: %s", o->automation);
    fprintf(out, " (default %s)\n", initial);
}

static void print_command(const option_command *c, FILE *out)
{
    fprintf(out, "  %s%s--%s%s%s\n        %s\n", c->shorthand ? c->shorthand : "",
            c->shorthand ? ", " : "", c->name, c->argument ? " " : "",
            c->argument ? c->argument : "", c->help);
}

void config_print_help(FILE *out)
{
    fputs("Usage: gradientd [OPTION]...\n"
          "       gradientd healthcheck [OPTION]...\n"
          "Computes the backward pass of neural-network layers over HTTP.\n"
          "healthcheck asks the daemon that runs with the same options whether it lives (/livez),\n"
          "and exits with 0 if it does.\n\n"
          "An option is also a variable (--max-body: GRADIENTD_MAX_BODY) and a key of the file\n"
          "(max-body = 64MiB). A flag overrules a variable, a variable the file.\n"
          "SIZE takes k M G (powers of 1000) and KiB MiB GiB, NUMBER k M G and Ki Mi Gi, RATE is\n"
          "a SIZE a second, TIME takes ms s m, seconds if it has no unit.\n\n",
          out);
    for (size_t i = 0; i < OPTION_TOTAL; i++)
        print_option(&config_options[i], out);
    fputc('\n', out);
    for (size_t i = 0; i < OPTION_COMMAND_COUNT; i++)
        print_command(&config_commands[i], out);
}

void config_print_markdown(FILE *out)
{
    fputs("| flag and key | variable | default | values | changes at | meaning |\n"
          "|---|---|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < OPTION_TOTAL; i++) {
        const option *o = &config_options[i];
        char variable[OPTION_NAME_SIZE], range[VALUE_RANGE_SIZE], initial[VALUE_INITIAL_SIZE];
        option_variable(o->name, variable);
        value_range(o, range);
        value_initial(o, initial);
        fprintf(out, "| `--%s` | `%s` | %s | %s | %s | %s%s%s |\n", o->name, variable, initial,
                range, o->change == AT_RELOAD ? "reload" : "restart", o->help,
                o->automation ? "; 0: " : "", o->automation ? o->automation : "");
    }
}

void config_print_effective(const config *values, const config_sources *sources, FILE *out)
{
    config resolved = *values;
    config_resolve(&resolved);
    for (size_t i = 0; i < OPTION_TOTAL; i++) {
        const option *o = &config_options[i];
        fprintf(out, "%s = ", o->name);
        value_format(o, &resolved, out);
        fprintf(out, "   # %s", config_source_of(sources, i));
        if (value_is_automatic(o, values))
            fprintf(out, " (0: %s)", o->automation);
        fputc('\n', out);
    }
}
