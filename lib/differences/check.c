/* Holds the place of the check by central differences until it is merged. */
#include "core/error.h"
#include "gradient_network.h"

grad_status grad_check_measure(const grad_check_request *request, const grad_limits *limits,
                               grad_measure *measure, grad_error *error)
{
    (void)request, (void)limits, (void)measure;
    return grad_fail(error, GRAD_INVALID, "unsupported_value", "", "no check yet");
}
grad_status grad_check_create(const grad_check_request *request, grad_check **check,
                              grad_error *error)
{
    (void)request, (void)check;
    return grad_fail(error, GRAD_INVALID, "unsupported_value", "", "no check yet");
}
size_t grad_check_stage_count(const grad_check *check)
{
    (void)check;
    return 1;
}
size_t grad_check_tile_count(const grad_check *check, size_t stage)
{
    (void)check, (void)stage;
    return 1;
}
void grad_check_tile(grad_check *check, size_t stage, size_t tile)
{
    (void)check, (void)stage, (void)tile;
}
grad_status grad_check_finish(grad_check *check, const grad_check_report **report,
                              grad_error *error)
{
    (void)check, (void)report;
    return grad_fail(error, GRAD_INVALID, "unsupported_value", "", "no check yet");
}
grad_status grad_check_all(grad_check *check, const grad_check_report **report, grad_error *error)
{
    return grad_check_finish(check, report, error);
}
void grad_check_destroy(grad_check *check)
{
    (void)check;
}
