/* The table of routes: which listener knows which path, and which methods a path takes. */
#include "api/handlers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(service_role role, const char *method, const char *path, route_found wanted)
{
    const route *found = NULL;
    assert_int_equal(routes_find(&api_routes, role, method, path, &found), wanted);
    if (wanted == ROUTE_UNKNOWN_PATH) {
        assert_null(found);
    } else {
        assert_string_equal(found->path, path);
        assert_non_null(found->handler->on_end);
    }
}

static void test_each_listener_has_its_paths(void **state)
{
    (void)state;
    expect(ROLE_SERVICE, "POST", "/v1/gradients", ROUTE_FOUND);
    expect(ROLE_SERVICE, "POST", "/v1/backprop", ROUTE_FOUND);
    expect(ROLE_SERVICE, "POST", "/v1/check", ROUTE_FOUND);
    expect(ROLE_SERVICE, "GET", "/", ROUTE_FOUND);
    expect(ROLE_ADMIN, "GET", "/", ROUTE_FOUND);
    expect(ROLE_SERVICE, "GET", "/v1/info", ROUTE_FOUND);
    expect(ROLE_SERVICE, "GET", "/livez", ROUTE_FOUND);
    expect(ROLE_SERVICE, "GET", "/readyz", ROUTE_FOUND);
    expect(ROLE_SERVICE, "GET", "/metrics", ROUTE_UNKNOWN_PATH);
    expect(ROLE_ADMIN, "GET", "/metrics", ROUTE_FOUND);
    expect(ROLE_ADMIN, "GET", "/livez", ROUTE_FOUND);
    expect(ROLE_ADMIN, "GET", "/readyz", ROUTE_FOUND);
    expect(ROLE_ADMIN, "POST", "/v1/gradients", ROUTE_UNKNOWN_PATH);
    expect(ROLE_ADMIN, "POST", "/v1/backprop", ROUTE_UNKNOWN_PATH);
    expect(ROLE_ADMIN, "POST", "/v1/check", ROUTE_UNKNOWN_PATH);
}

static void test_paths_are_exact(void **state)
{
    (void)state;
    static const char *const unknown[] = {"",        "/v1",      "/v1/gradients/", "/LIVEZ",
                                          "//livez", "/livez/x", "livez"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        expect(ROLE_SERVICE, "GET", unknown[i], ROUTE_UNKNOWN_PATH);
}

static void test_methods(void **state)
{
    (void)state;
    expect(ROLE_SERVICE, "HEAD", "/v1/info", ROUTE_FOUND);
    expect(ROLE_ADMIN, "HEAD", "/metrics", ROUTE_FOUND);
    static const char *const wrong[] = {"GET", "HEAD", "PUT", "POS", "POSTS", "post", ",", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect(ROLE_SERVICE, wrong[i], "/v1/gradients", ROUTE_WRONG_METHOD);
        expect(ROLE_SERVICE, wrong[i], "/v1/backprop", ROUTE_WRONG_METHOD);
        expect(ROLE_SERVICE, wrong[i], "/v1/check", ROUTE_WRONG_METHOD);
    }
    expect(ROLE_SERVICE, "POST", "/livez", ROUTE_WRONG_METHOD);
    expect(ROLE_SERVICE, "GET, HEAD", "/livez", ROUTE_WRONG_METHOD);
}

/* Each path has a handler and a count of its own. */
static void test_no_two_computations_are_one(void **state)
{
    (void)state;
    static const char *const paths[] = {"/v1/gradients", "/v1/backprop", "/v1/check"};
    const route *found[3] = {NULL};
    for (size_t i = 0; i < 3; i++) {
        routes_find(&api_routes, ROLE_SERVICE, "POST", paths[i], &found[i]);
        assert_string_equal(metrics_route_name(found[i]->metric), paths[i]);
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(found[i]->handler->kind, found[j]->handler->kind);
    }
}

static void test_only_computations_take_a_body(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_routes.count; i++) {
        const route *r = &api_routes.routes[i];
        assert_int_equal(r->handler->takes_body, strncmp(r->methods, "POST", 4) == 0);
    }
    assert_true(handler_gradients.takes_body);
    assert_true(handler_backprop.takes_body);
    assert_true(handler_check.takes_body);
    assert_false(handler_info.takes_body);
    assert_false(api_routes.options->handler->takes_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_listener_has_its_paths),
        cmocka_unit_test(test_paths_are_exact),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_no_two_computations_are_one),
        cmocka_unit_test(test_only_computations_take_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
