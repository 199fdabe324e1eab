/* The command line of the load generator, and the files that it names. */
#include "fire/load.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *value)
{
    fprintf(stderr, "load: %s: %s\n", what, value);
    exit(2);
}

static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    size_t room = 1 << 20;
    char *bytes = malloc(room);

    if (file == NULL || bytes == NULL)
        fail("cannot read", path);
    *length = 0;
    for (size_t n; (n = fread(bytes + *length, 1, room - *length, file)) > 0;) {
        *length += n;
        if (*length == room)
            bytes = realloc(bytes, room *= 2);
        if (bytes == NULL)
            fail("out of memory for", path);
    }
    fclose(file);
    return bytes;
}

static double number(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(value >= 0))
        fail("not a number", text);
    return value;
}

/* The address and port of HOST:PORT; HOST is an IPv4 address. */
static void set_target(load_run *load, const char *text)
{
    char host[32];
    const char *colon = strchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        fail("expected ADDRESS:PORT, found", text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    load->target.sin_family = AF_INET;
    load->target.sin_port = htons((uint16_t)number(colon + 1));
    if (inet_pton(AF_INET, host, &load->target.sin_addr) != 1)
        fail("not an IPv4 address", host);
}

/* "200" or "127.0.0.2+64": addresses from the first on. */
static void set_sources(load_class *class, const char *text)
{
    char first[32];
    size_t length = strcspn(text, "+");
    struct in_addr address;

    if (length >= sizeof first)
        fail("not an IPv4 address", text);
    memcpy(first, text, length);
    first[length] = '\0';
    if (inet_pton(AF_INET, first, &address) != 1)
        fail("not an IPv4 address", first);
    class->source = ntohl(address.s_addr);
    class->sources = text[length] == '+' ? (unsigned)number(text + length + 1) : 1;
    if (class->sources == 0)
        fail("expected at least one address, found", text);
}

static bool set_text(load_class *class, const char *key, const char *value)
{
    if (strcmp(key, "name") == 0)
        snprintf(class->name, sizeof class->name, "%s", value);
    else if (strcmp(key, "method") == 0)
        class->method = value;
    else if (strcmp(key, "path") == 0)
        class->path = value;
    else if (strcmp(key, "header") == 0)
        class->header = value;
    else if (strcmp(key, "from") == 0)
        set_sources(class, value);
    else if (strcmp(key, "body") == 0)
        class->request = read_file(value, &class->request_length);
    else if (strcmp(key, "reference") == 0)
        class->reference = read_file(value, &class->reference_length);
    else
        return false;
    return true;
}

static void set_number(load_class *class, const char *key, const char *text)
{
    double value = number(text);

    if (strcmp(key, "rate") == 0)
        class->rate = value;
    else if (strcmp(key, "busy") == 0) {
        class->closed = true;
        class->connections = (unsigned)value;
    } else if (strcmp(key, "connections") == 0)
        class->connections = (unsigned)value;
    else if (strcmp(key, "count") == 0)
        class->limit = (uint64_t)value;
    else if (strcmp(key, "start") == 0)
        class->start = value;
    else if (strcmp(key, "seconds") == 0)
        class->seconds = value;
    else if (strcmp(key, "timeout") == 0)
        class->timeout = value;
    else if (strcmp(key, "pause") == 0)
        class->pause = value;
    else
        fail("unknown key of a class", key);
}

/* The body read from a file becomes the whole request. */
static void build_request(const load_run *load, load_class *class)
{
    char *body = class->request;
    size_t body_length = class->request_length, room = body_length + 2048;
    char *whole = malloc(room);
    int head;

    if (whole == NULL)
        fail("out of memory for", class->name);
    head = snprintf(whole, room,
                    "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                    "%s%sContent-Length: %zu\r\n\r\n",
                    class->method, class->path, (unsigned)ntohs(load->target.sin_port),
                    class->header, class->header[0] == '\0' ? "" : "\r\n", body_length);
    if (head < 0 || (size_t)head + body_length > room)
        fail("too long a path or header", class->name);
    if (body_length > 0)
        memcpy(whole + head, body, body_length);
    free(body);
    class->request = whole;
    class->request_length = (size_t)head + body_length;
}

static load_class *new_class(load_run *load)
{
    load_class *class = &load->classes[load->class_count];

    if (load->class_count++ == LOAD_CLASSES)
        fail("too many classes", "at most 16");
    snprintf(class->name, sizeof class->name, "%zu", load->class_count);
    class->method = "POST";
    class->path = "/v1/gradients";
    class->header = "";
    class->connections = 4096;
    class->seconds = 10;
    class->timeout = 30;
    class->pause = 1;
    return class;
}

static void set_pair(load_class *class, char *argument)
{
    char *value = strchr(argument, '=');

    if (class == NULL || value == NULL)
        fail("expected --class and key=value, found", argument);
    *value++ = '\0';
    if (!set_text(class, argument, value))
        set_number(class, argument, value);
}

void load_read_options(load_run *load, char **arguments)
{
    load_class *class = NULL;

    load->row_us = 1000000;
    for (; *arguments != NULL; arguments++)
        if (strcmp(*arguments, "--class") == 0)
            class = new_class(load);
        else if (strcmp(*arguments, "--abandon") == 0)
            load->abandon = true;
        else if (strncmp(*arguments, "--target=", 9) == 0)
            set_target(load, *arguments + 9);
        else if (strncmp(*arguments, "--row-ms=", 9) == 0)
            load->row_us = (uint64_t)(number(*arguments + 9) * 1e3);
        else
            set_pair(class, *arguments);
    if (load->class_count == 0 || load->target.sin_port == 0 || load->row_us == 0)
        fail("usage", "load --target=ADDRESS:PORT --class key=value... (tests/fire/load.c)");
    for (size_t i = 0; i < load->class_count; i++)
        build_request(load, &load->classes[i]);
}
