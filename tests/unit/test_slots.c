/* Tests of the slots of kinds: a kind that no layer has yet, whose weight is one of four axes, as
 * that of a convolution is, and what its errors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/kind.h"

static const grad_slot_info kernels = {GRAD_SLOT_WEIGHT, "NK**", GRAD_WEIGHT_DELTA, true, true};

/* A layer of 4 outputs and 3 inputs. */
typedef struct fixture {
    float numbers[4 * 3 * 5 * 2];
    grad_layer layer;
    grad_batch batch;
    grad_layer_sizes sizes;
    grad_error error;
    grad_subject subject;
} fixture;

static void make(fixture *f)
{
    *f = (fixture){.sizes = {.B = 1, .K = 3, .N = 4}, .error = GRAD_ERROR_INIT};
    f->layer.input = (grad_tensor){f->numbers, 2, {1, 3}};
    f->layer.weight = (grad_tensor){f->numbers, 4, {4, 3, 5, 2}};
    f->batch = (grad_batch){.layer_count = 1, .layers = &f->layer};
    f->subject = (grad_subject){.batch = &f->batch, .error = &f->error};
}

static grad_status verify(const fixture *f)
{
    grad_status status = grad_verify_slot_form(&f->subject, &kernels, &f->layer.weight, f->sizes.K);

    if (status == GRAD_OK)
        status = grad_verify_slot_axes(&f->subject, &f->layer, &kernels, &f->sizes);
    return status;
}

static void assert_fails(const fixture *f, const char *code, const char *detail)
{
    assert_int_equal(verify(f), GRAD_INVALID);
    assert_string_equal(f->error.code, code);
    assert_string_equal(f->error.pointer, "/layers/0/weight");
    assert_string_equal(f->error.detail, detail);
}

static void a_delta_has_the_axes_of_its_slot(void **state)
{
    fixture f;
    grad_tensor shape;

    (void)state;
    make(&f);
    shape = grad_slot_shape(&kernels, &f.layer.weight, 3, 4);
    assert_int_equal(shape.rank, 4);
    assert_memory_equal(shape.shape, f.layer.weight.shape, 4 * sizeof *shape.shape);
    assert_null(shape.data);
}

static void axes_that_fit_pass(void **state)
{
    fixture f;

    (void)state;
    make(&f);
    assert_int_equal(verify(&f), GRAD_OK);
    f.layer.weight.shape[2] = 2; /* '*': no size of the layer says it */
    f.layer.weight.shape[3] = 1;
    assert_int_equal(verify(&f), GRAD_OK);
}

static void another_rank_fails(void **state)
{
    fixture f;

    (void)state;
    make(&f);
    f.layer.weight.rank = 2;
    assert_fails(&f, "shape_mismatch", "layers/0/weight has rank 2, expected 4");
}

static void empty_axes_fail(void **state)
{
    fixture f;

    (void)state;
    make(&f);
    f.layer.weight.shape[2] = 0;
    assert_fails(&f, "empty_tensor",
                 "layers/0/weight has an axis of length 0, expected at least 1");
}

static void axes_of_sizes_are_held_to_them(void **state)
{
    fixture f;

    (void)state;
    make(&f);
    f.sizes.K = 2;
    assert_fails(&f, "shape_mismatch", "layers/0/weight has 3 inputs, input has 2");
    make(&f);
    f.layer.pre_activation = (grad_tensor){f.numbers, 2, {1, 5}};
    f.sizes.N = 5;
    assert_fails(&f, "shape_mismatch",
                 "layers/0/weight has 4 outputs, pre_activation has 5 columns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delta_has_the_axes_of_its_slot), cmocka_unit_test(axes_that_fit_pass),
        cmocka_unit_test(another_rank_fails), cmocka_unit_test(empty_axes_fail),
        cmocka_unit_test(axes_of_sizes_are_held_to_them)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
