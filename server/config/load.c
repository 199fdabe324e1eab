/* Loading and reloading a configuration: defaults, then flags, variables and the file. Each value
 * has a rank, which decides between them. */
#include "config/options.h"
#include "config/suggest.h"
#include "platform/files.h"
#include "platform/resources.h"

#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MOST_EVENT_LOOPS 4

/* A later rank replaces an earlier one, whatever is read first. */
typedef enum config_rank { RANK_DEFAULT, RANK_FILE, RANK_VARIABLE, RANK_FLAG } config_rank;

struct config_sources {
    struct {
        config_rank rank;
        char *where; /* "/etc/gradientd.conf:3", "GRADIENTD_LISTEN", "--listen"; owned */
    } of[OPTION_MOST];
};

typedef struct loader {
    config *values;
    config_sources *sources;
    config_action action;
    const char *path; /* of the file, borrowed, or NULL */
    char *message;    /* of message_size; said once, when something returns false */
    size_t message_size;
} loader;

/* Fills the message and returns false. */
static bool fail(loader *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(loader *l, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(l->message, l->message_size, format, arguments);
    va_end(arguments);
    return false;
}

/* Names a key of the file besides its line; flags and variables are names themselves. */
static bool fail_value(loader *l, const option *o, const char *text, config_rank rank,
                       const char *where)
{
    char expected[VALUE_EXPECTED_SIZE];
    bool in_file;

    value_expected(o, expected);
    in_file = rank == RANK_FILE;
    return fail(l, "%s%s%s: expected %s; found \"%.100s\"", where, in_file ? ": " : "",
                in_file ? o->name : "", expected, text);
}

/* Sets an option to the value of the text, unless a higher rank has set it. A wrong text is an
 * error either way. where names the source in messages and listings. */
static bool assign(loader *l, const option *o, const char *text, config_rank rank,
                   const char *where)
{
    option_value value;
    char *copy;
    size_t index;

    if (!value_parse(o, text, &value))
        return fail_value(l, o, text, rank, where);
    index = (size_t)(o - config_options);
    if (rank < l->sources->of[index].rank)
        return true;
    copy = strdup(where);
    if (copy == NULL || !value_store(o, &value, l->values)) {
        free(copy);
        return fail(l, "%s: no memory", where);
    }
    free(l->sources->of[index].where);
    l->sources->of[index].where = copy;
    l->sources->of[index].rank = rank;
    return true;
}

static bool assign_defaults(loader *l)
{
    for (size_t i = 0; i < option_total; i++) {
        const option *o = &config_options[i];
        if (!assign(l, o, o->initial, RANK_DEFAULT, "default"))
            return false;
    }
    return true;
}

/* ---- The command line ------------------------------------------------------------------------ */

/* --name VALUE, --name=VALUE, the commands of the table and the subcommands. */
#define SUBCOMMAND_HEALTHCHECK "healthcheck"
#define SUBCOMMAND_TOKEN "token"
#define SUBCOMMAND_CHECK "check"

/* The parts of a flag. */
typedef struct flag {
    char name[OPTION_NAME_SIZE]; /* "listen" */
    const char *value;           /* behind the equals sign, or NULL */
} flag;

static bool fail_unknown_flag(loader *l, const char *argument)
{
    char name[OPTION_NAME_SIZE + 1];
    suggestion s;

    snprintf(name, sizeof name, "%s", argument + strspn(argument, "-"));
    name[strcspn(name, "=")] = '\0';
    s = suggest_option(name, OPTION_COMMAND_COUNT);
    if (s.name == NULL)
        return fail(l, "unknown option %.100s; see gradientd --help", argument);
    return fail(l, "unknown option %.100s; did you mean --%s%s%s?", argument, s.name,
                s.example != NULL ? " " : "", s.example != NULL ? s.example : "");
}

static bool split_flag(const char *argument, flag *f)
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
        if (strcmp(c->name, name) == 0 ||
            (c->shorthand != NULL && strcmp(c->shorthand, argument) == 0))
            return c;
    }
    return NULL;
}

/* The value behind the equals sign, or the next argument, which *at moves on to. */
static const char *value_of(const flag *f, int argc, char **argv, int *at)
{
    if (f->value != NULL || *at + 1 >= argc)
        return f->value;
    return argv[++*at];
}

static bool run_command(loader *l, const option_command *c, const flag *f, int argc, char **argv,
                        int *at)
{
    if (c->action == CONFIG_DESCRIBE) {
        bool follows = *at + 1 < argc && argv[*at + 1][0] != '-';
        l->values->topic = follows || f->value != NULL ? value_of(f, argc, argv, at) : NULL;
    } else if (c->argument != NULL) {
        l->path = value_of(f, argc, argv, at);
        return l->path != NULL || fail(l, "--%s needs a value: %s", c->name, c->argument);
    } else if (f->value != NULL) {
        return fail(l, "--%s takes no value", c->name);
    }
    l->action = c->action;
    return true;
}

/* --insecure, with another flag behind it or nothing. */
static bool is_bare_switch(const option *o, const flag *f, int argc, char **argv, int at)
{
    return o->kind == OPTION_SWITCH && f->value == NULL &&
           (at + 1 >= argc || argv[at + 1][0] == '-');
}

static bool read_flag(loader *l, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    flag f = {.name = ""};
    bool is_long = split_flag(argument, &f);
    const option_command *c = command_find(argument, f.name);
    const char *value;
    char where[OPTION_NAME_SIZE + 2];
    const option *o;

    if (c != NULL)
        return run_command(l, c, &f, argc, argv, at);
    o = is_long ? option_find(f.name) : NULL;
    if (o == NULL)
        return fail_unknown_flag(l, argument);
    snprintf(where, sizeof where, "--%s", o->name);
    value = is_bare_switch(o, &f, argc, argv, *at) ? "on" : value_of(&f, argc, argv, at);
    return value != NULL ? assign(l, o, value, RANK_FLAG, where)
                         : fail(l, "%s needs a value", where);
}

static bool read_flags(loader *l, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], SUBCOMMAND_TOKEN) == 0) {
        l->action = CONFIG_TOKEN;
        l->values->words = argv + 2;
        return true;
    }
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], SUBCOMMAND_HEALTHCHECK) == 0) {
            l->action = CONFIG_HEALTHCHECK;
        } else if (strcmp(argv[at], SUBCOMMAND_CHECK) == 0) {
            l->action = CONFIG_SELF_CHECK;
        } else if (argv[at][0] != '-') {
            return fail(l, "unexpected argument \"%.100s\"; the subcommands are %s, %s and %s",
                        argv[at], SUBCOMMAND_CHECK, SUBCOMMAND_HEALTHCHECK, SUBCOMMAND_TOKEN);
        } else if (!read_flag(l, argc, argv, &at)) {
            return false;
        }
    }
    return true;
}

/* ---- The environment ------------------------------------------------------------------------- */

/* A variable that begins with GRADIENTD_ is an option's, or a mistake. */

#define PATH_VARIABLE OPTION_VARIABLE_PREFIX "CONFIG"

#define PATH_COMMANDS 1 /* the first command of the table is --config */

/* What others write into the environment of a container about the services and containers around
 * it, whose names may begin as our variables do: "gradientd", "gradientd-metrics". Known by name
 * and value. NAME stands for GRADIENTD_ and perhaps more of such a name.
 *
 * Kubernetes: kubernetes/kubernetes, pkg/kubelet/envvars. */
#define NAME "^" OPTION_VARIABLE_PREFIX "(.+_)?"
#define TRANSPORT "PORT_[0-9]+_(TCP|UDP|SCTP)"
#define URL "^(tcp|udp|sctp)://"

static const struct {
    const char *name, *value;
} links[] = {
    {NAME "SERVICE_HOST$", "^[0-9A-Fa-f.:]+$"},
    {NAME "SERVICE_PORT(_.+)?$", "^[0-9]+$"},
    {NAME "PORT$", URL},
    {NAME TRANSPORT "$", URL},
    {NAME TRANSPORT "_PROTO$", "^(tcp|udp|sctp)$"},
    {NAME TRANSPORT "_PORT$", "^[0-9]+$"},
    {NAME TRANSPORT "_ADDR$", "^[0-9A-Fa-f.:]+$"},
};

static bool matches(const char *pattern, const char *text)
{
    regex_t compiled;
    bool found;

    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    found = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

static bool is_service_link(const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (matches(links[i].name, name) && matches(links[i].value, value))
            return true;
    return false;
}

/* docker run --link gives X_NAME=/this/that of a container, and its variables as X_ENV_…; a name
 * alone could be a mistake, so the first must be there for the others. */
static bool is_container_link(const char *name, const char *value, char **environment)
{
    static const char suffix[] = "_NAME=/";
    const char *end = strstr(name, "_ENV_");
    size_t length = end != NULL ? (size_t)(end - name) : 0;

    if (matches(NAME "NAME$", name))
        return matches("^/.+/.+", value);
    for (char **at = environment; *at != NULL && end != NULL; at++)
        if (strncmp(*at, name, length) == 0 &&
            strncmp(*at + length, suffix, sizeof suffix - 1) == 0)
            return true;
    return false;
}

static const option *option_of_variable(const char *name)
{
    char variable[OPTION_NAME_SIZE];

    for (size_t i = 0; i < option_total; i++) {
        option_variable(config_options[i].name, variable);
        if (strcmp(variable, name) == 0)
            return &config_options[i];
    }
    return NULL;
}

static bool fail_unknown_variable(loader *l, const char *name)
{
    suggestion s = suggest_option(name + strlen(OPTION_VARIABLE_PREFIX), PATH_COMMANDS);
    char meant[OPTION_NAME_SIZE];

    if (s.name == NULL)
        return fail(l, "unknown variable %.100s; see gradientd --help", name);
    option_variable(s.name, meant);
    return fail(l, "unknown variable %.100s; did you mean %s%s%s?", name, meant,
                s.example != NULL ? "=" : "", s.example != NULL ? s.example : "");
}

static bool read_variable(loader *l, const char *name, const char *value, char **environment)
{
    const option *o;

    if (strcmp(name, PATH_VARIABLE) == 0) {
        l->path = l->path != NULL ? l->path : value; /* --config was there first */
        return true;
    }
    o = option_of_variable(name);
    if (o != NULL)
        return assign(l, o, value, RANK_VARIABLE, name);
    return is_service_link(name, value) || is_container_link(name, value, environment) ||
           fail_unknown_variable(l, name);
}

static bool read_variables(loader *l, char **environment)
{
    for (char **at = environment; *at != NULL; at++) {
        char name[256];
        size_t length = strcspn(*at, "=");
        if (strncmp(*at, OPTION_VARIABLE_PREFIX, strlen(OPTION_VARIABLE_PREFIX)) != 0 ||
            (*at)[length] != '=')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : 255), *at);
        if (!read_variable(l, name, *at + length + 1, environment))
            return false;
    }
    return true;
}

/* ---- The file -------------------------------------------------------------------------------- */

/* Lines of `key = value`, empty lines and comments. A # begins a comment at the start of a line or
 * behind a blank. No quotes, no sections, no includes. */

#define BLANKS " \t\r"

/* Cuts a comment off the line. */
static void drop_comment(char *line)
{
    for (char *c = strchr(line, '#'); c != NULL; c = strchr(c + 1, '#')) {
        if (c == line || strchr(BLANKS, c[-1]) != NULL) {
            *c = '\0';
            return;
        }
    }
}

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, BLANKS);
    length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

static bool fail_unknown_key(loader *l, const char *key, const char *where)
{
    suggestion s = suggest_option(key, 0);

    if (s.name == NULL)
        return fail(l, "%s: unknown key %.100s; see gradientd --help", where, key);
    return fail(l, "%s: unknown key %.100s; did you mean %s%s%s?", where, key, s.name,
                s.example != NULL ? " = " : "", s.example != NULL ? s.example : "");
}

/* seen[i]: the line that set option i, or 0. */
static bool read_line(loader *l, char *line, size_t number, size_t seen[OPTION_MOST])
{
    char where[PATH_MAX + 32];
    size_t *first;
    const char *key;
    const option *o;
    char *equals;

    snprintf(where, sizeof where, "%s:%zu", l->path, number);
    drop_comment(line);
    line = trim(line);
    if (line[0] == '\0')
        return true;
    equals = strchr(line, '=');
    if (equals == NULL)
        return fail(l, "%s: expected key = value; found \"%.100s\"", where, line);
    *equals = '\0';
    key = trim(line);
    o = option_find(key);
    if (o == NULL)
        return fail_unknown_key(l, key, where);
    first = &seen[o - config_options];
    if (*first != 0)
        return fail(l, "%s: %s is set in line %zu already", where, key, *first);
    *first = number;
    return assign(l, o, trim(equals + 1), RANK_FILE, where);
}

static bool read_file(loader *l)
{
    size_t seen[OPTION_MOST] = {0};
    size_t number = 1;
    bool good = true;
    char *text;

    if (l->path == NULL)
        return true;
    text = files_read(l->path);
    if (text == NULL) {
        char reason[128];
        return fail(l, "cannot read the configuration file %s: %s", l->path,
                    strerror_r(errno, reason, sizeof reason));
    }
    for (char *line = text, *next; line != NULL && good; line = next, number++) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        good = read_line(l, line, number, seen);
    }
    free(text);
    return good;
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* --help works whatever is wrong with the variables. */
static bool needs_values(config_action action)
{
    return action == CONFIG_RUN || action == CONFIG_CHECK || action == CONFIG_HEALTHCHECK ||
           action == CONFIG_SELF_CHECK;
}

static bool load_all(loader *l, int argc, char **argv, char **environment)
{
    return assign_defaults(l) && read_flags(l, argc, argv) &&
           (!needs_values(l->action) || (read_variables(l, environment) && read_file(l)));
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

    if (l.sources == NULL)
        return fail(&l, "no memory for the configuration");
    if (!load_all(&l, argc, argv, environment)) {
        config_free(&loaded, l.sources);
        return false;
    }
    *values = loaded;
    values->path = l.path;
    *sources = l.sources;
    *action = l.action;
    return true;
}

void config_free(config *values, config_sources *sources)
{
    for (size_t i = 0; i < option_total; i++)
        value_free(&config_options[i], values);
    *values = (config){.listen = NULL};
    for (size_t i = 0; sources != NULL && i < option_total; i++)
        free(sources->of[i].where);
    free(sources);
}

const char *config_source_of(const config_sources *sources, size_t place)
{
    return sources->of[place].where;
}

void config_resolve(config *values)
{
    size_t cpus = cpus_usable();

    if (values->workers == 0)
        values->workers = cpus;
    if (values->event_loops == 0)
        values->event_loops = cpus < MOST_EVENT_LOOPS ? cpus : MOST_EVENT_LOOPS;
    if (values->memory_budget == 0)
        values->memory_budget = memory_available() / 2;
}

/* ---- Reloading ------------------------------------------------------------------------------- */

#define VALUE_TEXT_SIZE 300

static void write_value(const option *o, const config *values, char text[VALUE_TEXT_SIZE])
{
    FILE *out = fmemopen(text, VALUE_TEXT_SIZE, "w");

    text[0] = '\0';
    if (out != NULL) {
        value_format(o, values, out);
        fclose(out);
    }
}

static void compare(const option *o, const config *fresh, const char *where, config *loaded,
                    config *running, void (*tell)(void *, const config_change *), void *context)
{
    char from[VALUE_TEXT_SIZE], to[VALUE_TEXT_SIZE];
    bool applied;

    if (value_equal(o, loaded, fresh))
        return;
    write_value(o, loaded, from);
    write_value(o, fresh, to);
    applied = o->change == AT_RELOAD;
    if (applied) {
        value_copy(o, fresh, loaded);
        value_copy(o, fresh, running);
    }
    tell(context, &(config_change){o->name, from, to, where, applied});
}

bool config_reload(int argc, char **argv, char **environment, config *loaded, config *running,
                   void (*tell)(void *context, const config_change *change), void *context,
                   char *message, size_t message_size)
{
    config fresh;
    config_sources *sources;
    config_action action;

    if (!config_load(argc, argv, environment, &fresh, &sources, &action, message, message_size))
        return false;
    for (size_t i = 0; i < option_total; i++) {
        const option *o = &config_options[i];
        compare(o, &fresh, sources->of[i].where, loaded, running, tell, context);
    }
    config_free(&fresh, sources);
    return true;
}
