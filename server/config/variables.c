/* The environment: every variable that begins with GRADIENTD_ is an option's, or a mistake. */
#include "config/loader.h"
#include "config/nearest.h"

#include <ctype.h>
#include <string.h>

#define PATH_VARIABLE OPTION_VARIABLE_PREFIX "CONFIG"

/* Kubernetes tells every container of the services around it: a service named gradientd gives
 * GRADIENTD_SERVICE_HOST, GRADIENTD_SERVICE_PORT…, GRADIENTD_PORT=tcp://… and GRADIENTD_PORT_8080_…
 * Those are no mistakes of the user's. */
static bool is_service_link(const char *name, const char *value)
{
    const char *rest = name + strlen(OPTION_VARIABLE_PREFIX);
    if (strncmp(rest, "SERVICE_HOST", 12) == 0 || strncmp(rest, "SERVICE_PORT", 12) == 0)
        return true;
    if (strncmp(rest, "PORT", 4) != 0)
        return false;
    return rest[4] == '\0' ? strstr(value, "://") != NULL
                           : rest[4] == '_' && isdigit((unsigned char)rest[5]);
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
    const size_t prefix = strlen(OPTION_VARIABLE_PREFIX);
    char variables[OPTION_TOTAL][OPTION_NAME_SIZE];
    nearest_search search = {.wanted = name + prefix};
    for (size_t i = 0; i < OPTION_TOTAL; i++) {
        option_variable(config_options[i].name, variables[i]);
        nearest_offer(&search, variables[i] + prefix);
    }
    nearest_offer(&search, PATH_VARIABLE + prefix);
    if (!search.best)
        return loader_fail(l, "unknown variable %.100s; see gradientd --help", name);
    return loader_fail(l, "unknown variable %.100s; did you mean %s%s?", name,
                       OPTION_VARIABLE_PREFIX, search.best);
}

static bool read_variable(loader *l, const char *name, const char *value)
{
    if (strcmp(name, PATH_VARIABLE) == 0) {
        l->path = l->path ? l->path : value; /* --config was there first */
        return true;
    }
    const option *o = option_of_variable(name);
    if (o)
        return loader_assign(l, o, value, RANK_VARIABLE, name);
    return is_service_link(name, value) || fail_unknown(l, name);
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
        if (!read_variable(l, name, *at + length + 1))
            return false;
    }
    return true;
}
