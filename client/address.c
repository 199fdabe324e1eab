/* Reads the address of a service (RFC 3986, and no more of it than a service needs): a path, a
 * query or a user name in it is somebody's mistake, and is told. */
#include "address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

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

/* What is wrong with the address, or NULL; *length is its own without the slash. */
static const char *fault_of(const char *url, size_t *length)
{
    size_t scheme = scheme_length(url);
    size_t host = scheme > 0 ? host_length(url + scheme) : 0;
    size_t end = scheme + host;

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
    *length = end;
    if (strcmp(url + end, "") != 0 && strcmp(url + end, "/") != 0)
        return "there is more behind the host and the port";
    return end < CLIENT_ADDRESS_SIZE ? NULL : "it is too long";
}

grad_status client_address_read(const char *url, char address[CLIENT_ADDRESS_SIZE],
                                grad_error *error)
{
    size_t length = 0;
    const char *fault = fault_of(url, &length);

    if (fault != NULL) {
        error->status = GRAD_INVALID;
        snprintf(error->code, sizeof error->code, "bad_url");
        snprintf(error->detail, sizeof error->detail,
                 "expected the service's URL, http://HOST:PORT, found \"%.100s\": %s", url, fault);
        return GRAD_INVALID;
    }
    memcpy(address, url, length);
    address[length] = '\0';
    return GRAD_OK;
}
