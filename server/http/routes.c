/* Searching a table of routes. */
#include "http/routes.h"

#include "config/suggest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The longest word that a "*" stands for, and a NUL. */
#define ROUTE_WORD_SIZE 32

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

/* Whether the path is that of the row, whose "*" is a word that the table knows. */
static bool matches(const route_table *table, const char *pattern, const char *path)
{
    const char *star = strchr(pattern, '*');
    size_t before = star != NULL ? (size_t)(star - pattern) : 0;
    char word[ROUTE_WORD_SIZE];
    size_t length;

    if (star == NULL)
        return strcmp(path, pattern) == 0;
    if (strncmp(path, pattern, before) != 0)
        return false;
    length = strcspn(path + before, "/");
    if (length >= sizeof word || strcmp(path + before + length, star + 1) != 0)
        return false;
    memcpy(word, path + before, length);
    word[length] = '\0';
    return table->knows(word);
}

route_found routes_find(const route_table *table, service_role role, const char *method,
                        const char *path, const route **found)
{
    for (size_t i = 0; i < table->count; i++) {
        const route *r = &table->routes[i];
        if (r->listeners[role] && matches(table, r->path, path)) {
            *found = r;
            return lists(r->methods, method) ? ROUTE_FOUND : ROUTE_WRONG_METHOD;
        }
    }
    return ROUTE_UNKNOWN_PATH;
}

const route *routes_next(const route_table *table, service_role role, const route *previous)
{
    for (size_t i = previous != NULL ? (size_t)(previous - table->routes) + 1 : 0; i < table->count;
         i++)
        if (table->routes[i].listeners[role] && strchr(table->routes[i].path, '*') == NULL)
            return &table->routes[i];
    return NULL;
}

static bool is_elsewhere(const route_table *table, service_role role, const char *path)
{
    for (size_t i = 0; i < table->count; i++)
        if (!table->routes[i].listeners[role] && strcmp(path, table->routes[i].path) == 0)
            return true;
    return false;
}

/* Whether the path goes on where another's ends: "/v2" stands for all of its own. */
static bool is_below_another(const route_table *table, service_role role, const char *path)
{
    for (const route *r = routes_next(table, role, NULL); r != NULL;
         r = routes_next(table, role, r)) {
        size_t length = strlen(r->path);

        if (length > 1 && strncmp(path, r->path, length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}

static void list_paths(const route_table *table, service_role role, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (const route *r = routes_next(table, role, NULL); r != NULL;
         r = routes_next(table, role, r)) {
        if (is_below_another(table, role, r->path))
            continue;
        snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "", r->path);
        length += strlen(text + length);
    }
}

/* Four letters behind "/v1/" tell the paths apart: /v1/grad and /v1/backward are no typing errors,
 * but their meaning is plain, as is that of a path without "/v1". NULL: it means none. */
static const char *path_meant(const route_table *table, service_role role, const char *path)
{
    enum { VERSION = 3, TELLING = 5 };
    const char *rest = strncasecmp(path, "/v1/", VERSION + 1) == 0 ? path + VERSION : path;
    for (const route *r = routes_next(table, role, NULL); r != NULL;
         r = routes_next(table, role, r))
        if (strlen(r->path) > VERSION + TELLING && strncmp(r->path, "/v1/", VERSION + 1) == 0 &&
            strncasecmp(rest, r->path + VERSION, TELLING) == 0)
            return r->path;
    return NULL;
}

void routes_explain(const route_table *table, service_role role, const char *path, char *detail,
                    size_t size)
{
    suggest_search search = {.given = path};
    char paths[128];

    list_paths(table, role, paths, sizeof paths);
    for (const route *r = routes_next(table, role, NULL); r != NULL;
         r = routes_next(table, role, r))
        suggest_offer(&search, r->path);
    if (search.best == NULL)
        search.best = path_meant(table, role, path);
    if (is_elsewhere(table, role, path))
        snprintf(detail, size, "%s is on the %s listener (%s), not on this one", path,
                 role == ROLE_SERVICE ? "admin" : "service's",
                 role == ROLE_SERVICE ? "admin-listen" : "listen");
    else if (search.best != NULL && strcmp(search.best, "/") != 0)
        snprintf(detail, size, "there is no %.100s here, did you mean %s?", path, search.best);
    else
        snprintf(detail, size, "expected one of %s, found %.100s", paths, path);
}
