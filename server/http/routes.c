/* The routes. To add one: a row here and its handler. */
#include "http/routes.h"

#include "handlers/handlers.h"

#include <string.h>

static const route routes[] = {
    {"/v1/gradients", "POST", {[ROLE_SERVICE] = true}, ROUTE_GRADIENTS, &handler_gradients},
    {"/v1/backprop", "POST", {[ROLE_SERVICE] = true}, ROUTE_BACKPROP, &handler_backprop},
    {"/v1/check", "POST", {[ROLE_SERVICE] = true}, ROUTE_CHECK, &handler_check},
    {"/v1/info", "GET, HEAD", {[ROLE_SERVICE] = true}, ROUTE_INFO, &handler_info},
    {"/livez", "GET, HEAD", {true, true}, ROUTE_HEALTH, &handler_livez},
    {"/readyz", "GET, HEAD", {true, true}, ROUTE_HEALTH, &handler_readyz},
    {"/metrics", "GET, HEAD", {[ROLE_ADMIN] = true}, ROUTE_METRICS, &handler_metrics},
};

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
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const route *r = &routes[i];
        if (r->listeners[role] && strcmp(path, r->path) == 0) {
            *found = r;
            return lists(r->methods, method) ? ROUTE_FOUND : ROUTE_WRONG_METHOD;
        }
    }
    return ROUTE_UNKNOWN_PATH;
}
