#!/usr/bin/python3
"""Where PyTorch's versions differ, or PyTorch and gradientd do: at kinks, at NaN and infinity, in
what is refused. As a program it measures the PyTorch that is installed and compares with the table
(the newest column that is not newer), then prints how many rows agreed.

    tests/conformance/versions.py [--markdown]    the table of docs/mathematics.md

A slope is measured at 37 places of one tensor: PyTorch's vector code and the code for what is left
of a tensor need not agree. What gradientd has is held by tests/integration/test_kinks.py."""

import dataclasses
import math
import sys
import typing
import warnings

VERSIONS = ((1, 13), (2, 6), (2, 14))
REFUSED, TAKEN = "refused", "taken"


@dataclasses.dataclass
class Row:
    what: str
    found: tuple  # a text for each of VERSIONS
    ours: str  # "" where gradientd has no such thing
    measure: typing.Callable  # of torch and torch.nn.functional: the text of this PyTorch

    def expected(self, version):
        return self.found[max(i for i, known in enumerate(VERSIONS) if known <= version)]


def text_of(values):
    """The different values, the least first: "1 or 1.5"."""
    seen = {"NaN" if math.isnan(v) else "%g" % (v + 0.0) for v in values}
    return " or ".join(sorted(seen, key=lambda v: math.inf if v == "NaN" else float(v)))


def slope(function, z):
    """f'(z), of f(torch, F, z), at every place of a tensor."""
    def measure(torch, F):
        x = torch.full((37,), z, dtype=torch.float64, requires_grad=True)
        function(torch, F, x).sum().backward()
        return text_of(x.grad.tolist())
    return measure


def value(function, z):
    def measure(torch, F):
        return text_of(function(torch, F, torch.full((37,), z, dtype=torch.float64)).tolist())
    return measure


def answer(function):
    """Whether it is refused."""
    def measure(torch, F):
        try:
            function(torch, F)
        except (RuntimeError, ValueError, AssertionError):
            return REFUSED
        return TAKEN
    return measure


def cosine_slope(torch, F):
    y = torch.tensor([[1.0, 0]], dtype=torch.float64, requires_grad=True)
    other = torch.tensor([[0, 1.0]], dtype=torch.float64)
    F.cosine_embedding_loss(y, other, -torch.ones(1, dtype=torch.float64)).backward()
    return text_of([round(float(y.grad[0, 1]), 6)])


def clamp_by_tensors(torch, F, x):
    return torch.clamp(x, torch.full_like(x, -1).detach(), torch.full_like(x, 1).detach())


def hinge_embedding(torch, F, x):
    return F.hinge_embedding_loss(x, torch.full_like(x, -1).detach(), reduction="none")


def margin_ranking(torch, F, x):
    zeros, ones = torch.zeros_like(x), torch.ones_like(x)
    return F.margin_ranking_loss(x, zeros.detach(), ones.detach(), margin=1, reduction="none")


def smooth_l1(torch, F, x):
    return F.smooth_l1_loss(x, torch.ones_like(x).detach(), beta=0.0, reduction="none")


def numbers(torch, *values):
    return torch.tensor(values, dtype=torch.float64)


def bce(torch, F):
    return F.binary_cross_entropy(numbers(torch, 0.5), numbers(torch, 1.25))


def cross_entropy(torch, F, **options):
    return F.cross_entropy(numbers(torch, [0.0, 1]), torch.tensor([0]), **options)


def negative_smoothing(torch, F):
    found = cross_entropy(torch, F, label_smoothing=-0.5)
    return "as 0" if found == cross_entropy(torch, F) else TAKEN


def batch_norm(rows, epsilon):
    return answer(lambda torch, F: F.batch_norm(numbers(torch, *rows), None, None, training=True,
                                                eps=epsilon))


NAN, INF = math.nan, math.inf
ROWS = (
    Row("hardswish'(-3)", ("-0.5", "-0.5", "0"), "0",
        slope(lambda torch, F, x: F.hardswish(x), -3.0)),
    Row("hardswish'(3)", ("1 or 1.5", "1 or 1.5", "1"), "1",
        slope(lambda torch, F, x: F.hardswish(x), 3.0)),
    Row("relu6'(6), hard_tanh'(1), hard_sigmoid'(3)", ("0", "0", "0"), "0",
        slope(lambda torch, F, x: F.relu6(x + 3) + F.hardtanh(x - 2) + F.hardsigmoid(x), 3.0)),
    Row("slope of `clamp` at its ends", ("1", "1", "0"), "",
        slope(lambda torch, F, x: x.clamp(-1, 1), 1.0)),
    Row("the same, its ends being tensors", ("1", "1", "0.5"), "", slope(clamp_by_tensors, 1.0)),
    Row("cosine_embedding, target -1, at its margin", ("1", "1", "0"), "0", cosine_slope),
    Row("hinge_embedding, target -1, at its margin", ("-1", "-1", "0"), "",
        slope(hinge_embedding, 1.0)),
    Row("margin_ranking at its margin", ("-1", "-1", "0"), "", slope(margin_ranking, 1.0)),
    Row("smooth_l1 of beta 0 where y = t", ("-1", "0", "0"), "0", slope(smooth_l1, 1.0)),
    Row("softshrink(NaN)", ("0", "NaN", "NaN"), "NaN",
        value(lambda torch, F, x: F.softshrink(x), NAN)),
    Row("relu'(NaN), threshold'(NaN)", ("1", "1", "1"), "NaN",
        slope(lambda torch, F, x: F.relu(x), NAN)),
    Row("relu6'(NaN), hard_tanh'(NaN), softshrink'(NaN), hardshrink'(NaN)",
        ("0 or 1", "0 or 1", "0 or 1"), "NaN", slope(lambda torch, F, x: F.relu6(x), NAN)),
    Row("elu'(NaN), celu'(NaN), hardswish'(NaN)", ("1 or NaN", "1 or NaN", "1 or NaN"), "NaN",
        slope(lambda torch, F, x: F.elu(x), NAN)),
    Row("leaky_relu'(NaN), prelu'(NaN)", ("0.01", "0.01", "0.01"), "NaN",
        slope(lambda torch, F, x: F.leaky_relu(x), NAN)),
    Row("softsign(∞)", ("NaN", "NaN", "NaN"), "1",
        value(lambda torch, F, x: F.softsign(x), INF)),
    Row("silu, mish, gelu, gelu_tanh, hardswish at -∞", ("NaN", "NaN", "NaN"), "0",
        value(lambda torch, F, x: F.silu(x), -INF)),
    Row("silu', mish', gelu', gelu_tanh' at ∞", ("NaN", "NaN", "NaN"), "1",
        slope(lambda torch, F, x: F.silu(x), INF)),
    Row("softmax of a row of 0 and ∞", ("NaN", "NaN", "NaN"), "NaN",
        lambda torch, F: text_of(F.softmax(numbers(torch, 0.0, INF), 0).tolist())),
    Row("a target of binary_cross_entropy above 1", (TAKEN, REFUSED, REFUSED), REFUSED,
        answer(bce)),
    Row("hard_tanh, min_val above max_val", (TAKEN, REFUSED, REFUSED), REFUSED,
        answer(lambda torch, F: F.hardtanh(numbers(torch, 0.0), 1.0, -1.0))),
    Row("softshrink, lambda below 0", (REFUSED, REFUSED, REFUSED), REFUSED,
        answer(lambda torch, F: F.softshrink(numbers(torch, 0.0), -1.0))),
    Row("hardshrink, lambda below 0", (TAKEN, TAKEN, TAKEN), TAKEN,
        answer(lambda torch, F: F.hardshrink(numbers(torch, 0.0), -1.0))),
    Row("celu, alpha below 0", (TAKEN, TAKEN, TAKEN), REFUSED,
        answer(lambda torch, F: F.celu(numbers(torch, 0.0), -1.0))),
    Row("softplus, beta 0", (TAKEN, TAKEN, TAKEN), REFUSED,
        answer(lambda torch, F: F.softplus(numbers(torch, 0.0), 0.0))),
    Row("cross_entropy, label_smoothing below 0", ("as 0", "as 0", "as 0"), REFUSED,
        negative_smoothing),
    Row("cross_entropy, a class weight below 0", (TAKEN, TAKEN, TAKEN), REFUSED,
        answer(lambda torch, F: cross_entropy(torch, F, weight=numbers(torch, -1.0, 1)))),
    Row("batch_norm's training form of one sample", (REFUSED, REFUSED, REFUSED), "x̂ = 0",
        batch_norm([[1.0]], 1e-5)),
)


def markdown():
    """The lines of the table."""
    yield "| | %s | here |" % " | ".join("%d.%d" % version for version in VERSIONS)
    yield "|---|" + "---|" * (len(VERSIONS) + 1)
    for row in ROWS:
        yield "| %s | %s | %s |" % (row.what, " | ".join(row.found), row.ours or "–")


def main():
    if sys.argv[1:] == ["--markdown"]:
        print("\n".join(markdown()))
        return
    import torch
    import torch.nn.functional as F
    warnings.simplefilter("ignore")
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    print("PyTorch %s" % torch.__version__)
    failed = 0
    for row in ROWS:
        found = row.measure(torch, F)
        failed += found != row.expected(version)
        if found != row.expected(version):
            print("%s: found %s, expected %s" % (row.what, found, row.expected(version)))
    print("%d passed, %d failed" % (len(ROWS) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
