/* Structs of options carry their size: callers who were compiled with fewer or more fields, by each
 * function that takes such a struct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gradient_client.h"
#include "gradient_network.h"
#include "gradient_wire.h"

/* A struct of options as another version has it: its fields, and one more. */
typedef struct later {
    union {
        size_t size;
        grad_limits limits;
        grad_wire_limits wire_limits;
        grad_check_options check;
        gradient_client_options client;
    } now;
    unsigned char behind[64];
} later;

/* A function that takes such options, and its error. */
typedef grad_status taker(later *options, grad_error *outcome);

static float ones[] = {1, 1, 1, 1};

static grad_layer layer_of(void)
{
    return (grad_layer){.activation = grad_activation_default(GRAD_TANH),
                        .input = {ones, 2, {2, 2}},
                        .pre_activation = {ones, 2, {2, 1}},
                        .grad_output = {ones, 2, {2, 1}}};
}

static grad_status take_limits(later *options, grad_error *outcome)
{
    grad_layer layer = layer_of();
    grad_batch batch = {.scale = 1, .layer_count = 1, .layers = &layer};
    grad_measure measure;

    return grad_batch_measure(&batch, &options->now.limits, &measure, outcome);
}

static grad_status take_wire_limits(later *options, grad_error *outcome)
{
    grad_decoder *decoder = NULL;
    grad_status status =
        grad_decoder_create(&options->now.wire_limits, GRAD_FP32, 0, &decoder, outcome);

    if (status == GRAD_OK)
        status = grad_decoder_push(decoder, "[[[[[[", 6, outcome);
    grad_decoder_destroy(decoder);
    return status;
}

static grad_status take_check_options(later *options, grad_error *outcome)
{
    grad_layer layer = layer_of();
    grad_batch batch = {.datatype = GRAD_FP32, .scale = 1, .layer_count = 1, .layers = &layer};
    grad_check_request request = {.batch = &batch, .options = &options->now.check};
    grad_measure measure;

    return grad_check_measure(&request, NULL, &measure, outcome);
}

static grad_status take_client_options(later *options, grad_error *outcome)
{
    gradient_client *client = NULL;
    gradient_client_error error = GRADIENT_CLIENT_ERROR_INIT;

    if (gradient_client_open("http://h:1", &options->now.client, &client, &error) ==
        GRADIENT_CLIENT_OK) {
        gradient_client_close(client);
        return GRAD_OK;
    }
    assert_int_equal(error.status, GRADIENT_CLIENT_BAD_INPUT);
    snprintf(outcome->detail, sizeof outcome->detail, "%s", error.message);
    return GRAD_INVALID;
}

/* Each of these sets the last field of the struct to something that is wrong. */
static void spoil_limits(later *options)
{
    options->now.limits.max_result_numbers = 1;
}

static void spoil_wire_limits(later *options)
{
    options->now.wire_limits.max_depth = 3;
}

static void spoil_check(later *options)
{
    options->now.check.tolerance = -1;
}

static void spoil_client(later *options)
{
    static const char *const headers[] = {"no colon", NULL};

    options->now.client.headers = headers;
}

static const struct {
    const char *name;
    taker *take;
    size_t size, last; /* of the struct; where its last field begins */
    void (*spoil_last)(later *options);
} table[] = {
    {"grad_limits", take_limits, sizeof(grad_limits), offsetof(grad_limits, max_result_numbers),
     spoil_limits},
    {"grad_wire_limits", take_wire_limits, sizeof(grad_wire_limits),
     offsetof(grad_wire_limits, max_depth), spoil_wire_limits},
    {"grad_check_options", take_check_options, sizeof(grad_check_options),
     offsetof(grad_check_options, tolerance), spoil_check},
    {"gradient_client_options", take_client_options, sizeof(gradient_client_options),
     offsetof(gradient_client_options, headers), spoil_client},
};
#define TABLE_COUNT (sizeof table / sizeof *table)

static later options_of(size_t size)
{
    later options;

    memset(&options, 0, sizeof options);
    options.now.size = size;
    return options;
}

static void their_own_size_is_read_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        later options = options_of(table[i].size);
        grad_error error = GRAD_ERROR_INIT;

        assert_int_equal(table[i].take(&options, NULL), GRAD_OK);
        table[i].spoil_last(&options);
        assert_int_not_equal(table[i].take(&options, &error), GRAD_OK);
    }
}

/* What lies behind the fields that the caller knows is not looked at. */
static void a_smaller_one_has_the_defaults_of_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        later options = options_of(table[i].last);

        table[i].spoil_last(&options);
        assert_int_equal(table[i].take(&options, NULL), GRAD_OK);
    }
}

static void a_larger_one_may_hold_zeros_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        grad_error error = GRAD_ERROR_INIT;
        later options = options_of(table[i].size + 16);
        unsigned char *bytes = (unsigned char *)&options;

        assert_int_equal(table[i].take(&options, NULL), GRAD_OK);
        bytes[table[i].size + 15] = 1;
        assert_int_equal(table[i].take(&options, &error), GRAD_INVALID);
        assert_non_null(strstr(error.detail, table[i].name));
        assert_non_null(strstr(error.detail, "sets a field behind"));
    }
}

static void one_that_was_never_set_is_told(void **state)
{
    static const size_t wrong[] = {0, sizeof(size_t) - 1, 4097, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
            grad_error error = GRAD_ERROR_INIT;
            later options = options_of(wrong[k]);

            assert_int_equal(table[i].take(&options, &error), GRAD_INVALID);
            assert_non_null(strstr(error.detail, table[i].name));
            assert_non_null(strstr(error.detail, "start from its _INIT"));
        }
}

/* Defaults stand in the initialisers. */
static void initialisers_are_the_defaults(void **state)
{
    later options;

    (void)state;
    memset(&options, 0, sizeof options);
    options.now.limits = (grad_limits)GRAD_LIMITS_INIT;
    assert_int_equal(take_limits(&options, NULL), GRAD_OK);
    options.now.wire_limits = (grad_wire_limits)GRAD_WIRE_LIMITS_INIT;
    assert_int_equal(take_wire_limits(&options, NULL), GRAD_OK);
    options.now.check = (grad_check_options)GRAD_CHECK_OPTIONS_INIT;
    assert_int_equal(take_check_options(&options, NULL), GRAD_OK);
    options.now.client = (gradient_client_options)GRADIENT_CLIENT_OPTIONS_INIT;
    assert_int_equal(take_client_options(&options, NULL), GRAD_OK);
    assert_true(options.now.client.total_timeout >= options.now.client.attempt_timeout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(their_own_size_is_read_whole),
        cmocka_unit_test(a_smaller_one_has_the_defaults_of_the_rest),
        cmocka_unit_test(a_larger_one_may_hold_zeros_only),
        cmocka_unit_test(one_that_was_never_set_is_told),
        cmocka_unit_test(initialisers_are_the_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
