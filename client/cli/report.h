/* How the command line speaks of failures, and the exit codes that go with them. */
#ifndef GRADIENT_CLI_REPORT_H
#define GRADIENT_CLI_REPORT_H

#include "cli/options.h"
#include "gradient_client.h"

/* 1 says of a check that a gradient is wrong. From EXIT_BAD_INPUT on in the order of
 * gradient_client_status. */
enum {
    EXIT_OK = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_BAD_INPUT = 3,
    EXIT_UNREACHABLE,
    EXIT_BUSY,
    EXIT_TIMED_OUT,
    EXIT_REFUSED,
    EXIT_PROTOCOL,
    EXIT_INTERNAL
};

/* Says what went wrong on standard error, as the options want it. Each returns the exit code. */
int report_failure(const options *o, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What of the system failed, followed by its own words about errno. */
int report_system_failure(const options *o, int exit_code, const char *what);
int report_client_error(const options *o, const gradient_client_error *error);
/* An error of the library in-process, said as the service would say it. */
int report_library_error(const options *o, const grad_error *error);

/* Tells the notes of an answer on standard error, but for those who read JSON: they have them in
 * the answer. */
void report_notes(const options *o, const grad_reply_note *notes, size_t count);

/* Replaces control characters: names come from documents and words from the peer, and none of them
 * steers the terminal. */
void report_defuse(char *text, size_t length);

/* Writes to standard output. What the system said of the first bytes it refused is kept. */
void report_write(const char *bytes, size_t length);
/* Sends the rest on its way; the errno of the first failure, or 0 where all of it was taken. */
int report_write_end(void);

/* Whether escape sequences belong into that stream (1 or 2): a terminal, and no NO_COLOR. */
bool report_in_color(int descriptor);

#endif
