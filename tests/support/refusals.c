/* Asserting that documents are refused with the error that a table holds. */
#include "support/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_told(const char *detail, const char *expected)
{
    return expected[0] == '=' ? strcmp(detail, expected + 1) == 0
                              : strstr(detail, expected) != NULL;
}

void assert_refused_text(const refused_text *expected, grad_status status, const grad_error *error)
{
    if (status != expected->status || strcmp(error->code, expected->code) != 0 ||
        strcmp(error->pointer, expected->pointer) != 0)
        fail_msg("%s\n  found %d %s at \"%s\": %s", expected->text, status, error->code,
                 error->pointer, error->detail);
}

void assert_refused(wire_form form, const refusal *expected)
{
    char text[1024];
    const char *mark = strchr(expected->document, '@');
    size_t before = mark != NULL ? (size_t)(mark - expected->document) : 0;

    assert_true(strlen(expected->document) < sizeof text);
    memcpy(text, expected->document, before);
    strcpy(text + before, expected->document + before + (mark != NULL ? 1 : 0));
    for (size_t cut = 0; cut < strlen(text) + 1; cut++) {
        wire_outcome o = wire_decode_as(form, text, strlen(text), cut, NULL);

        if (o.status != expected->status || strcmp(o.error.code, expected->code) != 0 ||
            strcmp(o.error.pointer, expected->pointer) != 0 ||
            !is_told(o.error.detail, expected->detail) ||
            (mark != NULL && o.error.offset != (int64_t)before))
            fail_msg("%s in pieces of %zu\n  found %d %s at \"%s\", byte %lld: %s",
                     expected->document, cut, o.status, o.error.code, o.error.pointer,
                     (long long)o.error.offset, o.error.detail);
        grad_decoder_destroy(o.decoder);
    }
}

void assert_refused_body(const wire_outcome *outcome, const char *document, size_t cut,
                         const char *code, const char *pointer, const char *detail)
{
    const grad_error *error = &outcome->error;

    if (outcome->status == GRAD_OK || strcmp(error->code, code) != 0 ||
        strcmp(error->pointer, pointer) != 0 || strstr(error->detail, detail) == NULL)
        fail_msg("%s, cut %zu: %s at \"%s\": %s", document, cut, error->code, error->pointer,
                 error->detail);
}
