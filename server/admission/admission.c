/* The table of steps. To ask one thing more of every request: a function in a file of its own, and
 * a row where it belongs in the order. */
#include "admission/admission.h"

#include "admission/steps.h"

static outcome (*const steps[])(request *r) = {
    step_framing, step_header_room, step_route, step_length, step_query, step_content,
};

outcome admission_run(request *r)
{
    outcome admitted = OUTCOME_MORE;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && admitted == OUTCOME_MORE; i++)
        admitted = steps[i](r);
    return admitted;
}
