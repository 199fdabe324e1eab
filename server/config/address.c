/* HOST:PORT taken apart, and origins. Hosts are IPv4 addresses, IPv6 addresses in brackets (RFC
 * 3986, with RFC 6874's zone), names (RFC 1123), or * for all addresses of this machine. */
#include "config/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool port_is_valid(const char *port)
{
    size_t length = strspn(port, "0123456789");

    return length > 0 && length < sizeof((address *)0)->port && port[length] == '\0' &&
           strtol(port, NULL, 10) <= 65535;
}

static bool ipv6_is_valid(const char *host)
{
    char bare[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    size_t length = strcspn(host, "%");

    if (length >= sizeof bare || (host[length] == '%' && host[length + 1] == '\0'))
        return false;
    memcpy(bare, host, length);
    bare[length] = '\0';
    return inet_pton(AF_INET6, bare, &parsed) == 1;
}

/* Labels of letters, digits and hyphens with dots between. A last label of digits only would be
 * taken for an address by the resolver, so it must be one. */
static bool name_is_valid(const char *host)
{
    struct in_addr parsed;
    const char *label = host;

    if (strcmp(host, ADDRESS_ALL) == 0)
        return true;
    for (;;) {
        size_t length = strcspn(label, ".");
        if (length == 0 || label[0] == '-' || label[length - 1] == '-')
            return false;
        for (size_t i = 0; i < length; i++)
            if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_')
                return false;
        if (label[length] == '\0') {
            bool numeric = strspn(label, "0123456789") == length;
            return !numeric || inet_pton(AF_INET, host, &parsed) == 1;
        }
        label += length + 1;
    }
}

bool address_split(const char *text, address *parts)
{
    address found;
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    const char *host;
    size_t length;

    if (colon == NULL || !port_is_valid(colon + 1) || (bracketed && colon[-1] != ']'))
        return false;
    host = text + bracketed;
    length = (size_t)(colon - host) - bracketed;
    if (length >= sizeof found.host)
        return false;
    memcpy(found.host, host, length);
    found.host[length] = '\0';
    memcpy(found.port, colon + 1, strlen(colon + 1) + 1);
    if (!(bracketed ? ipv6_is_valid(found.host) : name_is_valid(found.host)))
        return false;
    *parts = found;
    return true;
}

const char *address_unix_path(const char *text)
{
    static const char scheme[] = "unix:";
    const char *path = text + sizeof scheme - 1;

    if (strncmp(text, scheme, sizeof scheme - 1) != 0 || path[0] != '/' ||
        strlen(path) >= ADDRESS_PATH_SIZE)
        return NULL;
    return path;
}

/* ---- Origins --------------------------------------------------------------------------------- */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define BETWEEN ", \t"

/* No path: a page's origin has none, so that one with a slash at its end would never be met. */
static bool is_origin(const char *text, size_t length)
{
    size_t scheme = strspn(text, LETTERS DIGITS "+-.");
    const char *host = text + scheme + 3, *end = text + length, *port;
    size_t name;

    if (scheme == 0 || scheme + 3 >= length || memcmp(text + scheme, "://", 3) != 0)
        return false;
    name = *host == '[' ? strspn(host + 1, DIGITS "abcdefABCDEF:.") + 2
                        : strspn(host, LETTERS DIGITS "-._");
    if (host + name > end || name == 0 || (*host == '[' && host[name - 1] != ']'))
        return false;
    port = host + name;
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

/* Whether that many bytes of a text are one of the list, in any case. */
static bool list_holds(const char *list, const char *text, size_t text_length)
{
    for (const char *at = list + strspn(list, BETWEEN); *at; at += strspn(at, BETWEEN)) {
        size_t length = strcspn(at, BETWEEN);
        if (length == text_length && strncasecmp(at, text, length) == 0)
            return true;
        at += length;
    }
    return false;
}

bool origins_hold(const char *list, const char *origin)
{
    return strcmp(list, "*") == 0 || list_holds(list, origin, strlen(origin));
}

/* ---- Hosts ----------------------------------------------------------------------------------- */

/* Bytes of the host that the text begins with, brackets included; 0: none. */
static size_t host_length(const char *text)
{
    size_t length;

    if (text[0] != '[')
        return strspn(text, LETTERS DIGITS "-._");
    length = 1 + strspn(text + 1, DIGITS "abcdefABCDEF:.");
    return length > 1 && text[length] == ']' ? length + 1 : 0;
}

bool hosts_are_sound(const char *text)
{
    size_t count = 0;

    if (strcmp(text, "*") == 0)
        return true;
    for (const char *at = text + strspn(text, BETWEEN); *at; at += strspn(at, BETWEEN), count++) {
        size_t length = host_length(at);
        if (length == 0 || length != strcspn(at, BETWEEN))
            return false;
        at += length;
    }
    return count > 0;
}

bool hosts_hold(const char *list, const char *authority)
{
    size_t length = host_length(authority);
    const char *port = authority + length;

    if (strcmp(list, "*") == 0)
        return true;
    if (length == 0 || (*port != '\0' && (*port != ':' || port[1 + strspn(port + 1, DIGITS)])))
        return false;
    return list_holds(list, authority, length);
}
