/* Loading a configuration: defaults, then flags, variables and the file in the order in which they
 * can be found, each value with a rank that says who overrules whom. */
#include "config/loader.h"
#include "config/values.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool loader_fail(loader *l, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(l->message, l->message_size, format, arguments);
    va_end(arguments);
    return false;
}

/* A key of the file is named besides its line; flags and variables are names themselves. */
static bool fail_value(loader *l, const option *o, const char *text, config_rank rank,
                       const char *where)
{
    char expected[VALUE_EXPECTED_SIZE];
    value_expected(o, expected);
    bool in_file = rank == RANK_FILE;
    return loader_fail(l, "%s%s%s: expected %s; found \"%.100s\"", where, in_file ? ": " : "",
                       in_file ? o->name : "", expected, text);
}

bool loader_assign(loader *l, const option *o, const char *text, config_rank rank,
                   const char *where)
{
    option_value value;
    if (!value_parse(o, text, &value))
        return fail_value(l, o, text, rank, where);
    size_t index = (size_t)(o - config_options);
    if (rank < l->sources->of[index].rank)
        return true;
    char *copy = strdup(where);
    if (!copy || !value_store(o, &value, l->values)) {
        free(copy);
        return loader_fail(l, "%s: no memory", where);
    }
    free(l->sources->of[index].where);
    l->sources->of[index].where = copy;
    l->sources->of[index].rank = rank;
    return true;
}

static bool assign_defaults(loader *l)
{
    for (size_t i = 0; i < OPTION_TOTAL; i++) {
        const option *o = &config_options[i];
        if (!loader_assign(l, o, o->initial, RANK_DEFAULT, "default"))
            return false;
    }
    return true;
}

/* Whoever asks for help is not told of a variable's mistakes. */
static bool needs_values(config_action action)
{
    return action == CONFIG_RUN || action == CONFIG_CHECK || action == CONFIG_HEALTHCHECK;
}

static bool load_all(loader *l, int argc, char **argv, char **environment)
{
    return assign_defaults(l) && loader_read_flags(l, argc, argv) &&
           (!needs_values(l->action) ||
            (loader_read_variables(l, environment) && loader_read_file(l)));
}

bool config_load(int argc, char **argv, char **environment, config *values,
                 config_sources **sources, config_action *action, char *message,
                 size_t message_size)
{
    config loaded = {.listen = NULL};
    loader l = {.values = &loaded,
                .sources = calloc(1, sizeof *l.sources),
                .action = CONFIG_RUN,
                .message = message,
                .message_size = message_size};
    if (!l.sources)
        return loader_fail(&l, "no memory for the configuration");
    if (!load_all(&l, argc, argv, environment)) {
        config_free(&loaded, l.sources);
        return false;
    }
    *values = loaded;
    *sources = l.sources;
    *action = l.action;
    return true;
}

void config_free(config *values, config_sources *sources)
{
    free(values->listen);
    free(values->admin_listen);
    free(values->allow_origin);
    *values = (config){.listen = NULL};
    for (size_t i = 0; sources && i < OPTION_TOTAL; i++)
        free(sources->of[i].where);
    free(sources);
}
