/* Lists of origins. */
#include "config/origins.h"

#include <string.h>
#include <strings.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define BETWEEN ", \t"

/* No path: a page's origin has none, so that one with a slash at its end would never be met. */
static bool is_origin(const char *text, size_t length)
{
    size_t scheme = strspn(text, LETTERS DIGITS "+-.");
    if (scheme == 0 || scheme + 3 >= length || memcmp(text + scheme, "://", 3) != 0)
        return false;
    const char *host = text + scheme + 3, *end = text + length;
    size_t name = *host == '[' ? strspn(host + 1, DIGITS "abcdefABCDEF:.") + 2
                               : strspn(host, LETTERS DIGITS "-._");
    if (host + name > end || name == 0 || (*host == '[' && host[name - 1] != ']'))
        return false;
    const char *port = host + name;
    return port == end ||
           (*port == ':' && port + 1 < end && strspn(port + 1, DIGITS) == (size_t)(end - port - 1));
}

bool origins_are_sound(const char *text)
{
    size_t count = 0;
    if (strcmp(text, "*") == 0)
        return true;
    for (const char *at = text + strspn(text, BETWEEN); *at; at += strspn(at, BETWEEN), count++) {
        size_t length = strcspn(at, BETWEEN);
        if (!is_origin(at, length))
            return false;
        at += length;
    }
    return count > 0;
}

bool origins_hold(const char *list, const char *origin)
{
    size_t length_of_origin = strlen(origin);
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = list + strspn(list, BETWEEN); *at; at += strspn(at, BETWEEN)) {
        size_t length = strcspn(at, BETWEEN);
        if (length == length_of_origin && strncasecmp(at, origin, length) == 0)
            return true;
        at += length;
    }
    return false;
}
