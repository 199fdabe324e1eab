/* Answers with bytes changed, dropped, doubled and cut off: replies, reports and problems are read,
 * or refused with an error, and nothing else happens (the sanitizers look on). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gradient_wire.h"
#include "support/between.h"
#include "support/random.h"

enum { ROUNDS = 20000 };

static const char reply[] =
    "{\"id\":\"n\",\"loss\":[0.1,\"NaN\"],\"predictions\":[[1,0.1],[1e+300,-0.0]],\"layers\":[{"
    "\"name\":\"a\",\"weight_delta\":[[1,0.1]],\"bias_delta\":{\"shape\":[1],\"data\":[2]},"
    "\"statistics\":{\"weight_delta\":{\"l2_norm\":0.5,\"max_abs\":\"Infinity\",\"non_finite\":0},"
    "\"zero_derivative\":0.5},\"clipping\":{\"clipped_values\":7,\"norm\":1e-09,\"factor\":1}},"
    "{\"name\":\"b\",\"error\":{\"type\":\"about:blank\",\"status\":422,\"detail\":\"x\",\"code\":"
    "\"shape_mismatch\",\"pointer\":\"/layers/"
    "1\",\"offset\":42,\"limit\":{\"name\":\"m\",\"value\":"
    "3}}}],\"grad_input\":[[5,6],[7,8]],\"statistics\":{\"l2_norm\":1.5},\"clipping\":{}}";

static const char report[] =
    "{\"id\":\"c\",\"verdict\":\"fail\",\"tolerance\":1e-06,\"loss\":2.5,\"tensors\":[{\"layer\":1,"
    "\"name\":\"fc1\",\"tensor\":\"weight_delta\",\"shape\":[2,3,4],\"verdict\":\"kink\","
    "\"largest_error\":1.25e-09,\"index\":[1,1,1],\"gradient\":0.1,\"difference\":-0.3,\"checked\":"
    "16,\"kinks\":2,\"claim\":{\"verdict\":\"fail\",\"largest_error\":\"Infinity\",\"direction\":"
    "true,\"gradient\":\"NaN\",\"difference\":5,\"checked\":3,\"kinks\":0}}]}";

static const char problem[] = "{\"type\":\"about:blank\",\"title\":\"T\",\"status\":413,\"detail\":"
                              "\"d\",\"code\":\"c\",\"pointer\":\"/a\",\"offset\":7,\"limit\":{"
                              "\"name\":\"n\",\"value\":67108864},\"request_id\":\"r\"}";

static grad_status read_reply(const char *text, size_t length, grad_error *error)
{
    grad_decoder *decoder = NULL;
    grad_reply *read = NULL;
    grad_status status = grad_decoder_create(NULL, GRAD_FP64, 0, &decoder, error);

    assert_int_equal(status, GRAD_OK);
    grad_decoder_push(decoder, text, length, error);
    status = grad_decoder_finish_reply(decoder, &read, error);
    assert_true((status == GRAD_OK) == (read != NULL));
    grad_decoder_destroy(decoder);
    return status;
}

static grad_status read_report(const char *text, size_t length, grad_error *error)
{
    grad_check_report *read = NULL;
    grad_status status = grad_check_report_read(text, length, &read, error);

    assert_true((status == GRAD_OK) == (read != NULL));
    free(read);
    return status;
}

static grad_status read_problem(const char *text, size_t length, grad_error *error)
{
    grad_problem read;

    return grad_problem_read(text, length, &read, error);
}

/* One change to the text, which has room for 12 more bytes. */
static size_t mutate(random_state *random, char *text, size_t length)
{
    static const char bytes[] = "{}[],:\"\\ 019.eE+-tfnN\x01\xC3su";
    size_t at = random_below(random, length);
    size_t run = random_below(random, length - at < 12 ? length - at : 12);

    switch (random_below(random, 4)) {
    case 0:
        text[at] = bytes[random_below(random, sizeof bytes)];
        return length;
    case 1:
        memmove(text + at, text + at + run, length - at - run);
        return length - run;
    case 2:
        memmove(text + at + run, text + at, length - at);
        return length + run;
    default:
        return random_below(random, 8) == 0 ? at + 1 : length;
    }
}

static void check(const char *text, size_t length,
                  grad_status (*read)(const char *text, size_t length, grad_error *error))
{
    random_state random = {length};
    size_t accepted = 0;

    for (int i = 0; i < ROUNDS; i++) {
        char *copy = malloc(length + 64);
        size_t left = length;
        grad_error error = GRAD_ERROR_INIT;
        grad_status status;

        assert_non_null(copy);
        memcpy(copy, text, length);
        for (size_t k = random_below(&random, 4); k > 0; k--)
            left = mutate(&random, copy, left);
        status = read(copy, left, &error);
        assert_int_equal(status, error.status);
        assert_true(status != GRAD_OUT_OF_MEMORY);
        accepted += status == GRAD_OK;
        free(copy);
    }
    assert_between(accepted, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

static void test_replies(void **unused)
{
    (void)unused;
    check(reply, sizeof reply - 1, read_reply);
}

static void test_reports(void **unused)
{
    (void)unused;
    check(report, sizeof report - 1, read_report);
}

static void test_problems(void **unused)
{
    (void)unused;
    check(problem, sizeof problem - 1, read_problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_problems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
