/* The log: builds a line and hands it to the kernel in one write, which never waits for a reader.
 * No buffering, no files, no rotation: whoever started the daemon owns standard error. */
#include "observe/log.h"

#include "observe/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How a line reaches standard error without waiting. */
typedef enum log_way {
    WAY_WRITE,     /* a file, or a descriptor of our own that does not block */
    WAY_SEND,      /* a socket */
    WAY_ASK_FIRST, /* a pipe or terminal that could not be opened anew */
} log_way;

static int target = STDERR_FILENO;
static log_way way = WAY_WRITE;
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int least_level = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_set_level(log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
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

/* ---- Writing --------------------------------------------------------------------------------- */

/* Standard error is shared with whoever started the daemon, and so would its O_NONBLOCK be: opened
 * anew it is ours alone. A descriptor that is closed now may soon be a client's connection. */
void log_open(void)
{
    struct stat found;
    if (fstat(STDERR_FILENO, &found) != 0) {
        target = -1;
    } else if (S_ISSOCK(found.st_mode)) {
        way = WAY_SEND;
    } else if (S_ISFIFO(found.st_mode) || S_ISCHR(found.st_mode)) {
        int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        way = own < 0 ? WAY_ASK_FIRST : WAY_WRITE;
        if (own >= 0)
            target = own;
    }
}

/* A pipe that has room has room for a whole line, as long as one thread at a time asks. */
static ssize_t ask_and_write(const char *line, size_t length)
{
    struct pollfd room = {.fd = target, .events = POLLOUT};
    ssize_t written = -1;
    pthread_mutex_lock(&asking);
    if (poll(&room, 1, 0) > 0)
        written = write(target, line, length);
    else
        errno = EAGAIN;
    pthread_mutex_unlock(&asking);
    return written;
}

static ssize_t write_piece(const char *line, size_t length)
{
    switch (way) {
    case WAY_SEND:
        return send(target, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WAY_ASK_FIRST:
        return ask_and_write(line, length);
    case WAY_WRITE:
        break;
    }
    return write(target, line, length);
}

/* A full pipe or a closed standard error costs lines, never the daemon. */
static bool write_line(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write_piece(line, length);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            line += written;
            length -= (size_t)written;
        }
    }
    return true;
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
    if (fits && !write_line(line.data, line.length))
        metrics_count_lost_line();
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
    metrics_count_lost_line();
    write_line(lost, sizeof lost - 1);
}
