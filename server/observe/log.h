/* The log: one JSON object a line on standard error. Lines are whole (one write each) from any
 * thread. None waits for a reader: what a full pipe does not take is lost, and counted. What is
 * worth a line is decided by the callers. */
#ifndef GRADIENTD_LOG_H
#define GRADIENTD_LOG_H

#include "gradient_wire.h"

typedef enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR } log_level;

/* Makes standard error one that never blocks. Once, before there are other threads; until then
 * lines are written to it as it is. */
void log_open(void);

/* The least level that is written; LOG_INFO until it is set. Thread-safe. */
void log_set_level(log_level level);
bool log_enabled(log_level level);

/* A name and a value. */
typedef struct log_field {
    const char *name; /* NULL ends a list of fields */
    const char *text; /* a string value, or NULL for a number */
    double number;
} log_field;

/* One line: {"time": RFC 3339 with milliseconds, "level": …, "message": …, and the fields}. The
 * list ends with LOG_END:
 * log_write(LOG_INFO, "listening", (log_field[]){LOG_TEXT("address", a), LOG_END});
 * A line above LOG_LINE_MAX bytes is written without its fields, with "truncated": true. */
void log_write(log_level level, const char *message, const log_field *fields);

/* What a pipe takes in one piece (PIPE_BUF on Linux). */
#define LOG_LINE_MAX 4096

#define LOG_TEXT(n, t) ((log_field){.name = (n), .text = (t)})
#define LOG_NUMBER(n, v) ((log_field){.name = (n), .number = (double)(v)})
#define LOG_END ((log_field){.name = NULL})

#endif
