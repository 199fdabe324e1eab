/* The routes. To add one: a row here and its handler. */
#include "http/routes.h"

#include "config/nearest.h"
#include "handlers/handlers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const route routes[] = {
    {"/", "GET, HEAD, OPTIONS", {true, true}, ROUTE_INFO, &handler_root, "this list"},
    {"/v1/gradients",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_GRADIENTS,
     &handler_gradients,
     "the backward pass of layers whose states you send"},
    {"/v1/backprop",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_BACKPROP,
     &handler_backprop,
     "forward and backward of a whole network"},
    {"/v1/check",
     "POST, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_CHECK,
     &handler_check,
     "how far gradients are from central differences"},
    {"/v1/info",
     "GET, HEAD, OPTIONS",
     {[ROLE_SERVICE] = true},
     ROUTE_INFO,
     &handler_info,
     "version, limits, activations, losses"},
    {"/livez",
     "GET, HEAD, OPTIONS",
     {true, true},
     ROUTE_HEALTH,
     &handler_livez,
     "200 while the process answers"},
    {"/readyz",
     "GET, HEAD, OPTIONS",
     {true, true},
     ROUTE_HEALTH,
     &handler_readyz,
     "200 while requests are accepted"},
    {"/metrics",
     "GET, HEAD, OPTIONS",
     {[ROLE_ADMIN] = true},
     ROUTE_METRICS,
     &handler_metrics,
     "counters for Prometheus"},
};
#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

const route routes_options = {.path = "*", .metric = ROUTE_OTHER, .handler = &handler_options};

/* Whether a list with ", " between holds a word. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (length > 0) {
        size_t next = strcspn(list, ",");
        if (next == length && memcmp(list, word, length) == 0)
            return true;
        if (list[next] == '\0')
            break;
        list += next + 2;
    }
    return false;
}

route_found routes_find(service_role role, const char *method, const char *path,
                        const route **found)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const route *r = &routes[i];
        if (r->listeners[role] && strcmp(path, r->path) == 0) {
            *found = r;
            return lists(r->methods, method) ? ROUTE_FOUND : ROUTE_WRONG_METHOD;
        }
    }
    return ROUTE_UNKNOWN_PATH;
}

const route *routes_next(service_role role, const route *previous)
{
    for (size_t i = previous ? (size_t)(previous - routes) + 1 : 0; i < ROUTE_COUNT; i++)
        if (routes[i].listeners[role])
            return &routes[i];
    return NULL;
}

static bool is_elsewhere(service_role role, const char *path)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        if (!routes[i].listeners[role] && strcmp(path, routes[i].path) == 0)
            return true;
    return false;
}

static void list_paths(service_role role, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (const route *r = routes_next(role, NULL); r; r = routes_next(role, r)) {
        snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "", r->path);
        length += strlen(text + length);
    }
}

/* Behind "/v1/" four letters tell the paths apart: /v1/grad and /v1/backward are no slips of the
 * hand, but their meaning is plain, as is that of a path without "/v1". NULL: of none. */
static const char *path_meant(service_role role, const char *path)
{
    enum { VERSION = 3, TELLING = 5 };
    const char *rest = strncasecmp(path, "/v1/", VERSION + 1) == 0 ? path + VERSION : path;
    for (const route *r = routes_next(role, NULL); r; r = routes_next(role, r))
        if (strlen(r->path) > VERSION + TELLING &&
            strncasecmp(rest, r->path + VERSION, TELLING) == 0)
            return r->path;
    return NULL;
}

void routes_explain(service_role role, const char *path, char *detail, size_t size)
{
    nearest_search search = {.wanted = path};
    char paths[128];
    list_paths(role, paths, sizeof paths);
    for (const route *r = routes_next(role, NULL); r; r = routes_next(role, r))
        nearest_offer(&search, r->path);
    if (!search.best)
        search.best = path_meant(role, path);
    if (is_elsewhere(role, path))
        snprintf(detail, size, "%s is on the %s listener (%s), not on this one", path,
                 role == ROLE_SERVICE ? "admin" : "service's",
                 role == ROLE_SERVICE ? "admin-listen" : "listen");
    else if (search.best && strcmp(search.best, "/") != 0)
        snprintf(detail, size, "there is no %.100s here, did you mean %s?", path, search.best);
    else
        snprintf(detail, size, "expected one of %s, found %.100s", paths, path);
}
