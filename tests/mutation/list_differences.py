"""Mutants of the check by central differences: a check that cannot fail is worth nothing."""
from mutant import of

CHECK = "test_check test_check_wrong test_check_networks"
SLOPE = "test_slope test_check"

MUTANTS = [
    *of("lib/differences/slope.c", SLOPE,
        ("a slope is over one step", "(above - below) / (moved_up - moved_down)",
         "(above - below) / moved_up"),
        ("the extrapolation has the wrong weights", "power *= RATIO * RATIO;", "power *= RATIO;"),
        ("the bends are differences", "bends[i] = up[i] + down[i];", "bends[i] = up[i] - down[i];"),
        ("kinks of terms cancel", "total += fabs(RATIO * RATIO * narrow[i] - wide[i]);",
         "total += RATIO * RATIO * narrow[i] - wide[i];"),
        ("no noise is measured", "*noise = isfinite(found) ? found : 0;", "*noise = 0;")),
    *of("lib/differences/mover.c", CHECK,
        ("a bias moves no state", "m->variable->output == GRAD_BIAS_DELTA; b++)",
         "m->variable->output == GRAD_GAIN_DELTA; b++)"),
        ("a state is moved by W's transpose", "change * W[n * K + element % K];",
         "change * W[element % K * N + n];"),
        ("a weight moves the state by another's x", "change * x[b * K + element % K];",
         "change * x[b * K];"),
        ("the changes are not divided", "(changes[i] - f->terms[i]) / f->divisor;",
         "(changes[i] - f->terms[i]);")),
    *of("lib/differences/variables.c", CHECK,
        ("claims of networks are not looked at", "claim = &request->claimed_grad_input;",
         "claim = NULL;"),
        ("claims of layers are not looked at", "else if (request->claims != NULL)",
         "else if (false)")),
    *of("lib/differences/questions.c", CHECK,
        ("the tolerance is a thousand times as large", "#define TOLERANCE_FP64 1e-6",
         "#define TOLERANCE_FP64 1e-3")),
    *of("lib/differences/verdict.c", CHECK,
        ("any gradient will do at a kink", "(isinf(kink) || distance <= KINK * kink)", "true"),
        ("a claim's failure is no failure",
         "tensor->has_claim && tensor->claim.verdict > tensor->analytic.verdict",
         "tensor->has_claim && tensor->claim.verdict < tensor->analytic.verdict"),
        ("a failure is told as a kink", ": GRAD_CHECK_FAIL,\n", ": GRAD_CHECK_KINK,\n")),
]
