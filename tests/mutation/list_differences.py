"""Mutants of the check by central differences: a check that cannot fail is worth nothing."""
from mutant import of

CHECK = "test_check"

MUTANTS = [
    *of("lib/differences/estimate.c", CHECK,
        ("a slope is over h, not 2h", "whole = (p->up - p->down) / (2 * h)",
         "whole = (p->up - p->down) / h"),
        ("the extrapolation has the wrong weights", "(4 * half - whole) / 3",
         "(4 * half + whole) / 3"),
        ("no kink is seen", "s->at_kink = fabs(gap", "s->at_kink = false && fabs(gap")),
    *of("lib/differences/evaluate.c", CHECK,
        ("a bias moves no state", "if (v->output == GRAD_BIAS_DELTA)", "if (false)"),
        ("a state is moved by W's transpose", "change += W[n * K + k] *",
         "change += W[k * N + n] *"),
        ("a weight moves the state by x alone",
         "change += x[b * K + k] * grad_check_direction(check, sample, n * K + k);",
         "change += x[b * K + k];"),
        ("gain and shift are swapped", "return &layer->gain;", "return &layer->shift;")),
    *of("lib/differences/variables.c", CHECK,
        ("the direction is the first element's", "(mix(seed + element) & 1) != 0 ? 1 : -1;",
         "element == 0 ? 1 : 0;"),
        ("claims of networks are not looked at", "claim = &request->claimed_grad_input;",
         "claim = NULL;"),
        ("claims of layers are not looked at", "else if (request->claims != NULL)",
         "else if (false)")),
    *of("lib/differences/verdict.c", CHECK,
        ("the tolerance is a thousand times as large", "#define TOLERANCE_FP64 1e-6",
         "#define TOLERANCE_FP64 1e-3"),
        ("any gradient will do at a kink", "if (s->at_kink && is_between_sides(s, gradient))",
         "if (s->at_kink)"),
        ("a claim's failure is no failure",
         "tensor->has_claim && tensor->claim.verdict > tensor->analytic.verdict",
         "tensor->has_claim && tensor->claim.verdict < tensor->analytic.verdict"),
        ("a failure is told as a kink", "return GRAD_CHECK_FAIL;", "return GRAD_CHECK_KINK;")),
]
