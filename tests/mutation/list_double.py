"""Mutants of the activations in double precision."""
from mutant import of

DOUBLE = "test_activations_double"
ROWS = "test_softmax_double"
KINKS = "integration/test_kinks.py"

MUTANTS = [
    *of("lib/kernels/piecewise_double.c", DOUBLE,
        ("relu's derivative at 0 is 1", "z <= 0 ? 0 : z, z <= 0 ? 0 : dy",
         "z <= 0 ? 0 : z, z < 0 ? 0 : dy"),
        ("an end of hard_tanh has a slope", "z <= min || z >= max ? 0 : dy",
         "z <= min || z > max ? 0 : dy"),
        ("hardswish at 3 is the parabola", "z >= 3 ? dy : dy * ((2 * z + 3) / 6)",
         "z > 3 ? dy : dy * ((2 * z + 3) / 6)"),
        ("hardswish has a slope at -3", "if (z <= -3)", "if (z < -3)"),
        ("a comparison decides what f' is at NaN", "return isnan(z) ? z : (delta_of_dy);",
         "return delta_of_dy;")),
    *of("lib/kernels/piecewise_double.c", KINKS,
        ("hardswish has no limit on the left", "(z < -DBL_MAX ? -DBL_MAX : z)", "z")),
    *of("lib/kernels/smooth_double.c", KINKS,
        ("softsign has no limit", "double held = hold(z, DBL_MAX);", "double held = z;")),
    *of("lib/kernels/smooth_double.c", DOUBLE,
        ("elu's alpha is lost", "z > 0 ? 1 : grad_wide_scaled_exp(p[0], narrow(hold(z, FAR)));",
         "z > 0 ? 1 : grad_wide_scaled_exp(1, narrow(hold(z, FAR)));"),
        ("a subnormal exponential is divided by beta", "e < DBL_MIN && p[0] < 1", "false"),
        ("silu's lower branch lacks z", "grad_wide_scaled_exp((1 + e + u) / whole, narrow(u))",
         "grad_wide_scaled_exp((1 + e) / whole, narrow(u))"),
        ("tanh's slope lacks the 4", "grad_wide_scaled_exp(4 / ((1 + e) * (1 + e)), narrow(u))",
         "grad_wide_scaled_exp(1 / ((1 + e) * (1 + e)), narrow(u))"),
        ("celu's quotient loses its rounding error",
         "(grad_wide){high, fma(-high, v * scale, u * scale) / (v * scale)}",
         "(grad_wide){high, 0}")),
    *of("lib/kernels/rows_double.c", ROWS,
        ("softmax's gradient forgets the mean", "* (g - sum / (1 + r.rest));", "* g;"),
        ("softmin's sign is lost", "dz[i] = sign * (y / scale)", "dz[i] = (y / scale)"),
        ("the largest is counted twice", "r.rest += j == r.m ? 0 : term(&r, j);",
         "r.rest += term(&r, j);"),
        ("an infinite largest is left out", "r.rest = r.top - r.top;", "r.rest = 0;"),
        ("log_softmax's largest is taken like the others", "dz[i] = i == r.m ?",
         "dz[i] = i == r.N ?")),
]
