/* The decoder against jansson on generated documents: requests in many spellings, arbitrary JSON,
 * and both after bytes were flipped, dropped, added, copied or cut off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/wire_documents.h"

enum { REQUESTS = 1500, ARBITRARY = 1500, MUTATIONS = 6, TEXT_MAX = 1 << 16 };

static void check(wire_form form, const char *text, size_t length)
{
    const char *wrong = wire_oracle_check(form, text, length);

    if (wrong != NULL)
        fail_msg("%s:\n%.*s", wrong, (int)length, text);
}

static void check_with_mutations(wire_form form, const grad_text *t)
{
    char *text = malloc(t->length + MUTATIONS * 16 + 1);
    size_t length = t->length;

    assert_non_null(text);
    memcpy(text, t->data, length);
    check(form, text, length);
    for (int i = 0; i < MUTATIONS; i++) {
        length = wire_mutate(text, length);
        check(form, text, length);
        if (wire_pick(2) == 0) {
            memcpy(text, t->data, t->length);
            length = t->length;
        }
    }
    free(text);
}

/* A layer's name that two have is no residual's, and two of the options are wrong on purpose. */
static bool may_be_refused(const char *text)
{
    return strstr(text, "u0000") != NULL || strstr(text, "sc\\u0061le") != NULL ||
           strstr(text, "residual") != NULL || strstr(text, "\"FP64\"") != NULL;
}

static void test_requests(void **unused)
{
    size_t accepted = 0;

    (void)unused;
    for (unsigned i = 0; i < REQUESTS; i++) {
        wire_form form = wire_forms[i % WIRE_FORMS];
        wire_outcome outcome;
        grad_text t;

        wire_seed(i + 1, false);
        grad_text_init(&t, TEXT_MAX);
        wire_make_request(&t, form.kind);
        outcome = wire_decode_as(form, t.data, t.length, 0, NULL);
        accepted += outcome.status == GRAD_OK;
        if (outcome.status != GRAD_OK && !may_be_refused(t.data))
            fail_msg("%s %s:\n%s", outcome.error.code, outcome.error.detail, t.data);
        grad_decoder_destroy(outcome.decoder);
        check_with_mutations(form, &t);
        grad_text_free(&t);
    }
    assert_true(accepted > REQUESTS / 2);
}

/* Requests whose tensors have faults, most of them such that the good layers are read. */
static void test_faults(void **unused)
{
    size_t marked = 0;

    (void)unused;
    for (unsigned i = 0; i < REQUESTS; i++) {
        wire_form form = wire_forms[i % WIRE_FORMS];
        wire_outcome outcome;
        grad_text t;

        wire_seed(2000000 + i, true);
        grad_text_init(&t, TEXT_MAX);
        wire_make_request(&t, form.kind);
        if (wire_pick(4) > 0) { /* the last brace makes room for one more member */
            while (t.data[--t.length] != '}')
                continue;
            grad_text_printf(&t, "%s}",
                             strstr(t.data, "on_error") == NULL ? " ,\"on_error\": \"continue\""
                                                                : "");
        }
        outcome = wire_decode_as(form, t.data, t.length, 0, NULL);
        for (size_t k = 0; outcome.batch != NULL && k < outcome.batch->layer_count; k++)
            marked += outcome.batch->layers[k].error != NULL;
        grad_decoder_destroy(outcome.decoder);
        check_with_mutations(form, &t);
        grad_text_free(&t);
    }
    assert_true(marked > REQUESTS / 4);
}

static void test_arbitrary(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < ARBITRARY; i++) {
        grad_text t;

        wire_seed(1000000 + i, false);
        grad_text_init(&t, TEXT_MAX);
        wire_make_arbitrary(&t, 0);
        check_with_mutations(wire_forms[i % WIRE_FORMS], &t);
        grad_text_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_arbitrary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
