/* What a client is opened with: defaults, and what is right: the address (RFC 3986, and no more of
 * it than a service needs), the token and the headers (RFC 9110 §5.5, §5.6.2; RFC 6750 §2.1). */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
#define TOKEN_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="
#define SHOWN_NAME 60

/* The client sets these itself: they say what the body is and how it travels. */
static const char *const own_names[] = {"Content-Type",      "Content-Length", "Content-Encoding",
                                        "Transfer-Encoding", "Connection",     "Expect",
                                        "Accept-Encoding"};

/* ---- Times and tries ------------------------------------------------------------------------- */

static double or_default(double value, double fallback)
{
    return value == 0 ? fallback : value;
}

grad_status client_options_complete(const gradient_client_options *given,
                                    gradient_client_options *completed, grad_error *error)
{
    static const gradient_client_options defaults = GRADIENT_CLIENT_OPTIONS_INIT;
    gradient_client_options o = defaults;
    grad_status status = grad_options_read("gradient_client_options", given, &o, error);

    if (status != GRAD_OK)
        return status;
    o.connect_timeout = or_default(o.connect_timeout, defaults.connect_timeout);
    o.attempt_timeout = or_default(o.attempt_timeout, defaults.attempt_timeout);
    o.total_timeout = or_default(o.total_timeout, defaults.total_timeout);
    o.max_attempts = o.max_attempts == 0 ? defaults.max_attempts : o.max_attempts;
    o.backoff_base = or_default(o.backoff_base, defaults.backoff_base);
    o.backoff_max = or_default(o.backoff_max, defaults.backoff_max);
    *completed = o;
    return GRAD_OK;
}

/* Milliseconds in a long hold more. */
bool client_options_have_valid_times(const gradient_client_options *o)
{
    const double times[] = {o->connect_timeout, o->attempt_timeout, o->total_timeout,
                            o->backoff_base, o->backoff_max};

    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (!(times[i] > 0 && times[i] <= 1e6))
            return false;
    return true;
}

/* ---- Headers --------------------------------------------------------------------------------- */

static grad_status fail(grad_error *error, const char *name, const char *reason)
{
    error->status = GRAD_INVALID;
    snprintf(error->code, sizeof error->code, "bad_header");
    snprintf(error->detail, sizeof error->detail, "%.*s%s", SHOWN_NAME, name, reason);
    return GRAD_INVALID;
}

static bool is_name(const char *name, size_t length, const char *expected)
{
    return strlen(expected) == length && strncasecmp(name, expected, length) == 0;
}

static bool has_control(const char *value)
{
    for (; *value != '\0'; value++)
        if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
            return true;
    return false;
}

static grad_status check_header(const char *header, bool has_token, grad_error *error)
{
    size_t length = strspn(header, NAME_BYTES);
    const char *value = header + length;
    char name[SHOWN_NAME + 1];

    if (length == 0 || *value != ':')
        return fail(error, "",
                    "expected a header as \"Name: value\", found no name before a colon");
    snprintf(name, sizeof name, "%.*s", (int)(length < SHOWN_NAME ? length : SHOWN_NAME), header);
    for (size_t i = 0; i < sizeof own_names / sizeof *own_names; i++)
        if (is_name(header, length, own_names[i]))
            return fail(error, name, " is a header of the client's own, and can't be set");
    if (has_token && is_name(header, length, "Authorization"))
        return fail(error, name, " is given twice: as a header and as a token");
    value += 1 + strspn(value + 1, " \t");
    if (*value == '\0')
        return fail(error, name, ": expected a value, found none");
    if (has_control(value))
        return fail(error, name, ": expected a value of one line, found a control character");
    return GRAD_OK;
}

grad_status client_options_check_headers(const gradient_client_options *options, grad_error *error)
{
    const char *token = options->token;
    const char *const *header = options->headers;
    grad_status status = GRAD_OK;

    if (token != NULL && (token[0] == '\0' || token[strspn(token, TOKEN_BYTES)] != '\0')) {
        return fail(error, "",
                    "expected a token of letters, digits and -._~+/=, "
                    "found other characters or none");
    }
    for (; header != NULL && *header != NULL && status == GRAD_OK; header++)
        status = check_header(*header, token != NULL, error);
    return status;
}

grad_status client_options_check_certificate(const gradient_client_options *options,
                                             grad_error *error)
{
    if ((options->certificate == NULL) == (options->key == NULL))
        return GRAD_OK;
    error->status = GRAD_INVALID;
    snprintf(error->code, sizeof error->code, "bad_certificate");
    snprintf(error->detail, sizeof error->detail, "expected a certificate and its key, found %s",
             options->key == NULL ? "no key" : "no certificate");
    return GRAD_INVALID;
}

bool client_options_visit_headers(const gradient_client_options *options,
                                  bool (*visit)(void *context, const char *header), void *context)
{
    char *authorization = NULL;
    bool ok = true;

    if (options->token != NULL)
        ok = asprintf(&authorization, "Authorization: Bearer %s", options->token) >= 0 &&
             visit(context, authorization);
    free(authorization);
    for (const char *const *h = options->headers; ok && h != NULL && *h != NULL; h++)
        ok = visit(context, *h);
    return ok;
}

/* ---- Secrets --------------------------------------------------------------------------------- */

void client_redact(char *text)
{
    static const char stars[] = "***";
    char *at = strrchr(text, '@');
    char *scheme = strstr(text, "://");
    char *quote = strpbrk(text, "'\"");
    char *begin = text;

    if (at == NULL)
        return;
    if (quote != NULL && quote < at)
        begin = quote + 1;
    if (scheme != NULL && scheme < at)
        begin = scheme + 3;
    if ((size_t)(at - begin) < sizeof stars - 1) {
        memset(begin, '*', (size_t)(at - begin));
        return;
    }
    memcpy(begin, stars, sizeof stars - 1);
    memmove(begin + sizeof stars - 1, at, strlen(at) + 1);
}

/* ---- The address ----------------------------------------------------------------------------- */

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

/* Our own paths: the address ends before them. */
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

#define MAX_PATH 107 /* of a Unix socket's address */

const char *client_address_path(const char *url)
{
    static const char scheme[] = "unix:";

    return strncmp(url, scheme, sizeof scheme - 1) == 0 ? url + sizeof scheme - 1 : NULL;
}

static const char *fault_of_unix(const char *url, size_t *length)
{
    const char *path = client_address_path(url);

    *length = strlen(url);
    if (path[0] != '/')
        return "behind unix: there is no absolute path";
    return strlen(path) > MAX_PATH ? "its path is too long for a Unix socket" : NULL;
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

/* The part of an address that may be printed: no password, though it may hold any byte, and no
 * query, which may hold an @. */
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
    const char *fault =
        client_address_path(url) != NULL ? fault_of_unix(url, &length) : fault_of(url, &length);

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
