#!/usr/bin/python3
"""Prints the coefficients of lib/kernels/elementary.h (double) and of the float32 functions in
lib/kernels/: polynomials, and quotients of them, that meet their functions in the nodes of
Chebyshev, which is close to the best there is, worked out in 120 decimal digits; and the largest
error that each leaves. Run by hand, when a degree is to change.

    tests/support/make_polynomials.py
"""
import struct
from decimal import Decimal, getcontext

getcontext().prec = 120
ONE, TWO = Decimal(1), Decimal(2)
CHECKS = 400


def series(term, x):
    """The sum of term(n, previous) until it no longer changes."""
    total, n, value = Decimal(0), 0, None
    while True:
        value = term(n, value)
        if total + value == total:
            return total
        total, n = total + value, n + 1


def arctangent(x):
    return series(lambda n, _: (-1) ** n * x ** (2 * n + 1) / (2 * n + 1), x)


PI = 4 * (4 * arctangent(ONE / 5) - arctangent(ONE / 239))  # Machin


def cosine(x):
    return series(lambda n, v: ONE if n == 0 else -v * x * x / ((2 * n - 1) * (2 * n)), x)


def exp_rest(r):
    """(exp(r) - 1 - r) / r²"""
    return series(lambda n, v: ONE / 2 if n == 0 else v * r / (n + 2), r)


def log_rest(w):
    """(atanh(s) / s - 1) / s² with w = s²"""
    return series(lambda n, v: w ** n / (2 * n + 3), w)


def log1p_rest(e):
    """(e - log(1 + e)) / e²"""
    return (e - (1 + e).ln()) / (e * e)


def tanhshrink_rest(w):
    """(z - tanh(z)) / z³ with w = z²"""
    z = w.sqrt()
    e = (-2 * z).exp()
    return (z - (1 - e) / (1 + e)) / (w * z)


def mills(u):
    """M(u) = (1 - Φ(u)) / φ(u), of the normal distribution."""
    if u < 8:
        odd = series(lambda n, v: u if n == 0 else v * u * u / (2 * n + 1), u)
        return (PI / 2).sqrt() * (u * u / 2).exp() - odd
    value = u
    for n in range(2000, 0, -1):  # the continued fraction of Laplace
        value = u + n / value
    return 1 / value


def zero_of_mills_less_u():
    low, high = Decimal("0.7"), Decimal("0.8")
    for _ in range(300):
        middle = (low + high) / 2
        low, high = (middle, high) if mills(middle) > middle else (low, middle)
    return low


def gelu_rest(u):
    """M(u) (u + 2c) / √(2π) = c + u this"""
    return (mills(u) * (u + 2 * NEAR_INVERSE_SQRT_2PI) * INVERSE_SQRT_2PI
            - NEAR_INVERSE_SQRT_2PI) / u


def gelu_slope_rest(zero):
    """(M(u) - u) / √(2π) = (zero - u) (c + this)"""
    return lambda u: ((mills(u) - u) / (zero - u) * INVERSE_SQRT_2PI
                      - NEAR_INVERSE_SQRT_2PI)


def nodes_between(low, high, count):
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle + half * cosine(PI * (2 * i + 1) / (2 * count)) for i in range(count)]


def crowded(shift, x):
    """Maps [0, 1] on [0, MILLS_END] so that there is more of it near 0."""
    part = x * MILLS_END / (MILLS_END + shift)
    return shift * part / (1 - part)


def value_of(coefficients, x):
    value = Decimal(0)
    for c in reversed(coefficients):
        value = value * x + c
    return value


def interpolate(function, low, high, count):
    """The coefficients, constant first, of the polynomial through count nodes."""
    nodes = nodes_between(low, high, count)
    newton = [function(x) for x in nodes]  # divided differences
    for level in range(1, count):
        for i in range(count - 1, level - 1, -1):
            newton[i] = (newton[i] - newton[i - 1]) / (nodes[i] - nodes[i - level])
    coefficients = [Decimal(0)] * count
    for i in range(count - 1, -1, -1):  # coefficients * (x - node) + newton
        shifted = [Decimal(0)] + coefficients[:-1]
        coefficients = [s - nodes[i] * c for s, c in zip(shifted, coefficients)]
        coefficients[0] += newton[i]
    return coefficients


def solve(rows):
    """The unknowns of linear equations, each row with its right side last: Gauss."""
    n = len(rows)
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k])]
    unknowns = [Decimal(0)] * n
    for k in range(n - 1, -1, -1):
        known = sum(rows[k][i] * unknowns[i] for i in range(k + 1, n))
        unknowns[k] = (rows[k][n] - known) / rows[k][k]
    return unknowns


def quotient(function, above, below, shift):
    """The coefficients of P of degree above and of Q of degree below, P/Q meeting the function."""
    nodes = [crowded(shift, x) for x in nodes_between(Decimal(0), ONE, above + below + 1)]
    rows = [[u ** i for i in range(above + 1)]
            + [-function(u) * u ** i for i in range(1, below + 1)] + [function(u)] for u in nodes]
    found = solve(rows)
    return found[:above + 1], [ONE] + found[above + 1:]


def as_double(c):
    return float(c)


def as_single(c):
    return struct.unpack("f", struct.pack("f", c))[0]


def in_hexadecimal(value, rounded):
    digits, exponent = value.hex().split("p")
    if rounded is as_single:  # 23 bits after the point: six digits, the last one even
        digits = digits[:-7] if len(digits) > 10 else digits
        return "%sp%sf," % (digits, exponent)
    return value.hex() + ","


def print_coefficients(coefficients, rounded):
    for i in range(0, len(coefficients), 4):
        print("    " + " ".join(in_hexadecimal(rounded(c), rounded)
                                for c in coefficients[i:i + 4]))


def show(name, function, low, high, count, rounded=as_double):
    """Of a polynomial; the error is that of the rounded coefficients, relative to the function."""
    coefficients = interpolate(function, low, high, count)
    used = [Decimal(rounded(c)) for c in coefficients]
    points = [low + (high - low) * (2 * i + 1) / (2 * CHECKS) for i in range(CHECKS)]
    error = max(abs(value_of(used, x) / function(x) - 1) for x in points)
    print("/* %s: relative error at most %.1e */" % (name, error))
    print_coefficients(coefficients, rounded)


def show_quotient(name, function, above, below, shift):
    """The same of a quotient, its coefficients not rounded yet, relative to |f| + 0.5."""
    p, q = quotient(function, above, below, shift)
    points = [crowded(shift, Decimal(2 * i + 1) / (2 * CHECKS)) for i in range(CHECKS)]
    error = max(abs(value_of(p, u) / value_of(q, u) - function(u)) / (abs(function(u)) + ONE / 2)
                for u in points)
    print("/* %s: relative error at most %.1e */" % (name, error))
    print_coefficients(p, as_single)
    print_coefficients(q, as_single)


def main():
    half_log = TWO.ln() / 2 * Decimal("1.0001")
    show("exp", exp_rest, -half_log, half_log, 10)
    show("log1p", log_rest, Decimal(0), ONE / 9, 10)
    print("float32:")
    show("exp", exp_rest, -half_log, half_log, 5, as_single)
    show("log1p", log1p_rest, Decimal(0), ONE, 9, as_single)
    show("tanhshrink", tanhshrink_rest, Decimal(0), ONE, 8, as_single)
    zero = zero_of_mills_less_u()
    print("/* zero of M(u) - u: */ " + in_hexadecimal(as_single(zero), as_single))
    show_quotient("gelu's rest", gelu_rest, 4, 5, Decimal("2.5"))
    show_quotient("the rest of gelu's slope", gelu_slope_rest(zero), 4, 4, Decimal("2.5"))


MILLS_END = Decimal(14)
INVERSE_SQRT_2PI = 1 / (2 * PI).sqrt()
NEAR_INVERSE_SQRT_2PI = Decimal(51) / 128  # a float32, so that its product with 2 is one too

if __name__ == "__main__":
    main()
