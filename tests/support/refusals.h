/* Documents that are refused, and how: tables of them for the tests of the readers. */
#ifndef TESTS_SUPPORT_REFUSALS_H
#define TESTS_SUPPORT_REFUSALS_H

#include "support/wire_oracle.h"

/* A document with '@' where the error's byte is (without one any byte will do), and the error. */
typedef struct refusal {
    const char *document;
    grad_status status;
    const char *code;
    const char *pointer;
    const char *detail; /* a part of it; behind a '=', all of it */
} refusal;

/* Fails the test unless the document is refused like that, in pieces of whatever size. */
void assert_refused(wire_form form, const refusal *expected);

/* A text that is refused, and with which error, for readers of their own. */
typedef struct refused_text {
    const char *text;
    grad_status status;
    const char *code;
    const char *pointer;
} refused_text;

/* Fails the test unless it ended like that. */
void assert_refused_text(const refused_text *expected, grad_status status, const grad_error *error);

/* Fails the test unless a body of that document, in pieces of cut bytes, was refused so: pointer is
 * all of it, detail a part. */
void assert_refused_body(const wire_outcome *outcome, const char *document, size_t cut,
                         const char *code, const char *pointer, const char *detail);

/* A test of every row of a table. */
#define REFUSES(table, kind, datatype)                                                             \
    static void test_##table(void **unused)                                                        \
    {                                                                                              \
        (void)unused;                                                                              \
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)                                  \
            assert_refused((wire_form){kind, datatype}, &table[i]);                                \
    }

#endif
