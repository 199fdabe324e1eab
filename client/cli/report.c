/* Failures, in words or as JSON. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_REPORT_BYTES 16384

/* errno is long gone when main asks: connections were closed meanwhile. */
static int write_errno;

void report_write(const char *bytes, size_t length)
{
    if (fwrite(bytes, 1, length, stdout) < length && write_errno == 0)
        write_errno = errno;
}

int report_write_end(void)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && write_errno == 0)
        write_errno = errno != 0 ? errno : EIO;
    return write_errno;
}

static const char *name_of(int exit_code)
{
    static const char *const names[] = {[EXIT_USAGE] = "usage",
                                        [EXIT_BAD_INPUT] = "bad_input",
                                        [EXIT_UNREACHABLE] = "unreachable",
                                        [EXIT_BUSY] = "busy",
                                        [EXIT_TIMED_OUT] = "timeout",
                                        [EXIT_REFUSED] = "refused",
                                        [EXIT_PROTOCOL] = "protocol",
                                        [EXIT_INTERNAL] = "internal"};

    return names[exit_code];
}

bool report_in_color(int descriptor)
{
    const char *no_color = getenv("NO_COLOR");

    return isatty(descriptor) && (no_color == NULL || no_color[0] == '\0');
}

/* " (at byte 1042, /layers/0/pre_activation)", as far as it is known. */
static void add_place(grad_text *text, const grad_error *error)
{
    bool has_offset = error->offset != GRAD_OFFSET_UNKNOWN;
    bool has_pointer = error->pointer[0] != '\0';

    if (has_offset || has_pointer)
        grad_text_printf(text, " (at ");
    if (has_offset)
        grad_text_printf(text, "byte %lld%s", (long long)error->offset, has_pointer ? ", " : ")");
    if (has_pointer)
        grad_text_printf(text, "%s)", error->pointer);
}

void report_defuse(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
}

static void write_words(const gradient_client_error *error, grad_text *text)
{
    bool color = report_in_color(STDERR_FILENO);
    size_t begin;

    grad_text_printf(text, "%sgradient:%s ", color ? "\033[1;31m" : "", color ? "\033[0m" : "");
    begin = text->length;
    grad_text_printf(text, "%s", error->message);
    add_place(text, &error->problem.error);
    if (grad_text_status(text, NULL) == GRAD_OK)
        report_defuse(text->data + begin, text->length - begin);
}

void report_notes(const options *o, const grad_reply_note *notes, size_t count)
{
    for (size_t i = 0; i < count && !o->quiet && !o->json; i++) {
        grad_text text;

        grad_text_init(&text, MAX_REPORT_BYTES);
        grad_text_printf(&text, "gradient: note: %s (at %s)", notes[i].detail, notes[i].pointer);
        if (grad_text_status(&text, NULL) == GRAD_OK) {
            report_defuse(text.data, text.length);
            fprintf(stderr, "%s\n", text.data);
        }
        grad_text_free(&text);
    }
}

static void write_json(int exit_code, const gradient_client_error *error, grad_text *text)
{
    grad_text_printf(text, "{\"error\":\"%s\",\"exit_code\":%d,\"message\":", name_of(exit_code),
                     exit_code);
    grad_text_string(text, error->message);
    if (error->attempts > 0)
        grad_text_printf(text, ",\"attempts\":%u", error->attempts);
    if (error->problem.http_status != 0) {
        grad_text_printf(text, ",\"problem\":");
        grad_problem_write(&error->problem, text);
        text->length -= text->length > 0 && text->data[text->length - 1] == '\n';
    }
    grad_text_printf(text, "}");
}

static int report(const options *o, int exit_code, const gradient_client_error *error)
{
    grad_text text;

    if (o->quiet)
        return exit_code;
    grad_text_init(&text, MAX_REPORT_BYTES);
    if (o->json)
        write_json(exit_code, error, &text);
    else
        write_words(error, &text);
    if (grad_text_status(&text, NULL) == GRAD_OK)
        fprintf(stderr, "%s\n", text.data);
    else
        fprintf(stderr, "gradient: %s\n", error->message);
    grad_text_free(&text);
    return exit_code;
}

int report_failure(const options *o, int exit_code, const char *format, ...)
{
    gradient_client_error error = {.problem.error.offset = GRAD_OFFSET_UNKNOWN};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    return report(o, exit_code, &error);
}

int report_system_failure(const options *o, int exit_code, const char *what)
{
    char reason[128];

    return report_failure(o, exit_code, "%s: %s", what, strerror_r(errno, reason, sizeof reason));
}

int report_client_error(const options *o, const gradient_client_error *error)
{
    return report(o, EXIT_BAD_INPUT + (int)error->status - GRADIENT_CLIENT_BAD_INPUT, error);
}

int report_library_error(const options *o, const grad_error *error)
{
    static const struct {
        int http_status;
        const char *title;
    } statuses[] = {[GRAD_OUT_OF_MEMORY] = {503, "Service Unavailable"},
                    [GRAD_MALFORMED] = {400, "Bad Request"},
                    [GRAD_INVALID] = {422, "Unprocessable Content"},
                    [GRAD_TOO_LARGE] = {413, "Content Too Large"}};
    gradient_client_error e = {
        .status = error->status == GRAD_OUT_OF_MEMORY ? GRADIENT_CLIENT_INTERNAL
                                                      : GRADIENT_CLIENT_BAD_INPUT,
        .problem = {.http_status = statuses[error->status].http_status, .error = *error}};

    snprintf(e.problem.title, sizeof e.problem.title, "%s", statuses[error->status].title);
    memcpy(e.message, error->detail, sizeof e.message);
    return report_client_error(o, &e);
}
