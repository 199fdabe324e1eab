/* Tests of lib/core: the error object, sizes that do not overflow, what a tensor counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/error.h"
#include "core/size.h"
#include "support/between.h"

static void the_first_error_wins(void **state)
{
    grad_error error = GRAD_ERROR_INIT;

    (void)state;
    assert_int_equal(grad_fail(&error, GRAD_INVALID, "first", "/a", "one %d", 1), GRAD_INVALID);
    assert_int_equal(grad_fail(&error, GRAD_MALFORMED, "second", "/b", "two"), GRAD_MALFORMED);
    assert_int_equal(grad_fail_memory(&error, 10), GRAD_OUT_OF_MEMORY);
    assert_int_equal(grad_fail_limit(&error, "cap", 1, "/c", "three"), GRAD_TOO_LARGE);
    assert_int_equal(grad_fail_at_byte(&error, GRAD_MALFORMED, "x", 3, "/d", "four"),
                     GRAD_MALFORMED);
    assert_int_equal(error.status, GRAD_INVALID);
    assert_string_equal(error.code, "first");
    assert_string_equal(error.pointer, "/a");
    assert_string_equal(error.detail, "one 1");
    assert_string_equal(error.limit_name, "");
    assert_int_equal(error.offset, GRAD_OFFSET_UNKNOWN);
}

static void an_absent_error_object_is_fine(void **state)
{
    (void)state;
    assert_int_equal(grad_fail(NULL, GRAD_INVALID, "code", "", "text"), GRAD_INVALID);
    assert_int_equal(grad_fail_limit(NULL, "cap", 1, "", "text"), GRAD_TOO_LARGE);
    assert_int_equal(grad_fail_at_byte(NULL, GRAD_MALFORMED, "code", 1, "", "text"),
                     GRAD_MALFORMED);
    assert_int_equal(grad_fail_memory(NULL, 1), GRAD_OUT_OF_MEMORY);
}

static void limits_and_offsets_are_kept(void **state)
{
    grad_error limit = GRAD_ERROR_INIT, byte = GRAD_ERROR_INIT, memory = GRAD_ERROR_INIT;

    (void)state;
    grad_fail_limit(&limit, "max_layers", 7, "/layers", "expected at most %d, found %d", 7, 8);
    assert_string_equal(limit.code, "max_layers");
    assert_string_equal(limit.limit_name, "max_layers");
    assert_int_equal(limit.limit, 7);
    grad_fail_at_byte(&byte, GRAD_MALFORMED, "malformed", 42, "/x", "found %s", "y");
    assert_int_equal(byte.offset, 42);
    assert_string_equal(byte.detail, "found y");
    grad_fail_memory(&memory, 4096);
    assert_string_equal(memory.code, "out_of_memory");
    assert_non_null(strstr(memory.detail, "4096"));
}

static void a_long_pointer_ends_at_a_token(void **state)
{
    char token[GRAD_POINTER_SIZE];
    grad_pointer_text pointer;

    (void)state;
    memset(token, 'x', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    pointer = grad_pointer_format("/layers/3/%s/9", token);
    assert_string_equal(pointer.text, "/layers/3");
    pointer = grad_pointer_format("/layers/%d/input", 3);
    assert_string_equal(pointer.text, "/layers/3/input");
}

static void a_long_detail_ends_at_a_character(void **state)
{
    char text[2 * GRAD_DETAIL_SIZE] = "";

    (void)state;
    for (size_t padding = 0; padding < 4; padding++) {
        grad_error error = GRAD_ERROR_INIT;

        memset(text, 'a', padding);
        for (size_t i = padding; i + 4 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4); /* the euro sign */
        grad_fail(&error, GRAD_INVALID, "code", "", "%s", text);
        assert_int_equal((strlen(error.detail) - padding) % 3, 0);
        assert_between(strlen(error.detail), GRAD_DETAIL_SIZE - 4, GRAD_DETAIL_SIZE - 1);
    }
}

static void sizes_do_not_wrap(void **state)
{
    size_t value = 5;

    (void)state;
    assert_true(grad_size_add(SIZE_MAX - 1, 1, &value));
    assert_true(value == SIZE_MAX);
    value = 5;
    assert_false(grad_size_add(SIZE_MAX, 1, &value));
    assert_false(grad_size_mul(SIZE_MAX / 2 + 1, 2, &value));
    assert_false(grad_size_add_product(SIZE_MAX / 2, 3, &value));
    assert_false(grad_size_add_product(SIZE_MAX / 5, 5, &value));
    assert_int_equal(value, 5);
    assert_true(grad_size_add_product(3, 4, &value));
    assert_int_equal(value, 17);
    assert_true(grad_size_align(16, &value));
    assert_int_equal(value, 32);
    assert_true(grad_size_align(16, &value));
    assert_int_equal(value, 32);
    value = SIZE_MAX - 3;
    assert_false(grad_size_align(16, &value));
    assert_int_equal(grad_size_ceil_div(9, 4), 3);
    assert_int_equal(grad_size_ceil_div(8, 4), 2);
    assert_true(grad_size_ceil_div(SIZE_MAX, SIZE_MAX) == 1);
}

static void a_tensor_counts_its_elements(void **state)
{
    float number = 0;
    grad_tensor tensor = {&number, 2, {3, 4}};

    (void)state;
    assert_int_equal(grad_tensor_count(&tensor), 12);
    tensor.shape[1] = 0;
    assert_int_equal(grad_tensor_count(&tensor), 0);
    tensor.shape[0] = tensor.shape[1] = SIZE_MAX / 2;
    assert_true(grad_tensor_count(&tensor) == SIZE_MAX);
    tensor.data = NULL;
    assert_int_equal(grad_tensor_count(&tensor), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(an_absent_error_object_is_fine),
        cmocka_unit_test(limits_and_offsets_are_kept),
        cmocka_unit_test(a_long_pointer_ends_at_a_token),
        cmocka_unit_test(a_long_detail_ends_at_a_character),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(a_tensor_counts_its_elements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
