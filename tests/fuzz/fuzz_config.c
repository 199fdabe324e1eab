/* Configuration under a fuzzer. The input is a file, then flags and variables, each behind a NUL.
 * What is accepted and printed as --check-config prints it is a file that says the same. */
#include "config/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const char *more)
{
    fprintf(stderr, "%s: %s\n", what, more);
    abort();
}

/* A file in memory, and its name. */
static int write_file(const void *bytes, size_t size, char path[40])
{
    int fd = memfd_create("configuration", 0);

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        fail("no file", "in memory");
    snprintf(path, 40, "/proc/self/fd/%d", fd);
    return fd;
}

/* The effective values as text; NULL: it was refused, or asked for something else. */
static char *load(char *path, char **words, char **variables)
{
    char *arguments[WORDS + 4] = {(char *)"gradientd", (char *)"--config", path};
    char message[512] = "", *text = NULL;
    config_sources *sources;
    config_action action;
    config values;
    int count = 3;
    size_t size;

    while (*words != NULL)
        arguments[count++] = *words++;
    if (!config_load(count, arguments, variables, &values, &sources, &action, message,
                     sizeof message)) {
        if (message[0] == '\0')
            fail("refused without a reason", path);
        return NULL;
    }
    if (action == CONFIG_RUN || action == CONFIG_CHECK) {
        FILE *out = open_memstream(&text, &size);

        config_print_effective(&values, sources, out);
        fclose(out);
    }
    config_free(&values, sources);
    return text;
}

/* A line without where its value came from. */
static size_t value_length(const char *line)
{
    const char *end = strchr(line, '\n'), *source = strstr(line, "   # ");

    return (size_t)((source != NULL && source < end ? source : end) - line);
}

static void expect_same(const char *a, const char *b)
{
    const char *first = a;

    for (; *a != '\0' && *b != '\0'; a = strchr(a, '\n') + 1, b = strchr(b, '\n') + 1)
        if (value_length(a) != value_length(b) || memcmp(a, b, value_length(a)) != 0)
            fail("printed and read, it is another configuration", a);
    if (*a != *b)
        fail("a line more or less", first);
}

/* Cuts what is behind the file into flags and variables, but for those that name another file. */
static void cut(char *at, char *end, char **words, char **variables)
{
    for (size_t word = 0, variable = 0; at < end; at += strlen(at) + 1) {
        if (strncmp(at, "GRADIENTD_", 10) == 0) {
            if (variable < WORDS && strncmp(at, "GRADIENTD_CONFIG", 16) != 0)
                variables[variable++] = at;
        } else if (word < WORDS && strncmp(at, "--config", 8) != 0)
            words[word++] = at;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *words[WORDS + 1] = {NULL}, *variables[WORDS + 1] = {NULL};
    char *nothing[1] = {NULL}, path[40], *first, *second;
    size_t length;
    int fd;

    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    length = strlen(text);
    if (length < size)
        cut(text + length + 1, text + size, words, variables);
    fd = write_file(text, length, path);
    first = load(path, words, variables);
    close(fd);
    if (first != NULL) {
        fd = write_file(first, strlen(first), path);
        second = load(path, nothing, nothing);
        close(fd);
        if (second == NULL)
            fail("what it prints is no configuration", first);
        expect_same(first, second);
        free(second);
    }
    free(first);
    free(text);
    return 0;
}
