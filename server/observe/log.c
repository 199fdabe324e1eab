/* The log: builds a line and hands it to the kernel in one write. No buffering, no files, no
 * rotation: whoever started the daemon owns standard error. */
#include "observe/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int least_level = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_set_level(log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* Adds {"time":…,"level":… and leaves the object open. */
static void add_head(grad_text *line, const struct timespec *now, log_level level)
{
    struct tm utc;
    char seconds[32];
    gmtime_r(&now->tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    grad_text_printf(line, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\"", seconds,
                     (int)(now->tv_nsec / 1000000), level_names[level]);
}

static void add_field(grad_text *line, const log_field *field)
{
    grad_text_add(line, ",", 1);
    grad_text_string(line, field->name);
    grad_text_add(line, ":", 1);
    if (field->text)
        grad_text_string(line, field->text);
    else
        grad_text_number(line, field->number);
}

/* A full pipe or a closed standard error costs lines, never the daemon. */
static void write_line(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            line += written;
            length -= (size_t)written;
        }
    }
}

/* Writes the line with these fields; false, and nothing written, where it does not fit. */
static bool write_fields(const struct timespec *now, log_level level, const char *message,
                         const log_field *fields, const char *end)
{
    grad_text line;
    grad_text_init(&line, LOG_LINE_MAX);
    add_head(&line, now, level);
    add_field(&line, &LOG_TEXT("message", message));
    for (; fields && fields->name; fields++)
        add_field(&line, fields);
    grad_text_add(&line, end, strlen(end));
    bool fits = grad_text_status(&line, NULL) == GRAD_OK;
    if (fits)
        write_line(line.data, line.length);
    grad_text_free(&line);
    return fits;
}

void log_write(log_level level, const char *message, const log_field *fields)
{
    if (!log_enabled(level))
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (write_fields(&now, level, message, fields, "}\n") ||
        write_fields(&now, level, message, NULL, ",\"truncated\":true}\n"))
        return;
    /* No memory, or a message that alone is too long: the line that needs neither. */
    static const char lost[] = "{\"level\":\"error\",\"message\":\"a line of the log was lost\"}\n";
    write_line(lost, sizeof lost - 1);
}
