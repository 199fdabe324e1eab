"""Mutants of the activations in double precision."""
from mutant import of

DOUBLE = "test_activations_double"
ROWS = "test_softmax_double"
KINKS = "integration/test_kinks.py"

MUTANTS = [
    *of("lib/kernels/piecewise.c", DOUBLE,
        ("over double: relu's derivative at 0 is 1", "z <= 0 ? 0 : z, z <= 0 ? 0 : dy",
         "z <= 0 ? 0 : z, z < 0 ? 0 : dy"),
        ("an end of hard_tanh has a slope", "z <= min || z >= max ? 0 : dy",
         "z <= min || z > max ? 0 : dy"),
        ("hardswish at 3 is the parabola", "z >= 3 ? dy : dy * ((2 * z + 3) / 6)",
         "z > 3 ? dy : dy * ((2 * z + 3) / 6)"),
        ("over double: hardswish has a slope at -3", "if (z <= -3)", "if (z < -3)"),
        ("over double: a comparison decides what f' is at NaN",
         "return isnan(z) ? z : (delta_of_dy);",
         "return delta_of_dy;")),
    *of("lib/kernels/piecewise.c", KINKS,
        ("over double: hardswish has no limit on the left", "(z < -DBL_MAX ? -DBL_MAX : z)", "z")),
    *of("lib/kernels/sigmoidal.c", KINKS,
        ("over double: softsign has no limit", "double held = grad_double_hold(z, DBL_MAX);",
         "double held = z;")),
    *of("lib/kernels/exponential.c", DOUBLE,
        ("elu's alpha is lost", "grad_wide_scaled_exp(p[0], grad_wide_of(",
         "grad_wide_scaled_exp(1, grad_wide_of("),
        ("celu's quotient loses its rounding error",
         "(grad_wide){high, fma(-high, v * scale, u * scale) / (v * scale)}",
         "(grad_wide){high, 0}")),
    *of("lib/kernels/sigmoidal.c", DOUBLE,
        ("a subnormal exponential is divided by beta", "e < DBL_MIN && p[0] < 1", "false"),
        ("silu's lower branch lacks z", "(1 + e + u) / whole, grad_wide_of(u))",
         "(1 + e) / whole, grad_wide_of(u))"),
        ("over double: tanh's slope lacks the 4",
         "grad_wide_scaled_exp(4 / ((1 + e) * (1 + e)), grad_wide_of(u))",
         "grad_wide_scaled_exp(1 / ((1 + e) * (1 + e)), grad_wide_of(u))")),
    *of("lib/kernels/softmax.c", ROWS,
        ("softmax's gradient forgets the mean", "* (g - sum / (1 + r.rest));", "* g;"),
        ("softmin's sign is lost", "dz[i] = sign * (y / scale)", "dz[i] = (y / scale)"),
        ("the largest is counted twice", "r.rest += j == r.m ? 0 : term(&r, j);",
         "r.rest += term(&r, j);"),
        ("an infinite largest is left out", "r.rest = r.top - r.top;", "r.rest = 0;"),
        ("log_softmax's largest is taken like the others", "dz[i] = i == r.m ?",
         "dz[i] = i == r.N ?")),
]
