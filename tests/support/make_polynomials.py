#!/usr/bin/python3
"""Prints the coefficients of lib/kernels/elementary.h: polynomials that meet their functions in the
nodes of Chebyshev, which is close to the best there is, worked out in 120 decimal digits; and the
largest error that each leaves. Run by hand, when a degree is to change.

    tests/support/make_polynomials.py
"""
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


def mills(u):
    """(1 - Φ(u)) / φ(u), of the normal distribution."""
    if u < 8:
        odd = series(lambda n, v: u if n == 0 else v * u * u / (2 * n + 1), u)
        return (PI / 2).sqrt() * (u * u / 2).exp() - odd
    value = u
    for n in range(2000, 0, -1):  # the continued fraction of Laplace
        value = u + n / value
    return 1 / value


def mills_scaled(a):
    """M(u) (u + a) over t = (u - a) / (u + a), which maps [0, infinity) on [-1, 1)."""
    def function(t):
        u = a * (1 + t) / (1 - t)
        return mills(u) * (u + a)
    return function


def interpolate(function, low, high, count):
    """The coefficients, constant first, of the polynomial through count nodes."""
    middle, half = (low + high) / 2, (high - low) / 2
    nodes = [middle + half * cosine(PI * (2 * i + 1) / (2 * count)) for i in range(count)]
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


def largest_error(function, coefficients, low, high):
    """The largest relative error at points between, the coefficients rounded to double."""
    rounded, worst = [Decimal(float(c)) for c in coefficients], Decimal(0)
    for i in range(CHECKS):
        x = low + (high - low) * (2 * i + 1) / (2 * CHECKS)
        value = Decimal(0)
        for c in reversed(rounded):
            value = value * x + c
        worst = max(worst, abs(value / function(x) - 1))
    return worst


def show(name, function, low, high, count):
    coefficients = interpolate(function, low, high, count)
    error = largest_error(function, coefficients, low, high)
    print("/* %s: relative error at most %.1e */" % (name, error))
    for i in range(0, count, 4):
        print("    " + " ".join("%s," % float(c).hex() for c in coefficients[i:i + 4]))


def main():
    half_log = TWO.ln() / 2 * Decimal("1.0001")
    show("exp", exp_rest, -half_log, half_log, 10)
    show("log1p", log_rest, Decimal(0), ONE / 9, 10)
    show("Mills", mills_scaled(Decimal(MILLS_SHIFT)), -ONE, ONE, MILLS_COUNT)


MILLS_SHIFT, MILLS_COUNT = 5, 21

if __name__ == "__main__":
    main()
