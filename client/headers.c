/* What a header of the caller's may hold (RFC 9110 §5.5, §5.6.2; RFC 6750 §2.1), and which are the
 * client's own. */
#include "headers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
#define TOKEN_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="
#define SHOWN_NAME 60

/* They say what the body is and how it travels. */
static const char *const own_names[] = {"Content-Type",      "Content-Length", "Content-Encoding",
                                        "Transfer-Encoding", "Connection",     "Expect",
                                        "Accept-Encoding"};

static grad_status fail(grad_error *error, const char *name, const char *reason)
{
    error->status = GRAD_INVALID;
    snprintf(error->code, sizeof error->code, "bad_header");
    snprintf(error->detail, sizeof error->detail, "%.*s%s", SHOWN_NAME, name, reason);
    return GRAD_INVALID;
}

static bool is_name(const char *name, size_t length, const char *wanted)
{
    return strlen(wanted) == length && strncasecmp(name, wanted, length) == 0;
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

grad_status client_headers_check(const gradient_client_options *options, grad_error *error)
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
