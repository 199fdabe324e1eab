/* The environment: every variable that begins with GRADIENTD_ is an option's, or a mistake. */
#include "config/loader.h"
#include "config/suggest.h"

#include <regex.h>
#include <string.h>

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
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool found = regexec(&compiled, text, 0, NULL, 0) == 0;
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
    size_t length = end ? (size_t)(end - name) : 0;
    if (matches(NAME "NAME$", name))
        return matches("^/.+/.+", value);
    for (char **at = environment; *at && end; at++)
        if (strncmp(*at, name, length) == 0 &&
            strncmp(*at + length, suffix, sizeof suffix - 1) == 0)
            return true;
    return false;
}

static const option *option_of_variable(const char *name)
{
    char variable[OPTION_NAME_SIZE];
    for (size_t i = 0; i < OPTION_TOTAL; i++) {
        option_variable(config_options[i].name, variable);
        if (strcmp(variable, name) == 0)
            return &config_options[i];
    }
    return NULL;
}

static bool fail_unknown(loader *l, const char *name)
{
    suggestion s = suggest(name + strlen(OPTION_VARIABLE_PREFIX), PATH_COMMANDS);
    char meant[OPTION_NAME_SIZE];
    if (!s.name)
        return loader_fail(l, "unknown variable %.100s; see gradientd --help", name);
    option_variable(s.name, meant);
    return loader_fail(l, "unknown variable %.100s; did you mean %s%s%s?", name, meant,
                       s.example ? "=" : "", s.example ? s.example : "");
}

static bool read_variable(loader *l, const char *name, const char *value, char **environment)
{
    if (strcmp(name, PATH_VARIABLE) == 0) {
        l->path = l->path ? l->path : value; /* --config was there first */
        return true;
    }
    const option *o = option_of_variable(name);
    if (o)
        return loader_assign(l, o, value, RANK_VARIABLE, name);
    return is_service_link(name, value) || is_container_link(name, value, environment) ||
           fail_unknown(l, name);
}

bool loader_read_variables(loader *l, char **environment)
{
    for (char **at = environment; *at; at++) {
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
