/* The file: lines of `key = value`, empty lines and comments. A # begins a comment at the start of
 * a line or behind a blank. No quotes, no sections, no includes. */
#include "config/loader.h"
#include "config/suggest.h"
#include "platform/files.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"

/* Cuts a comment off the line. */
static void drop_comment(char *line)
{
    for (char *c = strchr(line, '#'); c; c = strchr(c + 1, '#')) {
        if (c == line || strchr(BLANKS, c[-1])) {
            *c = '\0';
            return;
        }
    }
}

static char *trim(char *text)
{
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]))
        length--;
    text[length] = '\0';
    return text;
}

static bool fail_unknown(loader *l, const char *key, const char *where)
{
    suggestion s = suggest(key, 0);
    if (!s.name)
        return loader_fail(l, "%s: unknown key %.100s; see gradientd --help", where, key);
    return loader_fail(l, "%s: unknown key %.100s; did you mean %s%s%s?", where, key, s.name,
                       s.example ? " = " : "", s.example ? s.example : "");
}

/* seen[i]: the line that set option i, or 0. */
static bool read_line(loader *l, char *line, size_t number, size_t seen[OPTION_TOTAL])
{
    char where[PATH_MAX + 32];
    snprintf(where, sizeof where, "%s:%zu", l->path, number);
    drop_comment(line);
    line = trim(line);
    if (line[0] == '\0')
        return true;
    char *equals = strchr(line, '=');
    if (!equals)
        return loader_fail(l, "%s: expected key = value; found \"%.100s\"", where, line);
    *equals = '\0';
    const char *key = trim(line);
    const option *o = option_find(key);
    if (!o)
        return fail_unknown(l, key, where);
    size_t *first = &seen[o - config_options];
    if (*first != 0)
        return loader_fail(l, "%s: %s is set in line %zu already", where, key, *first);
    *first = number;
    return loader_assign(l, o, trim(equals + 1), RANK_FILE, where);
}

bool loader_read_file(loader *l)
{
    if (!l->path)
        return true;
    char *text = files_read(l->path);
    if (!text) {
        char reason[128];
        return loader_fail(l, "cannot read the configuration file %s: %s", l->path,
                           strerror_r(errno, reason, sizeof reason));
    }
    size_t seen[OPTION_TOTAL] = {0};
    size_t number = 1;
    bool good = true;
    for (char *line = text, *next; line && good; line = next, number++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        good = read_line(l, line, number, seen);
    }
    free(text);
    return good;
}
