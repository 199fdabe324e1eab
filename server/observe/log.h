/* The log: lines on standard error, JSON objects for programs or words for people. Each is one
 * write, from any thread. No line waits for a reader: a full pipe loses it, and it is counted. */
#ifndef GRADIENTD_LOG_H
#define GRADIENTD_LOG_H

#include "gradient_wire.h"

typedef enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR } log_level;

/* Makes standard error non-blocking. Once, before there are other threads; until then lines are
 * written to it as it is. */
void log_open(void);

/* In the order of the words of --log-format. Auto: words where standard error is a terminal. */
typedef enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON } log_format;

/* How lines are written from now on; LOG_FORMAT_JSON until it is set. Thread-safe. */
void log_set_format(log_format format);

/* The least level that is written; LOG_INFO until it is set. Thread-safe. */
void log_set_level(log_level level);
bool log_enabled(log_level level);

/* Whether lines are words for people: else nobody reads a sentence. */
bool log_is_for_people(void);

/* A name and a value. */
typedef struct log_field {
    const char *name; /* NULL ends a list of fields */
    const char *text; /* a string value, or NULL for a number */
    double number;
} log_field;

/* One line: {"time": RFC 3339 with milliseconds, "level": …, "message": …, and the fields}. The
 * list ends with LOG_END:
 * log_write(LOG_INFO, "listening", (log_field[]){LOG_TEXT("address", a), LOG_END});
 * For people it is "12:34:56 message name=value …", in local time. A line above LOG_LINE_MAX bytes
 * is written without its fields, with "truncated": true. */
void log_write(log_level level, const char *message, const log_field *fields);

/* The same, but people get a sentence instead of message and fields; none if it is "". */
void log_write_as(log_level level, const char *message, const char *sentence,
                  const log_field *fields);

/* What a pipe takes in one piece (PIPE_BUF on Linux). */
#define LOG_LINE_MAX 4096

#define LOG_TEXT(n, t) ((log_field){.name = (n), .text = (t)})
#define LOG_NUMBER(n, v) ((log_field){.name = (n), .number = (double)(v)})
#define LOG_END ((log_field){.name = NULL})

#endif
