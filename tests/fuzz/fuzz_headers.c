/* The reading of a request's headers under a fuzzer: names and values as libmicrohttpd gives them;
 * and what options say of addresses and origins. Framing that passes can't be misunderstood. */
#include "config/address.h"
#include "http/headers.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Two readers can't understand what has passed differently. */
static void expect_unambiguous(const headers *h, size_t lengths, size_t codings, size_t hosts)
{
    uint64_t length;
    bool has_body = headers_have_body(h, &length);

    if (h->fault != NULL)
        return;
    if (lengths + codings > 1 || hosts > 1 || (hosts == 0 && !h->http_1_0))
        fail("ambiguous headers without a fault");
    if (h->transfer_encoding != NULL &&
        (strcasecmp(h->transfer_encoding, "chunked") != 0 || h->http_1_0 || !has_body))
        fail("a coding that is none");
    if (h->content_length != NULL) {
        char *end;

        if (h->content_length[0] < '0' || h->content_length[0] > '9' ||
            length != strtoull(h->content_length, &end, 10) || *end != '\0')
            fail("a length that is none");
    }
}

/* Adds the lines of text, which are cut at its line feeds; names end at the first colon, and blanks
 * before a value are not of it. */
static void read_lines(headers *h, char *text)
{
    size_t lengths = 0, codings = 0, hosts = 0, count = 0;

    for (char *line = text, *next; line != NULL && count < LINES; line = next, count++) {
        char *value;
        size_t name_length;

        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        name_length = strcspn(line, ":");
        value = line + name_length;
        if (*value == ':')
            *value++ = '\0';
        value += strspn(value, " \t");
        /* libmicrohttpd lets no other length through. */
        if (strcasecmp(line, "Content-Length") == 0 &&
            (*value == '\0' || value[strspn(value, "0123456789")] != '\0' || strlen(value) > 19))
            continue;
        headers_add(h, line, name_length, value, strlen(value));
        lengths += strcasecmp(line, "Content-Length") == 0;
        codings += strcasecmp(line, "Transfer-Encoding") == 0;
        hosts += strcasecmp(line, "Host") == 0;
    }
    headers_end(h, NULL);
    expect_unambiguous(h, lengths, codings, hosts);
}

static void ask_the_rest(const headers *h, const char *text)
{
    char fault[160];
    address parts;

    if (h->content_type != NULL)
        headers_match_media_type(h->content_type, "application/json", fault, sizeof fault);
    if (h->request_id != NULL && headers_is_request_id(h->request_id) &&
        (strlen(h->request_id) > 64 || strpbrk(h->request_id, "\r\n \t") != NULL))
        fail("an identity that breaks a line");
    if (h->origin != NULL)
        origins_hold("https://a.example,http://localhost:3000", h->origin);
    if (origins_are_sound(text) && strcmp(text, "*") != 0 && text[0] != '\0')
        origins_hold(text, "https://a.example");
    if (address_split(text, &parts) && (parts.port[0] == '\0' || strlen(parts.port) > 5))
        fail("an address without a port");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *copy = malloc(size + 1);
    headers h;

    if (text == NULL || copy == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    memcpy(copy, text, size + 1);
    headers_begin(&h, size % 2 == 0 ? "HTTP/1.1" : "HTTP/1.0");
    read_lines(&h, text);
    ask_the_rest(&h, copy);
    free(text);
    free(copy);
    return 0;
}
