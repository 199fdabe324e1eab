/* Builds a line and hands it to the kernel in one write, which never waits for a reader. No
 * buffering, no files, no rotation: whoever started the daemon owns standard error. */
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
static _Atomic bool is_text;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_set_level(log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

bool log_enabled(log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_set_format(log_format format)
{
    bool as_text =
        format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO));

    atomic_store_explicit(&is_text, as_text, memory_order_relaxed);
}

bool log_is_for_people(void)
{
    return atomic_load_explicit(&is_text, memory_order_relaxed);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* What a line says. */
typedef struct record {
    struct timespec time;
    log_level level;
    const char *message;
    const char *sentence;    /* for people, or NULL */
    const log_field *fields; /* or NULL */
    bool truncated;
} record;

/* Names are ours, and need no escapes. */
static void add_json_field(grad_text *line, const log_field *field)
{
    grad_text_put(line, ",\"");
    grad_text_put(line, field->name);
    grad_text_put(line, "\":");
    if (field->text != NULL)
        grad_text_string(line, field->text);
    else
        grad_text_number(line, field->number);
}

/* A thread's lines of one second share what the C library makes of it. */
static void add_time(grad_text *line, const struct timespec *time)
{
    static _Thread_local char seconds[32];
    static _Thread_local time_t known = -1;

    if (time->tv_sec != known) {
        struct tm utc;

        gmtime_r(&time->tv_sec, &utc);
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
        known = time->tv_sec;
    }
    grad_text_put(line, seconds);
    grad_text_thousandths(line, (unsigned)(time->tv_nsec / 1000000));
    grad_text_put(line, "Z");
}

static void add_json(grad_text *line, const record *r)
{
    grad_text_put(line, "{\"time\":\"");
    add_time(line, &r->time);
    grad_text_put(line, "\",\"level\":\"");
    grad_text_put(line, level_names[r->level]);
    grad_text_put(line, "\"");
    add_json_field(line, &LOG_TEXT("message", r->message));
    for (const log_field *field = r->fields; field != NULL && field->name != NULL; field++)
        add_json_field(line, field);
    grad_text_put(line, r->truncated ? ",\"truncated\":true}\n" : "}\n");
}

static void add_text_field(grad_text *line, const log_field *field)
{
    const char *quote = field->text != NULL && field->text[strcspn(field->text, " \"")] ? "\"" : "";

    grad_text_printf(line, " %s=", field->name);
    if (field->text != NULL)
        grad_text_printf(line, "%s%s%s", quote, field->text, quote);
    else
        grad_text_number(line, field->number);
}

/* Replaces C0 and C1 control characters, the latter in UTF-8 (C2 80 to C2 9F) or not: text of a
 * peer or a file must not steer the terminal. */
static void defuse(char *text, size_t length)
{
    unsigned char before = 0;

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_c1 = c >= 0x80 && c < 0xa0 && (before < 0x80 || before == 0xc2);
        if (is_c1 && before == 0xc2)
            text[i - 1] = '?';
        if (c < 0x20 || c == 0x7f || is_c1)
            text[i] = '?';
        before = c;
    }
}

static void add_text(grad_text *line, const record *r)
{
    struct tm local;
    char clock[16];

    localtime_r(&r->time.tv_sec, &local);
    strftime(clock, sizeof clock, "%H:%M:%S", &local);
    grad_text_printf(line, "%s %s%s%s", clock, r->level == LOG_INFO ? "" : level_names[r->level],
                     r->level == LOG_INFO ? "" : ": ",
                     r->sentence != NULL ? r->sentence : r->message);
    for (const log_field *field = r->sentence != NULL ? NULL : r->fields;
         field != NULL && field->name != NULL; field++)
        add_text_field(line, field);
    grad_text_printf(line, "%s", r->truncated ? " truncated" : "");
    if (line->length > 0)
        defuse(line->data, line->length);
    grad_text_add(line, "\n", 1);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Whoever started the daemon shares standard error and would share its O_NONBLOCK: opened anew it
 * is ours alone. A descriptor that is closed now may soon be a client's connection. */
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

/* A pipe that has room has room for a whole line, if one thread at a time asks. */
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

/* False, and nothing written, where the line does not fit. */
static bool write_record(const record *r)
{
    char buffer[LOG_LINE_MAX + 1];
    grad_text line;
    bool fits;

    grad_text_init_in(&line, buffer, sizeof buffer);
    if (log_is_for_people())
        add_text(&line, r);
    else
        add_json(&line, r);
    fits = grad_text_status(&line, NULL) == GRAD_OK;
    if (fits && !write_line(line.data, line.length))
        metrics_count_lost_line();
    return fits;
}

void log_write_as(log_level level, const char *message, const char *sentence,
                  const log_field *fields)
{
    bool as_text = log_is_for_people();
    static const char lost[] = "{\"level\":\"error\",\"message\":\"a line of the log was lost\"}\n";
    record r;

    if (!log_enabled(level) || (as_text && sentence != NULL && sentence[0] == '\0'))
        return;
    r = (record){.level = level, .message = message, .sentence = sentence, .fields = fields};
    clock_gettime(CLOCK_REALTIME, &r.time);
    if (write_record(&r))
        return;
    r.sentence = NULL;
    r.fields = NULL;
    r.truncated = true;
    if (write_record(&r))
        return;
    /* A message that alone is too long: the line that has none. */
    metrics_count_lost_line();
    write_line(lost, sizeof lost - 1);
}

void log_write(log_level level, const char *message, const log_field *fields)
{
    log_write_as(level, message, NULL, fields);
}
