#!/bin/sh
# cmocka: before 2.0 assert_float_equal passes NaN and infinity against any number
# Versions: 1.1.5, 1.1.7, 2.0.2 (Debian 12, 13, testing).
# One would guess: NaN is equal to nothing, and infinity to itself alone, so these fail.
# Seen: 1.1.5 and 1.1.7 pass assert_float_equal(NaN, 1, 0.1), (infinity, 1, 0.1) and (infinity,
# -infinity, 0.1), and fail assert_float_not_equal(NaN, 1, 0.1); 2.0.2 has all four the other
# way. In all three NaN is equal to NaN, and the arguments are made floats first: 1 + 1e-12
# against 1 passes with an epsilon of 0, and so does 1e300 against 2e300; and assert_true(0.5)
# fails, since the condition is made an integer.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libcmocka-dev 1.1.5 1.1.7 2.0.2
cat >floats.c <<'C'
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST(name, assertion)         \
    static void name(void **state) \
    {                              \
        (void)state;               \
        assertion;                 \
    }
TEST(nan_is_1, assert_float_equal(NAN, 1, 0.1))
TEST(nan_is_not_1, assert_float_not_equal(NAN, 1, 0.1))
TEST(nan_is_nan, assert_float_equal(NAN, NAN, 0.1))
TEST(infinity_is_1, assert_float_equal(INFINITY, 1, 0.1))
TEST(infinity_is_minus_infinity, assert_float_equal(INFINITY, -INFINITY, 0.1))
TEST(infinity_is_infinity, assert_float_equal(INFINITY, INFINITY, 0.1))
TEST(one_is_2, assert_float_equal(1, 2, 0.1))
TEST(one_and_a_little_is_1, assert_float_equal(1 + 1e-12, 1, 0))
TEST(huge_is_twice_as_huge, assert_float_equal(1e300, 2e300, 0))
TEST(half_is_true, assert_true(0.5))

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_is_1),
        cmocka_unit_test(nan_is_not_1),
        cmocka_unit_test(nan_is_nan),
        cmocka_unit_test(infinity_is_1),
        cmocka_unit_test(infinity_is_minus_infinity),
        cmocka_unit_test(infinity_is_infinity),
        cmocka_unit_test(one_is_2),
        cmocka_unit_test(one_and_a_little_is_1),
        cmocka_unit_test(huge_is_twice_as_huge),
        cmocka_unit_test(half_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
C
compile floats -w -lcmocka
passed=$(CMOCKA_MESSAGE_OUTPUT=stdout ./floats 2>&1 | sed -n 's/^\[ *OK *\] //p' || true)
always='infinity_is_infinity
one_and_a_little_is_1
huge_is_twice_as_huge'
case $found in
2.*) expected="nan_is_not_1
nan_is_nan
$always" ;;
*) expected="nan_is_1
nan_is_nan
infinity_is_1
infinity_is_minus_infinity
$always" ;;
esac
verdict "$expected" "$passed" "cmocka $found passes: $(echo "$expected" | tr '\n' ' ')"
