/* The command line: --name VALUE, --name=VALUE, the commands of the table and the subcommand. */
#include "config/loader.h"
#include "config/suggest.h"

#include <string.h>

#define SUBCOMMAND "healthcheck"

/* A flag taken apart. */
typedef struct flag {
    char name[OPTION_NAME_SIZE]; /* "listen" */
    const char *value;           /* behind the equals sign, or NULL */
} flag;

static bool fail_unknown(loader *l, const char *argument)
{
    char name[OPTION_NAME_SIZE + 1];
    snprintf(name, sizeof name, "%s", argument + strspn(argument, "-"));
    name[strcspn(name, "=")] = '\0';
    suggestion s = suggest(name, OPTION_COMMAND_COUNT);
    if (!s.name)
        return loader_fail(l, "unknown option %.100s; see gradientd --help", argument);
    return loader_fail(l, "unknown option %.100s; did you mean --%s%s%s?", argument, s.name,
                       s.example ? " " : "", s.example ? s.example : "");
}

static bool split(const char *argument, flag *f)
{
    size_t length = strcspn(argument, "=");
    if (strncmp(argument, "--", 2) != 0 || length - 2 >= sizeof f->name)
        return false;
    memcpy(f->name, argument + 2, length - 2);
    f->name[length - 2] = '\0';
    f->value = argument[length] == '=' ? argument + length + 1 : NULL;
    return true;
}

static const option_command *command_find(const char *argument, const char *name)
{
    for (size_t i = 0; i < OPTION_COMMAND_COUNT; i++) {
        const option_command *c = &config_commands[i];
        if (strcmp(c->name, name) == 0 || (c->shorthand && strcmp(c->shorthand, argument) == 0))
            return c;
    }
    return NULL;
}

/* The value behind the equals sign, or the next argument, which *at moves on to. */
static const char *value_of(const flag *f, int argc, char **argv, int *at)
{
    if (f->value || *at + 1 >= argc)
        return f->value;
    return argv[++*at];
}

static bool run_command(loader *l, const option_command *c, const flag *f, int argc, char **argv,
                        int *at)
{
    if (c->argument) {
        l->path = value_of(f, argc, argv, at);
        return l->path || loader_fail(l, "--%s needs a value: %s", c->name, c->argument);
    }
    if (f->value)
        return loader_fail(l, "--%s takes no value", c->name);
    l->action = c->action;
    return true;
}

static bool read_flag(loader *l, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    flag f = {.name = ""};
    bool is_long = split(argument, &f);
    const option_command *c = command_find(argument, f.name);
    if (c)
        return run_command(l, c, &f, argc, argv, at);
    const option *o = is_long ? option_find(f.name) : NULL;
    if (!o)
        return fail_unknown(l, argument);
    char where[OPTION_NAME_SIZE + 2];
    snprintf(where, sizeof where, "--%s", o->name);
    const char *value = value_of(&f, argc, argv, at);
    return value ? loader_assign(l, o, value, RANK_FLAG, where)
                 : loader_fail(l, "%s needs a value", where);
}

bool loader_read_flags(loader *l, int argc, char **argv)
{
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], SUBCOMMAND) == 0) {
            l->action = CONFIG_HEALTHCHECK;
        } else if (argv[at][0] != '-') {
            return loader_fail(l, "unexpected argument \"%.100s\"; the only subcommand is %s",
                               argv[at], SUBCOMMAND);
        } else if (!read_flag(l, argc, argv, &at)) {
            return false;
        }
    }
    return true;
}
