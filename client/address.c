/* Reads the address of a service (RFC 3986, and no more of it than a service needs): a query or a
 * user name in it is somebody's mistake, and is told. */
#include "address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define SHOWN_SIZE 120
#define PATH_BYTES "/-._~!$&'()*+,;=:%"

/* Bytes of the scheme and its slashes; 0: there is none. */
static size_t scheme_length(const char *url)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
            return strlen(schemes[i]);
    return 0;
}

/* Bytes of the host, brackets included; 0: there is none. */
static size_t host_length(const char *host)
{
    size_t length;

    if (host[0] != '[')
        return strspn(host, LETTERS DIGITS "-._");
    length = 1 + strspn(host + 1, LETTERS DIGITS ":.%");
    return length > 1 && host[length] == ']' ? length + 1 : 0;
}

/* Bytes of ":PORT"; 0 where it is no port. */
static size_t port_length(const char *port)
{
    size_t digits = strspn(port + 1, DIGITS);
    unsigned long number = digits > 0 && digits <= 5 ? strtoul(port + 1, NULL, 10) : 0;

    return number >= 1 && number <= 65535 ? digits + 1 : 0;
}

/* Paths of ours: what stands before them is wanted. */
static bool ends_in_route(const char *path, size_t length)
{
    static const char *const routes[] = {"/v1", "/v1/gradients", "/v1/backprop", "/v1/check",
                                         "/v1/info"};

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t route = strlen(routes[i]);
        if (length >= route && strncmp(path + length - route, routes[i], route) == 0)
            return true;
    }
    return false;
}

/* What is wrong with the path, or NULL; *length is its own without slashes at its end. */
static const char *fault_of_path(const char *path, size_t *length)
{
    size_t end = strspn(path, LETTERS DIGITS PATH_BYTES);

    if (path[end] == '?' || path[end] == '#')
        return "it has a query or a fragment";
    if (path[end] != '\0' || (end > 0 && path[0] != '/'))
        return "there is no path behind the host and the port";
    while (end > 0 && path[end - 1] == '/')
        end--;
    *length = end;
    return ends_in_route(path, end) ? "its path goes on to /v1: expected what stands before" : NULL;
}

/* What is wrong with the address, or NULL; *length is its own without slashes at its end. */
static const char *fault_of(const char *url, size_t *length)
{
    size_t scheme = scheme_length(url);
    size_t host = scheme > 0 ? host_length(url + scheme) : 0;
    size_t end = scheme + host;
    size_t path = 0;
    const char *fault;

    if (strchr(url, '@') != NULL)
        return "a user name or password does not belong there: send a token or a header";
    if (scheme == 0)
        return "it doesn't begin with http:// or https://";
    if (host == 0)
        return "its host is missing, or no name";
    if (url[end] == ':') {
        size_t port = port_length(url + end);
        if (port == 0)
            return "its port isn't a number from 1 to 65535";
        end += port;
    }
    fault = fault_of_path(url + end, &path);
    if (fault != NULL)
        return fault;
    *length = end + path;
    return *length < CLIENT_ADDRESS_SIZE ? NULL : "it is too long";
}

/* As much of an address as may be printed: no password, though it may hold any byte, and no query,
 * which may hold an @. */
static void show(const char *url, char shown[SHOWN_SIZE])
{
    const char *at = strrchr(url, '@');
    size_t query = strcspn(url, "?#");
    size_t scheme = scheme_length(url);

    if (at == NULL)
        snprintf(shown, SHOWN_SIZE, "%.*s%s", (int)(query < 100 ? query : 100), url,
                 url[query] != '\0' ? "?***" : "");
    else
        snprintf(shown, SHOWN_SIZE, "%.*s***%.60s", (int)scheme, url, url[query] == '\0' ? at : "");
}

grad_status client_address_read(const char *url, char address[CLIENT_ADDRESS_SIZE],
                                grad_error *error)
{
    size_t length = 0;
    const char *fault = fault_of(url, &length);

    if (fault != NULL) {
        char shown[SHOWN_SIZE];
        show(url, shown);
        error->status = GRAD_INVALID;
        snprintf(error->code, sizeof error->code, "bad_url");
        snprintf(error->detail, sizeof error->detail,
                 "expected the service's URL, http://HOST:PORT, found \"%s\": %s", shown, fault);
        return GRAD_INVALID;
    }
    memcpy(address, url, length);
    address[length] = '\0';
    return GRAD_OK;
}
